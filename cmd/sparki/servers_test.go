package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"sparki.app/integrations/devstack"
)

// servers are a Postgres and a Redis that a test may end and start again, each behind a gate whose
// address stays.
type servers struct {
	dir                     string
	postgres, redis         *devstack.Stack
	postgresGate, redisGate *gate
	postgresURL, redisURL   string // through the gates
}

func startServers(t *testing.T) *servers {
	t.Helper()
	s := &servers{dir: openDir(t)}
	t.Cleanup(func() {
		s.stopPostgres(t)
		s.stopRedis(t)
	})
	s.runPostgres(t)
	s.runRedis(t)
	s.postgresGate, s.postgresURL = postgresGate(t, s.postgres.DatabaseURL)
	s.redisGate, s.redisURL = redisGate(t, s.redis.RedisURL)
	return s
}

// openDir is a temporary directory that any user can enter: Postgres runs as another one when we are root.
func openDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir(); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// elsewhere stands for the server that a devstack is not to start.
const elsewhere = "redis://elsewhere"

func (s *servers) runPostgres(t *testing.T) {
	t.Helper()
	var err error
	if s.postgres, err = devstack.Start(t.Context(), devstack.Options{Dir: s.dir, RedisURL: elsewhere, Ephemeral: true}); err != nil {
		t.Fatal(err)
	}
}

func (s *servers) runRedis(t *testing.T) {
	t.Helper()
	var err error
	if s.redis, err = devstack.Start(t.Context(), devstack.Options{Dir: s.dir, DatabaseURL: elsewhere, Ephemeral: true}); err != nil {
		t.Fatal(err)
	}
}

// stopPostgres ends it as its administrator does.
func (s *servers) stopPostgres(t *testing.T) {
	if s.postgres == nil {
		return
	}
	if err := s.postgres.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("stop postgres: %v", err)
	}
	s.postgres = nil
}

// killPostgres ends it without a word, in the middle of whatever it does.
func (s *servers) killPostgres(t *testing.T) {
	t.Helper()
	var dir string
	b := &bundle{app: &app{config: &config{DatabaseURL: s.postgres.DatabaseURL}}}
	b.sql(t, `show data_directory`, nil, &dir)
	content, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(content), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.stopPostgres(t) // waits until it is gone
}

// restartPostgres starts it again, on the same data.
func (s *servers) restartPostgres(t *testing.T) {
	t.Helper()
	s.runPostgres(t)
	c, err := pgx.ParseConfig(s.postgres.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	s.postgresGate.lead(pgxAddress(c))
}

// stopRedis ends it, and all that it knew.
func (s *servers) stopRedis(t *testing.T) {
	if s.redis == nil {
		return
	}
	if err := s.redis.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Errorf("stop redis: %v", err)
	}
	s.redis = nil
}

// restartRedis starts an empty one.
func (s *servers) restartRedis(t *testing.T) {
	t.Helper()
	s.runRedis(t)
	o, err := redis.ParseURL(s.redis.RedisURL)
	if err != nil {
		t.Fatal(err)
	}
	s.redisGate.lead(o.Network, o.Addr)
}
