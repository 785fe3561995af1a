//go:build unix

package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// programs makes a directory whose postgres and initdb only tell that version.
func programs(t *testing.T, dir, version string) string {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o755))
	for _, name := range []string{"postgres", "initdb"} {
		script := fmt.Sprintf("#!/bin/sh\necho '%s (PostgreSQL) %s'\n", name, version)
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755))
	}
	return dir
}

func nowhere(string) (string, error) { return "", exec.ErrNotFound }

func noDownload(context.Context) (string, error) { return "", errors.New("no network") }

func testFinder(t *testing.T) finder {
	t.Helper()
	as, err := postgresAccount(t.TempDir())
	must(t, err)
	return finder{lookPath: nowhere, download: noDownload, as: as}
}

func TestFind(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	onPath := programs(t, filepath.Join(dir, "path"), "16.3")
	programs(t, filepath.Join(dir, "deb", "9", "bin"), "9.6.24")
	programs(t, filepath.Join(dir, "deb", "15", "bin"), "15.18 (Debian 15.18-0+deb12u1)")
	newest := programs(t, filepath.Join(dir, "deb", "18", "bin"), "18beta1")
	old := programs(t, filepath.Join(dir, "old"), "14.1")
	npm := programs(t, filepath.Join(dir, "npm"), "18.4")
	half := programs(t, filepath.Join(dir, "half"), "17.2")
	must(t, os.Remove(filepath.Join(half, "initdb")))
	linked := filepath.Join(dir, "linked")
	must(t, os.Mkdir(linked, 0o755))
	must(t, os.Symlink(filepath.Join(onPath, "postgres"), filepath.Join(linked, "postgres")))

	lookIn := func(dir string) func(string) (string, error) {
		return func(name string) (string, error) { return filepath.Join(dir, name), nil }
	}
	debian := []string{filepath.Join(dir, "none-*"), filepath.Join(dir, "deb", "*", "bin")}
	fromNPM := func(context.Context) (string, error) { return npm, nil }

	for _, test := range []struct {
		name      string
		change    func(*finder)
		wantDir   string
		wantMajor int
	}{
		{"PATH first", func(f *finder) { f.lookPath, f.globs = lookIn(onPath), debian }, onPath, 16},
		{"a link on PATH", func(f *finder) { f.lookPath = lookIn(linked) }, onPath, 16},
		{"the highest installed version", func(f *finder) { f.lookPath, f.globs = lookIn(old), debian }, newest, 18},
		{"without initdb it is only half", func(f *finder) { f.lookPath, f.globs = lookIn(half), debian }, newest, 18},
		{"download last", func(f *finder) { f.lookPath, f.download = lookIn(old), fromNPM }, npm, 18},
		{"PG_BIN_DIR before all", func(f *finder) { f.binDir, f.lookPath = npm, lookIn(onPath) }, npm, 18},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := testFinder(t)
			test.change(&f)
			b, err := f.find(t.Context())
			must(t, err)
			if b.dir != test.wantDir || b.major != test.wantMajor {
				t.Errorf("got %+v, want %s (%d)", b, test.wantDir, test.wantMajor)
			}
		})
	}

	t.Run("nothing", func(t *testing.T) {
		f := testFinder(t)
		f.globs = []string{filepath.Join(dir, "old"), filepath.Join(dir, "half")}
		_, err := f.find(t.Context())
		wantError(t, err, "PATH: executable file not found", old+": version 14 is too old", half+": fork/exec",
			"npm package: no network", "apt-get install postgresql", "set DATABASE_URL")
	})

	t.Run("nothing at all", func(t *testing.T) {
		f := testFinder(t)
		f.globs = []string{"/no/such/*/bin"}
		_, err := f.find(t.Context())
		wantError(t, err, "/no/such/*/bin: not there")
	})

	t.Run("a wrong PG_BIN_DIR is not passed over", func(t *testing.T) {
		f := testFinder(t)
		f.binDir, f.lookPath = old, lookIn(onPath)
		_, err := f.find(t.Context())
		wantError(t, err, "PG_BIN_DIR="+old, "too old")
	})
}

// A directory of programs that Postgres's account may not enter is no use, though root could.
func TestFindProbesAsTheAccountThatRunsIt(t *testing.T) {
	t.Parallel()
	closed := openDir(t)
	f := testFinder(t)
	f.binDir = programs(t, filepath.Join(closed, "bin"), "17.2")
	must(t, os.Chmod(closed, 0o700))
	_, err := f.find(t.Context())
	if refused := err != nil; refused != f.as.foreign {
		t.Errorf("account %+v: %v", f.as, err)
	}
}
