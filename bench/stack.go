package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"sparki.app/integrations/devstack"
)

// stack is a Postgres and a Redis that keep what they are told, as in production, and the cores.
type stack struct {
	dir                    string
	dev                    *devstack.Stack
	serverCores, loadCores []int // nil where nothing is pinned
	postgres, redis        int   // process ids, 0 when unknown
	version                string
}

// alone keeps other runs of bench away until release: two at once would measure each other. The kernel
// forgets the name when we die.
func alone() (release func(), err error) {
	if runtime.GOOS != "linux" {
		return func() {}, nil
	}
	l, err := net.Listen("unix", "@sparki-bench")
	if err != nil {
		return nil, errors.New("another bench is running: wait for its end")
	}
	return func() { _ = l.Close() }, nil
}

// startStack makes the stack in a directory that is gone afterwards. Servers run on the first core,
// this process from now on on the others.
func startStack(ctx context.Context, dir string) (*stack, error) {
	s := &stack{dir: dir}
	if all := cores(); len(all) > 1 {
		s.serverCores, s.loadCores = all[:1], all[1:]
		if err := pinSelf(s.serverCores); err != nil {
			return nil, err
		}
	}
	var err error
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if s.dev, err = devstack.Start(ctx, devstack.Options{Dir: filepath.Join(dir, "stack"), Log: log}); err != nil {
		return nil, err
	}
	if s.loadCores != nil {
		if err := pinSelf(s.loadCores); err != nil {
			return s, err
		}
		runtime.GOMAXPROCS(len(s.loadCores))
	}
	return s, s.identify(ctx)
}

// identify finds out what runs, for the CPU times and the table.
func (s *stack) identify(ctx context.Context) error {
	var backend int
	err := s.sql(ctx, s.dev.DatabaseURL, func(c *pgx.Conn) error {
		return c.QueryRow(ctx, `select pg_backend_pid(), current_setting('server_version')`).Scan(&backend, &s.version)
	})
	if err != nil {
		return err
	}
	if parent := stat(backend, fieldParent); parent != nil {
		s.postgres = int(parent[0])
	}
	return s.onRedis(ctx, func(r *redis.Client) error {
		info, err := r.InfoMap(ctx, "server").Result()
		if err != nil {
			return err
		}
		_, _ = fmt.Sscan(info["Server"]["process_id"], &s.redis)
		s.version = "Postgres " + s.version + ", Redis " + info["Server"]["redis_version"]
		return nil
	})
}

// stop ends the servers and deletes their data.
func (s *stack) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if s == nil || s.dev == nil {
		return nil
	}
	return errors.Join(s.dev.Stop(ctx), devstack.Reset(filepath.Join(s.dir, "stack")))
}

// cpu is the CPU time that Postgres and Redis have used.
func (s *stack) cpu() time.Duration { return cpuOfTree(s.postgres) + cpuOf(s.redis) }

// sql runs f on a connection of the superuser.
func (s *stack) sql(ctx context.Context, databaseURL string, f func(*pgx.Conn) error) error {
	c, err := pgx.Connect(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(ctx))
	return f(c)
}

func (s *stack) onRedis(_ context.Context, f func(*redis.Client) error) error {
	options, err := redis.ParseURL(s.dev.RedisURL)
	if err != nil {
		return err
	}
	r := redis.NewClient(options)
	defer r.Close()
	return f(r)
}

// database makes an empty database and gives its URL.
func (s *stack) database(ctx context.Context, name string) (string, error) {
	err := s.sql(ctx, s.dev.DatabaseURL, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, `create database `+pgx.Identifier{name}.Sanitize())
		return err
	})
	if err != nil {
		return "", err
	}
	if !strings.Contains(s.dev.DatabaseURL, "://") {
		return s.dev.DatabaseURL + " dbname=" + name, nil // the last one counts
	}
	u, err := url.Parse(s.dev.DatabaseURL)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}

// clear drops the databases and empties Redis, so that no load finds what the one before left.
func (s *stack) clear(ctx context.Context, names ...string) error {
	err := s.sql(ctx, s.dev.DatabaseURL, func(c *pgx.Conn) error {
		for _, name := range names {
			if _, err := c.Exec(ctx, `drop database if exists `+pgx.Identifier{name}.Sanitize()+` with (force)`); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, s.onRedis(ctx, func(r *redis.Client) error { return r.FlushAll(ctx).Err() }))
}

// checkpoint writes out what the slice before left dirty, so that the next one does not pay for it.
func (s *stack) checkpoint(ctx context.Context) error {
	return s.sql(ctx, s.dev.DatabaseURL, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, `checkpoint`)
		return err
	})
}

// analyze gives the planner its statistics, as autovacuum does a minute after a table was filled.
func (s *stack) analyze(ctx context.Context, databaseURL string) error {
	if databaseURL == "" {
		return nil // somebody else's
	}
	return s.sql(ctx, databaseURL, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, `analyze`)
		return err
	})
}

// freeAddress is a loopback address that nobody listened on a moment ago.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
