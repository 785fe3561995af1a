package rest

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Outcomes of a call, besides the class of its answer's status ("2xx").
const (
	OutcomeNetwork   = "network"   // no answer, or not the whole of it
	OutcomeBusy      = "busy"      // ErrBusy: not made
	OutcomeOpen      = "open"      // ErrOpen: not made
	OutcomeCancelled = "cancelled" // by its caller
)

// Watched tells of each call, when its answer is closed, how it ended and how long it took, with the wait
// for its turn.
func Watched(next http.RoundTripper, tell func(outcome string, took time.Duration)) http.RoundTripper {
	return &watched{next, tell}
}

type watched struct {
	next http.RoundTripper
	tell func(string, time.Duration)
}

func (t *watched) RoundTrip(req *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		t.tell(outcomeOf(0, err), time.Since(began))
		return nil, err
	}
	resp.Body = &endingBody{ReadCloser: resp.Body, end: func(err error) { t.tell(outcomeOf(resp.StatusCode, err), time.Since(began)) }}
	return resp, nil
}

func outcomeOf(status int, err error) string {
	switch {
	case err == nil:
		return strconv.Itoa(status/100) + "xx"
	case errors.Is(err, context.Canceled):
		return OutcomeCancelled
	case errors.Is(err, ErrBusy):
		return OutcomeBusy
	case errors.Is(err, ErrOpen):
		return OutcomeOpen
	default:
		return OutcomeNetwork
	}
}
