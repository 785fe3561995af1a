package sparki_test

import (
	"encoding/json"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "sparki.app/integrations"

// mayImport says which of our packages each package may import; "" is the root. A package below a
// key with /... has that key's rule. Tests may import more. README.md draws it.
var mayImport = map[string][]string{
	"":                        {},
	"devstack":                {"devstack/internal/..."},
	"devstack/internal/...":   {"devstack/internal/..."},
	"devstack/teststack":      {"devstack", "devstack/internal/..."},
	"web":                     {},
	"words":                   {},
	"graph":                   {"", "providers"},
	"graph/direct":            {},
	"tracing":                 {""},
	"tracing/export":          {},
	"providers":               {""},
	"providers/rest":          {"", "tracing"},
	"providers/memstore":      {"providers"},
	"providers/mockkit":       {"providers"},
	"providers/wire":          {"", "providers/rest"},
	"providers/dutch":         {""},
	"providers/kolibri":       {"", "providers", "providers/dutch", "providers/mockkit", "providers/rest", "providers/wire"},
	"providers/realworks":     {"", "providers", "providers/dutch", "providers/mockkit", "providers/rest", "providers/wire"},
	"providers/all":           {"providers", "providers/kolibri", "providers/realworks"},
	"providers/providertest":  {"", "providers", "providers/rest"},
	"db":                      {"", "providers", "tracing"},
	"db/dbtest":               {"", "db", "devstack/teststack"},
	"pubsub":                  {""},
	"auth":                    {"", "db"},
	"integrations":            {"", "db", "providers", "providers/rest"},
	"listings":                {"", "db", "providers", "tracing"},
	"agenda":                  {"", "db", "providers", "providers/rest", "tracing"},
	"media":                   {"", "db", "providers/rest"},
	"worker":                  {"", "tracing"},
	"metrics":                 {},
	"feed":                    {"", "db", "pubsub"},
	"resolvers":               {"", "agenda", "db", "feed", "graph", "graph/direct", "integrations", "listings", "media", "providers", "words"},
	"server/gql":              {},
	"server/gql/internal/...": {},
	"server":                  {"", "auth", "db", "feed", "graph", "integrations", "listings", "media", "providers", "resolvers", "server/gql", "tracing", "web", "words"},
	"cmd/sparki":              {"..."},
	"bench":                   {"..."},
}

// No circle can grow, and a CRM's folder cannot learn of the database, while this holds.
func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); decoder.More(); {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&pkg); err != nil {
			t.Fatal(err)
		}
		name := ours(pkg.ImportPath)
		allowed, known := ruleOf(name)
		if !known {
			t.Errorf("package %q has no rule: add it here and say in README.md what it is for", name)
			continue
		}
		for _, imported := range pkg.Imports {
			if imported != module && !strings.HasPrefix(imported, module+"/") {
				continue
			}
			if target := ours(imported); !slices.ContainsFunc(allowed, func(pattern string) bool { return matches(pattern, target) }) {
				t.Errorf("%q imports %q", name, target)
			}
		}
	}
}

func ours(importPath string) string {
	return strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/")
}

func ruleOf(name string) ([]string, bool) {
	if rule, ok := mayImport[name]; ok {
		return rule, true
	}
	for parent := path.Dir(name); parent != "."; parent = path.Dir(parent) {
		if rule, ok := mayImport[parent+"/..."]; ok {
			return rule, true
		}
		if rule, ok := mayImport[parent]; ok && parent == "bench" {
			return rule, true
		}
	}
	return nil, false
}

func matches(pattern, target string) bool {
	parent, below := strings.CutSuffix(pattern, "...")
	return below && strings.HasPrefix(target+"/", parent) || pattern == target
}
