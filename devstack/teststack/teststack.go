// Package teststack gives tests a real Postgres and Redis without anything prepared: plain
// `go test ./...` on a fresh clone works.
//
// The go command runs test packages as processes side by side. The first that needs a server starts
// a keeper, its own binary once more, which runs one Postgres and one Redis for all of them; the
// others join. A few seconds after the last has ended the keeper stops the servers and deletes their
// data. See meeting for how they find each other.
//
// A database or key prefix per test is up to the caller.
package teststack

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// joinTimeout covers a first run that downloads Postgres.
const joinTimeout = 4 * time.Minute

// keeperEnv tells a test binary that it is the keeper of the meeting in that directory.
const keeperEnv = "SPARKI_TEST_KEEPER"

// here is where this process meets others. Main sets it, before a test can change the environment or
// the working directory. Empty means Main was not called; the binary would then not know the role of
// a keeper and run its tests again.
var here meeting

// Main is called by the TestMain of every package whose tests use DatabaseURL or RedisURL:
//
//	func TestMain(m *testing.M) { teststack.Main(m) }
//
// It runs the tests and exits. Servers are not started before a test asks for one.
func Main(m *testing.M) {
	if dir := os.Getenv(keeperEnv); dir != "" {
		os.Exit(keep(meeting{dir: dir}))
	}
	var err error
	if here, err = newMeeting(); err != nil {
		fmt.Fprintln(os.Stderr, "teststack:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// DatabaseURL returns the URL of the shared Postgres, whose user is a superuser, or the value of
// TEST_DATABASE_URL. It fails the test when there is none.
func DatabaseURL(tb testing.TB) string {
	tb.Helper()
	if url := os.Getenv("TEST_DATABASE_URL"); url != "" {
		return url
	}
	return shared(tb).Database
}

// RedisURL returns the URL of the shared Redis, or the value of TEST_REDIS_URL. It fails the test
// when there is none.
func RedisURL(tb testing.TB) string {
	tb.Helper()
	if url := os.Getenv("TEST_REDIS_URL"); url != "" {
		return url
	}
	return shared(tb).Redis
}

// urls is what a keeper publishes.
type urls struct {
	Database, Redis string
	// Keeper is its process id; SIGTERM ends it at once.
	Keeper int
}

// membership joins the shared servers once, until this process ends.
var membership = sync.OnceValues(func() (urls, error) {
	ctx, cancel := context.WithTimeout(context.Background(), joinTimeout)
	defer cancel()
	return here.join(ctx)
})

func shared(tb testing.TB) urls {
	tb.Helper()
	if here.dir == "" {
		tb.Fatal("this package lacks: func TestMain(m *testing.M) { teststack.Main(m) }")
	}
	u, err := membership()
	if err != nil {
		tb.Fatalf("test servers: %v", err)
	}
	return u
}
