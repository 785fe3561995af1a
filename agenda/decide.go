package agenda

import (
	"context"
	"errors"
	"log/slog"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// errStale means that an integration changed since its settings were looked at: once more from the start.
var errStale = errors.New("an integration changed meanwhile")

// staleTries bounds that: settings are saved by people, and not that often.
const staleTries = 10

// change runs a person's change and decides anew about the appointments that it touches, in one
// transaction: what is queued was allowed when it was queued. f locks in one order: schedules, with
// lock, then appointments.
func (s *Service) change(ctx context.Context, portal uuid.UUID, f func(tx *db.Tx, lock lock) (touched []uuid.UUID, err error)) error {
	var bells []sparki.Bell
	var touched []uuid.UUID
	err := s.retryStale(ctx, portal, func(tx *db.Tx, offices []*office) (err error) {
		touched, err = f(tx, func(schedules ...uuid.UUID) error {
			if err := tx.ShareSchedules(ctx, schedules...); err != nil {
				return err
			}
			integrations, err := tx.ShareIntegrations(ctx)
			if err != nil {
				return err
			}
			return refresh(offices, integrations)
		})
		if err != nil || len(touched) == 0 {
			return err
		}
		if err := tx.TouchWriteBacks(ctx, touched); err != nil {
			return err
		}
		bells, err = s.decide(ctx, tx, portal, offices, touched)
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range touched {
		s.Log.DebugContext(ctx, "appointment changed", slog.String("appointment", sparki.AppointmentNode.ID(id)))
	}
	s.Signals.Wake(ctx, portal)
	s.Signals.Ring(ctx, bells...)
	return nil
}

// lock keeps schedules, and all integrations, from changing until the transaction ends.
type lock func(schedules ...uuid.UUID) error

// retryStale runs f in a transaction, with the portal's integrations, until none of them changed under it.
func (s *Service) retryStale(ctx context.Context, portal uuid.UUID, f func(*db.Tx, []*office) error) error {
	err := errStale
	for try := 0; try < staleTries && errors.Is(err, errStale); try++ {
		var offices []*office
		if offices, err = s.offices(ctx, portal); err != nil {
			return err
		}
		err = s.DB.Tx(ctx, portal, func(tx *db.Tx) error { return f(tx, offices) })
	}
	return err
}

// refresh gives the offices their integrations as they are now; errStale when the settings of one are
// others than those that were looked at.
func refresh(offices []*office, now []*sparki.Integration) error {
	if len(now) != len(offices) {
		return errStale
	}
	for n, i := range now { // both by provider
		if i.ID != offices[n].ID || !i.UpdatedAt.Equal(offices[n].UpdatedAt) {
			return errStale
		}
		offices[n].Integration = i
	}
	return nil
}

// decide stores what is to be done about appointments, and gives the bells to ring for it. One that a
// worker is at is left to that worker, which decides when it is done.
func (s *Service) decide(ctx context.Context, tx *db.Tx, portal uuid.UUID, offices []*office, ids []uuid.UUID) (bells []sparki.Bell, err error) {
	situations, err := tx.Situations(ctx, ids)
	if err != nil {
		return nil, err
	}
	rung := map[uuid.UUID]bool{}
	for _, sit := range situations {
		if sit.Leased {
			continue
		}
		p, err := planOf(sit, offices)
		if err != nil {
			return nil, err
		}
		v := p.verdict(sit)
		if err := tx.Decide(ctx, sit.ID, v, s.Between); err != nil {
			return nil, err
		}
		if v.State == sparki.WriteBackSkipped && (sit.WriteBack.State != v.State || *sit.WriteBack.Reason != *v.Reason) {
			tell(tx, sparki.WriteBackSkippedActivity, sparki.SyncActor, sit.ID, v.IntegrationID, map[string]string{"reason": *v.Message})
		}
		waits := v.State == sparki.WriteBackQueued || v.State == sparki.WriteBackUnknown || p.do == look
		if waits && !rung[p.office.ID] {
			rung[p.office.ID] = true
			bells = append(bells, sparki.Bell{Job: sparki.PushAppointments, PortalID: portal, ID: p.office.ID})
		}
	}
	return bells, nil
}

// tell adds an activity about an appointment. It names neither customer nor time.
func tell(tx *db.Tx, what sparki.ActivityType, actor string, appointment uuid.UUID, integration *uuid.UUID, params map[string]string) {
	tx.Tell(sparki.Activity{Type: what, Actor: actor, Params: params, IntegrationID: integration,
		SubjectKind: sparki.AppointmentNode, SubjectID: appointment})
}
