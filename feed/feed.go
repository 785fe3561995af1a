// Package feed serves live updates from the activity table. Wake-ups only say when to look; a lost
// one delays an update until the next look and never loses it.
package feed

import (
	"context"
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
	pause     = 50 * time.Millisecond // between two looks, so that a burst costs a few
	readLimit = 500
	remember  = 2000 // activities that a portal's followers share
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
	looked   chan struct{}                        // closed at the next look
	statuses func() ([]*sparki.SyncStatus, error) // since the latest look, read once for all followers
	// appointments that changed of late, read once for all followers since the latest look.
	appointments func() ([]*sparki.Appointment, error)
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
		h = &hub{feed: f, portal: portal, stop: stop, head: -1, looked: make(chan struct{}), statuses: f.statusesOnce(portal), appointments: f.appointmentsOnce(portal)}
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
	h.head = head
	if h.recent = append(h.recent, fresh...); len(h.recent) > remember {
		h.recent = append([]*sparki.Activity(nil), h.recent[len(h.recent)-remember:]...)
	}
	h.statuses, h.appointments = h.feed.statusesOnce(h.portal), h.feed.appointmentsOnce(h.portal)
	close(h.looked)
	h.looked = make(chan struct{})
	return nil
}

// after gives what follows seq: from memory, or from the table when that reaches further back. next
// is closed when there may be more.
func (h *hub) after(ctx context.Context, seq int64) (activities []*sparki.Activity, next <-chan struct{}, err error) {
	h.mu.Lock()
	head, next := h.head, h.looked
	if n := len(h.recent); n > 0 && seq >= h.recent[0].Seq-1 {
		activities = h.recent[min(n, int(seq-h.recent[0].Seq+1)):]
		h.mu.Unlock()
		return activities, next, nil
	}
	h.mu.Unlock()
	if head < 0 || seq >= head {
		return nil, next, nil
	}
	activities, err = h.feed.DB.ActivitiesAfter(ctx, h.portal, seq, readLimit)
	return activities, next, err
}

// Activities gives everything that happens in a portal from now on, or from after on: in order,
// without gaps or repeats. The channel ends with the context.
func (f *Feed) Activities(ctx context.Context, portal uuid.UUID, after *int64, filter sparki.ActivityFilter) (<-chan *sparki.Activity, error) {
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
	out := make(chan *sparki.Activity)
	h, leave := f.join(portal)
	go func() {
		defer close(out)
		defer leave()
		for {
			activities, next, err := h.after(ctx, seq)
			if err != nil && ctx.Err() == nil {
				f.Log.Warn("activities could not be read", slog.Any("error", err))
			}
			for _, a := range activities {
				seq = a.Seq
				if !filter.Match(a) {
					continue
				}
				select {
				case out <- a:
				case <-ctx.Done():
					return
				}
			}
			if len(activities) > 0 {
				continue
			}
			select {
			case <-next:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}
