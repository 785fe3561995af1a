// Package graph holds what gqlgen generates from schema.graphqls, and the scalars.
package graph

import (
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strconv"
	"time"

	"github.com/99designs/gqlgen/graphql"
)

// Node is every object with a public id.
type Node interface{ NodeID() string }

// MarshalDateTime writes a time in UTC with a Z.
func MarshalDateTime(t time.Time) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		b := make([]byte, 0, len(time.RFC3339Nano)+2)
		b = append(t.UTC().AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
		_, _ = w.Write(b)
	})
}

// UnmarshalDateTime reads an RFC 3339 timestamp.
func UnmarshalDateTime(v any) (time.Time, error) {
	if s, ok := v.(string); ok {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("DateTime must be an RFC 3339 string such as \"2026-03-02T09:15:00Z\"")
}

// MarshalURL writes a URL.
func MarshalURL(s string) graphql.Marshaler { return graphql.MarshalString(s) }

// UnmarshalURL reads an absolute http(s) URL.
func UnmarshalURL(v any) (string, error) {
	if s, ok := v.(string); ok {
		if u, err := url.Parse(s); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" {
			return s, nil
		}
	}
	return "", errors.New("URL must be an absolute http(s) URL")
}

// MarshalJSON writes any value as it is.
func MarshalJSON(v any) graphql.Marshaler {
	return graphql.WriterFunc(func(w io.Writer) {
		b, err := json.Marshal(v)
		if err != nil {
			b = []byte(strconv.Quote("this value is no JSON"))
		}
		_, _ = w.Write(b)
	})
}

// UnmarshalJSON reads any value.
func UnmarshalJSON(v any) (any, error) { return v, nil }
