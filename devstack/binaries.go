//go:build unix

package devstack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// minMajor is the oldest Postgres our SQL is written for.
const minMajor = 15

// binaries is a directory with the programs postgres and initdb of one version.
type binaries struct {
	dir   string
	major int
}

func (b binaries) program(name string) string { return filepath.Join(b.dir, name) }

// finder looks for a Postgres to run, first in what the machine has installed, then in a package
// from the npm registry, which holds the only ready-made binaries that need no root to install.
type finder struct {
	// binDir is the operator's choice ($PG_BIN_DIR); when set nothing else is tried.
	binDir string
	// lookPath is exec.LookPath.
	lookPath func(string) (string, error)
	// globs match directories of programs, the better places first.
	globs []string
	// download returns the directory of programs of the npm package.
	download func(context.Context) (string, error)
	// as must be able to run what is found.
	as account
}

// systemGlobs are where packages put servers: Debian, Postgres's own RPMs, Alpine, Homebrew (Apple
// silicon, Intel, Linux), Postgres.app.
var systemGlobs = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/usr/libexec/postgresql*",
	"/opt/homebrew/opt/postgresql*/bin",
	"/usr/local/opt/postgresql*/bin",
	"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

func newFinder(as account, log *slog.Logger) finder {
	return finder{
		binDir:   os.Getenv("PG_BIN_DIR"),
		lookPath: exec.LookPath,
		globs:    systemGlobs,
		download: newDownload(log).binDir,
		as:       as,
	}
}

// find returns the first Postgres that runs and is new enough, or an error that lists every place
// it looked at and what to do.
func (f finder) find(ctx context.Context) (binaries, error) {
	if f.binDir != "" {
		b, err := f.probe(ctx, f.binDir)
		if err != nil {
			err = fmt.Errorf("PG_BIN_DIR=%s: %w", f.binDir, err)
		}
		return b, err
	}
	var tried []error
	for _, try := range []func(context.Context) (binaries, error){f.onPath, f.installed, f.downloaded} {
		b, err := try(ctx)
		if err == nil {
			return b, nil
		}
		tried = append(tried, err)
	}
	return binaries{}, fmt.Errorf("found no Postgres %d or newer to run. Tried:\n%w\nEither install one (Debian: apt-get install postgresql; macOS: brew install postgresql@17)\nor set DATABASE_URL to one that runs", minMajor, errors.Join(tried...))
}

func (f finder) onPath(ctx context.Context) (binaries, error) {
	path, err := f.lookPath("postgres")
	if err != nil {
		return binaries{}, fmt.Errorf("- PATH: %w", err)
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // initdb may be linked from elsewhere, or not at all
	}
	b, err := f.probe(ctx, filepath.Dir(path))
	if err != nil {
		return b, fmt.Errorf("- PATH: %s: %w", path, err)
	}
	return b, nil
}

// installed picks the highest version of the first glob that has one.
func (f finder) installed(ctx context.Context) (binaries, error) {
	var tried []error
	for _, glob := range f.globs {
		var best binaries
		dirs, _ := filepath.Glob(glob)
		for _, dir := range dirs {
			b, err := f.probe(ctx, dir)
			if err != nil {
				tried = append(tried, fmt.Errorf("- %s: %w", dir, err))
			} else if b.major > best.major {
				best = b
			}
		}
		if best.major > 0 {
			return best, nil
		}
	}
	if tried == nil {
		return binaries{}, fmt.Errorf("- %s: not there", strings.Join(f.globs, ", "))
	}
	return binaries{}, errors.Join(tried...)
}

func (f finder) downloaded(ctx context.Context) (binaries, error) {
	dir, err := f.download(ctx)
	if err != nil {
		return binaries{}, fmt.Errorf("- npm package: %w", err)
	}
	b, err := f.probe(ctx, dir)
	if err != nil {
		return b, fmt.Errorf("- npm package: %s: %w", dir, err)
	}
	return b, nil
}

var versionLine = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// probe asks the programs in dir for their version, as the account that is going to run them: it may
// not be allowed to enter the directory.
func (f finder) probe(ctx context.Context, dir string) (binaries, error) {
	b := binaries{dir: dir}
	for _, name := range []string{"postgres", "initdb"} {
		cmd := exec.CommandContext(ctx, b.program(name), "--version")
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: f.as.credential()}
		out, err := cmd.CombinedOutput()
		if err != nil {
			return binaries{}, fmt.Errorf("%w %s", err, bytes.TrimSpace(out))
		}
		m := versionLine.FindSubmatch(out)
		if m == nil {
			return binaries{}, fmt.Errorf("%s --version says %q", name, bytes.TrimSpace(out))
		}
		b.major, _ = strconv.Atoi(string(m[1]))
	}
	if b.major < minMajor {
		return binaries{}, fmt.Errorf("version %d is too old", b.major)
	}
	return b, nil
}
