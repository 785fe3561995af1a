package main

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
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

// The operations page and the README link to files that are there.
func TestDocumentsLinkToFiles(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	for _, page := range []string{"../../README.md", "../../docs/operations.md"} {
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
