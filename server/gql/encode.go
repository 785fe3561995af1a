package gql

import (
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// payload is one answer as JSON, in bytes of its own that never change: it can be sent to any number of operations.
type payload struct {
	json []byte
	// refused: nothing was executed, and json is the list of errors without a response around it. This is what graphql-ws
	// sends as "error".
	refused bool
}

// payloadOf encodes a response for a stream.
func payloadOf(r *graphql.Response) payload {
	if len(r.Data) == 0 {
		return refusal(r.Errors)
	}
	return payload{json: appendResponse(make([]byte, 0, len(r.Data)+16), r)}
}

func refusal(errs gqlerror.List) payload {
	return payload{json: appendErrors(nil, errs), refused: true}
}

// appendResponse appends a response (GraphQL §7.1 Response Format). Without data there was no execution and the entry is absent, which
// GraphQL over HTTP §6.4 tells apart from null. The data are what the executor wrote, never read again.
func appendResponse(b []byte, r *graphql.Response) []byte {
	b = append(b, '{')
	if len(r.Errors) > 0 {
		b = append(b, `"errors":`...)
		b = appendErrors(b, r.Errors)
	}
	if len(r.Data) > 0 {
		b = separate(b)
		b = append(b, `"data":`...)
		b = append(b, r.Data...)
	}
	if len(r.Extensions) > 0 {
		if extensions, err := json.Marshal(r.Extensions); err == nil {
			b = separate(b)
			b = append(b, `"extensions":`...)
			b = append(b, extensions...)
		}
	}
	return append(b, '}')
}

func separate(b []byte) []byte {
	if b[len(b)-1] == '{' {
		return b
	}
	return append(b, ',')
}

func appendErrors(b []byte, errs gqlerror.List) []byte {
	list, err := json.Marshal(errs)
	if err != nil || len(errs) == 0 {
		list, _ = json.Marshal(gqlerror.List{failure(codeInternal, "internal error")})
	}
	return append(b, list...)
}
