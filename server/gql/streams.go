package gql

import (
	"context"
	"errors"
	"runtime/debug"
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
	proof  *proof    // the same
}

// caller is somebody with streams, which are counted together.
type caller struct {
	name          string
	streams       int
	subscriptions int // on its sockets
}

// proof is what a caller showed: Alive is asked once for all streams that were opened with it.
type proof struct {
	name     string
	ctx      context.Context // from Authenticate, of one of the streams
	streams  int
	alive    time.Time // when it is due
	checking bool      // Alive is being asked
}

// streams is the registry of what is open. One goroutine, which runs only while something is, sends all pings and asks
// Alive: a timer for each socket would cost more than the socket.
type streams struct {
	limits  *Limits
	isAlive func(context.Context) error
	namesOf func(context.Context) (caller, proof string)

	mu       sync.Mutex
	open     map[stream]*vitals
	callers  map[string]*caller
	proofs   map[string]*proof
	nameless map[*proof]bool // those that nobody tells apart have one stream each
	reserved int             // places of streams that are about to open
	beating  bool
	closed   bool
	empty    chan struct{} // closed when closed and nothing is open

	opened   int    // since memory was given back
	calm     int    // opened, at the latest beat
	giveBack func() // memory, to the operating system
}

// wave is how many streams leave enough behind that it is worth giving back: a handshake takes as much memory
// as the stream that it opens, and an idle server collects garbage once in minutes.
const wave = 500

func newStreams(l *Limits, alive func(context.Context) error, namesOf func(context.Context) (caller, proof string)) *streams {
	return &streams{
		limits:   l,
		isAlive:  alive,
		namesOf:  namesOf,
		open:     make(map[stream]*vitals),
		callers:  make(map[string]*caller),
		proofs:   make(map[string]*proof),
		nameless: make(map[*proof]bool),
		empty:    make(chan struct{}),
		giveBack: debug.FreeOSMemory,
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
	s.opened++
	if !s.beating {
		s.beating = true
		go s.beat()
	}
	return true
}

// identify counts c among its caller's streams, and makes Alive be asked about it from now on. It refuses when the caller
// has too many.
func (s *streams) identify(c stream, ctx context.Context) bool {
	name, shown := s.namesOf(ctx)
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
	case who == nil:
		who = &caller{name: name}
		s.callers[name] = who
	case who.streams >= s.limits.CallerStreams:
		return false
	}
	with := s.proofs[shown]
	switch {
	case shown == "":
		with = &proof{}
		s.nameless[with] = true
	case with == nil:
		with = &proof{name: shown}
		s.proofs[shown] = with
	}
	if with.streams == 0 {
		with.alive = time.Now().Add(s.limits.AliveEvery)
	}
	who.streams++
	with.streams++
	with.ctx = ctx
	v.caller, v.proof = who, with
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
		}
		if v.proof.streams--; v.proof.streams == 0 {
			delete(s.proofs, v.proof.name)
			delete(s.nameless, v.proof)
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
	for _, shown := range s.proofs {
		s.checkIfDue(now, shown)
	}
	for shown := range s.nameless {
		s.checkIfDue(now, shown)
	}
	if s.opened >= wave && s.opened == s.calm { // it is over
		s.opened = 0
		go s.giveBack()
	}
	s.calm = s.opened
	return true
}

// checkIfDue has Alive asked. The caller holds mu.
func (s *streams) checkIfDue(now time.Time, shown *proof) {
	if !shown.checking && !now.Before(shown.alive) {
		shown.checking = true
		go s.check(context.WithoutCancel(shown.ctx), shown)
	}
}

// check asks Alive about one proof. It may take its time: the others are not held up.
func (s *streams) check(ctx context.Context, shown *proof) {
	ctx, cancel := context.WithTimeout(ctx, s.limits.AliveEvery)
	defer cancel()
	err := s.isAlive(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	shown.checking = false
	shown.alive = time.Now().Add(s.limits.AliveEvery)
	if err == nil || errors.Is(err, ErrUnavailable) || errors.Is(err, context.Canceled) ||
		errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return
	}
	for c, v := range s.open {
		if v.proof == shown {
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
