// Package devstack brings up the Postgres and Redis that `sparki dev` and the tests use: those at
// the given URLs, those another process already runs in the same directory, or servers of its own.
//
// Own servers listen on unix sockets only their user can open, end with the process that started
// them (on Linux even when that is killed with -9), and keep their data in Options.Dir. Which
// programs they are is decided by what the machine has; see finder and runRedis. Without a Redis
// there is one in our own memory, on a loopback port. Everything after Start sees just two URLs.
package devstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
)

// Options says what to start and where.
type Options struct {
	// Dir holds the data, for example ".data"; it is made when missing. Processes that use the same
	// Dir share the servers of the first, which end with it.
	Dir string
	// DatabaseURL and RedisURL, when given, are used as they are, and nothing is started for them.
	DatabaseURL, RedisURL string
	// Ephemeral trades safety for speed, for data that is thrown away anyway: Postgres does not wait
	// for the disk and Redis does not use it.
	Ephemeral bool
	// Log hears what is started and why; nil means nobody does.
	Log *slog.Logger
}

// Stack is a reachable Postgres and Redis.
type Stack struct {
	// DatabaseURL is for pgx; the user of an own server is its superuser.
	DatabaseURL string
	// RedisURL is for redis.ParseURL of go-redis.
	RedisURL string

	postgres, redis service
}

// service is one server of a stack.
type service struct {
	url string
	// stop is nil when the server is not ours to stop: given, or adopted from another process.
	stop func(context.Context) error
}

// Start returns once both servers answer. On error nothing is left running.
//
// When it looks for its own Postgres it also removes libpq's variables from the environment; see
// UnsetLibpqEnv.
func Start(ctx context.Context, o Options) (*Stack, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Stack{postgres: service{url: o.DatabaseURL}, redis: service{url: o.RedisURL}}
	if o.DatabaseURL == "" {
		if s.postgres, err = startPostgres(ctx, o); err != nil {
			return nil, fmt.Errorf("postgres: %w", err)
		}
	}
	if o.RedisURL == "" {
		if s.redis, err = startRedis(ctx, o); err != nil {
			return nil, errors.Join(fmt.Errorf("redis: %w", err), s.Stop(context.WithoutCancel(ctx)))
		}
	}
	s.DatabaseURL, s.RedisURL = s.postgres.url, s.redis.url
	return s, nil
}

func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" && (o.DatabaseURL == "" || o.RedisURL == "") {
		return o, errors.New("devstack: no directory for the data")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(o.Dir)
	o.Dir = dir
	return o, err
}

// Stop ends the servers this stack started and leaves all others alone. It asks them to finish, then
// to hurry, then kills them; the end of ctx makes it less patient, so give it one that still runs.
// No process is left when it returns nil.
func (s *Stack) Stop(ctx context.Context) error {
	return errors.Join(s.redis.end(ctx), s.postgres.end(ctx))
}

func (s *service) end(ctx context.Context) error {
	stop := s.stop
	s.stop = nil
	if stop == nil {
		return nil
	}
	return stop(ctx)
}
