package rest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// ErrOpen: the host failed too often just now, so it was not asked; see Breaker.
var ErrOpen = errors.New("no calls are made for a while, after many that failed")

// Breaking says when a host is left alone.
type Breaking struct {
	// Failures is how many calls fail one after the other until then; 0 for never.
	Failures int
	// Pause is how long it is left alone, until one call is let through to see whether it is back.
	Pause time.Duration
}

// probing is how long others wait for the one call that was let through.
const probing = 5 * time.Second

// BreakerState says whether calls are made.
type BreakerState int

// The states of a breaker. HalfOpen: one call is let through.
const (
	Closed BreakerState = iota
	HalfOpen
	Open
)

// Breaker leaves the hosts of one CRM account alone while they fail, each for itself: calls then fail at
// once with ErrOpen. Faults of the network and statuses from 500 are failures; a call that its caller
// cancelled says nothing. A Breaker is for one process and starts closed.
type Breaker struct {
	next     http.RoundTripper
	breaking Breaking

	mu    sync.Mutex
	hosts map[string]*host // those that the settings name
}

// host is the breaker of one host.
type host struct {
	*gobreaker.TwoStepCircuitBreaker[struct{}]
	until atomic.Pointer[time.Time] // of the latest pause; nil before the first
}

// NewBreaker makes a closed one.
func NewBreaker(next http.RoundTripper, b Breaking) *Breaker {
	return &Breaker{next: next, breaking: b, hosts: map[string]*host{}}
}

// RoundTrip makes a call, or fails with ErrOpen. How the call went is known when its answer is closed.
func (b *Breaker) RoundTrip(req *http.Request) (*http.Response, error) {
	if b.breaking.Failures <= 0 {
		return b.next.RoundTrip(req)
	}
	h := b.host(req.URL.Host)
	done, err := h.Allow()
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, h.refusal()
	}
	resp, err := b.next.RoundTrip(req)
	if err != nil {
		done(err)
		return nil, err
	}
	failed := error(nil)
	if resp.StatusCode >= http.StatusInternalServerError {
		failed = errFailed
	}
	resp.Body = &endingBody{ReadCloser: resp.Body, end: func(err error) { done(errors.Join(failed, err)) }}
	return resp, nil
}

// State is that of the host that is worst off.
func (b *Breaker) State() BreakerState {
	b.mu.Lock()
	defer b.mu.Unlock()
	worst := Closed
	for _, h := range b.hosts {
		worst = max(worst, BreakerState(h.State()))
	}
	return worst
}

func (b *Breaker) host(name string) *host {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.hosts[name]
	if h == nil {
		h = &host{}
		h.TwoStepCircuitBreaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			Timeout:     b.breaking.Pause,
			ReadyToTrip: func(c gobreaker.Counts) bool { return int(c.ConsecutiveFailures) >= b.breaking.Failures },
			IsExcluded:  func(err error) bool { return errors.Is(err, context.Canceled) },
			OnStateChange: func(_ string, _, to gobreaker.State) {
				if to == gobreaker.StateOpen {
					h.until.Store(new(time.Now().Add(b.breaking.Pause)))
				}
			},
		})
		b.hosts[name] = h
	}
	return h
}

// refusal is the error for a call that was not made.
func (h *host) refusal() error {
	wait := probing
	if until := h.until.Load(); until != nil {
		wait = max(wait, time.Until(*until))
	}
	return &openError{wait}
}

// openError is ErrOpen with how long to wait.
type openError struct{ wait time.Duration }

func (e *openError) Error() string { return ErrOpen.Error() }
func (e *openError) Unwrap() error { return ErrOpen }

// errFailed tells a breaker of a status.
var errFailed = errors.New("the host failed")

// endingBody tells when an answer is closed, once, and what broke it off: nil when nothing did.
type endingBody struct {
	io.ReadCloser
	broke error
	end   func(broke error)
}

func (b *endingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		b.broke = err
	}
	return n, err
}

func (b *endingBody) Close() error {
	if end := b.end; end != nil {
		b.end = nil
		defer end(b.broke)
	}
	return b.ReadCloser.Close()
}
