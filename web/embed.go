// Package web holds what a browser loads from us: the home page, the API explorer and their static files.
//
// There is no build step. The files under static are the source and are what is served; third-party code lies unchanged in
// static/vendor. Which route serves which handler, and who may see it, is the server's business.
package web

import "embed"

//go:embed static
var staticFiles embed.FS

//go:embed templates
var templateFiles embed.FS
