//go:build unix

package devstack

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPlace(t *testing.T) {
	t.Run("LongPath", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(openDir(t), strings.Repeat("long/", 30))
		t.Cleanup(func() { must(t, Reset(dir)) })
		s := startPG(t, dir)
		if !strings.Contains(s.DatabaseURL, "%2Ftmp%2Fsparki-") {
			t.Errorf("socket is not in /tmp: %s", s.DatabaseURL)
		}
	})

	t.Run("OddPath", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(openDir(t), `it's "50%" & more + ünïcode`)
		s := startPG(t, dir)
		if strings.Contains(s.DatabaseURL, "+") {
			t.Errorf("psql does not read a plus sign as a space: %s", s.DatabaseURL)
		}
	})

	t.Run("CommaInPath", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(openDir(t), "a,b")
		t.Cleanup(func() { must(t, Reset(dir)) })
		startPG(t, dir)
	})

	// As in a checkout below /root. Without root, Postgres runs as us and the data stays.
	t.Run("ClosedParent", func(t *testing.T) {
		t.Parallel()
		closed := filepath.Join(openDir(t), "closed")
		must(t, os.Mkdir(closed, 0o700))
		dir := filepath.Join(closed, ".data")
		first := startPG(t, dir)
		moved := fallbackDir(dir)
		keepNumber(t, first.DatabaseURL, 3)
		stop(t, first)
		if _, err := os.Stat(filepath.Join(moved, "postgres")); (err == nil) != (os.Geteuid() == 0) {
			t.Errorf("data in %s: %v", moved, err)
		}

		second := startPG(t, dir)
		wantNumber(t, second.DatabaseURL, 3)
		stop(t, second)
		must(t, Reset(dir))
		if _, err := os.Stat(moved); !os.IsNotExist(err) {
			t.Errorf("%s is left (%v)", moved, err)
		}
	})
}

func TestCanEnter(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	info, err := os.Stat(dir)
	must(t, err)
	owner := account{uid: os.Geteuid(), gid: os.Getegid()}
	stranger := account{uid: 12345, gid: 12345}
	for _, test := range []struct {
		perm            os.FileMode
		owner, stranger bool
	}{
		{0o755, true, true},
		{0o711, true, true},
		{0o700, true, false},
		{0o754, true, false},
		{0o671, false, true},
	} {
		must(t, os.Chmod(dir, test.perm))
		if got := owner.canEnter(dir); got != test.owner {
			t.Errorf("%04o: owner can enter: %t", test.perm, got)
		}
		if got := stranger.canEnter(dir); got != test.stranger {
			t.Errorf("%04o: stranger can enter: %t", test.perm, got)
		}
	}
	must(t, os.Chmod(dir, info.Mode().Perm()))
}
