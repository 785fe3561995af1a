package rest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/rest"
)

func TestLimitedConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var running, most atomic.Int32
		c := client(nil)
		c.Transport = rest.Limited(rest.Local(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if n := running.Add(1); n > most.Load() {
				most.Store(n)
			}
			<-time.After(time.Second)
			running.Add(-1)
			_, _ = io.WriteString(w, `{}`)
		})), rest.Limits{Concurrency: 3})

		start := time.Now()
		var calls sync.WaitGroup
		for range 9 {
			calls.Go(func() {
				if _, err := do(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
		if most.Load() != 3 || time.Since(start) != 3*time.Second {
			t.Errorf("%d at once, %v in all", most.Load(), time.Since(start))
		}
	})
}

func TestLimitedRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := client(nil)
		c.Transport = rest.Limited(rest.Local(answer(200, `{}`)), rest.Limits{PerSecond: 2, Burst: 2})
		start := time.Now()
		for range 6 {
			if _, err := do(t.Context(), c); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("6 calls took %v", took)
		}
	})
}

func TestLimitedGivesPlacesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		block := make(chan struct{})
		c := client(nil)
		c.Transport = rest.Limited(rest.Local(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/api/panic":
				panic("broken")
			case "/api/block":
				<-block
			}
			_, _ = io.WriteString(w, `{}`)
		})), rest.Limits{Concurrency: 1})
		call := func(ctx context.Context, path string) error {
			_, err := c.Do(ctx, rest.Call{Method: http.MethodGet, Path: path})
			return err
		}
		for range 3 { // a failed call gives its place back
			if err := call(t.Context(), "/panic"); sparki.KindOf(err) != sparki.Unavailable {
				t.Errorf("broken call: %v", err)
			}
		}
		var blocked sync.WaitGroup
		blocked.Go(func() { _ = call(t.Context(), "/block") })
		synctest.Wait()

		// One that waits for too long, and one that is not waited for, take no place.
		short, end := context.WithTimeout(t.Context(), time.Second)
		defer end()
		if err := call(short, "/"); !errors.Is(err, rest.ErrBusy) || sparki.KindOf(err) != sparki.Unavailable {
			t.Errorf("no place: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := call(ctx, "/"); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		close(block)
		blocked.Wait()
		if err := call(t.Context(), "/"); err != nil {
			t.Error(err)
		}
	})
}

func TestLimitedRateBeyondTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := client(nil)
		c.Transport = rest.Limited(rest.Local(answer(200, `{}`)), rest.Limits{PerSecond: 0.01})
		if _, err := do(t.Context(), c); err != nil {
			t.Error(err)
		}
		start := time.Now()
		if _, err := do(t.Context(), c); !errors.Is(err, rest.ErrBusy) || time.Since(start) != 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
