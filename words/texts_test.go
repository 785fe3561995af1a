package words

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// textArgs says which arguments of which functions are texts for people, by the last name of the
// function; one that means something else in a folder has the folder in front.
var textArgs = map[string][]int{
	"Errorf": {1}, "Refuse": {1}, "misconfigured": {1}, "In": {1},
	"integrations/refuse": {2}, "resolvers/refuse": {1}, "server/refuse": {},
	"DropFetches": {2}, "RetryFetch": {3}, "agenda/refuse": {1}, "SettleMessages": {4},
	"integrations/pass": {1}, "integrations/warn": {1, 2}, "integrations/fail": {1, 2}, "integrations/skip": {1, 2},
}

// textNames are the fields and variables that hold texts for people, and the functions and maps that give them.
var textNames = []string{"Text", "Label", "Help", "Reason", "text", "problem",
	"saying", "fault", "verdict", "contentOf", "noConsent", "wording", "states", "remedies", "remedy", "reason"}

// notForPeople are files whose texts only operators or programmers see.
var notForPeople = []string{"bench/*", "bench/*/*", "db/migrate.go", "db/dbtest/*", "cmd/*/*", "web/*", "graph/*", "devstack/*", "devstack/*/*", "devstack/*/*/*",
	"server/gql/*", "server/gql/*/*/*", "providers/providertest/*", "providers/memstore/*", "providers/*/mock*.go", "words/*", "worker/*", "pubsub/*"}

// inSQL are texts that a statement writes.
var inSQL = []string{"received before"}

// texts collects the texts for people of the program, with the place of each.
func texts(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, text := range inSQL {
		found[text] = "SQL"
	}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		name := filepath.ToSlash(strings.TrimPrefix(path, "../"))
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") ||
			slices.ContainsFunc(notForPeople, func(pattern string) bool { ok, _ := filepath.Match(pattern, name); return ok }) {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		w := &walker{t: t, set: set, folder: filepath.ToSlash(filepath.Dir(name)), found: found}
		ast.Inspect(file, w.node)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

type walker struct {
	t      *testing.T
	set    *token.FileSet
	folder string
	found  map[string]string
}

func (w *walker) node(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CallExpr:
		name := lastName(n.Fun)
		if selector, ok := n.Fun.(*ast.SelectorExpr); ok && name == "Errorf" && lastName(selector.X) == "fmt" {
			break
		}
		args, ok := textArgs[w.folder+"/"+name]
		if !ok {
			args = textArgs[name]
		}
		for _, arg := range args {
			if arg < len(n.Args) {
				w.text(n.Args[arg])
			}
		}
	case *ast.KeyValueExpr:
		if slices.Contains(textNames, lastName(n.Key)) {
			w.text(n.Value)
		}
	case *ast.AssignStmt:
		for i, target := range n.Lhs {
			if len(n.Rhs) == len(n.Lhs) && slices.Contains(textNames, lastName(target)) {
				w.text(n.Rhs[i])
			}
		}
	case *ast.ValueSpec:
		for i, name := range n.Names {
			if all, ok := valueOf(n, i).(*ast.CompositeLit); ok && slices.Contains(textNames, name.Name) {
				for _, entry := range all.Elts {
					if entry, ok := entry.(*ast.KeyValueExpr); ok {
						w.text(entry.Value)
					}
				}
			}
		}
	case *ast.FuncDecl:
		if slices.Contains(textNames, n.Name.Name) && n.Body != nil {
			ast.Inspect(n.Body, func(n ast.Node) bool {
				if n, ok := n.(*ast.ReturnStmt); ok {
					for _, result := range n.Results {
						w.text(result)
					}
				}
				return true
			})
		}
	}
	return true
}

func valueOf(spec *ast.ValueSpec, i int) ast.Expr {
	if i < len(spec.Values) {
		return spec.Values[i]
	}
	return nil
}

// text notes a literal, or the format of a Sprintf. What comes from elsewhere is noted there.
func (w *walker) text(e ast.Expr) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		if err == nil && e.Kind == token.STRING && text != "" && text != "%s" {
			w.found[text] = w.set.Position(e.Pos()).String()
		}
	case *ast.CallExpr:
		if lastName(e.Fun) == "Sprintf" {
			w.text(e.Args[0])
		}
	case *ast.BinaryExpr:
		if _, literal := e.X.(*ast.BasicLit); !literal {
			if _, literal = e.Y.(*ast.BasicLit); !literal {
				break
			}
		}
		w.t.Errorf("%s: a text for people is one literal, with verbs where something else stands in it", w.set.Position(e.Pos()))
	}
}

func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	default:
		return ""
	}
}

// Every text for people has a Dutch one, and no Dutch one is left over.
func TestCatalogueIsComplete(t *testing.T) {
	t.Parallel()
	found := texts(t)
	for text, place := range found {
		if _, known := dutch[text]; !known {
			t.Errorf("no Dutch for %q, %s", text, place)
		}
	}
	for text := range dutch {
		if _, used := found[text]; !used {
			t.Errorf("nothing says %q", text)
		}
	}
	if len(found) < 150 {
		t.Errorf("only %d texts found: this test reads the code wrongly", len(found))
	}
}

// Both languages say the same of the same: every placeholder stands in both.
func TestPlaceholdersAgree(t *testing.T) {
	t.Parallel()
	for english, translation := range dutch {
		if a, b := placeholders(english), placeholders(translation); !slices.Equal(a, b) {
			t.Errorf("%q has %v, %q has %v", english, a, translation, b)
		}
		if translation == "" || strings.Contains(english, "%%") {
			t.Errorf("%q: %q", english, translation)
		}
	}
}

func placeholders(text string) []string {
	var all []string
	for n, v := range verb.FindAllStringSubmatch(text, -1) {
		if v[1] == "" {
			v[1] = strconv.Itoa(n + 1)
		}
		all = append(all, v[1]+v[2])
	}
	for _, part := range strings.Split(text, "{")[1:] {
		name, _, _ := strings.Cut(part, "}")
		all = append(all, "{"+name+"}")
	}
	slices.Sort(all)
	return all
}

// Whatever the arguments, a sentence finds the format that made it and no other.
func TestSentencesFindTheirFormat(t *testing.T) {
	t.Parallel()
	c := newCatalogue(dutch)
	for english, translation := range dutch {
		for _, filler := range []string{"Kolibri", "Keizersgracht 12: (1 hoog); check it", "agency 7", "%d {x}\nb", strings.Repeat("é", 300)} {
			var args []any
			for _, v := range verb.FindAllStringSubmatch(english, -1) {
				if v[2] == "d" {
					args = append(args, 404)
					continue
				}
				args = append(args, filler)
			}
			want := fmt.Sprintf(translation, args...)
			if got := c.translate(fmt.Sprintf(english, args...)); got != want {
				t.Errorf("%q with %q:\n got %q\nwant %q", english, filler, got, want)
			}
		}
	}
}
