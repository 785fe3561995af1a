package gql

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"sparki.app/integrations/server/gql/internal/testschema"
)

func loader(l Limits) *documents {
	return newDocuments(new(testschema.Server).Schema().Schema(), l.withDefaults(), nil)
}

// nest puts a field inside itself n times around inner.
func nest(n int, field, inner string) string {
	return strings.Repeat(field+"{", n) + inner + strings.Repeat("}", n)
}

// chain is a document in which n fragments each spread the next one times times.
func chain(n, times int, inner string) string {
	var b strings.Builder
	b.WriteString("{person{...F0}}")
	for i := range n {
		fmt.Fprintf(&b, " fragment F%d on Person{%s}", i, strings.Repeat(fmt.Sprintf("...F%d ", i+1), times))
	}
	fmt.Fprintf(&b, " fragment F%d on Person{%s}", n, inner)
	return b.String()
}

func TestLimits(t *testing.T) {
	t.Parallel()
	aliases := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "a%d:name ", i)
		}
		return "{person{" + b.String() + "}}"
	}
	const typeRef = "type{ofType{ofType{ofType{ofType{ofType{ofType{ofType{ofType{ofType{name}}}}}}}}}}"
	for _, c := range []struct {
		name, query string
		limits      Limits
		code        string // "" when served
		says        string
	}{
		{name: "TokensAtLimit", query: "{" + nest(1, "person", strings.Repeat("name ", 95)) + "}", limits: Limits{Tokens: 100}},
		{name: "TokensAbove", query: "{" + nest(1, "person", strings.Repeat("name ", 96)) + "}", limits: Limits{Tokens: 100}, code: codeTooComplex, says: "more than 100 tokens"},
		{name: "TokensOfComments", query: strings.Repeat("#\n", 3_000) + "{hello}", code: codeTooComplex, says: "tokens"},
		{name: "TokensOfDirectives", query: "{hello" + strings.Repeat(" @include(if:true)", 400) + "}", code: codeTooComplex, says: "tokens"},
		{name: "TokensOfValues", query: "{echo(input:" + strings.Repeat("[", 3_000) + "}", code: codeBadInput},
		{name: "DepthAtLimit", query: "{" + nest(1, "person", nest(10, "friend", "name")) + "}"},
		{name: "DepthAbove", query: "{" + nest(1, "person", nest(11, "friend", "name")) + "}", code: codeTooComplex, says: "13 fields deep"},
		{name: "DepthThroughFragments", query: chain(5, 1, nest(11, "friend", "name")), code: codeTooComplex, says: "deep"},
		{name: "DepthThroughInlineFragments", query: "{person{...{" + nest(11, "friend", "...on Person{name}") + "}}}", code: codeTooComplex, says: "deep"},
		{name: "DepthOfEveryOperation", query: "query a{hello} query b{" + nest(1, "person", nest(11, "friend", "name")) + "}", code: codeTooComplex, says: "deep"},
		{name: "DepthOfIntrospection", query: "{__schema{types{fields{args{" + typeRef + "}}}}}"},
		{name: "DepthOfIntrospectionAbove", query: `{__type(name:"Query"){ofType{ofType{ofType{ofType{ofType{ofType{ofType{ofType{ofType{ofType{ofType{ofType{ofType{ofType{name}}}}}}}}}}}}}}}}`, code: codeTooComplex, says: "introspection is 16"},
		{name: "DepthOfFragmentCycle", query: "{person{...a}} fragment a on Person{friend{...b}} fragment b on Person{friend{...a}}", code: codeBadInput, says: "within itself"},
		{name: "AliasesAtLimit", query: aliases(30)},
		{name: "AliasesAbove", query: aliases(31), code: codeTooComplex, says: "more than 30 aliases"},
		{name: "AliasesInFragments", query: "{person{...a}} fragment a on Person" + aliases(31)[len("{person"):len(aliases(31))-1], code: codeTooComplex, says: "aliases"},
		{name: "RootFieldsAtLimit", query: "{" + strings.Repeat("hello ", 20) + "}"},
		{name: "RootFieldsAbove", query: "{" + strings.Repeat("hello ", 21) + "}", code: codeTooComplex, says: "more than 20 fields at its root"},
		{name: "RootFieldsInFragments", query: "{...a ...{...a}} fragment a on Query{" + strings.Repeat("hello ", 11) + "}", code: codeTooComplex, says: "root"},
		{name: "RootFieldsOfMutation", query: "mutation{" + strings.Repeat("bump ", 21) + "}", code: codeTooComplex, says: "root"},
		{name: "RepeatedFields", query: "{person{" + strings.Repeat("name ", 1_900) + "}}", code: codeTooComplex, says: "repeats"},
		{name: "RepeatedFieldsInInlineFragments", query: "{person{" + strings.Repeat("...{name name name name name name name} ", 180) + "}}", code: codeTooComplex, says: "repeats"},
		{name: "RepeatedFieldsOfIntrospection", query: "{__schema{types{" + strings.Repeat("name ", 1_900) + "}}}", code: codeTooComplex, says: "repeats"},
		{name: "FirstAtLimit", query: "{items(first:100){nodes{id}}}"},
		{name: "FirstAbove", query: "{items(first:101){totalCount}}", code: codeTooComplex, says: "first is above 100"},
		{name: "FirstOverflows", query: "{items(first:99999999999999999999){totalCount}}", code: codeTooComplex, says: "first is above 100"},
		{name: "FirstNegative", query: "{items(first:-5){nodes{id}}}"}, // the resolver's to refuse
		{name: "CostOfNestedPages", query: "{items(first:100){nodes{items(first:100){nodes{id}}}}}", code: codeTooComplex, says: "more than 10000 objects"},
		{name: "CostThroughEdges", query: "{items(first:100){edges{node{items(first:100){edges{node{id}}}}}}}", code: codeTooComplex, says: "objects"},
		{name: "CostThroughFragments", query: "{items(first:100){...p}} fragment p on ItemConnection{nodes{...i}} fragment i on Item{items(first:100){nodes{id}}}", code: codeTooComplex, says: "objects"},
		{name: "CostByDefaultOfFirst", query: "{items{nodes{items{nodes{items{nodes{items{nodes{id}}}}}}}}}", code: codeTooComplex, says: "objects"},
		{name: "CostOfSmallPages", query: "{items(first:5){nodes{items(first:5){nodes{items(first:5){nodes{items(first:5){nodes{id}}}}}}}}}"},
		{name: "CostWithoutLists", query: "{items(first:100){totalCount}}", limits: Limits{Cost: 1}},
		{name: "CostOfOneDeepPage", query: "{items(first:100){edges{cursor node{id owner{name friend{name friend{name}}}}}}}"},
		{name: "CostOfAListThatFirstBounds", query: "{latest(first:100){items(first:100){nodes{id}}}}", code: codeTooComplex, says: "objects"},
		{name: "CostOfAListWithoutFirst", query: "{latest{items(first:100){nodes{id}}}}", code: codeTooComplex, says: "objects"}, // taken to be 100 long
		{name: "CostOfPlainLists", query: "{people{" + nest(8, "friends", "name") + "}}", code: codeTooComplex, says: "objects"},
		{name: "CostOfFewPlainLists", query: "{people{" + nest(4, "friends", "name") + "}}"},
		{name: "CostOfManyIntrospections", query: "{" + func() (s string) {
			for i := range 6 {
				s += fmt.Sprintf("a%d:__schema{types{name}} ", i)
			}
			return s
		}() + "}", code: codeTooComplex, says: "objects"},
		{name: "Chain26", query: chain(26, 2, "name")},
		{name: "Chain26OfObjects", query: chain(26, 2, "friend{name}"), code: codeTooComplex, says: "objects"},
		{name: "VariableFirst", query: "query($n:Int){items(first:$n){nodes{id}}}"},
		{name: "VariableFirstMayBeSmall", query: "query($n:Int){items(first:$n){nodes{items(first:$n){nodes{id}}}}}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := loader(c.limits)
			for range 2 { // a cached document has the same verdict
				_, errs := d.load(c.query)
				check(t, errs, c.code, c.says)
			}
		})
	}
}

