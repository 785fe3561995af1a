package gql_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"sparki.app/integrations/server/gql"
)

const (
	typeJSON    = "application/json"
	typeGraphQL = "application/graphql-response+json"
)

// request is one HTTP request. Empty fields mean POST with JSON that accepts application/graphql-response+json; "-" means
// no such header.
type request struct {
	method, accept, contentType, authorization string
	header                                     http.Header
	query                                      url.Values
	body                                       string
}

type response struct {
	status int
	header http.Header
	body   string
}

func (w *world) do(t *testing.T, q request) response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), cmp.Or(q.method, http.MethodPost), w.http.URL+"/?"+q.query.Encode(), strings.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range q.header {
		r.Header[name] = values
	}
	for name, value := range map[string]string{
		"Accept": cmp.Or(q.accept, typeGraphQL), "Content-Type": cmp.Or(q.contentType, typeJSON), "Authorization": cmp.Or(q.authorization, "-"),
	} {
		if value != "-" {
			r.Header.Set(name, value)
		}
	}
	got, err := w.http.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	b, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response{status: got.StatusCode, header: got.Header, body: string(b)}
}

func (w *world) post(t *testing.T, body string) response {
	t.Helper()
	return w.do(t, request{body: body})
}

func body(query string) string {
	b, _ := json.Marshal(map[string]string{"query": query})
	return string(b)
}

