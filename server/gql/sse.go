package gql

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/vektah/gqlparser/v2/gqlerror"
)

// eventStream is one operation that is answered with server-sent events, in the distinct connections mode of
// graphql-sse's PROTOCOL.md.
type eventStream struct {
	w      http.ResponseWriter
	rc     *http.ResponseController
	wait   time.Duration // for the peer to take one event
	ctx    context.Context
	cancel context.CancelFunc
	beat   chan struct{} // a comment is due
}

// serveEvents runs an operation and sends what it yields, until it ends, the client leaves, Alive says no or Shutdown.
// Only the first of these is "complete"; after the others a client may come back.
func (h *Handler) serveEvents(a answer, e *execution) {
	s := &eventStream{
		w:    a.w,
		rc:   http.NewResponseController(a.w),
		wait: h.limits.WriteWait,
		beat: make(chan struct{}, 1),
	}
	s.ctx, s.cancel = context.WithCancel(e.ctx)
	defer s.cancel()
	if !h.streams.reserve() || !h.streams.add(s) {
		a.unavailable(failure(codeRateLimited, "too many open streams"))
		return
	}
	defer h.streams.remove(s)
	if !h.streams.identify(s, s.ctx) {
		a.limited(h.limits.AliveEvery, failure(codeRateLimited, "more than %d connections at a time", h.limits.CallerStreams))
		return
	}

	e.ctx = s.ctx
	events := make(chan payload)
	go func() {
		defer close(events)
		defer e.stop()
		s.produce(events, e.payload)
		if e.follower != nil {
			defer e.follower.stop()
			s.produce(events, e.follower.next)
		}
	}()
	s.open()
	s.send(events)
	s.cancel()
	for range events { // wait for the resolvers, for the request's context and response end with the handler
	}
}

// produce makes payloads until there are no more. Where there are, but not here, it cancels, so that the client comes back.
func (s *eventStream) produce(events chan<- payload, next func() (payload, error)) {
	for {
		p, err := next()
		if err != nil && !errors.Is(err, errFollow) && !ended(err) {
			s.cancel()
		}
		if err != nil {
			return
		}
		select {
		case events <- p:
		case <-s.ctx.Done():
			return
		}
		if p.refused {
			return
		}
	}
}

// serveRefusal answers an operation that cannot run: "validation steps MUST report errors through an accepted SSE
// connection by emitting next events" (PROTOCOL.md, Distinct connections mode).
func serveRefusal(w http.ResponseWriter, errs gqlerror.List) {
	s := &eventStream{w: w, rc: http.NewResponseController(w), wait: time.Second}
	s.open()
	s.next(refusal(errs))
	s.complete()
}

func (s *eventStream) open() {
	header := s.w.Header()
	header["Content-Type"] = contentType[mediaEvents]
	header["Cache-Control"] = []string{"no-store, no-transform"}
	header["X-Accel-Buffering"] = []string{"no"} // nginx would hold events back
	s.w.WriteHeader(http.StatusOK)
	s.write([]byte(":\n\n"))
}

func (s *eventStream) send(events <-chan payload) {
	for {
		select {
		case p, ok := <-events:
			switch {
			case s.ctx.Err() != nil:
				return
			case !ok:
				s.complete()
				return
			case !s.next(p):
				return
			}
		case <-s.beat:
			if !s.write([]byte(":\n\n")) {
				return
			}
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *eventStream) next(p payload) bool {
	buf := scratch.Get().(*bytes.Buffer)
	defer release(buf)
	buf.WriteString("event: next\ndata: ")
	if p.refused {
		buf.WriteString(`{"errors":`)
	}
	start := buf.Len()
	buf.Write(p.json)
	// A line break would end the data. In JSON it is only ever white space, brought in by a scalar that is raw JSON.
	for i, c := range buf.Bytes()[start:] {
		if c == '\n' || c == '\r' {
			buf.Bytes()[start+i] = ' '
		}
	}
	if p.refused {
		buf.WriteByte('}')
	}
	buf.WriteString("\n\n")
	return s.write(buf.Bytes())
}

// complete carries an empty data field, without which browsers' EventSource drops the event.
func (s *eventStream) complete() { s.write([]byte("event: complete\ndata:\n\n")) }

// write sends and flushes. A peer that takes nothing for too long is given up; a server's own WriteTimeout, which would
// end every stream, gives way.
func (s *eventStream) write(b []byte) bool {
	_ = s.rc.SetWriteDeadline(time.Now().Add(s.wait))
	if _, err := s.w.Write(b); err != nil {
		return false
	}
	return s.rc.Flush() == nil
}

func (s *eventStream) ping() {
	select {
	case s.beat <- struct{}{}:
	default:
	}
}

func (s *eventStream) close(int, string) { s.cancel() }

func (s *eventStream) abort() { s.cancel() }
