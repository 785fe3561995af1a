//go:build unix

package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"sparki.app/integrations/devstack/internal/wait"
)

const (
	// startPatience covers crash recovery on a slow disk.
	startPatience = 60 * time.Second
	// stopPatience is how long each signal may take to work, haste how long once the caller's context
	// has ended.
	stopPatience = 5 * time.Second
	haste        = 500 * time.Millisecond
)

// process is a server we started.
type process struct {
	cmd *exec.Cmd
	// done is closed when it has ended and cmd.ProcessState tells how.
	done chan struct{}
}

// launch starts cmd in a process group of its own (a ^C in the terminal is ours to handle) and, on
// Linux, so that the kernel sends it onDeath when we die.
func launch(cmd *exec.Cmd, as account, onDeath syscall.Signal) (*process, error) {
	cmd.SysProcAttr = sysProcAttr(onDeath)
	cmd.SysProcAttr.Credential = as.credential()
	cmd.Env = append(os.Environ(), "LC_ALL=C") // the operator's locale may not be installed
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Parent death, to the kernel, is the death of the thread that forked. The Go runtime ends
		// threads as it likes, unless a goroutine is locked to them.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// awaitReady waits until ping succeeds. It gives up when the process ends first.
func (p *process) awaitReady(ctx context.Context, ping func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	var pingErr error
	err := wait.Until(ctx, 5*time.Millisecond, func() (bool, error) {
		select {
		case <-p.done:
			return false, fmt.Errorf("it ended at once (%s)", p.cmd.ProcessState)
		default:
		}
		pingErr = ping(ctx)
		return pingErr == nil, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer: %w", pingErr)
	}
	return err
}

// watch logs when the process ends although asked is not closed yet.
func (p *process) watch(asked <-chan struct{}, log *slog.Logger) {
	<-p.done
	select {
	case <-asked:
	default:
		log.Error("server ended by itself", "state", p.cmd.ProcessState.String())
	}
}

// stop sends the signals one after the other until one has worked, and SIGKILL last.
func (p *process) stop(ctx context.Context, signals ...syscall.Signal) {
	for _, sig := range signals {
		p.cmd.Process.Signal(sig)
		if p.endsWithin(ctx, stopPatience) {
			return
		}
	}
	p.cmd.Process.Kill()
	<-p.done
}

func (p *process) endsWithin(ctx context.Context, patience time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(patience):
		return false
	case <-ctx.Done():
	}
	select {
	case <-p.done:
		return true
	case <-time.After(haste):
		return false
	}
}

// serverNames are the programs that evict may end.
var serverNames = []string{"postgres", "redis-server", "valkey-server"}

// evict ends what runs in the data directory dir although its owner is gone: a server that is still
// on its way down, one that nobody told to stop (macOS), or the children of a killed one. Two servers
// in one data directory would destroy it. The caller holds the directory's lock.
func evict(ctx context.Context, dir, pidFile string, signals ...syscall.Signal) error {
	for _, sig := range append(signals, syscall.SIGKILL) {
		pids := occupants(dir, pidFile)
		if leader := readPID(pidFile); sig != syscall.SIGKILL && slices.Contains(pids, leader) {
			pids = []int{leader} // it ends its children better than we can
		}
		for _, pid := range pids {
			if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("stop process %d that runs in %s: %w", pid, dir, err)
			}
		}
		if vacant(ctx, dir, pidFile) {
			return nil
		}
	}
	return fmt.Errorf("processes %v still run in %s", occupants(dir, pidFile), dir)
}

func vacant(ctx context.Context, dir, pidFile string) bool {
	ctx, cancel := context.WithTimeout(ctx, stopPatience)
	defer cancel()
	err := wait.Until(ctx, 10*time.Millisecond, func() (bool, error) {
		return len(occupants(dir, pidFile)) == 0, nil
	})
	return err == nil
}

// readPID returns the number in the first line of a pid file, or 0.
func readPID(path string) (pid int) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	fmt.Sscan(string(text), &pid)
	return pid
}

// openLog empties a server's log file for a new run.
func openLog(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
}

// logTail returns the last lines of a server's log, for the error of a start that failed.
func logTail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	text, _ := io.ReadAll(f)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}
