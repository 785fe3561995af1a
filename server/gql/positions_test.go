package gql

import (
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// A variable that only says where to begin does not tell groups apart; one that is used elsewhere, or
// might be, does.
func TestPositions(t *testing.T) {
	t.Parallel()
	s := &Sharing{Positions: []string{"after"}}
	variables := map[string]any{"a": "x", "n": "y"}
	for query, want := range map[string]string{
		"subscription($a:String){activity(after:$a){id}}":                             `{"n":"y"}`,
		"subscription($a:String$n:Int){activity(after:$a,filter:$n){id}}":             `{"n":"y"}`,
		"subscription($a:String){activity(filter:$a){id}}":                            `{"a":"x","n":"y"}`,
		"subscription($a:String){activity(after:$a){id node(id:$a){id}}}":             `{"a":"x","n":"y"}`,
		"subscription($a:String){activity(after:$a){...f}} fragment f on A{b(c:$ a)}": `{"a":"x","n":"y"}`,
		"subscription($a:String){activity(after:$a){id(text:\"$5\")}}":                `{"n":"y"}`,
		"subscription($a:String$ab:Int){activity(after:$a){id(n:$ab)}}":               `{"n":"y"}`,
		"subscription{activity(after:\"x\"){id}}":                                     `{"a":"x","n":"y"}`,
		"subscription($a:String){...{activity(after:$a){id}}}":                        `{"a":"x","n":"y"}`,
	} {
		doc, err := parser.ParseQuery(&ast.Source{Input: query})
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if got := s.variables(doc.Operations[0], &graphql.RawParams{Query: query, Variables: variables}); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	if got := s.variables(nil, &graphql.RawParams{}); got != "" {
		t.Errorf("no variables: %s", got)
	}
}
