//go:build unix

// Package own settles who owns what between processes that do not know each other: locks that end
// with their holder, even one killed with -9, and directories no other user can have prepared.
package own

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"sparki.app/integrations/devstack/internal/wait"
)

// Lock is a held flock. Its file also carries one line of text that the holder publishes, usually
// where its server can be reached.
type Lock struct{ f *os.File }

// Try takes the lock at path for us alone. It returns nil when somebody else has it.
func Try(path string) (*Lock, error) {
	l, err := lock(path, syscall.LOCK_EX)
	if l == nil || err != nil {
		return nil, err
	}
	if err := l.Publish(""); err != nil {
		l.Release()
		return nil, err
	}
	return l, nil
}

// TryShare takes the lock at path together with other sharers. It returns nil when somebody has it
// alone.
func TryShare(path string) (*Lock, error) { return lock(path, syscall.LOCK_SH) }

func lock(path string, how int) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
	if err == nil && isStill(f, path) {
		return &Lock{f}, nil
	}
	f.Close()
	if err == nil || errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

// isStill tells whether f is what path names. It is not when a former holder deleted the file after
// we opened it; a lock on that remains invisible to everybody else.
func isStill(f *os.File, path string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(opened, named)
}

// Hand returns the file to pass to a child process, which makes it a Lock again with Inherit. After
// the child has started, Release gives up only our share of it.
func (l *Lock) Hand() *os.File { return l.f }

// Inherit returns the lock that our parent has passed to us as file descriptor fd.
func Inherit(fd int) *Lock {
	syscall.CloseOnExec(fd) // or our own children would hold it too
	return &Lock{os.NewFile(uintptr(fd), "inherited lock")}
}

// Publish replaces the text that Published returns to others. Only a holder by Try may call it.
func (l *Lock) Publish(text string) error {
	if err := l.f.Truncate(0); err != nil {
		return err
	}
	if text == "" {
		return nil
	}
	_, err := l.f.WriteAt([]byte(text+"\n"), 0)
	return err
}

// Release gives the lock up. The end of the process does the same.
func (l *Lock) Release() { l.f.Close() }

// Published returns what the holder of the lock at path has published, or "". It does not tell
// whether that holder still lives.
func Published(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	line, whole := strings.CutSuffix(string(text), "\n")
	if err != nil || !whole {
		return ""
	}
	return line
}

// patience is how long a holder may take to bring its server up; the slowest part of that is a
// download of 24 MB.
const patience = 3 * time.Minute

// Acquire takes the lock at path or, when another process has it, waits for what that one publishes
// and alive accepts. It returns the lock or the published text, never both. A holder that goes away
// meanwhile leaves the lock to us.
func Acquire(ctx context.Context, path string, alive func(ctx context.Context, text string) error) (*Lock, string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("another process holds it, but its server does not answer"))
	defer cancel()
	var l *Lock
	var text string
	err := wait.Until(ctx, 20*time.Millisecond, func() (ok bool, err error) {
		if l, err = Try(path); l != nil || err != nil {
			text = ""
			return l != nil, err
		}
		text = Published(path)
		return text != "" && alive(ctx, text) == nil, nil
	})
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%s: %w", path, context.Cause(ctx))
	}
	return l, text, err
}
