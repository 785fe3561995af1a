package resolvers

import (
	"os"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"sparki.app/integrations"
)

// Everything that can happen is said in words; the catalogue's own test wants them in Dutch.
func TestEveryActivityIsWorded(t *testing.T) {
	t.Parallel()
	sdl, err := os.ReadFile("../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := gqlparser.LoadSchema(&ast.Source{Input: string(sdl)})
	if err != nil {
		t.Fatal(err)
	}
	types := schema.Types["ActivityType"].EnumValues
	for _, v := range types {
		if wording[sparki.ActivityType(v.Name)] == "" {
			t.Errorf("%s has no words", v.Name)
		}
	}
	if len(types) != len(wording) {
		t.Errorf("%d kinds of activity, %d wordings", len(types), len(wording))
	}
}
