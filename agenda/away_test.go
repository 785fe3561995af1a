package agenda

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/providers/rest"
)

// leftAlone refuses a call as a breaker does that opened for ten minutes.
func leftAlone(_ http.RoundTripper, req *http.Request) (*http.Response, error) {
	b := rest.NewBreaker(&line{faults: []fault{reset, reset}}, rest.Breaking{Failures: 1, Pause: 10 * time.Minute})
	if _, err := b.RoundTrip(req); !errors.Is(err, errReset) {
		return nil, err
	}
	return b.RoundTrip(req)
}

// While a CRM is left alone everything waits, no try is spent, and a create was surely not sent.
func TestLeftAlone(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		s := b.linked(t, "Bezichtigingen", 0)
		var booked []*sparki.Appointment
		for range 2 * parallel {
			booked = append(booked, b.book(t, s, sparki.AppointmentConfirmed))
		}
		always := make([]fault, 1000)
		for n := range always {
			always[n] = leftAlone
		}
		lastTry := func() {
			b.pass(t)
			err := b.DB.Tx(t.Context(), b.portal.ID, func(tx *db.Tx) error {
				_, err := tx.Exec(t.Context(), `update write_backs set attempts = $1`, tries-1)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		wait := func() {
			t.Helper()
			b.line.arm(always...)
			before := b.line.count()
			b.push(t)
			if calls := b.line.count() - before; calls > parallel {
				t.Errorf("%d calls", calls)
			}
			for _, a := range booked {
				if w, due := b.read(t, a).WriteBack, b.dueIn(t, a); w.State != sparki.WriteBackQueued || due < 9*time.Minute {
					t.Errorf("it is %s and waits %v", w.State, due)
				}
			}
			var spent, intents int
			err := b.DB.Tx(t.Context(), b.portal.ID, func(tx *db.Tx) error {
				return tx.QueryRow(t.Context(), `select max(attempts), count(intent) from write_backs`).Scan(&spent, &intents)
			})
			if err != nil || spent > tries-1 || intents > 0 {
				t.Errorf("%d tries spent, %d may have been created: %v", spent, intents, err)
			}
			b.line.repair()
		}
		b.push(t) // the CRM's access token is at hand
		b.wants(t, booked[0], sparki.WriteBackSynced, sparki.WriteBackCreate, "")
		booked = nil
		for range 2 * parallel {
			booked = append(booked, b.book(t, s, sparki.AppointmentConfirmed))
		}
		lastTry()
		wait()
		b.pass(t)
		b.push(t)
		if n := len(b.agenda.live(t)); n != 4*parallel {
			t.Errorf("%d items in the agenda", n)
		}
		for _, a := range booked {
			b.change(t, a, AppointmentPatch{StartsAt: new(noon(1))})
		}
		lastTry()
		wait()
		b.pass(t)
		b.push(t)
		for _, a := range booked {
			b.wants(t, a, sparki.WriteBackSynced, sparki.WriteBackUpdate, "")
		}
	})
}
