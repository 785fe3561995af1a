package gql_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"sparki.app/integrations/server/gql"
)

// Each operation is told of once, by its kind and its first error, whichever way it comes.
func TestDone(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	told := map[string]int{}
	w := setup(t, func(c *gql.Config) {
		c.Done = func(kind ast.Operation, code string, took time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			if took < 0 || took > time.Minute {
				t.Errorf("%s took %v", kind, took)
			}
			told[fmt.Sprintf("%s %s", kind, code)]++
		}
	})
	for _, query := range []string{`{ hello }`, `{ fail }`, `{ nothing }`, `mutation { bump }`} {
		w.post(t, body(query))
	}
	p := w.ready(t)
	p.subscribe("1", `{ hello }`)
	p.receive()
	p.receive() // complete
	p.subscribe("2", `{ nothing }`)
	p.receive()
	p.subscribe("3", `subscription { messages { text } }`)
	e := w.open(t, `subscription { messages { text } }`)
	eventually(t, "two subscribers", func() bool { return w.publish(t, "one") == 2 })
	p.receive()
	for range 2 { // the beginning and a message
		if _, err := e.read(); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.handler.Streams(); n != 2 {
		t.Errorf("%d streams are open", n)
	}
	mu.Lock()
	defer mu.Unlock()
	want := map[string]int{"query ": 2, "query INTERNAL": 1, " BAD_USER_INPUT": 2, "mutation ": 1, "subscription ": 2}
	if fmt.Sprint(told) != fmt.Sprint(want) {
		t.Errorf("told of %v, want %v", told, want)
	}
}
