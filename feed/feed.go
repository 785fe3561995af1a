// Package feed serves live updates from the activity table. Wake-ups only say when to look; a lost
// one delays an update until the next look and never loses it.
package feed

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/pubsub"
)

const (
	lookEvery = 3 * time.Second       // without a wake-up
	pause     = 20 * time.Millisecond // between two looks, so that a burst costs a few
	readLimit = 500
	remember  = 2000   // activities that a portal's followers share
	tooFar    = 10_000 // activities that a follower who was up to date may lack before it is sent away
)

// Feed reads each portal that somebody follows once per process, however many follow it.
type Feed struct {
	DB     *db.DB
	Broker *pubsub.Broker
	// Status reads an integration's live state.
	Status func(context.Context, *sparki.Integration) (*sparki.SyncStatus, error)
	Log    *slog.Logger

	mu   sync.Mutex
	hubs map[uuid.UUID]*hub
}

// hub is one portal that somebody follows.
type hub struct {
	feed      *Feed
	portal    uuid.UUID
	followers int // under Feed.mu
	stop      context.CancelFunc

	mu       sync.Mutex
	recent   []*sparki.Activity                   // without gaps, the latest last
	head     int64                                // the latest number that was read; -1 before the first look
	grown    chan struct{}                        // closed when head moves
	looked   chan struct{}                        // closed at the next look
	statuses func() ([]*sparki.SyncStatus, error) // since the latest look, read once for all followers
	// appointments that changed of late, read once for all followers since the latest look.
	appointments func() ([]*sparki.Appointment, error)
	states       map[uuid.UUID]*sparki.SyncStatus // as they were read last

	filling sync.Mutex // one at a time reads further back
}

// join gives the portal's hub, which lives while somebody follows it.
func (f *Feed) join(portal uuid.UUID) (h *hub, leave func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hubs == nil {
		f.hubs = map[uuid.UUID]*hub{}
	}
	h = f.hubs[portal]
	if h == nil {
		ctx, stop := context.WithCancel(context.Background())
		h = &hub{feed: f, portal: portal, stop: stop, head: -1, grown: make(chan struct{}), looked: make(chan struct{}), appointments: f.appointmentsOnce(portal), states: map[uuid.UUID]*sparki.SyncStatus{}}
		h.statuses = h.statusesOnce()
		f.hubs[portal] = h
		go h.run(ctx)
	}
	h.followers++
	return h, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if h.followers--; h.followers == 0 {
			h.stop()
			delete(f.hubs, portal)
		}
	}
}

