package rest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/rest"
)

// flaky is a CRM whose next answers can be chosen.
type flaky struct {
	mu   sync.Mutex
	next http.HandlerFunc
	n    int
}

func (f *flaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	next := f.next
	f.n++
	f.mu.Unlock()
	next(w, r)
}

func (f *flaky) answers(next http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = next
}

func (f *flaky) calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

// breaking gives a client behind a breaker that opens after three failures, for a minute.
func breaking(f *flaky) (*rest.Client, *rest.Breaker) {
	c := client(nil)
	b := rest.NewBreaker(rest.Local(f), rest.Breaking{Failures: 3, Pause: time.Minute})
	c.Transport = b
	return c, b
}

// Its sleeps are of synctest's clock and take no time: a breaker waits for nothing but the clock.
func TestBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		crm := &flaky{next: answer(503, `{}`)}
		c, b := breaking(crm)
		fail := func() { // three calls that are made
			t.Helper()
			for range 3 {
				if _, err := do(t.Context(), c); sparki.KindOf(err) != sparki.Unavailable || sparki.Unasked(err) {
					t.Fatalf("a call that fails: %v", err)
				}
			}
		}
		refused := func(wait time.Duration) {
			t.Helper()
			made := crm.calls()
			_, err := do(t.Context(), c)
			if !errors.Is(err, rest.ErrOpen) || sparki.KindOf(err) != sparki.Unavailable || !sparki.Unasked(err) || sparki.Lost(err) || sparki.RetryAfter(err) != wait {
				t.Errorf("left alone, it says %+v, and to wait %v, not %v", err, sparki.RetryAfter(err), wait)
			}
			mustNotLeak(t, err)
			if crm.calls() != made {
				t.Error("it was called")
			}
		}
		fail()
		refused(time.Minute)
		time.Sleep(20 * time.Second)
		refused(40 * time.Second)
		time.Sleep(41 * time.Second)
		if b.State() != rest.HalfOpen {
			t.Errorf("after the pause it is %v", b.State())
		}

		// One call is let through, and the others wait for it.
		crm.answers(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(2 * time.Second)
			answer(503, `{}`)(w, r)
		})
		made, probed := crm.calls(), make(chan error)
		go func() { _, err := do(t.Context(), c); probed <- err }()
		synctest.Wait()
		if _, err := do(t.Context(), c); !sparki.Unasked(err) || sparki.RetryAfter(err) != 5*time.Second {
			t.Errorf("while another one probes: %v", err)
		}
		if err := <-probed; sparki.Unasked(err) || crm.calls() != made+1 {
			t.Errorf("the probe: %v, and %d calls", err, crm.calls()-made)
		}
		refused(time.Minute) // it failed

		// A probe that its caller gives up says nothing: the next one is let through.
		time.Sleep(61 * time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := do(ctx, c); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
		crm.answers(answer(200, `{}`))
		for range 3 {
			if _, err := do(t.Context(), c); err != nil {
				t.Error(err)
			}
		}
		if b.State() != rest.Closed {
			t.Errorf("after a success it is %v", b.State())
		}
		time.Sleep(2 * time.Second) // until the CRM has noticed that its caller left
	})
}

// What says nothing about whether a CRM is well opens nothing.
func TestBreakerFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		next  http.HandlerFunc
		opens bool
	}{
		"5xx":       {answer(500, ``), true},
		"BrokenOff": {func(http.ResponseWriter, *http.Request) { panic("reset") }, true},
		"Truncated": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			_, _ = io.WriteString(w, `{`)
		}, true},
		"Hanging":    {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, true},
		"HangingEnd": {func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, `{`); <-r.Context().Done() }, true},
		"429":        {answer(429, ``), false},
		"404":        {answer(404, ``), false},
		"401":        {answer(401, ``), false},
		"NotJSON":    {answer(200, `<html>`), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client, b := breaking(&flaky{next: c.next})
				for range 5 {
					if _, err := do(t.Context(), client); err == nil {
						t.Error("no error")
					}
				}
				if opened := b.State() == rest.Open; opened != c.opens {
					t.Errorf("open: %v", opened)
				}
			})
		})
	}
	t.Run("Interrupted", func(t *testing.T) { // by a success, and by callers that leave
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			crm := &flaky{}
			c, b := breaking(crm)
			for _, next := range []http.HandlerFunc{answer(500, ``), answer(500, ``), answer(200, `{}`), answer(500, ``), answer(500, ``)} {
				crm.answers(next)
				_, _ = do(t.Context(), c)
			}
			crm.answers(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			for range 3 {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				_, _ = do(ctx, c)
			}
			if b.State() != rest.Closed {
				t.Error("it is open")
			}
		})
	})
}

// A host that fails does not keep others of the same account from being asked.
func TestBreakerHosts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, b := breaking(&flaky{next: answer(500, ``)})
		for range 4 {
			_, _ = do(t.Context(), c)
		}
		tokens := *c
		tokens.Base = "https://tokens.example"
		if _, err := do(t.Context(), &tokens); sparki.Unasked(err) || b.State() != rest.Open {
			t.Errorf("the other host: %v", err)
		}
	})
}

func TestWatched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var outcomes []string
		crm := &flaky{}
		c, b := breaking(crm)
		var slowest time.Duration
		c.Transport = rest.Watched(rest.Limited(b, rest.Limits{PerSecond: 1, Burst: 100}), func(outcome string, took time.Duration) {
			outcomes, slowest = append(outcomes, outcome), max(slowest, took)
		})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		near, done := context.WithTimeout(t.Context(), 10*time.Minute)
		defer done()
		for _, call := range []struct {
			ctx  context.Context
			next http.HandlerFunc
		}{
			{t.Context(), func(w http.ResponseWriter, r *http.Request) { time.Sleep(time.Second); answer(204, ``)(w, r) }},
			{t.Context(), answer(404, ``)}, {ctx, answer(200, `{}`)}, {t.Context(), answer(500, ``)},
			{t.Context(), func(http.ResponseWriter, *http.Request) { panic("reset") }}, {t.Context(), answer(503, ``)}, {t.Context(), answer(200, `{}`)},
		} {
			crm.answers(call.next)
			_, _ = do(call.ctx, c)
		}
		c.Transport = rest.Watched(rest.Limited(b, rest.Limits{PerSecond: 0.001}), func(outcome string, _ time.Duration) { outcomes = append(outcomes, outcome) })
		_, _ = do(near, c)
		_, _ = do(near, c)
		if want := []string{"2xx", "4xx", "cancelled", "5xx", "network", "5xx", "open", "open", "busy"}; !slices.Equal(outcomes, want) || slowest != time.Second {
			t.Errorf("%q, want %q; the slowest took %v", outcomes, want, slowest)
		}
	})
}
