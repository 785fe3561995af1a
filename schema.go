package sparki

import _ "embed" // for the schema

//go:generate go tool -modfile=tools.mod gqlgen generate

// SDL is the API's schema, as it stands in schema.graphqls.
//
//go:embed schema.graphqls
var SDL []byte
