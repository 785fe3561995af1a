package agenda

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/providers"
)

// empty accepts without a word.
func empty(_ http.RoundTripper, req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusAccepted, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}

// onSend lets a fault happen to the next call that changes the agenda.
func (b *bundle) onSend(f fault) {
	var once sync.Once
	b.line.arm(always(100, func(next http.RoundTripper, req *http.Request) (*http.Response, error) {
		use := fault(nil)
		if b.crm.sends(req) {
			once.Do(func() { use = f })
		}
		if use == nil {
			return next.RoundTrip(req)
		}
		return use(next, req)
	})...)
}

func always(n int, f fault) []fault {
	faults := make([]fault, n)
	for i := range faults {
		faults[i] = f
	}
	return faults
}

// lostAnswers are the ways in which an answer gets lost; done says whether the CRM did what was asked.
var lostAnswers = map[string]struct {
	fault
	done bool
}{
	"reset after": {after(reset), true}, "500 after": {after(status(500, "")), true}, "no word": {after(empty), true}, "killed after": {after(kill), true},
	"reset before": {reset, false}, "500": {status(500, ""), false}, "timed out": {timeout, false}, "killed before": {kill, false},
}

func timeout(http.RoundTripper, *http.Request) (*http.Response, error) {
	return nil, context.DeadlineExceeded
}

// A creation whose answer was lost is found out about before anything else is sent: the item is adopted,
// or created once.
func TestLostCreate(t *testing.T) {
	for name, lost := range lostAnswers {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, b *bundle) {
				a := b.book(t, b.linked(t, "Bezichtigingen", 0), sparki.AppointmentConfirmed)
				b.onSend(lost.fault)
				b.push(t)
				if items := b.agenda.live(t); len(items) != map[bool]int{true: 1, false: 0}[lost.done] {
					t.Fatalf("the agenda has %+v", items)
				}
				if w := b.read(t, a).WriteBack; w.State != sparki.WriteBackUnknown && w.State != sparki.WriteBackSending { // killed: until its lease is over
					t.Errorf("it is %+v", w)
				}
				b.line.mu.Lock()
				b.line.sends = b.crm.sends
				b.line.mu.Unlock()
				b.pass(t)
				b.push(t)
				b.wants(t, a, sparki.WriteBackSynced, sparki.WriteBackCreate, "")
				if items := b.agenda.live(t); len(items) != 1 || items[0].id != *b.read(t, a).WriteBack.ExternalID {
					t.Errorf("the agenda has %+v", items)
				}
				if _, sent := b.line.sentAfter(time.Time{}); sent != map[bool]int{true: 0, false: 1}[lost.done] {
					t.Errorf("%d sends", sent)
				}
			})
		})
	}
}

// A change or a cancellation whose answer was lost is not taken for undone when it is not wanted any more,
// nor for somebody else's.
func TestLostChange(t *testing.T) {
	for name, lost := range lostAnswers {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, b *bundle) {
				s := b.linked(t, "Bezichtigingen", 0)
				moved, cancelled := b.book(t, s, sparki.AppointmentConfirmed), b.book(t, s, sparki.AppointmentConfirmed)
				b.push(t)
				for _, c := range []struct {
					a           *sparki.Appointment
					there, back AppointmentPatch
				}{
					{moved, AppointmentPatch{StartsAt: new(noon(1))}, AppointmentPatch{StartsAt: new(noon(0))}},
					{cancelled, AppointmentPatch{Status: new(sparki.AppointmentCancelled)}, AppointmentPatch{Status: new(sparki.AppointmentConfirmed)}},
				} {
					b.change(t, c.a, c.there)
					b.line.repair()
					b.onSend(lost.fault)
					b.push(t)
					b.line.repair()
					b.change(t, c.a, c.back)
					b.pass(t)
					b.push(t)
					if w := b.read(t, c.a).WriteBack; w.State != sparki.WriteBackSynced || w.Drift != sparki.InSync {
						t.Errorf("it is %+v", w)
					}
					items := b.agenda.live(t)
					if len(items) != 2 || !items[0].start.Equal(noon(0)) || !items[1].start.Equal(noon(0)) {
						t.Errorf("the agenda has %+v", items)
					}
				}
			})
		})
	}
}

// A change that the CRM surely did not do leaves nothing to be sent when it is taken back.
func TestRefusedChangeLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		a := b.book(t, b.linked(t, "Bezichtigingen", 0), sparki.AppointmentConfirmed)
		b.push(t)
		b.change(t, a, AppointmentPatch{StartsAt: new(noon(1))})
		b.onSend(status(http.StatusBadRequest, ""))
		b.push(t)
		b.wants(t, a, sparki.WriteBackFailed, sparki.WriteBackUpdate, sparki.ReasonRejected)
		b.line.repair()
		before := b.line.count()
		b.change(t, a, AppointmentPatch{StartsAt: new(noon(0))})
		b.push(t)
		b.wants(t, a, sparki.WriteBackSynced, sparki.WriteBackUpdate, "")
		if calls := b.line.count() - before; calls != 0 {
			t.Errorf("%d calls", calls)
		}
	})
}

