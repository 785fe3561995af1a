package feed

import (
	"context"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations"
)

// readTimeout bounds one reading of the states.
const readTimeout = 5 * time.Second

// Statuses gives the live state of a portal's integrations, or of one, at once and whenever it
// changes. A follower who is slow misses the states in between, never the last one.
func (f *Feed) Statuses(ctx context.Context, portal uuid.UUID, only *uuid.UUID) (Source, error) {
	if only != nil {
		if _, err := f.DB.Integration(ctx, portal, *only); err != nil {
			return nil, err
		}
	}
	h, leave := f.join(portal)
	return &statuses{hub: h, leave: leave, only: only, sent: map[uuid.UUID]*sparki.SyncStatus{}}, nil
}

// statuses is what one follower knows of the states.
type statuses struct {
	hub   *hub
	leave func()
	only  *uuid.UUID
	sent  map[uuid.UUID]*sparki.SyncStatus
	turn  int // where the search for a change begins, so that no integration hides another
}

func (s *statuses) Close() { s.leave() }

func (s *statuses) Next(ctx context.Context) (any, error) {
	for {
		states, next, err := s.hub.status()
		if err == nil {
			if status := s.changed(states); status != nil {
				return status, nil
			}
		}
		select {
		case <-next:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// changed gives a state that the follower does not know, and takes it for known.
func (s *statuses) changed(states []*sparki.SyncStatus) *sparki.SyncStatus {
	for n := range states {
		at := (s.turn + n) % len(states)
		status := states[at]
		if s.only != nil && status.IntegrationID != *s.only || reflect.DeepEqual(s.sent[status.IntegrationID], status) {
			continue
		}
		s.turn, s.sent[status.IntegrationID] = at+1, status
		return status
	}
	return nil
}

// status gives the states as they were at the latest look or later.
func (h *hub) status() (statuses []*sparki.SyncStatus, next <-chan struct{}, err error) {
	h.mu.Lock()
	read, next := h.statuses, h.looked
	h.mu.Unlock()
	statuses, err = read()
	return statuses, next, err
}

// statusesOnce gives a function that reads the states of all integrations of the portal the first time
// it is called.
func (h *hub) statusesOnce() func() ([]*sparki.SyncStatus, error) {
	return sync.OnceValues(func() ([]*sparki.SyncStatus, error) {
		ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
		defer cancel()
		states, err := h.readStatuses(ctx)
		if err != nil {
			h.feed.Log.Warn("sync status could not be read", slog.Any("error", err))
		}
		return states, err
	})
}

// readStatuses reads the states. One that is as it was stays the same pointer, so that its answer is
// made once.
func (h *hub) readStatuses(ctx context.Context) ([]*sparki.SyncStatus, error) {
	integrations, err := h.feed.DB.Integrations(ctx, h.portal)
	if err != nil {
		return nil, err
	}
	states := make([]*sparki.SyncStatus, len(integrations))
	for n, i := range integrations {
		if states[n], err = h.feed.Status(ctx, i); err != nil {
			return nil, err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for n, state := range states {
		if before := h.states[state.IntegrationID]; reflect.DeepEqual(before, state) {
			states[n] = before
		}
		h.states[state.IntegrationID] = states[n]
	}
	return states, nil
}
