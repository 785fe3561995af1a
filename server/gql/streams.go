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
	ping   time.Time // when it is due
	caller *caller   // nil before it is known
}

// caller is somebody with streams: they are counted together, and Alive is asked once for all.
type caller struct {
	name          string
	ctx           context.Context // from Authenticate, of one of the streams
	streams       int
	subscriptions int       // on its sockets
	alive         time.Time // when it is due
	checking      bool      // Alive is being asked
}

// streams is the registry of what is open. One goroutine, which runs only while something is, sends all pings and asks
// Alive: a timer for each socket would cost more than the socket.
type streams struct {
	limits  *Limits
	isAlive func(context.Context) error
	nameOf  func(context.Context) string

	mu       sync.Mutex
	open     map[stream]*vitals
	callers  map[string]*caller
	nameless map[*caller]bool // those whom nobody tells apart have one stream each
	reserved int              // places of streams that are about to open
	beating  bool
	closed   bool
	empty    chan struct{} // closed when closed and nothing is open
}

func newStreams(l *Limits, alive func(context.Context) error, nameOf func(context.Context) string) *streams {
	return &streams{
		limits:   l,
		isAlive:  alive,
		nameOf:   nameOf,
		open:     make(map[stream]*vitals),
		callers:  make(map[string]*caller),
		nameless: make(map[*caller]bool),
		empty:    make(chan struct{}),
	}
}

// reserve keeps a place for a stream that is about to open. It refuses when there are too many, or after shutdown.
// Whoever reserved adds or releases.
func (s *streams) reserve() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.open)+s.reserved >= s.limits.Streams {
		return false
	}
	s.reserved++
	return true
}

func (s *streams) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
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
	s.open[c] = &vitals{ping: time.Now().Add(s.limits.PingEvery)}
	if !s.beating {
		s.beating = true
		go s.beat()
	}
	return true
}

// identify counts c among its caller's streams, and makes Alive be asked about it from now on. It refuses when the caller
// has too many.
func (s *streams) identify(c stream, ctx context.Context) bool {
	name := s.nameOf(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.open[c]
	if !ok {
		return true // it is gone
	}
	who := s.callers[name]
	switch {
	case name == "":
		who = &caller{}
		s.nameless[who] = true
	case who == nil:
		who = &caller{name: name}
		s.callers[name] = who
	case who.streams >= s.limits.CallerStreams:
		return false
	}
	if who.streams++; who.streams == 1 {
		who.alive = time.Now().Add(s.limits.AliveEvery)
	}
	who.ctx = ctx
	v.caller = who
	return true
}

// subscribe counts a subscription on one of its caller's sockets, and refuses one too many. Whoever subscribed unsubscribes.
func (s *streams) subscribe(c stream) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.open[c]
	if !ok || v.caller.subscriptions >= s.limits.Subscriptions {
		return false
	}
	v.caller.subscriptions++
	return true
}

func (s *streams) unsubscribe(c stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.open[c]; ok {
		v.caller.subscriptions--
	}
}

func (s *streams) remove(c stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.open[c]
	if !ok {
		return
	}
	delete(s.open, c)
	if v.caller != nil {
		if v.caller.streams--; v.caller.streams == 0 {
			delete(s.callers, v.caller.name)
			delete(s.nameless, v.caller)
		}
	}
	if s.closed && len(s.open) == 0 {
		close(s.empty)
	}
}

func (s *streams) beat() {
	tick := time.NewTicker(max(min(s.limits.AliveEvery, s.limits.PingEvery)/5, time.Millisecond))
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
			v.ping = now.Add(s.limits.PingEvery)
			c.ping()
		}
	}
	for _, who := range s.callers {
		s.checkIfDue(now, who)
	}
	for who := range s.nameless {
		s.checkIfDue(now, who)
	}
	return true
}

// checkIfDue has Alive asked. The caller holds mu.
func (s *streams) checkIfDue(now time.Time, who *caller) {
	if !who.checking && !now.Before(who.alive) {
		who.checking = true
		go s.check(context.WithoutCancel(who.ctx), who)
	}
}

// check asks Alive about one caller. It may take its time: the others are not held up.
func (s *streams) check(ctx context.Context, who *caller) {
	ctx, cancel := context.WithTimeout(ctx, s.limits.AliveEvery)
	defer cancel()
	err := s.isAlive(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	who.checking = false
	who.alive = time.Now().Add(s.limits.AliveEvery)
	if err == nil || errors.Is(err, ErrUnavailable) || errors.Is(err, context.Canceled) ||
		errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return
	}
	for c, v := range s.open {
		if v.caller == who {
			c.close(closeForbidden, "Forbidden")
		}
	}
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