func check(t *testing.T, errs gqlerror.List, code, says string) {
	t.Helper()
	switch {
	case code == "" && len(errs) > 0:
		t.Errorf("refused: %v", errs)
	case code != "" && len(errs) == 0:
		t.Error("served")
	case code != "" && (errs[0].Extensions["code"] != code || !strings.Contains(errs[0].Message, says)):
		t.Errorf("got %v: %s, want %s: %s", errs[0].Extensions["code"], errs[0].Message, code, says)
	}
}

// What depends on variables is decided for each request, be the document cached or not.
func TestLimitsOfVariables(t *testing.T) {
	t.Parallel()
	const one = "query($n:Int){items(first:$n){nodes{id}}}"
	const two = "query($n:Int,$m:Int=3){items(first:$n){nodes{items(first:$m){nodes{id}}}}}"
	for _, c := range []struct {
		name, query string
		variables   map[string]any
		code        string
	}{
		{name: "None", query: one},
		{name: "Null", query: one, variables: map[string]any{"n": nil}},
		{name: "AtLimit", query: one, variables: map[string]any{"n": int64(100)}},
		{name: "Above", query: one, variables: map[string]any{"n": int64(101)}, code: codeTooComplex},
		{name: "Product", query: two, variables: map[string]any{"n": int64(100), "m": int64(100)}, code: codeTooComplex},
		{name: "SmallProduct", query: two, variables: map[string]any{"n": int64(100), "m": int64(10)}},
		{name: "ProductWithDefault", query: two, variables: map[string]any{"n": int64(100), "m": int64(3)}},
		{name: "ProductWithNull", query: two, variables: map[string]any{"n": int64(100), "m": nil}, code: codeTooComplex},
		{name: "NegativeProduct", query: two, variables: map[string]any{"n": int64(-100), "m": int64(-100)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := loader(Limits{})
			for range 2 {
				doc, errs := d.load(c.query)
				if errs != nil {
					t.Fatal(errs)
				}
				variables := c.variables
				if variables == nil {
					variables = map[string]any{}
				}
				err := doc.allows(d.schema, &d.limits, doc.ast.Operations[0], variables)
				if got := err != nil; got != (c.code != "") {
					t.Errorf("got %v", err)
				}
			}
		})
	}
}

