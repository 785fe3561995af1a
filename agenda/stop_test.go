package agenda

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// queued adds so many confirmed appointments that wait to be sent.
func (b *bundle) queued(t *testing.T, s *sparki.Schedule, n int) (ids []uuid.UUID) {
	t.Helper()
	for range n {
		ids = append(ids, sparki.NewID())
	}
	err := b.DB.Tx(t.Context(), b.portal.ID, func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `
			insert into appointments (portal_id, id, schedule_id, status, starts_at, ends_at, customer_name, search)
			select $1, id, $2, 'CONFIRMED', $3, $3::timestamptz + interval '30 min', 'Noor Beekman', '' from unnest($4::uuid[]) as id`,
			b.portal.ID, s.ID, noon(0), ids)
		if err != nil {
			return err
		}
		_, err = tx.Exec(t.Context(), `insert into write_backs (portal_id, appointment_id, state, integration_id) select $1, id, 'QUEUED', $2 from unnest($3::uuid[]) as id`,
			b.portal.ID, b.integration.ID, ids)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// With a thousand sends queued and two workers at them, closing any gate lets no send begin after the
// switch is committed.
func TestClosedGateStopsSends(t *testing.T) {
	t.Parallel()
	d := sharedDB(t)
	for name, c := range crms {
		for _, gate := range inGateOrder {
			t.Run(name+"/"+string(gate), func(t *testing.T) {
				t.Parallel()
				b := newBundle(t, d, c)
				schedule := b.linked(t, "Bezichtigingen", 0)
				ids := b.queued(t, schedule, 1000)
				b.line.mu.Lock()
				b.line.sends = c.sends
				b.line.mu.Unlock()
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				var workers sync.WaitGroup
				for range 2 {
					workers.Go(func() { _ = b.PushAppointments(ctx, b.portal.ID, b.integration.ID) })
				}
				b.sending(t, 20)
				closed := b.closeOne(t, schedule, gate, ids)
				at := time.Now()
				if gate == sparki.ReasonStatus { // stops these appointments; the others go on
					b.sending(t, 60)
					stop()
				}
				workers.Wait()
				late, all := b.line.sentAfter(at)
				switch {
				case gate == sparki.ReasonStatus:
					for _, a := range closed {
						if now := b.read(t, a); now.WriteBack.State != sparki.WriteBackNotNeeded && now.WriteBack.ExternalID == nil {
							t.Errorf("un-confirmed, but %+v", now.WriteBack)
						}
					}
					byReference := map[string]bool{}
					for _, i := range b.agenda.live(t) {
						byReference[i.reference] = true
					}
					for _, a := range closed {
						if byReference[a.NodeID()] {
							t.Errorf("%s was sent after it was un-confirmed", a.NodeID())
						}
					}
				case late > 0 || all >= len(ids):
					t.Errorf("%d sends after the switch, %d in all", late, all)
				}
			})
		}
	}
}

// sending waits until so many sends have reached the CRM.
func (b *bundle) sending(t *testing.T, n int) {
	t.Helper()
	deadline, tick := time.NewTimer(time.Minute), time.NewTicker(time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for {
		if _, all := b.line.sentAfter(time.Now()); all >= n {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatal("nothing is sent")
		}
	}
}

// closeOne closes one gate. For `confirmed` it does so with appointments whose turn comes late.
func (b *bundle) closeOne(t *testing.T, s *sparki.Schedule, gate sparki.WriteBackReason, ids []uuid.UUID) (closed []*sparki.Appointment) {
	t.Helper()
	open := map[sparki.WriteBackReason]bool{}
	for _, g := range inGateOrder {
		open[g] = g != gate
	}
	if gate != sparki.ReasonStatus {
		b.close(t, s, open)
		return nil
	}
	for _, id := range ids[len(ids)-20:] {
		a, err := b.Update(t.Context(), b.who, id, AppointmentPatch{Status: new(sparki.AppointmentPending)})
		if err != nil {
			t.Fatal(err)
		}
		closed = append(closed, a)
	}
	return closed
}
