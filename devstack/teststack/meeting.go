//go:build unix

package teststack

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sparki.app/integrations/devstack"
	"sparki.app/integrations/devstack/internal/own"
	"sparki.app/integrations/devstack/internal/wait"
)

// meeting is the directory where the users of one set of test servers and its keeper find each
// other:
//
//	users   a lock every user shares until it ends. The keeper takes it alone to leave, so nobody
//	        joins servers that are going away; who comes then waits and starts a new keeper.
//	keeper  a lock the keeper holds for life, carrying the URLs.
//	log     what keepers say.
//
// Locks end with their process, so one killed with -9 needs no cleaning up after.
type meeting struct {
	dir string
	env []string // for the keeper
}

// newMeeting names the directory: one per user, checkout, and set of servers that are given.
func newMeeting() (meeting, error) {
	root, err := moduleRoot()
	if err != nil {
		return meeting{}, err
	}
	tmp := os.TempDir()
	key := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%s", root, tmp, os.Getenv("TEST_DATABASE_URL"), os.Getenv("TEST_REDIS_URL")))
	name := fmt.Sprintf("sparki-test-%d-%x", os.Geteuid(), key[:6])
	return meeting{filepath.Join(tmp, name), os.Environ()}, nil
}

func (m meeting) usersLock() string  { return filepath.Join(m.dir, "users") }
func (m meeting) keeperLock() string { return filepath.Join(m.dir, "keeper") }
func (m meeting) logFile() string    { return filepath.Join(m.dir, "log") }

// moduleRoot returns the directory of go.mod above the working directory, which go test sets to the
// package's, or the working directory itself.
func moduleRoot() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return wd, nil
		}
	}
}

// user is the lock that says this process uses the servers. It is never released: the end of the
// process does that.
var user *own.Lock

// join becomes a user, starts a keeper when there is none, and returns what the keeper publishes.
func (m meeting) join(ctx context.Context) (urls, error) {
	devstack.UnsetLibpqEnv()
	if err := wait.Until(ctx, 20*time.Millisecond, m.enter); err != nil {
		return urls{}, fmt.Errorf("enter %s: %w", m.dir, err)
	}
	var published string
	started := false
	err := wait.Until(ctx, 10*time.Millisecond, func() (bool, error) {
		lock, err := own.Try(m.keeperLock())
		switch {
		case err != nil:
			return false, err
		case lock == nil:
			published = own.Published(m.keeperLock())
			return published != "", nil
		case started:
			lock.Release()
			return false, errors.New("could not be started")
		}
		started = true
		return false, m.startKeeper(lock)
	})
	if err != nil {
		log, _ := os.ReadFile(m.logFile())
		return urls{}, fmt.Errorf("%w\n%s", err, log)
	}
	var u urls
	return u, json.Unmarshal([]byte(published), &u)
}

// enter takes part in the users lock. It has to be repeated while a keeper leaves.
func (m meeting) enter() (entered bool, err error) {
	if err := own.Dir(m.dir, 0o700, os.Geteuid(), os.Getegid()); err != nil {
		return false, err
	}
	user, err = own.TryShare(m.usersLock())
	if errors.Is(err, os.ErrNotExist) {
		return false, nil // the keeper deleted the directory in between
	}
	return user != nil, err
}
