package gql_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sparki.app/integrations/server/gql"
	"sparki.app/integrations/server/gql/internal/testschema"
)

// nowhere is a ResponseWriter that keeps nothing.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n nowhere) WriteHeader(int)             {}

func benchmark(b *testing.B, h http.Handler, query string) {
	b.ReportAllocs()
	q := body(query)
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(q))
		r.Header.Set("Content-Type", typeJSON)
		h.ServeHTTP(nowhere{http.Header{}}, r)
	}
}

var queries = map[string]string{
	"Hello": "{hello}",
	"Items": "query list($n:Int=100){items(first:$n){totalCount edges{cursor node{id owner{name friend{name}}}}}}",
}

func BenchmarkHTTP(b *testing.B) {
	h := gql.New(gql.Config{Schema: new(testschema.Server).Schema(), Authenticate: authenticate})
	for name, q := range queries {
		b.Run(name, func(b *testing.B) { benchmark(b, h, q) })
	}
}