// A chain of fragments costs what it is long, not two to that power (reliability, E3).
func TestFragmentChainIsLinear(t *testing.T) {
	d := loader(Limits{})
	for _, inner := range []string{"name", "friend{name}"} {
		short, long := quickest(d, chain(13, 2, inner)), quickest(d, chain(26, 2, inner))
		if long > 50*short { // twice as long, and not 8,192 times
			t.Errorf("%s: a chain of 13 takes %v, one of 26 %v", inner, short, long)
		}
	}
}

// quickest is the shortest time that a document took to be loaded, uncached.
func quickest(d *documents, query string) time.Duration {
	best := time.Hour
	for i := range 20 {
		start := time.Now()
		_, _ = d.load(fmt.Sprintf("%s #%d", query, i))
		best = min(best, time.Since(start))
	}
	return best
}

func TestDocumentCache(t *testing.T) {
	t.Parallel()
	d := loader(Limits{})
	first, _ := d.load("{hello}")
	again, _ := d.load("{hello}")
	if first == nil || first != again {
		t.Error("parsed again")
	}
	if _, errs := d.load("{nope}"); errs == nil || len(d.byText) != 1 {
		t.Error("kept what is not valid")
	}
	for i := range 2 * maxDocuments {
		_, _ = d.load(fmt.Sprintf("{hello} #%d", i))
		if _, errs := d.load("{hello}"); errs != nil {
			t.Fatal(errs)
		}
	}
	if len(d.byText) != maxDocuments || d.recent.Len() != maxDocuments {
		t.Errorf("%d documents kept", len(d.byText))
	}
	if again, _ = d.load("{hello}"); again != first {
		t.Error("dropped the one in use")
	}
	// Large ones make room sooner.
	large := "{person{" + strings.Repeat("name fail __typename friend{name fail} ", 100) + "}}"
	for i := range maxNodes/500 + 10 {
		_, _ = d.load(fmt.Sprintf("%s #%d", large, i))
	}
	if d.nodes > maxNodes || len(d.byText) > maxNodes/500 {
		t.Errorf("%d nodes in %d documents kept", d.nodes, len(d.byText))
	}
}

