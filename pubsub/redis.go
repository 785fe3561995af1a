package pubsub

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Hints to other processes may get lost, but must never make anybody wait: a Redis that is away or
// hangs is asked once, and then left alone for a while.
const (
	hintTimeout = 500 * time.Millisecond
	restAfter   = 2 * time.Second
)

// ErrResting means that Redis failed a moment ago and is not asked.
var ErrResting = errors.New("redis is resting after a failure")

// ParseURL reads a Redis URL. Its error does not repeat the URL, which may hold a password.
func ParseURL(url string) (*redis.Options, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("REDIS_URL is not a Redis URL (redis://user:password@host:6379/0, rediss:// or unix://)")
	}
	return options, nil
}

// SilenceLibrary keeps go-redis from writing to stderr by itself: whatever goes wrong comes back as an
// error, and is logged by whoever asked.
func SilenceLibrary() { redis.SetLogger(silence{}) }

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// HintClient is a Redis client for hints: short time-outs, no retries, a rest after a failure.
func HintClient(url string) (*redis.Client, error) {
	options, err := ParseURL(url)
	if err != nil {
		return nil, err
	}
	options.MaxRetries = -1
	options.DialTimeout, options.ReadTimeout, options.WriteTimeout, options.PoolTimeout = hintTimeout, hintTimeout, hintTimeout, hintTimeout
	options.DialerRetries = 1
	client := redis.NewClient(options)
	client.AddHook(&breaker{})
	return client, nil
}

// breaker is a go-redis hook that fails at once for a while after Redis did not answer.
type breaker struct {
	restUntil atomic.Int64 // unix nanoseconds
}

func (b *breaker) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (b *breaker) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return b.guard(func() error { return next(ctx, cmd) })
	}
}

func (b *breaker) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return b.guard(func() error { return next(ctx, cmds) })
	}
}

func (b *breaker) guard(call func() error) error {
	if time.Now().UnixNano() < b.restUntil.Load() {
		return ErrResting
	}
	err := call()
	if _, answered := errors.AsType[redis.Error](err); err != nil && !answered {
		b.restUntil.Store(time.Now().Add(restAfter).UnixNano())
		return fmt.Errorf("ask redis: %w", err)
	}
	return err
}
