//go:build unix

package devstack

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations/devstack/internal/wait"
)

// helperEnv makes the test binary a process that runs a stack in that directory.
const helperEnv = "DEVSTACK_TEST_HELPER"

// noServer stands for a server that a test does not want started.
const noServer = "given:"

// TestMain lets the test binary play the other programs of the tests.
func TestMain(m *testing.M) {
	switch dir := os.Getenv(helperEnv); {
	case filepath.Base(os.Args[0]) == "redis-server":
		exitWith(fakeRedis(os.Args[1:]))
	case dir != "":
		exitWith(helper(dir))
	}
	os.Exit(m.Run())
}

func exitWith(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// helper runs a stack until its input ends.
func helper(dir string) error {
	s, err := Start(context.Background(), Options{Dir: dir, RedisURL: os.Getenv("REDIS_URL"), DatabaseURL: os.Getenv("DATABASE_URL")})
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(s); err != nil {
		return err
	}
	io.Copy(io.Discard, os.Stdin)
	return s.Stop(context.Background())
}

// fakeRedis is a redis-server that forgets everything, for machines without one.
func fakeRedis(args []string) error {
	if os.Getenv("FAKE_REDIS_FAILS") != "" {
		return fmt.Errorf("# FATAL CONFIG FILE ERROR")
	}
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		return err
	}
	socket := args[slices.Index(args, "--unixsocket")+1]
	os.Remove(socket) // as the real one does
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		m.Server().ServeConn(conn)
	}
}

// other is a second process that runs a stack.
type other struct {
	Stack
	cmd   *exec.Cmd
	stdin io.Closer
}

func startOther(t *testing.T, dir string, env ...string) *other {
	t.Helper()
	o := &other{cmd: exec.Command(os.Args[0])}
	o.cmd.Env = append(append(os.Environ(), helperEnv+"="+dir), env...)
	stdin, err := o.cmd.StdinPipe()
	must(t, err)
	o.stdin = stdin
	stdout, err := o.cmd.StdoutPipe()
	must(t, err)
	must(t, o.cmd.Start())
	t.Cleanup(o.kill)
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	must(t, err)
	if err := json.Unmarshal(line, &o.Stack); err != nil {
		t.Fatalf("helper says: %s", line)
	}
	return o
}

// finish lets it stop its stack.
func (o *other) finish(t *testing.T) {
	t.Helper()
	o.stdin.Close()
	must(t, o.cmd.Wait())
}

// kill ends it with SIGKILL.
func (o *other) kill() {
	o.cmd.Process.Kill()
	o.cmd.Wait()
}

// openDir is a t.TempDir that Postgres's account may enter.
func openDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	must(t, os.Chmod(dir, 0o755))
	dir, err := filepath.EvalSymlinks(dir)
	must(t, err)
	return dir
}

func start(t *testing.T, o Options) *Stack {
	t.Helper()
	s, err := Start(t.Context(), o)
	must(t, err)
	t.Cleanup(func() { stop(t, s) })
	return s
}

func startPG(t *testing.T, dir string) *Stack {
	t.Helper()
	return start(t, Options{Dir: dir, RedisURL: noServer})
}

func stop(t *testing.T, s *Stack) {
	t.Helper()
	must(t, s.Stop(context.Background()))
}

// keepNumber puts a number into the database for number to find.
func keepNumber(t *testing.T, url string, n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), fmt.Sprintf("create table kept as select %d as n", n))
	must(t, err)
}

func wantNumber(t *testing.T, url string, want int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer conn.Close(t.Context())
	var got int
	must(t, conn.QueryRow(t.Context(), "select n from kept").Scan(&got))
	if got != want {
		t.Errorf("found %d, kept %d", got, want)
	}
}

// dataDirs returns the Postgres data directories in dir.
func dataDirs(t *testing.T, dir string) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(dir, "postgres", "[0-9]*"))
	must(t, err)
	return dirs
}

// dataDir returns the one Postgres data directory in dir.
func dataDir(t *testing.T, dir string) string {
	t.Helper()
	dirs := dataDirs(t, dir)
	if len(dirs) != 1 {
		t.Fatalf("data directories: %v", dirs)
	}
	return dirs[0]
}

func wantVacant(t *testing.T, data, pidFile string) {
	t.Helper()
	if pids := occupants(data, filepath.Join(data, pidFile)); len(pids) > 0 {
		t.Errorf("processes %v still run in %s", pids, data)
	}
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := wait.Until(ctx, 5*time.Millisecond, func() (bool, error) { return done(), nil }); err != nil {
		t.Fatalf("never: %s", what)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error lacks %q:\n%v", part, err)
		}
	}
}

// logLines collects log records as text; safe for concurrent use.
type logLines struct{ lines chan string }

func newLogLines() logLines { return logLines{make(chan string, 100)} }

func (l logLines) Write(line []byte) (int, error) {
	l.lines <- string(line)
	return len(line), nil
}

func (l logLines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// want waits for a line that contains part.
func (l logLines) want(t *testing.T, part string) {
	t.Helper()
	timeout := time.After(30 * time.Second)
	for {
		select {
		case line := <-l.lines:
			if strings.Contains(line, part) {
				return
			}
		case <-timeout:
			t.Fatalf("no log line with %q", part)
		}
	}
}
