package rest

import (
	"context"
	"net/http"

	"golang.org/x/time/rate"
)

// Limits bound the calls to one CRM account, so that one office never slows another.
type Limits struct {
	// Concurrency is how many calls run at once; 0 for no bound.
	Concurrency int
	// PerSecond is how many calls begin in a second on average, Burst how many may begin at once;
	// a PerSecond of 0 is no bound, a Burst below 1 counts as 1.
	PerSecond float64
	Burst     int
}

// Limited makes calls wait for their turn. A call holds its place until its answer is read and
// closed. One whose turn would come after its deadline fails with ErrBusy.
func Limited(next http.RoundTripper, l Limits) http.RoundTripper {
	t := &limited{next: next}
	if l.Concurrency > 0 {
		t.places = make(chan struct{}, l.Concurrency)
	}
	if l.PerSecond > 0 {
		t.rate = rate.NewLimiter(rate.Limit(l.PerSecond), max(l.Burst, 1))
	}
	return t
}

type limited struct {
	next   http.RoundTripper
	places chan struct{} // nil: no bound
	rate   *rate.Limiter // nil: no bound
}

func (t *limited) RoundTrip(req *http.Request) (*http.Response, error) {
	leave, err := t.enter(req.Context())
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		leave()
		return nil, err
	}
	resp.Body = &endingBody{ReadCloser: resp.Body, end: func(error) { leave() }}
	return resp, nil
}

// enter waits for a place and for the rate. leave gives the place back.
func (t *limited) enter(ctx context.Context) (leave func(), err error) {
	leave = func() {}
	if t.places != nil {
		select {
		case t.places <- struct{}{}:
			leave = func() { <-t.places }
		case <-ctx.Done():
			return nil, waited(ctx)
		}
	}
	if t.rate != nil {
		if err := t.rate.Wait(ctx); err != nil {
			leave()
			return nil, waited(ctx)
		}
	}
	return leave, nil
}

// waited is why a call got no turn: its caller gave up, or its deadline is too near.
func waited(ctx context.Context) error {
	if err := ctx.Err(); err == context.Canceled {
		return err
	}
	return ErrBusy
}
