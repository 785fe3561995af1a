//go:build unix

package own

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const helperEnv = "OWN_TEST_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(helperEnv) != "" {
		inheritor()
	}
	os.Exit(m.Run())
}

// inheritor publishes on the lock it was given and holds it until its input ends.
func inheritor() {
	l := Inherit(3)
	if err := l.Publish("from the child"); err != nil {
		os.Exit(1)
	}
	os.Stdout.WriteString("ready\n")
	os.Stdin.Read(make([]byte, 1))
	os.Exit(0)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// held tells whether somebody has the lock, other than sharing it.
func held(t *testing.T, path string) bool {
	t.Helper()
	l, err := TryShare(path)
	must(t, err)
	if l != nil {
		l.Release()
	}
	return l == nil
}

func take(t *testing.T, path string) *Lock {
	t.Helper()
	l, err := Try(path)
	must(t, err)
	if l == nil {
		t.Fatal("somebody else has it")
	}
	return l
}

func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	l := take(t, path)
	must(t, l.Publish("a long line"))
	must(t, l.Publish("short"))
	if got := Published(path); got != "short" {
		t.Errorf("published %q", got)
	}
	if !held(t, path) {
		t.Error("two have it")
	}
	l.Release()
	first, err := TryShare(path)
	must(t, err)
	second, err := TryShare(path)
	must(t, err)
	if first == nil || second == nil {
		t.Error("it cannot be shared")
	}
	if got := Published(path); got != "short" {
		t.Errorf("sharing changed the text to %q", got)
	}
	if l, err := Try(path); l != nil || err != nil {
		t.Errorf("taken from those who share it (%v)", err)
	}
	first.Release()
	second.Release()
	take(t, path)
	if got := Published(path); got != "" {
		t.Errorf("text of the former holder: %q", got)
	}
}

func TestLockOnADeletedFileIsNone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	if !isStill(f, path) {
		t.Error("it is still there")
	}
	must(t, os.Remove(path))
	if isStill(f, path) {
		t.Error("it is gone")
	}
	take(t, path)
	if isStill(f, path) {
		t.Error("it is another one now")
	}
}

func TestInherit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	l := take(t, path)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"=1")
	cmd.ExtraFiles = []*os.File{l.Hand()}
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	l.Release()
	_, err = stdout.Read(make([]byte, 1))
	must(t, err)
	if !held(t, path) || Published(path) != "from the child" {
		t.Errorf("the child does not hold it; published %q", Published(path))
	}
	must(t, stdin.Close())
	must(t, cmd.Wait())
	if held(t, path) {
		t.Error("it outlives the child")
	}
}

func TestAcquire(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	well := func(_ context.Context, text string) error {
		if text != "well" {
			return errors.New("no answer")
		}
		return nil
	}
	l, text, err := Acquire(t.Context(), path, well)
	must(t, err)
	if l == nil || text != "" {
		t.Fatalf("a free lock gave %v, %q", l, text)
	}

	must(t, l.Publish("ill"))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := Acquire(ctx, path, well); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), path) {
		t.Errorf("a holder that does not answer gave: %v", err)
	}

	must(t, l.Publish("well"))
	joined, text, err := Acquire(t.Context(), path, well)
	must(t, err)
	if joined != nil || text != "well" {
		t.Errorf("a holder that answers gave %v, %q", joined, text)
	}

	// The holder goes away while we ask how its server is.
	must(t, l.Publish("ill"))
	l, text, err = Acquire(t.Context(), path, func(context.Context, string) error {
		l.Release()
		return errors.New("no answer")
	})
	must(t, err)
	if l == nil || text != "" {
		t.Errorf("a holder that left gave %v, %q", l, text)
	}
}

func TestDir(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	uid, gid := os.Geteuid(), os.Getegid()
	path := filepath.Join(parent, "dir")
	for range 2 {
		must(t, Dir(path, 0o711, uid, gid))
	}
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o711 || Owner(info) != uid {
		t.Errorf("mode %v, owner %d", info.Mode(), Owner(info))
	}

	refused := func(path, why string) {
		t.Helper()
		if err := Dir(path, 0o700, uid, gid); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("got %v, want %q", err, why)
		}
	}
	link := filepath.Join(parent, "link")
	must(t, os.Symlink(path, link))
	refused(link, "not a directory")
	must(t, os.Chmod(path, 0o777))
	refused(path, "written by other users")
	refused(filepath.Join(parent, "no", "dir"), "no such file")
	if err := Dir("/", 0o700, uid+1, gid); uid != 0 && (err == nil || !strings.Contains(err.Error(), "another user")) {
		t.Errorf("got %v", err)
	}
}
