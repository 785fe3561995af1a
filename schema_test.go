package sparki_test

import (
	"os"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"sparki.app/integrations"
)

// Every element of the schema says what it is.
func TestSchemaIsDescribed(t *testing.T) {
	t.Parallel()
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphqls", Input: string(sparki.SDL)})
	if err != nil {
		t.Fatal(err)
	}
	described := func(what, text string) {
		if strings.TrimSpace(text) == "" {
			t.Errorf("%s has no description", what)
		}
	}
	for name, def := range schema.Types {
		if def.BuiltIn {
			continue
		}
		described(name, def.Description)
		for _, value := range def.EnumValues {
			described(name+"."+value.Name, value.Description)
		}
		for _, field := range def.Fields {
			if strings.HasPrefix(field.Name, "__") {
				continue
			}
			described(name+"."+field.Name, field.Description)
			for _, arg := range field.Arguments {
				described(name+"."+field.Name+"("+arg.Name+")", arg.Description)
			}
		}
	}
}

// .env.example lists what the program reads.
func TestEnvExampleIsComplete(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("cmd/sparki/config.go")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile(".env.example")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, part := range strings.Split(string(source), "`env:\"")[1:] {
		name, _, _ := strings.Cut(part, `"`)
		found++
		if !strings.Contains("\n"+string(example), "\n"+name+"=") {
			t.Errorf(".env.example does not list %s", name)
		}
	}
	if found < 10 {
		t.Errorf("only %d variables found in config.go: this test reads it wrongly", found)
	}
}