// TestHTTP is our own list of GraphQL over HTTP's rules, and of what a hostile request may try. A code means an answer
// with one error of that code and without data.
func TestHTTP(t *testing.T) {
	t.Parallel()
	const hello = `{"data":{"hello":"Hello world"}}`
	get := func(query string) request {
		return request{method: "GET", contentType: "-", query: url.Values{"query": {query}}}
	}
	with := func(q request, change func(*request)) request {
		change(&q)
		return q
	}
	accept := func(a string) request { return request{accept: a, body: body("{hello}")} }
	typed := func(c string) request { return request{contentType: c, body: body("{hello}")} }
	sent := func(b string) request { return request{body: b} }
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(body("{hello}")))
	_ = z.Close()

	for _, c := range []struct {
		name   string
		send   request
		status int
		media  string // typeGraphQL when empty
		body   string // when there is no code
		code   string
		header map[string]string
	}{
		{name: "Accept/GraphQL", send: accept(typeGraphQL), status: 200, body: hello},
		{name: "Accept/JSON", send: accept(typeJSON), status: 200, media: typeJSON, body: hello},
		{name: "Accept/Absent", send: accept("-"), status: 200, media: typeJSON, body: hello},
		{name: "Accept/Anything", send: accept("*/*"), status: 200, media: typeJSON, body: hello},
		{name: "Accept/ApplicationAnything", send: accept("application/*"), status: 200, media: typeJSON, body: hello},
		{name: "Accept/Both", send: accept("application/graphql-response+json, application/json"), status: 200, body: hello},
		{name: "Accept/BothOtherOrder", send: accept("application/json, application/graphql-response+json"), status: 200, media: typeJSON, body: hello},
		{name: "Accept/Quality", send: accept("application/json;q=0.5, application/graphql-response+json;q=0.9"), status: 200, body: hello},
		{name: "Accept/QualityZero", send: accept("application/json;q=0, */*"), status: 200, body: hello},
		{name: "Accept/NamedBeforeAnything", send: accept("*/*, application/graphql-response+json"), status: 200, body: hello},
		{name: "Accept/Browser", send: accept("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), status: 200, media: typeJSON, body: hello},
		{name: "Accept/Everything", send: accept("application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"), status: 200, body: hello},
		{name: "Accept/Charset", send: accept("application/graphql-response+json; charset=UTF-8"), status: 200, body: hello},
		{name: "Accept/Case", send: accept("Application/GraphQL-Response+JSON"), status: 200, body: hello},
		{name: "Accept/Unknown", send: accept("text/html"), status: 406, media: typeJSON, code: "BAD_USER_INPUT"},
		{name: "Accept/OtherCharset", send: accept("application/json; charset=iso-8859-1"), status: 406, media: typeJSON, code: "BAD_USER_INPUT"},
		{name: "Accept/Nothing", send: accept("*/*;q=0"), status: 406, media: typeJSON, code: "BAD_USER_INPUT"},

		{name: "Type/Charset", send: typed("application/json; charset=utf-8"), status: 200, body: hello},
		{name: "Type/CharsetQuoted", send: typed(`application/json;charset="UTF-8"`), status: 200, body: hello},
		{name: "Type/OtherCharset", send: typed("application/json; charset=utf-16"), status: 415, code: "BAD_USER_INPUT"},
		{name: "Type/Absent", send: typed("-"), status: 415, code: "BAD_USER_INPUT"},
		{name: "Type/Text", send: typed("text/plain"), status: 415, code: "BAD_USER_INPUT"},
		{name: "Type/Form", send: typed("application/x-www-form-urlencoded"), status: 415, code: "BAD_USER_INPUT"},
		{name: "Type/Multipart", send: typed("multipart/form-data; boundary=x"), status: 415, code: "BAD_USER_INPUT"},
		{name: "Type/GraphQL", send: typed("application/graphql"), status: 415, code: "BAD_USER_INPUT"},
		{name: "Type/Trick", send: typed("text/plain; application/json"), status: 415, code: "BAD_USER_INPUT"},
		{name: "Type/JSONLines", send: typed("application/jsonl"), status: 415, code: "BAD_USER_INPUT"},
		{name: "Type/Malformed", send: typed("application/json;;=;"), status: 415, code: "BAD_USER_INPUT"},
		{name: "Encoding/Gzip", send: request{header: http.Header{"Content-Encoding": {"gzip"}}, body: zipped.String()}, status: 415, code: "BAD_USER_INPUT"},
		{name: "Encoding/Deflate", send: request{header: http.Header{"Content-Encoding": {"deflate"}}, body: body("{hello}")}, status: 415, code: "BAD_USER_INPUT"},
		{name: "Encoding/Identity", send: request{header: http.Header{"Content-Encoding": {"identity"}}, body: body("{hello}")}, status: 200, body: hello},

		{name: "Body/Empty", send: sent(""), status: 400, code: "BAD_USER_INPUT"},
		{name: "Body/NotJSON", send: sent(`{"query":"{canary`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Body/NotUTF8", send: sent("{\"query\":\"{hello(name:\\\"\xff\\\")}\"}"), status: 400, code: "BAD_USER_INPUT"},
		{name: "Body/Null", send: sent("null"), status: 400, code: "BAD_USER_INPUT"},
		{name: "Body/String", send: sent(`"{hello}"`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Body/Batch", send: sent(`[{"query":"{hello}"}]`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Body/Two", send: sent(`{"query":"{hello}"}{"query":"{hello}"}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Body/Spaces", send: sent(" \n" + body("{hello}") + "\n "), status: 200, body: hello},
		{name: "Body/OtherMembers", send: sent(`{"query":"{hello}","id":7,"doc_id":[1]}`), status: 200, body: hello},
		{name: "Body/NoQuery", send: sent(`{"qeury":"{hello}"}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Body/OtherCase", send: sent(`{"Query":"{hello}"}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Body/QueryTwice", send: sent(`{"query":"{hello}","query":"mutation{bump}"}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Body/QueryNull", send: sent(`{"query":null}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Body/QueryNumber", send: sent(`{"query":0}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Body/QueryObject", send: sent(`{"query":{}}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Body/NameNumber", send: sent(`{"query":"{hello}","operationName":0}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Body/NameNull", send: sent(`{"query":"{hello}","operationName":null}`), status: 200, body: hello},
		{name: "Body/Name", send: sent(`{"query":"query a{viewer} query b{hello}","operationName":"b"}`), status: 200, body: hello},
		{name: "Body/NameUnknown", send: sent(`{"query":"query a{viewer} query b{hello}","operationName":"c"}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Body/NameMissing", send: sent(`{"query":"query a{viewer} query b{hello}"}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Body/VariablesString", send: sent(`{"query":"{hello}","variables":"{}"}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Body/VariablesArray", send: sent(`{"query":"{hello}","variables":[]}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Body/VariablesNull", send: sent(`{"query":"{hello}","variables":null}`), status: 200, body: hello},
		{name: "Body/ExtensionsString", send: sent(`{"query":"{hello}","extensions":"x"}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Body/ExtensionsNull", send: sent(`{"query":"{hello}","extensions":null}`), status: 200, body: hello},
		{name: "Body/Extensions", send: sent(`{"query":"{hello}","extensions":{"some":"value"}}`), status: 200, body: hello},
		{name: "Body/PersistedQuery", send: sent(`{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Body/TooLarge", send: sent(body("{hello #" + strings.Repeat("x", 1<<20) + "\n}")), status: 413, code: "TOO_COMPLEX"},
		{name: "Body/Deep", send: sent(`{"query":"{hello}","variables":` + strings.Repeat(`{"a":`, 50_000) + "1" + strings.Repeat("}", 50_000) + "}"), status: 400, code: "BAD_USER_INPUT"},

		{name: "Get/Query", send: get("{hello}"), status: 200, body: hello},
		{name: "Get/Variables", send: with(get("query($n:String!){hello(name:$n)}"), func(q *request) { q.query.Set("variables", `{"n":"world"}`) }), status: 200, body: hello},
		{name: "Get/OperationName", send: with(get("query a{viewer} query b{hello}"), func(q *request) { q.query.Set("operationName", "b") }), status: 200, body: hello},
		{name: "Get/EmptyOperationName", send: with(get("{hello}"), func(q *request) { q.query.Set("operationName", "") }), status: 200, body: hello},
		{name: "Get/BadVariables", send: with(get("{hello}"), func(q *request) { q.query.Set("variables", "canary") }), status: 400, code: "BAD_USER_INPUT"},
		{name: "Get/ListVariables", send: with(get("{hello}"), func(q *request) { q.query.Set("variables", "[]") }), status: 400, code: "BAD_USER_INPUT"},
		{name: "Get/BadExtensions", send: with(get("{hello}"), func(q *request) { q.query.Set("extensions", "1") }), status: 400, code: "BAD_USER_INPUT"},
		{name: "Get/Twice", send: with(get("{hello}"), func(q *request) { q.query.Add("query", "{viewer}") }), status: 400, code: "BAD_USER_INPUT"},
		{name: "Get/NoQuery", send: request{method: "GET", contentType: "-"}, status: 400, code: "BAD_USER_INPUT"},
		{name: "Get/NotUTF8", send: get("{hello(name:\"\xff\")}"), status: 400, code: "BAD_USER_INPUT"},
		{name: "Get/Mutation", send: get("mutation{bump}"), status: 405, code: "BAD_USER_INPUT", header: map[string]string{"Allow": "POST"}},
		{name: "Get/MutationAmongQueries", send: with(get("query a{hello} mutation b{bump}"), func(q *request) { q.query.Set("operationName", "b") }), status: 405, code: "BAD_USER_INPUT"},
		{name: "Get/Subscription", send: get("subscription{count(to:1)}"), status: 405, code: "BAD_USER_INPUT"},
		{name: "Post/QueryInURL", send: request{query: url.Values{"query": {"{hello}"}}, body: "{}"}, status: 400, code: "BAD_USER_INPUT"},
		{name: "Post/Mutation", send: sent(body("mutation{bump(by:0)}")), status: 200, body: `{"data":{"bump":0}}`},
		{name: "Post/Subscription", send: sent(body("subscription{count(to:1)}")), status: 400, code: "BAD_USER_INPUT"},
		{name: "Method/Put", send: request{method: "PUT", body: body("{hello}")}, status: 405, code: "BAD_USER_INPUT", header: map[string]string{"Allow": "GET, POST"}},
		{name: "Method/Delete", send: request{method: "DELETE"}, status: 405, code: "BAD_USER_INPUT"},

		{name: "Document/Syntax", send: sent(body("{")), status: 400, code: "BAD_USER_INPUT"},
		{name: "Document/SyntaxJSON", send: request{accept: typeJSON, body: body("{")}, status: 200, media: typeJSON, code: "BAD_USER_INPUT"},
		{name: "Document/Empty", send: sent(body("")), status: 400, code: "BAD_USER_INPUT"},
		{name: "Document/OnlyFragment", send: sent(body("fragment a on Query{hello}")), status: 400, code: "BAD_USER_INPUT"},
		{name: "Document/Invalid", send: sent(body("{nope}")), status: 400, code: "BAD_USER_INPUT"},
		{name: "Document/InvalidJSON", send: request{accept: typeJSON, body: body("{nope}")}, status: 200, media: typeJSON, code: "BAD_USER_INPUT"},
		{name: "Document/FragmentCycle", send: sent(body("{person{...a}} fragment a on Person{friend{...a}}")), status: 400, code: "BAD_USER_INPUT"},
		{name: "Document/UnknownFragment", send: sent(body("{...a}")), status: 400, code: "BAD_USER_INPUT"},
		{name: "Document/Type", send: sent(body("type Query{a:Int} {hello}")), status: 400, code: "BAD_USER_INPUT"},
		{name: "Variables/Missing", send: sent(body("query($n:Int!){big(n:$n)}")), status: 400, code: "BAD_USER_INPUT"},
		{name: "Variables/MissingJSON", send: request{accept: typeJSON, body: body("query($n:Int!){big(n:$n)}")}, status: 200, media: typeJSON, code: "BAD_USER_INPUT"},
		{name: "Variables/Null", send: sent(`{"query":"query($n:Int!){big(n:$n)}","variables":{"n":null}}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Variables/WrongType", send: sent(`{"query":"query($n:Int!){big(n:$n)}","variables":{"n":true}}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Variables/Huge", send: sent(`{"query":"query($n:Int!){big(n:$n)}","variables":{"n":1e400}}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Variables/NumberForString", send: sent(`{"query":"query($n:String!){hello(name:$n)}","variables":{"n":5}}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Variables/NumberForStringInside", send: sent(`{"query":"query($i:EchoInput!){echo(input:$i)}","variables":{"i":{"text":5}}}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Variables/TextForInt", send: sent(`{"query":"query($n:Int!){big(n:$n)}","variables":{"n":"5"}}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Variables/IntOf64Bits", send: sent(`{"query":"query($n:Int!){big(n:$n)}","variables":{"n":2147483648}}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Variables/Fraction", send: sent(`{"query":"query($n:Int!){big(n:$n)}","variables":{"n":1.5}}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Variables/EnumInOtherCase", send: sent(`{"query":"query($i:EchoInput!){echo(input:$i)}","variables":{"i":{"text":"a","mood":"happy"}}}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Variables/Enum", send: sent(`{"query":"query($i:EchoInput!){echo(input:$i)}","variables":{"i":{"text":"a","mood":"HAPPY"}}}`), status: 200, body: `{"data":{"echo":"a"}}`},
		{name: "Variables/ArrayForInput", send: sent(`{"query":"query($i:EchoInput!){echo(input:$i)}","variables":{"i":[]}}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Variables/UnknownMember", send: sent(`{"query":"query($i:EchoInput!){echo(input:$i)}","variables":{"i":{"text":"a","canary":1}}}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Variables/Input", send: sent(`{"query":"query($i:EchoInput!){echo(input:$i)}","variables":{"i":{"text":"ab","times":2}}}`), status: 200, body: `{"data":{"echo":"abab"}}`},

		{name: "Variables/List", send: sent(`{"query":"query($t:[String!]!){join(texts:$t)}","variables":{"t":["a","b"]}}`), status: 200, body: `{"data":{"join":"ab"}}`},
		{name: "Variables/OneForAList", send: sent(`{"query":"query($t:[String!]!){join(texts:$t)}","variables":{"t":"a"}}`), status: 200, body: `{"data":{"join":"a"}}`},
		{name: "Variables/NumberInAList", send: sent(`{"query":"query($t:[String!]!){join(texts:$t)}","variables":{"t":["a",5]}}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Variables/NullInAList", send: sent(`{"query":"query($t:[String!]!){join(texts:$t)}","variables":{"t":["a",null]}}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Variables/Float", send: sent(`{"query":"query($f:Float!){half(of:$f)}","variables":{"f":3}}`), status: 200, body: `{"data":{"half":1.5}}`},
		{name: "Variables/TextForFloat", send: sent(`{"query":"query($f:Float!){half(of:$f)}","variables":{"f":"3"}}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Variables/TextForBoolean", send: sent(`{"query":"query($s:Boolean!){hello @skip(if:$s)}","variables":{"s":"true"}}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Variables/ID", send: sent(`{"query":"query($i:ID!){same(id:$i)}","variables":{"i":"a"}}`), status: 200, body: `{"data":{"same":"a"}}`},
		{name: "Variables/IntForID", send: sent(`{"query":"query($i:ID!){same(id:$i)}","variables":{"i":7}}`), status: 200, body: `{"data":{"same":"7"}}`},
		{name: "Variables/FractionForID", send: sent(`{"query":"query($i:ID!){same(id:$i)}","variables":{"i":7.5}}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Limits/FirstInVariable", send: sent(`{"query":"query($n:Int){items(first:$n){totalCount}}","variables":{"n":101}}`), status: 400, code: "TOO_COMPLEX"},
		{name: "Limits/CostOfVariables", send: sent(`{"query":"query($n:Int){items(first:$n){nodes{items(first:$n){nodes{id}}}}}","variables":{"n":100}}`), status: 400, code: "TOO_COMPLEX"},
		{name: "Limits/CostOfSmallVariables", send: sent(`{"query":"query($n:Int){items(first:$n){nodes{items(first:$n){nodes{id}}}}}","variables":{"n":1}}`), status: 200,
			body: `{"data":{"items":{"nodes":[{"items":{"nodes":[{"id":"0"}]}}]}}}`},
		{name: "Limits/JSON", send: request{accept: typeJSON, body: body("{items(first:101){totalCount}}")}, status: 200, media: typeJSON, code: "TOO_COMPLEX"},

		{name: "Auth/Refused", send: request{authorization: "Bearer bad", body: body("{hello}")}, status: 401, code: "UNAUTHENTICATED", header: map[string]string{"WWW-Authenticate": "Bearer"}},
		{name: "Auth/RefusedJSON", send: request{authorization: "Bearer bad", accept: typeJSON, body: body("{hello}")}, status: 401, media: typeJSON, code: "UNAUTHENTICATED"},
		{name: "Auth/RefusedGet", send: with(get("{hello}"), func(q *request) { q.authorization = "Bearer bad" }), status: 401, code: "UNAUTHENTICATED"},
		{name: "Auth/BodyUnread", send: request{authorization: "Bearer bad", body: "nonsense"}, status: 401, code: "UNAUTHENTICATED"},
		{name: "Auth/Unavailable", send: request{authorization: "Bearer broken", body: body("{hello}")}, status: 503, code: "INTERNAL", header: map[string]string{"Retry-After": "1"}},
		{name: "Auth/Panic", send: request{authorization: "Bearer panic", body: body("{hello}")}, status: 503, code: "INTERNAL"},
		{name: "Auth/Bearer", send: request{authorization: "Bearer x", body: body("{viewer}")}, status: 200, body: `{"data":{"viewer":"Bearer x"}}`},
		{name: "Auth/Cookie", send: request{header: http.Header{"Cookie": {"session=s"}}, body: body("{viewer}")}, status: 200, body: `{"data":{"viewer":"cookie s"}}`},

		{name: "Result/Typename", send: sent(body("{__typename}")), status: 200, body: `{"data":{"__typename":"Query"}}`},
		{name: "Result/Raw", send: sent(body("{raw}")), status: 200, body: `{"data":{"raw":{"a":[1,2]}}}`},
		{name: "Result/FieldError", send: sent(body("{hello fail}")), status: 200, body: `{"data":{"hello":"Hello world","fail":null},
			"errors":[{"message":"internal error","path":["fail"],"extensions":{"code":"INTERNAL"}}]}`},
		{name: "Result/DataNull", send: sent(body("{hello failHard}")), status: 200, body: `{"data":null,
			"errors":[{"message":"internal error","path":["failHard"],"extensions":{"code":"INTERNAL"}}]}`},
		{name: "Result/Panic", send: sent(body("{panics}")), status: 200, body: `{"data":{"panics":null},
			"errors":[{"message":"internal error","path":["panics"],"extensions":{"code":"INTERNAL"}}]}`},
		{name: "Result/ArgumentOfOurOwnScalar", send: sent(body(`{odd(value:"even")}`)), status: 200, body: `{"data":{"odd":null},
			"errors":[{"message":"not odd","path":["odd","value"],"extensions":{"code":"BAD_USER_INPUT"}}]}`},
		{name: "Result/VariableOfOurOwnScalar", send: sent(`{"query":"query($o:Odd!){odd(value:$o)}","variables":{"o":"odd:1"}}`), status: 200, body: `{"data":{"odd":"odd:1"}}`},
		{name: "Result/LiteralOutOfRange", send: sent(body(`{odd(value:99999999999999999999)}`)), status: 200, body: `{"data":{"odd":null},
			"errors":[{"message":"number out of range","path":["odd"],"extensions":{"code":"BAD_USER_INPUT"}}]}`},
		{name: "Result/SkipNull", send: sent(`{"query":"query($s:Boolean=true){hello @skip(if:$s)}","variables":{"s":null}}`), status: 400, code: "BAD_USER_INPUT"},
		{name: "Result/Defer", send: sent(body("query($d:Boolean=true){person{name ...@defer(if:$d){friend{name}}}}")), status: 200,
			body: `{"data":{"person":{"name":"Ann","friend":{"name":"Ann"}}}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			got := w.do(t, c.send)
			if got.status != c.status {
				t.Errorf("status is %d, want %d: %s", got.status, c.status, got.body)
			}
			if media := got.header.Get("Content-Type"); media != cmp.Or(c.media, typeGraphQL)+"; charset=utf-8" {
				t.Errorf("content type is %s", media)
			}
			for name, want := range c.header {
				if value := got.header.Get(name); value != want {
					t.Errorf("%s is %q, want %q", name, value, want)
				}
			}
			switch {
			case c.code == "" && !sameJSON(got.body, c.body):
				t.Errorf("body is %s, want %s", got.body, c.body)
			case c.code != "" && (!slices.Equal(codes(t, got.body), []string{c.code}) || strings.Contains(got.body, `"data"`)):
				t.Errorf("body is %s, want one error %s and no data", got.body, c.code)
			}
			if c.code != "" && strings.Contains(got.body, "canary") && !strings.Contains(c.name, "UnknownMember") {
				t.Errorf("echoed: %s", got.body)
			}
			if w.Counter.Load() != 0 {
				t.Error("a mutation ran")
			}
		})
	}
}

// A body without Content-Length is only read up to the limit.
func TestHTTPChunkedBodyTooLarge(t *testing.T) {
	t.Parallel()
	w := setup(t, limits(gql.Limits{Body: 1_000}))
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, w.http.URL, io.MultiReader(strings.NewReader(`{"query":"{hello #`), strings.NewReader(strings.Repeat("x", 2_000))))
	r.Header.Set("Content-Type", typeJSON)
	got, err := w.http.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	if got.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status is %d", got.StatusCode)
	}
}

func TestHTTPRefusalsAreSmall(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, query := range []string{
		"{person{" + strings.Repeat("nope ", 500) + "}}",
		"{" + strings.Repeat("n", 500_000) + "}",
		`{hello(name:` + strings.Repeat("n", 500_000) + `)}`,
		"{" + strings.Repeat("hello ", 5_000) + "}",
		"query " + strings.Repeat("n", 500_000) + "($a:Int){hello}",
	} {
		got := w.post(t, body(query))
		if got.status != 400 || len(got.body) > 2_000 {
			t.Errorf("%.20s: status %d, %d bytes", query, got.status, len(got.body))
		}
		if strings.Contains(got.body, "Did you mean") {
			t.Errorf("suggests: %s", got.body)
		}
	}
}

func TestHTTPNoSuggestions(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, query := range []string{
		"{helo}", "{hello(nam:1)}", "{person}", "{echo(input:{tex:1})}", "query($a:EchoInputs){hello}", "{...on Persn{name}}", `{echo(input:{text:"a",mood:HAPY})}`,
	} {
		got := w.post(t, body(query))
		if got.status != 400 || strings.Contains(got.body, "Did you mean") {
			t.Errorf("%s: %s", query, got.body)
		}
	}
}

func TestHTTPDeadline(t *testing.T) {
	t.Parallel()
	w := setup(t, limits(gql.Limits{Operation: 20 * time.Millisecond}))
	got := w.post(t, body("{waits hello}"))
	if got.status != 200 || !slices.Equal(codes(t, got.body), []string{"INTERNAL"}) || w.Waiting.Load() != 1 {
		t.Errorf("got %v", got)
	}
}

func TestHTTPClientLeaves(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, http.MethodPost, w.http.URL, strings.NewReader(body("{waits}")))
	r.Header.Set("Content-Type", typeJSON)
	done := make(chan error)
	go func() {
		_, err := w.http.Client().Do(r)
		done <- err
	}()
	eventually(t, "waiting", func() bool { return w.Live.Load() == 1 })
	cancel()
	if err := <-done; err == nil {
		t.Error("got an answer")
	}
	eventually(t, "resolver ended", func() bool { return w.Live.Load() == 0 })
}

func TestHTTPIntrospectionCanBeOff(t *testing.T) {
	t.Parallel()
	w := setup(t, func(c *gql.Config) {
		c.OnOperation = func(ctx context.Context, oc *graphql.OperationContext) context.Context {
			oc.DisableIntrospection = oc.Headers.Get("X-Operator") == ""
			return ctx
		}
	})
	const query = `{__type(name:"Query"){name}}`
	if got := w.post(t, body(query)); len(codes(t, got.body)) != 1 {
		t.Errorf("got %s", got.body)
	}
	if got := w.do(t, request{header: http.Header{"X-Operator": {"yes"}}, body: body(query)}); got.body != `{"data":{"__type":{"name":"Query"}}}` {
		t.Errorf("got %s", got.body)
	}
}

// The caller's presenter words what resolvers say, and nothing else.
func TestHTTPPresenter(t *testing.T) {
	t.Parallel()
	w := setup(t, func(c *gql.Config) {
		c.Errors = func(ctx context.Context, err error) *gqlerror.Error {
			e := graphql.DefaultErrorPresenter(ctx, err)
			return &gqlerror.Error{Message: "presented", Path: e.Path, Extensions: map[string]any{"code": "MINE"}}
		}
	})
	for query, want := range map[string]string{
		"{fail}":                          "MINE",
		"{panics}":                        "MINE",
		"{nope}":                          "BAD_USER_INPUT",
		`{odd(value:"even")}`:             "BAD_USER_INPUT",
		"{items(first:1000){totalCount}}": "TOO_COMPLEX",
	} {
		if got := w.post(t, body(query)); !slices.Equal(codes(t, got.body), []string{want}) {
			t.Errorf("%s: %s, want %s", query, got.body, want)
		}
	}
}

// The same document serves many requests at once, each with its own variables.
func TestHTTPConcurrent(t *testing.T) {
	t.Parallel()
	w := setup(t)
	done := make(chan string, 64)
	for i := range cap(done) {
		go func() {
			q := fmt.Sprintf(`{"query":"query($n:String!){hello(name:$n) person{...f}} fragment f on Person{friend{name}}","variables":{"n":"%d"}}`, i)
			want := fmt.Sprintf(`{"data":{"hello":"Hello %d","person":{"friend":{"name":"Ann"}}}}`, i)
			r, err := http.NewRequest(http.MethodPost, w.http.URL, strings.NewReader(q))
			if err != nil {
				done <- err.Error()
				return
			}
			r.Header.Set("Content-Type", typeJSON)
			got, err := w.http.Client().Do(r)
			if err != nil {
				done <- err.Error()
				return
			}
			defer got.Body.Close()
			b, _ := io.ReadAll(got.Body)
			if string(b) != want {
				done <- fmt.Sprintf("got %s, want %s", b, want)
				return
			}
			done <- ""
		}()
	}
	for range cap(done) {
		if problem := <-done; problem != "" {
			t.Error(problem)
		}
	}
}
