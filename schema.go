package sparki

import _ "embed" // for the schema

// SDL is the API's schema, as it stands in schema.graphqls.
//
//go:embed schema.graphqls
var SDL []byte
