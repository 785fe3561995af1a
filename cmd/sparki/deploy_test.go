package main

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The deployment files cannot be run by a test, but they can name a command, a variable or a probe that
// does not exist. These hold them against the program.

func deploymentFiles(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("../../deploy/kubernetes/*.yaml")
	if err != nil || len(names) < 4 {
		t.Fatalf("found %v, %v", names, err)
	}
	files := map[string]string{}
	for _, name := range append(names, "../../docker-compose.yml") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = string(text)
	}
	return files
}

// assigned is a line that gives a variable of the environment a value.
var assigned = regexp.MustCompile(`(?m)^\s+([A-Z][A-Z_]+): \S`)

func TestDeploymentNamesKnownVariables(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[config]()) {
		known[field.Tag.Get("env")] = true
	}
	found := 0
	for name, text := range deploymentFiles(t) {
		for _, match := range assigned.FindAllStringSubmatch(text, -1) {
			found++
			if !known[match[1]] {
				t.Errorf("%s sets %s, which sparki does not read", name, match[1])
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d variables found: this test reads the files wrongly", found)
	}
}

// runs is a line that says what a container of ours runs.
var runs = regexp.MustCompile(`(?m)^\s+(?:args|command): \[([a-z]+)\]$`)

func TestDeploymentNamesKnownCommands(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for name, text := range deploymentFiles(t) {
		for _, match := range runs.FindAllStringSubmatch(text, -1) {
			found[match[1]] = true
			if !slices.ContainsFunc(commands(), func(c command) bool { return c.name == match[1] }) {
				t.Errorf("%s runs %q, which is no command", name, match[1])
			}
		}
	}
	if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, []string{"doctor", "migrate", "serve", "worker"}) {
		t.Errorf("they run %v", got)
	}
}

// Pages link to files that are there.
func TestDocumentsLinkToFiles(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	for _, page := range []string{"../../README.md", "../../docs/operations.md", "../../docs/reliability.md", "../../SECURITY.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), match[1])); err != nil {
				t.Errorf("%s links to %s: %v", page, match[1], err)
			}
		}
	}
}

// The page of what can go wrong has every row once, with a test or a decision, and names tests that there are.
func TestReliabilityNamesTests(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	row := regexp.MustCompile(`^\| ([A-Z]\d+) \| .+ \| (.+) \|$`)
	name := regexp.MustCompile("`(?:([a-z/]+): )?((?:Test|Fuzz)\\w+)((?:/\\w+)*)`")
	sources := map[string]string{}
	for line := range strings.Lines(string(page)) {
		tests := name.FindAllStringSubmatch(line, -1)
		if cells := row.FindStringSubmatch(strings.TrimSpace(line)); cells != nil {
			rows[cells[1]]++
			if len(tests) == 0 && !strings.Contains(cells[2], "decided: ") {
				t.Errorf("%s has neither a test nor a decision", cells[1])
			}
		}
		for _, test := range tests {
			folder := map[string]string{"": ".", "sparki": "../.."}[test[1]]
			if folder == "" {
				folder = "../../" + test[1]
			}
			source, read := sources[folder]
			if !read {
				source = testSources(t, folder)
				sources[folder] = source
			}
			if !strings.Contains(source, "func "+test[2]+"(") {
				t.Errorf("there is no %s", test[0])
			}
			// A subtest's name stands somewhere in quotes.
			if sub := strings.TrimPrefix(test[3], "/"); sub != "" && !strings.Contains(source, `"`+sub+`"`) {
				t.Errorf("there is no %s in %s", sub, test[0])
			}
		}
	}
	for kind, last := range map[string]int{"A": 18, "B": 21, "C": 9, "D": 16, "E": 19, "F": 7, "G": 15, "H": 10, "I": 11, "J": 9, "K": 12, "L": 17, "M": 22, "N": 12, "P": 20} {
		for n := 1; n <= last; n++ {
			if id := kind + itoa(n); rows[id] != 1 {
				t.Errorf("%s stands there %d times", id, rows[id])
			}
		}
	}
}

// testSources are a folder's test files, one after the other.
func testSources(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests in %s: %v", folder, err)
	}
	var all strings.Builder
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(content)
	}
	return all.String()
}