func (h *hub) run(ctx context.Context) {
	woken, stop := h.feed.Broker.Listen(h.portal)
	defer stop()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := h.look(ctx); err != nil && ctx.Err() == nil {
			h.feed.Log.Warn("activities could not be read", slog.Any("error", err))
		}
		rest := time.NewTimer(pause)
		select {
		case <-rest.C:
		case <-ctx.Done():
			return
		}
		select {
		case <-woken:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look reads what is new and tells the followers, also when no activity is: a status may have changed.
func (h *hub) look(ctx context.Context) error {
	h.mu.Lock()
	head := h.head
	h.mu.Unlock()
	var fresh []*sparki.Activity
	var err error
	if head < 0 {
		head, err = h.feed.DB.ActivityHead(ctx, h.portal)
	} else {
		for full := true; full && err == nil; {
			var page []*sparki.Activity
			page, err = h.feed.DB.ActivitiesAfter(ctx, h.portal, head, readLimit)
			if full = len(page) == readLimit; len(page) > 0 {
				head, fresh = page[len(page)-1].Seq, append(fresh, page...)
			}
		}
	}
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.head != head {
		h.head = head
		close(h.grown)
		h.grown = make(chan struct{})
	}
	if h.recent = append(h.recent, fresh...); len(h.recent) > remember {
		h.recent = append([]*sparki.Activity(nil), h.recent[len(h.recent)-remember:]...)
	}
	h.statuses, h.appointments = h.statusesOnce(), h.feed.appointmentsOnce(h.portal)
	close(h.looked)
	h.looked = make(chan struct{})
	return nil
}

// place is where a follower stands.
type place struct {
	next    *sparki.Activity // nil when it is not in memory
	behind  int64            // activities that it has not seen
	missing int64            // those of them that lie before memory
	known   bool             // all of this is: the hub has looked
	more    <-chan struct{}  // closed when the head moves
}

// at says where somebody stands who has seen everything up to seq.
func (h *hub) at(seq int64) place {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := place{known: h.head >= 0, more: h.grown}
	if p.behind = max(h.head-seq, 0); p.behind == 0 {
		return p
	}
	if p.missing = max(h.oldest()-1-seq, 0); p.missing == 0 {
		p.next = h.recent[seq+1-h.oldest()]
	}
	return p
}

// oldest is the first number in memory. The caller holds mu.
func (h *hub) oldest() int64 {
	if len(h.recent) > 0 {
		return h.recent[0].Seq
	}
	return h.head + 1
}

// fill reads what lies between seq and memory into it, once for all who come back with about the same
// cursor, as after a restart. What cannot join it without a gap is given to the caller alone; gone
// counts those that are kept no more.
func (h *hub) fill(ctx context.Context, seq int64) (page []*sparki.Activity, gone int64, err error) {
	h.filling.Lock()
	defer h.filling.Unlock()
	missing := h.at(seq).missing
	if missing == 0 {
		return nil, 0, nil // another one has
	}
	page, err = h.feed.DB.ActivitiesAfter(ctx, h.portal, seq, int(min(missing, readLimit)))
	switch {
	case err == nil && len(page) == 0:
		return nil, missing, nil
	case err != nil || int64(len(page)) != missing || page[0].Seq != seq+1:
		return page, 0, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if page[missing-1].Seq != h.oldest()-1 || len(h.recent)+len(page) > 2*remember {
		return page, 0, nil
	}
	h.recent = append(page[:missing:missing], h.recent...)
	return nil, 0, nil
}

// Activities gives everything that happens in a portal from now on, or from after on: in order,
// without gaps or repeats.
func (f *Feed) Activities(ctx context.Context, portal uuid.UUID, after *int64, filter sparki.ActivityFilter) (Source, error) {
	head, err := f.DB.ActivityHead(ctx, portal)
	if err != nil {
		return nil, err
	}
	seq := head
	if after != nil {
		if seq = *after; seq > head {
			return nil, sparki.Errorf(sparki.Invalid, "after: this cursor is of an activity that has not happened")
		}
	}
	h, leave := f.join(portal)
	return &activities{hub: h, leave: leave, seq: seq, filter: filter}, nil
}

// activities is one follower's way through the activities.
type activities struct {
	hub    *hub
	leave  func()
	seq    int64 // the latest that was looked at
	filter sparki.ActivityFilter
	page   []*sparki.Activity // further back than memory reaches
	live   bool               // has been up to date
}

func (a *activities) Close() { a.leave() }

func (a *activities) Next(ctx context.Context) (any, error) {
	for {
		activity, more, err := a.step(ctx)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, ErrBehind):
			return nil, err
		case err != nil:
			a.hub.feed.Log.Warn("activities could not be read", slog.Any("error", err))
			more = a.hub.nextLook()
		case activity != nil:
			if a.seq = activity.Seq; a.filter.Match(activity) {
				return activity, nil
			}
			continue
		case more == nil:
			continue
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// step gives the next activity, or what to wait for; neither when there is something in memory now.
func (a *activities) step(ctx context.Context) (next *sparki.Activity, more <-chan struct{}, err error) {
	if len(a.page) > 0 {
		next, a.page = a.page[0], a.page[1:]
		return next, nil, nil
	}
	p := a.hub.at(a.seq)
	switch {
	case p.next != nil:
		return p.next, nil, nil
	case p.behind == 0:
		a.live = a.live || p.known
		return nil, p.more, nil
	case a.live && p.behind > tooFar:
		return nil, nil, ErrBehind
	}
	page, gone, err := a.hub.fill(ctx, a.seq)
	a.page, a.seq = page, a.seq+gone
	return nil, nil, err
}

func (h *hub) nextLook() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.looked
}