// When the tries are used up it is FAILED, and a person can ask for more: also after a creation of which
// nobody knows.
func TestTriesAreUsedUp(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		s := b.linked(t, "Bezichtigingen", 0)
		for _, lost := range []fault{status(http.StatusTooManyRequests, ""), after(reset)} {
			a := b.book(t, s, sparki.AppointmentConfirmed)
			b.exec(t, `update write_backs set attempts = $1`, tries-1)
			b.onSend(lost)
			b.push(t)
			b.line.repair()
			if w := b.read(t, a).WriteBack; w.State != sparki.WriteBackFailed || w.Message == nil || w.Attempts != tries {
				t.Errorf("it is %+v", w)
			}
			b.pass(t)
			b.push(t) // is not tried by itself
			if w := b.read(t, a).WriteBack; w.State != sparki.WriteBackFailed {
				t.Errorf("it is %+v", w)
			}
			if _, err := b.Retry(t.Context(), b.who, a.ID); err != nil {
				t.Fatal(err)
			}
			b.pass(t)
			b.push(t)
			b.wants(t, a, sparki.WriteBackSynced, sparki.WriteBackCreate, "")
		}
		if items := b.agenda.live(t); len(items) != 2 {
			t.Errorf("the agenda has %+v", items)
		}
	})
}

// exec changes rows behind the program's back.
func (b *bundle) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	err := b.DB.Tx(t.Context(), b.portal.ID, func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), sql, args...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A worker that stood still until its lease was over sends nothing when it wakes; nor does an appointment
// that is cancelled while it is being created stay.
func TestSlowWorker(t *testing.T) {
	t.Run("LostItsLease", func(t *testing.T) {
		each(t, func(t *testing.T, b *bundle) {
			a := b.book(t, b.linked(t, "Bezichtigingen", 0), sparki.AppointmentConfirmed)
			connect, asleep, wake := b.Connect, make(chan struct{}), make(chan struct{})
			slow := New(*b.Service)
			var once sync.Once
			slow.Connect = func(ctx context.Context, i *sparki.Integration) (providers.Agenda, error) {
				if b.leased(t) {
					once.Do(func() { close(asleep); <-wake })
				}
				return connect(ctx, i)
			}
			done := make(chan error)
			go func() { done <- slow.PushAppointments(t.Context(), b.portal.ID, b.integration.ID) }()
			<-asleep
			b.pass(t)
			b.push(t)
			b.wants(t, a, sparki.WriteBackSynced, sparki.WriteBackCreate, "")
			close(wake)
			if err := <-done; err != nil {
				t.Error(err)
			}
			b.wants(t, a, sparki.WriteBackSynced, sparki.WriteBackCreate, "")
			if items := b.agenda.live(t); len(items) != 1 {
				t.Errorf("the agenda has %+v", items)
			}
		})
	})
	t.Run("CancelledMeanwhile", func(t *testing.T) {
		each(t, func(t *testing.T, b *bundle) {
			a := b.book(t, b.linked(t, "Bezichtigingen", 0), sparki.AppointmentConfirmed)
			begun, answer := make(chan struct{}), make(chan struct{})
			b.onSend(func(next http.RoundTripper, req *http.Request) (*http.Response, error) {
				resp, err := next.RoundTrip(req)
				close(begun)
				<-answer
				return resp, err
			})
			done := make(chan error)
			go func() { done <- b.PushAppointments(t.Context(), b.portal.ID, b.integration.ID) }()
			<-begun
			cancelled := make(chan error)
			go func() { _, err := b.Cancel(t.Context(), b.who, a.ID); cancelled <- err }()
			close(answer)
			for _, err := range []error{<-cancelled, <-done} {
				if err != nil {
					t.Error(err)
				}
			}
			b.push(t)
			b.wants(t, a, sparki.WriteBackSynced, sparki.WriteBackCancel, "")
			if items := b.agenda.live(t); len(items) != 0 {
				t.Errorf("the agenda has %+v", items)
			}
		})
	})
}

// leased says whether a worker is at an appointment.
func (b *bundle) leased(t *testing.T) bool {
	t.Helper()
	leased := 0
	err := b.DB.Tx(t.Context(), b.portal.ID, func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), `select count(*) from write_backs where lease_until > now()`).Scan(&leased)
	})
	if err != nil {
		t.Error(err)
	}
	return leased > 0
}
