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
func (f *Feed) Statuses(ctx context.Context, portal uuid.UUID, only *uuid.UUID) (<-chan *sparki.SyncStatus, error) {
	if only != nil {
		if _, err := f.DB.Integration(ctx, portal, *only); err != nil {
			return nil, err
		}
	}
	out := make(chan *sparki.SyncStatus)
	h, leave := f.join(portal)
	go func() {
		defer close(out)
		defer leave()
		sent := map[uuid.UUID]*sparki.SyncStatus{}
		for {
			statuses, next, err := h.status()
			if err != nil && ctx.Err() == nil {
				f.Log.Warn("sync status could not be read", slog.Any("error", err))
			}
			for _, status := range statuses {
				if only != nil && status.IntegrationID != *only || reflect.DeepEqual(sent[status.IntegrationID], status) {
					continue
				}
				select {
				case out <- status:
					sent[status.IntegrationID] = status
				case <-ctx.Done():
					return
				}
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

// status gives the states as they were at the latest look or later.
func (h *hub) status() (statuses []*sparki.SyncStatus, next <-chan struct{}, err error) {
	h.mu.Lock()
	read, next := h.statuses, h.looked
	h.mu.Unlock()
	statuses, err = read()
	return statuses, next, err
}

// statusesOnce gives a function that reads the states of all integrations of a portal the first time
// it is called.
func (f *Feed) statusesOnce(portal uuid.UUID) func() ([]*sparki.SyncStatus, error) {
	return sync.OnceValues(func() ([]*sparki.SyncStatus, error) {
		ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
		defer cancel()
		integrations, err := f.DB.Integrations(ctx, portal)
		if err != nil {
			return nil, err
		}
		statuses := make([]*sparki.SyncStatus, len(integrations))
		for n, i := range integrations {
			if statuses[n], err = f.Status(ctx, i); err != nil {
				return nil, err
			}
		}
		return statuses, nil
	})
}
