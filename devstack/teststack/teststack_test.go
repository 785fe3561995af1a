//go:build unix

package teststack

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"sparki.app/integrations/devstack/internal/wait"
)

// userEnv makes the test binary a process that joins, tells what it got, and ends with its input.
const userEnv = "TESTSTACK_TEST_USER"

func TestMain(m *testing.M) {
	if os.Getenv(userEnv) == "" || os.Getenv(keeperEnv) != "" {
		logging.Disable() // a stopped Redis is what some tests look for
		Main(m)
	}
	if err := beUser(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// told is what a user process prints.
type told struct {
	URLs      urls
	Dir, Data string
}

func beUser() error {
	var err error
	if here, err = newMeeting(); err != nil {
		return err
	}
	u, err := membership()
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(told{u, here.dir, here.dataDir()}); err != nil {
		return err
	}
	io.Copy(io.Discard, os.Stdin)
	return nil
}

// place is a temp dir of its own: its users meet each other and nobody else.
type place struct {
	env  []string
	data string // of the last user that was heard
}

func newPlace(t *testing.T, idle string) *place {
	t.Helper()
	tmp := t.TempDir()
	must(t, os.Chmod(filepath.Dir(tmp), 0o755)) // Postgres may run as another user
	must(t, os.Chmod(tmp, 0o755))
	p := &place{env: append(os.Environ(), userEnv+"=1", "TMPDIR="+tmp, idleEnv+"="+idle, "TEST_DATABASE_URL=", "TEST_REDIS_URL=")}
	t.Cleanup(func() { eventually(t, "the keeper leaves", func() bool { return missing(p.data) }) })
	return p
}

// process is a user in a process of its own.
type process struct {
	told
	place  *place
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout *bufio.Reader
}

// launch starts a user; heard waits for what it tells.
func (p *place) launch(t *testing.T, env ...string) *process {
	t.Helper()
	u := &process{place: p, cmd: exec.Command(os.Args[0])}
	u.cmd.Env = slices.Concat(p.env, env)
	stdin, err := u.cmd.StdinPipe()
	must(t, err)
	u.stdin = stdin
	stdout, err := u.cmd.StdoutPipe()
	must(t, err)
	u.stdout = bufio.NewReader(stdout)
	must(t, u.cmd.Start())
	t.Cleanup(u.kill)
	return u
}

func (u *process) heard(t *testing.T) {
	t.Helper()
	line, err := u.stdout.ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &u.told) != nil {
		rest, _ := io.ReadAll(u.stdout)
		t.Fatalf("user says: %s%s", line, rest)
	}
	u.place.data = u.Data
}

func (p *place) join(t *testing.T) *process {
	t.Helper()
	u := p.launch(t)
	u.heard(t)
	return u
}

// finish ends it, and returns when nobody can write to its output any more.
func (u *process) finish(t *testing.T) {
	t.Helper()
	u.stdin.Close()
	_, err := io.Copy(io.Discard, u.stdout)
	must(t, err)
	must(t, u.cmd.Wait())
}

func (u *process) kill() {
	u.cmd.Process.Kill()
	u.cmd.Wait()
}

func TestUsersShareServersUntilTheLastHasEnded(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "200ms")
	users := []*process{p.launch(t), p.launch(t), p.launch(t)}
	for _, u := range users {
		u.heard(t)
		if u.URLs != users[0].URLs {
			t.Errorf("got %+v and %+v", u.URLs, users[0].URLs)
		}
	}
	last := users[2]
	users[0].kill()
	users[1].finish(t)
	must(t, pingAll(t, last.URLs))
	last.kill()
	eventually(t, "the servers stop", func() bool { return pingAll(t, last.URLs) != nil })
	eventually(t, "the data goes", func() bool { return missing(last.Data) && missing(last.Dir) })
}

func TestUsersThatComeWhileAKeeperLeaves(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "1ms")
	var last *process
	for range 3 {
		next := p.launch(t)
		if last != nil {
			last.finish(t)
		}
		next.heard(t)
		must(t, pingAll(t, next.URLs))
		next.finish(t)
		last = p.join(t)
		must(t, pingAll(t, last.URLs))
	}
}

func TestGoTestDoesNotWaitForTheKeeper(t *testing.T) {
	t.Parallel()
	u := newPlace(t, "2s").join(t)
	u.finish(t)
	if missing(u.Dir) {
		t.Error("the output stayed open until the keeper had gone")
	}
}

func TestKilledKeeper(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "200ms")
	u := p.join(t)
	must(t, syscall.Kill(u.URLs.Keeper, syscall.SIGKILL))
	eventually(t, "its servers end with it", func() bool { return pingAll(t, u.URLs) != nil })
	next := p.join(t)
	must(t, pingAll(t, next.URLs))
	if next.URLs.Keeper == u.URLs.Keeper {
		t.Error("no new keeper")
	}
}

func TestKeeperThatIsToldToGo(t *testing.T) {
	t.Parallel()
	u := newPlace(t, "1h").join(t)
	must(t, syscall.Kill(u.URLs.Keeper, syscall.SIGTERM))
	eventually(t, "the data goes", func() bool { return missing(u.Data) })
	must(t, os.RemoveAll(u.Dir))
}

func TestKeeperThatCannotStart(t *testing.T) {
	t.Parallel()
	u := newPlace(t, "200ms").launch(t, "PG_BIN_DIR=/nowhere")
	says, err := io.ReadAll(u.stdout)
	must(t, err)
	if !strings.Contains(string(says), "PG_BIN_DIR=/nowhere: fork/exec") {
		t.Errorf("user says: %s", says)
	}
}

func TestURLs(t *testing.T) {
	got := urls{Database: DatabaseURL(t), Redis: RedisURL(t)}
	must(t, pingAll(t, got))

	t.Setenv("TEST_DATABASE_URL", "postgres://given/db")
	t.Setenv("TEST_REDIS_URL", "redis://given")
	if DatabaseURL(t) != "postgres://given/db" || RedisURL(t) != "redis://given" {
		t.Errorf("got %s, %s", DatabaseURL(t), RedisURL(t))
	}
}

// failing is a test whose Fatal is heard.
type failing struct {
	testing.TB
	said chan string
}

func (f failing) Helper() {}

func (f failing) Fatal(args ...any) {
	f.said <- fmt.Sprint(args...)
	runtime.Goexit()
}

func TestPackageWithoutMain(t *testing.T) {
	was := here
	here = meeting{}
	defer func() { here = was }()
	t.Setenv("TEST_DATABASE_URL", "")
	f := failing{TB: t, said: make(chan string)}
	go DatabaseURL(f)
	if said := <-f.said; !strings.Contains(said, "TestMain") {
		t.Errorf("said: %s", said)
	}
}

// pingAll returns an error unless both servers answer and the user of Postgres may do everything.
func pingAll(t *testing.T, u urls) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, u.Database)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var super string
	if err := conn.QueryRow(ctx, "select current_setting('is_superuser')").Scan(&super); err != nil || super != "on" {
		return fmt.Errorf("superuser: %s %w", super, err)
	}
	opt, err := redis.ParseURL(u.Redis)
	must(t, err)
	client := redis.NewClient(opt)
	defer client.Close()
	return client.Ping(ctx).Err()
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return os.IsNotExist(err)
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
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
