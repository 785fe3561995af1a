package gql

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/tidwall/gjson"
)

// The parameters of a request (GraphQL over HTTP §5.1 Request Parameters), as bits of the set of those that were seen.
const (
	paramQuery = 1 << iota
	paramOperationName
	paramVariables
	paramExtensions
)

var (
	errNotJSON   = errors.New("the request body is not JSON in UTF-8")
	errBatch     = errors.New("batches are not supported: send one object")
	errNotObject = errors.New("the request must be a JSON object")
	errTwice     = errors.New("a parameter is given twice")
	errQuery     = errors.New("query must be a string")
	errOperation = errors.New("operationName must be a string or null")
	errVariables = errors.New("variables must be an object or null")
	errExtension = errors.New("extensions must be an object or null")
	errURL       = errors.New("the query string cannot be read")
	errBody      = errors.New("the request body cannot be read")
)

// scratch holds buffers for bodies and answers. Large ones are left to the collector.
var scratch = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func release(b *bytes.Buffer) {
	if b.Cap() <= 64<<10 {
		b.Reset()
		scratch.Put(b)
	}
}

// bodyParams reads the parameters of a POST (GraphQL over HTTP §5.4.1 JSON Encoding). A body above the limit is *http.MaxBytesError.
func bodyParams(w http.ResponseWriter, r *http.Request, limit int64) (*graphql.RawParams, error) {
	buf := scratch.Get().(*bytes.Buffer)
	defer release(buf)
	if _, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, limit)); err != nil {
		if tooLarge(err) {
			return nil, err
		}
		return nil, errBody
	}
	if !utf8.Valid(buf.Bytes()) || !json.Valid(buf.Bytes()) {
		return nil, errNotJSON
	}
	return jsonParams(gjson.ParseBytes(buf.Bytes()))
}

// jsonParams reads the parameters of a request from valid JSON. Members that the specification does not name are left
// alone; those that it names may come once.
func jsonParams(v gjson.Result) (*graphql.RawParams, error) {
	switch {
	case v.IsArray():
		return nil, errBatch
	case !v.IsObject():
		return nil, errNotObject
	}
	p := new(graphql.RawParams)
	var seen int
	var err error
	v.ForEach(func(name, v gjson.Result) bool {
		var bit int
		switch name.Str {
		case "query":
			bit = paramQuery
			p.Query = v.Str
			if v.Type != gjson.String {
				err = errQuery
			}
		case "operationName":
			bit = paramOperationName
			p.OperationName = v.Str
			if v.Type != gjson.String && v.Type != gjson.Null {
				err = errOperation
			}
		case "variables":
			bit = paramVariables
			if p.Variables, err = object(v); err != nil {
				err = errVariables
			}
		case "extensions":
			bit = paramExtensions
			if p.Extensions, err = object(v); err != nil {
				err = errExtension
			}
		}
		if seen&bit != 0 {
			err = errTwice
		}
		seen |= bit
		return err == nil
	})
	if err == nil && seen&paramQuery == 0 {
		err = errQuery
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// object decodes a JSON object, with its numbers as json.Number, or null as nil.
func object(v gjson.Result) (map[string]any, error) {
	switch {
	case v.Type == gjson.Null, v.Raw == "{}":
		return nil, nil
	case !v.IsObject():
		return nil, errNotObject
	}
	d := json.NewDecoder(strings.NewReader(v.Raw))
	d.UseNumber()
	var m map[string]any
	err := d.Decode(&m)
	return m, err
}

// urlParams reads the parameters of a GET (GraphQL over HTTP §5.3 GET), where variables and extensions are JSON in a string.
func urlParams(r *http.Request) (*graphql.RawParams, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || !utf8.ValidString(values.Get("query")) {
		return nil, errURL
	}
	for _, name := range []string{"query", "operationName", "variables", "extensions"} {
		if len(values[name]) > 1 {
			return nil, errTwice
		}
	}
	p := &graphql.RawParams{Query: values.Get("query"), OperationName: values.Get("operationName")}
	if !values.Has("query") {
		return nil, errQuery
	}
	if p.Variables, err = objectParam(values, "variables"); err != nil {
		return nil, errVariables
	}
	if p.Extensions, err = objectParam(values, "extensions"); err != nil {
		return nil, errExtension
	}
	return p, nil
}

func objectParam(values url.Values, name string) (map[string]any, error) {
	if !values.Has(name) {
		return nil, nil
	}
	text := values.Get(name)
	if !utf8.ValidString(text) || !json.Valid([]byte(text)) {
		return nil, errNotJSON
	}
	return object(gjson.Parse(text))
}

// tooLarge reports whether err says that a body was above its limit.
func tooLarge(err error) bool { return errors.As(err, new(*http.MaxBytesError)) }
