package sparki_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var writeLicences = flag.Bool("write-licences", false, "write docs/licences.md anew")

const licencesFile = "docs/licences.md"

// licences are those under which a library may be part of the program, each known by words of its text.
// All of them ask for no more than that we name the library and its licence.
var licences = []struct {
	name string
	text *regexp.Regexp
}{
	{"Apache-2.0", regexp.MustCompile(`Apache License,? Version 2\.0`)},
	{"MIT", regexp.MustCompile(`Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files`)},
	{"BSD-3-Clause", regexp.MustCompile(`Redistribution and use in source and binary forms.*[Nn]either the name`)},
	{"BSD-2-Clause", regexp.MustCompile(`Redistribution and use in source and binary forms`)},
	{"ISC", regexp.MustCompile(`Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee`)},
}

// copyleft stands in no licence that a library of ours may have, not even beside another one.
var copyleft = regexp.MustCompile(`(?i)GNU (Affero |Lesser )?General Public License|Mozilla Public License|Server Side Public License|Business Source License`)

var spaces = regexp.MustCompile(`\s+`)

// library is one that is built into the program.
type library struct{ Path, Version, Dir string }

// Every library in the program has a licence that we may use it under, and stands with it in the list.
// After a change of go.mod: go test . -run TestLicences -write-licences
func TestLicences(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", `{{with .Module}}{{if not .Main}}{"Path":"{{.Path}}","Version":"{{.Version}}","Dir":{{printf "%q" .Dir}}}{{end}}{{end}}`, "./cmd/sparki").Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []library
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var l library
		if err := decoder.Decode(&l); err != nil {
			t.Fatal(err)
		}
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b library) int { return strings.Compare(a.Path, b.Path) })
	list = slices.Compact(list)
	if len(list) < 20 {
		t.Fatalf("only %d libraries were found", len(list))
	}
	var page strings.Builder
	page.WriteString("# Licences\n\nThe libraries that are built into the program. A test writes this list and refuses a licence that it does not know or\n" +
		"that asks for more than to be named. Files that browsers load: [web/static/vendor](../web/static/vendor/README.md).\n\n| library | version | licence |\n|---|---|---|\n")
	for _, l := range list {
		fmt.Fprintf(&page, "| %s | %s | %s |\n", l.Path, l.Version, licenceOf(t, l))
	}
	if *writeLicences {
		if err := os.WriteFile(licencesFile, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := os.ReadFile(licencesFile); err != nil || string(kept) != page.String() {
		t.Errorf("%s is not current (%v): go test . -run TestLicences -write-licences", licencesFile, err)
	}
}

// licenceOf reads the licence that lies in a library's folder. A file with two of them has the first name.
func licenceOf(t *testing.T, l library) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(l.Dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	isLicence := regexp.MustCompile(`(?i)^(licen[cs]e|copying)`)
	found := ""
	for _, file := range files {
		if !isLicence.MatchString(filepath.Base(file)) {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bad := copyleft.Find(text); bad != nil {
			t.Errorf("%s: %s names the %s", l.Path, filepath.Base(file), bad)
		}
		text = spaces.ReplaceAll(text, []byte(" "))
		for _, licence := range licences {
			if found == "" && licence.text.Match(text) {
				found = licence.name
			}
		}
	}
	if found == "" {
		t.Errorf("%s %s has no licence that is known here", l.Path, l.Version)
	}
	return found
}
