//go:build unix

package teststack

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"sparki.app/integrations/devstack"
	"sparki.app/integrations/devstack/internal/own"
	"sparki.app/integrations/devstack/internal/wait"
)

// idleEnv is how long a keeper stays after its last user, for example "10m" while one works on a
// test.
const idleEnv = "SPARKI_TEST_IDLE"

// keeperLockFD is where exec.Cmd puts the first extra file.
const keeperLockFD = 3

// startKeeper runs this binary once more, as a keeper that owns lock. It shares neither session nor
// output with us: go test waits until nobody holds its output any more.
func (m meeting) startKeeper(lock *own.Lock) error {
	defer lock.Release()
	program, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.Create(m.logFile())
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program)
	cmd.Dir = "/"
	cmd.Env = append(m.env, keeperEnv+"="+m.dir)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{lock.Hand()}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	go cmd.Wait() // no zombie, should it end before us
	return nil
}

// keep is the life of a keeper; it returns the exit code. Its parent shows what it prints when it
// ends early.
func keep(m meeting) int {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	lock := own.Inherit(keeperLockFD)
	defer lock.Release()
	lease, err := m.serve(ctx, lock)
	m.leave(lease)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// serve runs the servers until the users are gone, or ctx ends, and leaves no data. It returns the
// users lock when there are none.
func (m meeting) serve(ctx context.Context, lock *own.Lock) (lease *own.Lock, err error) {
	data := m.dataDir()
	if err := own.Dir(data, 0o711, os.Geteuid(), os.Getegid()); err != nil {
		return nil, err
	}
	if err := devstack.Reset(data); err != nil { // a killed keeper left it
		return nil, err
	}
	defer func() { err = errors.Join(err, devstack.Reset(data), os.RemoveAll(data)) }()
	stack, err := devstack.Start(ctx, devstack.Options{
		Dir:         data,
		DatabaseURL: os.Getenv("TEST_DATABASE_URL"),
		RedisURL:    os.Getenv("TEST_REDIS_URL"),
		Ephemeral:   true,
		Log:         slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(urls{stack.DatabaseURL, stack.RedisURL, os.Getpid()})
	if err == nil {
		err = lock.Publish(string(text))
	}
	if err == nil {
		lease = m.awaitIdle(ctx)
	}
	return lease, errors.Join(err, stack.Stop(context.WithoutCancel(ctx)))
}

// awaitIdle returns the users lock once there have been no users for a while, or nil when ctx ends
// first.
func (m meeting) awaitIdle(ctx context.Context) (lease *own.Lock) {
	idle, err := time.ParseDuration(cmp.Or(os.Getenv(idleEnv), "5s"))
	if err != nil {
		idle = 5 * time.Second
	}
	lastSeen := time.Now()
	wait.Until(ctx, min(idle, 250*time.Millisecond), func() (bool, error) {
		l, err := own.Try(m.usersLock())
		if l == nil {
			lastSeen = time.Now()
			return false, err
		}
		if time.Since(lastSeen) < idle {
			l.Release()
			return false, nil
		}
		lease = l
		return true, nil
	})
	return lease
}

// leave deletes the meeting as the owner of both its locks; without lease there are still users. The
// users lock goes last: whoever finds a new one finds nothing of us.
func (m meeting) leave(lease *own.Lock) {
	if lease == nil {
		return
	}
	for _, path := range []string{m.logFile(), m.keeperLock(), m.usersLock(), m.dir} {
		os.Remove(path) // the directory stays when the next user is in it already
	}
	lease.Release()
}

// dataDir is beside the meeting, not in it: the account Postgres runs as must be able to enter.
func (m meeting) dataDir() string {
	return filepath.Join(fastDir(), filepath.Base(m.dir)+"-data")
}
