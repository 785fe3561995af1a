package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/devstack/teststack"
)

// program is the real binary and the environment that its processes get.
type program struct {
	path string
	env  map[string]string
}

// build makes the binary, with the race detector when the tests have it.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sparki")
	args := []string{"build", "-o", path}
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		args = append(args, "-race")
	}
	if output, err := exec.CommandContext(t.Context(), "go", append(args, ".")...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, output)
	}
	return path
}

var redisNumber atomic.Int32

// newProgram gives the binary an empty database and an empty part of Redis.
func newProgram(t *testing.T, path string) *program {
	t.Helper()
	databaseURL := dbtest.URL(t)
	conn, err := pgx.Connect(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), `drop schema public cascade; create schema public`); err != nil {
		t.Fatal(err)
	}
	o, err := redis.ParseURL(teststack.RedisURL(t))
	if err != nil {
		t.Fatal(err)
	}
	o.DB = 1 + int(redisNumber.Add(1))%15 // processes have a prefix that cannot be chosen
	client := redis.NewClient(o)
	t.Cleanup(func() {
		_ = client.FlushDB(context.Background()).Err()
		_ = client.Close()
	})
	if err := client.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	return &program{path: path, env: map[string]string{
		"DATABASE_URL": databaseURL, "REDIS_URL": withRedisDB(t, teststack.RedisURL(t), o.DB), "SECRET_KEYS": "test:" + strings.Repeat("A", 43) + "=",
		"LISTEN_ADDR": "127.0.0.1:0", "PUBLIC_API_URL": "https://api.sparki.example", "ALLOW_PRIVATE_UPSTREAMS": "true", "LOG_LEVEL": "debug", "API_RATE_LIMIT": "0",
	}}
}

// with is the program with more in its environment; an empty value takes a variable away.
func (p *program) with(more map[string]string) *program {
	all := &program{path: p.path, env: map[string]string{}}
	for _, env := range []map[string]string{p.env, more} {
		for name, value := range env {
			all.env[name] = value
		}
	}
	return all
}

func (p *program) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.path, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir(), "GORACE=exitcode=66"}
	for name, value := range p.env {
		if value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return cmd
}

// result is how a command ended.
type result struct {
	code           int
	stdout, stderr string
}

// run runs a command to its end.
func (p *program) run(t *testing.T, args ...string) result {
	t.Helper()
	return p.runFor(t, time.Minute, args...)
}

// runFor runs a command to its end, or kills it: then the code is -1.
func (p *program) runFor(t *testing.T, limit time.Duration, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := p.command(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if _, exited := errors.AsType[*exec.ExitError](err); !exited {
			t.Fatalf("sparki %v: %v", args, err)
		}
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// must runs a command that has to succeed and gives what it printed.
func (p *program) must(t *testing.T, args ...string) string {
	t.Helper()
	r := p.run(t, args...)
	if r.code != 0 {
		t.Fatalf("sparki %v: exit %d\n%s%s", args, r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// process is a command that runs on.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr *logBuffer
	done           chan struct{} // closed when it has ended
}

func (p *program) start(t *testing.T, args ...string) *process {
	t.Helper()
	s := &process{cmd: p.command(context.Background(), args...), stdout: &logBuffer{}, stderr: &logBuffer{}, done: make(chan struct{})}
	s.cmd.Stdout, s.cmd.Stderr = s.stdout, s.stderr
	s.cmd.WaitDelay = time.Second
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait() // its state is looked at
		close(s.done)
	}()
	t.Cleanup(func() {
		select {
		case <-s.done:
		default:
			s.kill(t)
		}
		if strings.Contains(s.stderr.String(), "DATA RACE") {
			t.Errorf("sparki %v has a data race", args)
		}
		if t.Failed() {
			t.Logf("sparki %v:\n%s%s", args, s.stdout, s.stderr)
		}
	})
	return s
}

func (s *process) kill(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		t.Logf("kill: %v", err)
	}
	<-s.done
}

// stop sends a signal and gives the exit code; the process has 15 s.
func (s *process) stop(t *testing.T, signal syscall.Signal) int {
	t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	limit := time.NewTimer(15 * time.Second)
	defer limit.Stop()
	select {
	case <-s.done:
	case <-limit.C:
		t.Errorf("15 s after %v it still runs", signal)
		s.kill(t)
	}
	return s.cmd.ProcessState.ExitCode()
}

// logged waits for a value in the log: logged("address") finds address=….
func (s *process) logged(t *testing.T, key string) string {
	t.Helper()
	value := ""
	eventually(t, key+" in the log", func() bool {
		_, rest, found := strings.Cut(s.stderr.String(), " "+key+"=")
		value, _, _ = strings.Cut(rest, "\n")
		value, _, _ = strings.Cut(value, " ")
		select {
		case <-s.done:
			t.Fatalf("it ended: %s", s.stderr)
		default:
		}
		return found
	})
	return value
}

// serve starts a server and gives its URL.
func (p *program) serve(t *testing.T) (s *process, url string) {
	t.Helper()
	s = p.start(t, "serve")
	return s, "http://" + s.logged(t, "address")
}

// worker starts a worker that works.
func (p *program) worker(t *testing.T) *process {
	t.Helper()
	s := p.start(t, "worker")
	eventually(t, "the worker to work", func() bool { return strings.Contains(s.stderr.String(), "msg=working") })
	return s
}

// processesOf lists the processes that have a text in their arguments or their working directory,
// this one left out.
func processesOf(text string) (found []string) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if filepath.Base(dir) == fmt.Sprint(os.Getpid()) {
			continue
		}
		args, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		cwd, _ := os.Readlink(filepath.Join(dir, "cwd"))
		if len(args) > 0 && (bytes.Contains(args, []byte(text)) || strings.Contains(cwd, text)) {
			found = append(found, filepath.Base(dir)+" "+string(bytes.ReplaceAll(args, []byte{0}, []byte(" ")))+"in "+cwd)
		}
	}
	return found
}