func TestNegotiate(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]accepted{
		"text/event-stream":                            {events: true},
		"text/event-stream, */*;q=0.1":                 {single: mediaJSON, events: true},
		"application/json;q=x":                         {single: mediaJSON},
		"application/json;q=0.4, application/*;q=0.5":  {single: mediaGraphQL},
		" application/json ; charset = utf-8":          {single: mediaJSON},
		"application/graphql-response+json;charset=x,": {},
		",":       {},
		"text/*":  {},
		"*/*;q=0": {},
	} {
		if got := negotiate([]string{accept}); got != want {
			t.Errorf("%q: %+v, want %+v", accept, got, want)
		}
	}
	if got := negotiate([]string{"text/html", typeGraphQL}); got.single != mediaGraphQL {
		t.Errorf("two headers: %+v", got)
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{{"", ""}, {"abc", "abc"}, {"abcd", "abc"}, {"abé", "ab"}, {"a🏃", "a"}, {"🏃", ""}} {
		if got := cut(c[0], 3); got != c[1] {
			t.Errorf("cut(%q) is %q", c[0], got)
		}
	}
}

// Whatever a document says, loading it ends soon and without a panic.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"{hello}", chain(3, 2, "friend{name}"), "{person{...a}} fragment a on Person{friend{...b}} fragment b on Person{friend{...a}}",
		"query a($n:Int=3){items(first:$n){nodes{id}}} mutation b{bump(by:1)} subscription c{count(to:1)}",
		`{echo(input:{text:"""a""",mood:HAPPY}) @skip(if:false) ...@defer{hello}}`, "{__schema{types{fields{args{type{ofType{name}}}}}}}",
	} {
		f.Add(seed)
	}
	d := loader(Limits{})
	f.Fuzz(func(t *testing.T, query string) {
		start := time.Now()
		doc, errs := d.load(query)
		if (doc == nil) == (len(errs) == 0) {
			t.Errorf("document %v, errors %v", doc, errs)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
		for _, e := range errs {
			if e.Extensions["code"] == nil || len(e.Message) > maxMessage {
				t.Errorf("error %v", e)
			}
		}
	})
}

// Whatever a client says over a socket, reading it does not panic and believes only what PROTOCOL.md allows.
func FuzzMessage(f *testing.F) {
	for _, seed := range []string{
		`{"type":"connection_init","payload":{"Authorization":"x"}}`, `{"type":"ping","payload":null}`, `{"type":"complete","id":"1"}`,
		`{"id":"1","type":"subscribe","payload":{"query":"{hello}","variables":{"a":[1e9]},"operationName":null,"extensions":{}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok := parseMessage(b)
		if !ok {
			return
		}
		if !json.Valid(b) || m.hasID() && !json.Valid([]byte(m.id.Raw)) {
			t.Errorf("believed %q", b)
		}
		if p, err := jsonParams(m.payload); err == nil && p == nil {
			t.Errorf("neither parameters nor an error for %q", b)
		}
	})
}
