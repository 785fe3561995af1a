package gql

import (
	"context"
	"errors"
	"sync"
	"time"
)

// stream is what stays open: a socket or an event stream. None of the methods waits for the peer.
type stream interface {
	ping()
	close(code int, reason string)
	abort() // at once, with nothing said
}

// vitals is what the registry knows of a stream.
type vitals struct {
	ctx      context.Context // from Authenticate; nil before
	ping     time.Time       // when it is due
	alive    time.Time       // when it is due
	checking bool            // Alive is being asked
}

// streams is the registry of what is open. One goroutine, which runs only while something is, sends all pings and asks
// Alive: a timer for each socket would cost more than the socket.
type streams struct {
	limit      int
	pingEvery  time.Duration
	aliveEvery time.Duration
	isAlive    func(context.Context) error

	mu       sync.Mutex
	open     map[stream]*vitals
	reserved int // places of streams that are about to open
	beating  bool
	closed   bool
	empty    chan struct{} // closed when closed and nothing is open
}

func newStreams(l Limits, alive func(context.Context) error) *streams {
	return &streams{
		limit:      l.Streams,
		pingEvery:  l.PingEvery,
		aliveEvery: l.AliveEvery,
		isAlive:    alive,
		open:       make(map[stream]*vitals),
		empty:      make(chan struct{}),
	}
}

// reserve keeps a place for a stream that is about to open. It refuses when there are too many, or after shutdown.
// Whoever reserved adds or releases.
func (s *streams) reserve() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.open)+s.reserved >= s.limit {
		return false
	}
	s.reserved++
	return true
}

func (s *streams) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved--
}

// add puts c in the place reserved for it, unless shutdown came in between. Whoever added removes.
func (s *streams) add(c stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved--
	if s.closed {
		return false
	}
	s.open[c] = &vitals{ping: time.Now().Add(s.pingEvery)}
	if !s.beating {
		s.beating = true
		go s.beat()
	}
	return true
}

// identify makes Alive be asked about c from now on.
func (s *streams) identify(c stream, ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.open[c]; ok {
		v.ctx = ctx
		v.alive = time.Now().Add(s.aliveEvery)
	}
}

func (s *streams) remove(c stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.open[c]; !ok {
		return
	}
	delete(s.open, c)
	if s.closed && len(s.open) == 0 {
		close(s.empty)
	}
}

func (s *streams) beat() {
	tick := time.NewTicker(max(min(s.aliveEvery, s.pingEvery)/5, time.Millisecond))
	defer tick.Stop()
	for now := range tick.C {
		if !s.beatOnce(now) {
			return
		}
	}
}

// beatOnce does what is due, and reports whether there is anything left to beat for.
func (s *streams) beatOnce(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) == 0 {
		s.beating = false
		return false
	}
	for c, v := range s.open {
		if !now.Before(v.ping) {
			v.ping = now.Add(s.pingEvery)
			c.ping()
		}
		if s.isAlive != nil && v.ctx != nil && !v.checking && !now.Before(v.alive) {
			v.checking = true
			go s.check(c, v)
		}
	}
	return true
}

// check asks Alive about one stream. It may take its time: the others are not held up.
func (s *streams) check(c stream, v *vitals) {
	ctx, cancel := context.WithTimeout(v.ctx, s.aliveEvery)
	defer cancel()
	err := s.isAlive(ctx)
	s.mu.Lock()
	v.checking = false
	v.alive = time.Now().Add(s.aliveEvery)
	s.mu.Unlock()
	if err == nil || errors.Is(err, ErrUnavailable) || errors.Is(err, context.Canceled) ||
		errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return
	}
	c.close(closeForbidden, "Forbidden")
}

func (s *streams) shutdown(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		if len(s.open) == 0 {
			close(s.empty)
		}
	}
	for c := range s.open {
		c.close(closeGoingAway, "Going away")
	}
	s.mu.Unlock()
	select {
	case <-s.empty:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		c.abort()
	}
	return ctx.Err()
}
