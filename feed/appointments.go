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

// changeWindow is how far back each look reads: further than any transaction lasts, so that a change
// that commits late is seen by a later look.
const changeWindow = 30 * time.Second

// Appointments gives the portal's appointments, or those of one schedule and of its separated ones,
// whenever something that is shown of them changes. Quick changes may come as one; the last one always
// comes.
func (f *Feed) Appointments(ctx context.Context, portal uuid.UUID, only *uuid.UUID) (<-chan *sparki.Appointment, error) {
	schedules, err := f.schedulesOf(ctx, portal, only)
	if err != nil {
		return nil, err
	}
	seen := map[uuid.UUID]*sparki.Appointment{}
	before, err := f.DB.AppointmentsChangedSince(ctx, portal, changeWindow)
	if err != nil {
		return nil, err
	}
	for _, a := range before {
		seen[a.ID] = a
	}
	out := make(chan *sparki.Appointment)
	h, leave := f.join(portal)
	go func() {
		defer close(out)
		defer leave()
		for {
			changed, next, err := h.changedAppointments()
			if err != nil && ctx.Err() == nil {
				f.Log.Warn("appointments could not be read", slog.Any("error", err))
			}
			now := make(map[uuid.UUID]*sparki.Appointment, len(changed))
			for _, a := range changed {
				now[a.ID] = a
				if reflect.DeepEqual(seen[a.ID], a) || only != nil && !f.belongs(ctx, portal, schedules, a.ScheduleID, *only) {
					continue
				}
				select {
				case out <- a:
				case <-ctx.Done():
					return
				}
			}
			if err == nil {
				seen = now // what is older than the window does not come again
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

// schedulesOf says of each schedule whether it is the one that is asked for, or separated from it.
func (f *Feed) schedulesOf(ctx context.Context, portal uuid.UUID, only *uuid.UUID) (map[uuid.UUID]bool, error) {
	if only == nil {
		return nil, nil
	}
	all, err := f.DB.Schedules(ctx, portal)
	if err != nil {
		return nil, err
	}
	of := make(map[uuid.UUID]bool, len(all))
	for _, s := range all {
		of[s.ID] = s.ID == *only || s.ParentID != nil && *s.ParentID == *only
	}
	if _, known := of[*only]; !known {
		return nil, sparki.Errorf(sparki.NotFound, "no object with this id")
	}
	return of, nil
}

// belongs says whether an appointment's schedule is one of those; a schedule that is new is looked up.
func (f *Feed) belongs(ctx context.Context, portal uuid.UUID, of map[uuid.UUID]bool, schedule, only uuid.UUID) bool {
	if _, known := of[schedule]; !known {
		if now, err := f.schedulesOf(ctx, portal, &only); err == nil {
			for id, in := range now {
				of[id] = in
			}
		}
	}
	return of[schedule]
}

// changedAppointments gives what changed of late, as it was at the latest look or later.
func (h *hub) changedAppointments() (changed []*sparki.Appointment, next <-chan struct{}, err error) {
	h.mu.Lock()
	read, next := h.appointments, h.looked
	h.mu.Unlock()
	changed, err = read()
	return changed, next, err
}

// appointmentsOnce gives a function that reads the appointments that changed of late the first time it is called.
func (f *Feed) appointmentsOnce(portal uuid.UUID) func() ([]*sparki.Appointment, error) {
	return sync.OnceValues(func() ([]*sparki.Appointment, error) {
		ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
		defer cancel()
		return f.DB.AppointmentsChangedSince(ctx, portal, changeWindow)
	})
}
