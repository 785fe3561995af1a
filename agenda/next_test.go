package agenda

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// yes, no and either are what a rule asks of a fact.
type asks int

const (
	either asks = iota
	yes
	no
)

func (a asks) holds(fact bool) bool { return a == either || fact == (a == yes) }

// rules say in words what is to be done. For every combination of facts exactly one of them holds.
var rules = []struct {
	name                                                             string
	unsure, live, changed, confirmed, linked, elsewhere, left, stale asks
	want                                                             action
}{
	{name: "a creation that nobody answered is found out about before anything else", unsure: yes, want: search},
	{name: "what somebody changed in the CRM is looked at before anything is sent", unsure: no, live: yes, changed: yes, want: look},
	{name: "an item of an appointment that does not hold is cancelled", unsure: no, live: yes, changed: no, confirmed: no, want: cancel},
	{name: "an item in another agenda is cancelled there first", unsure: no, live: yes, changed: no, confirmed: yes, linked: yes, elsewhere: yes, want: cancel},
	{name: "an item of another schedule is cancelled, also when the new one is not linked", unsure: no, live: yes, changed: no, confirmed: yes, linked: no, left: yes, want: cancel},
	{name: "an item that says something else is changed", unsure: no, live: yes, changed: no, confirmed: yes, linked: yes, elsewhere: no, stale: yes, want: update},
	{name: "also one whose schedule was disconnected: the gate forbids it", unsure: no, live: yes, changed: no, confirmed: yes, linked: no, left: no, stale: yes, want: update},
	{name: "an item that says what it should is left alone", unsure: no, live: yes, changed: no, confirmed: yes, linked: yes, elsewhere: no, stale: no, want: nothing},
	{name: "also one whose schedule was disconnected", unsure: no, live: yes, changed: no, confirmed: yes, linked: no, left: no, stale: no, want: nothing},
	{name: "a confirmed appointment without an item gets one", unsure: no, live: no, confirmed: yes, want: create},
	{name: "one that was never sent needs nothing undone", unsure: no, live: no, confirmed: no, want: nothing},
}

func TestNext(t *testing.T) {
	t.Parallel()
	bit := func(n, at int) bool { return n>>at&1 == 1 }
	for n := range 256 {
		f := facts{confirmed: bit(n, 0), linked: bit(n, 1), live: bit(n, 2), unsure: bit(n, 3), changed: bit(n, 4), elsewhere: bit(n, 5), left: bit(n, 6), stale: bit(n, 7)}
		held := 0
		for _, r := range rules {
			if r.unsure.holds(f.unsure) && r.live.holds(f.live) && r.changed.holds(f.changed) && r.confirmed.holds(f.confirmed) && r.linked.holds(f.linked) &&
				r.elsewhere.holds(f.elsewhere) && r.left.holds(f.left) && r.stale.holds(f.stale) {
				held++
				if got := next(f); got != r.want {
					t.Errorf("%s: %+v gives %d, want %d", r.name, f, got, r.want)
				}
			}
		}
		if held != 1 {
			t.Errorf("%d rules hold for %+v", held, f)
		}
	}
}

// inGateOrder are the gates in the order in which they are checked.
var inGateOrder = []sparki.WriteBackReason{sparki.ReasonDisabled, sparki.ReasonSettings, sparki.ReasonAgendaOff, sparki.ReasonOutbound, sparki.ReasonNotLinked, sparki.ReasonStatus}

// What the gates say is what the worker does, for every combination of them: when the appointment is
// queued under them, and when they close after it was queued.
func TestGates(t *testing.T) {
	t.Parallel()
	d := sharedDB(t)
	for name, c := range crms {
		for n := range 64 {
			for _, late := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%06b/late=%v", name, n, late), func(t *testing.T) {
					t.Parallel()
					open := map[sparki.WriteBackReason]bool{}
					for at, gate := range inGateOrder {
						open[gate] = n>>at&1 == 1
					}
					testGates(t, newBundle(t, d, c), open, late)
				})
			}
		}
	}
}

func testGates(t *testing.T, b *bundle, open map[sparki.WriteBackReason]bool, late bool) {
	schedule := b.linked(t, "Bezichtigingen", 0)
	var a *sparki.Appointment
	if late {
		a = b.book(t, schedule, sparki.AppointmentConfirmed)
		b.close(t, schedule, open)
		if !open[sparki.ReasonStatus] {
			b.change(t, a, AppointmentPatch{Status: new(sparki.AppointmentPending)})
		}
	} else {
		b.close(t, schedule, open)
		status := sparki.AppointmentConfirmed
		if !open[sparki.ReasonStatus] {
			status = sparki.AppointmentPending
		}
		a = b.book(t, schedule, status)
	}
	before := b.line.count()
	b.push(t)

	gates, err := b.Gates(t.Context(), b.portal.ID, []uuid.UUID{a.ID})
	if err != nil {
		t.Fatal(err)
	}
	first, all := sparki.WriteBackReason(""), true
	for i, g := range gates[a.ID] {
		if g.Gate != inGateOrder[i] || g.Open != open[g.Gate] || g.Open != (g.Remedy == nil) {
			t.Errorf("gate %d is %+v, want %s open %v", i, g, inGateOrder[i], open[inGateOrder[i]])
		}
		if !g.Open && first == "" {
			first = g.Gate
		}
		all = all && g.Open
	}
	now := b.read(t, a)
	items := b.agenda.live(t)
	switch {
	case len(gates[a.ID]) != 6:
		t.Errorf("%d gates", len(gates[a.ID]))
	case all && (now.WriteBack.State != sparki.WriteBackSynced || len(items) != 1):
		t.Errorf("all gates are open: %+v, %d items", now.WriteBack, len(items))
	case !all && (len(items) != 0 || b.line.count() != before):
		t.Errorf("%s is closed: %d items, %d calls", first, len(items), b.line.count()-before)
	case !open[sparki.ReasonStatus] && now.WriteBack.State != sparki.WriteBackNotNeeded:
		t.Errorf("nothing is to be sent: %+v", now.WriteBack)
	case open[sparki.ReasonStatus] && !all && (now.WriteBack.State != sparki.WriteBackSkipped || *now.WriteBack.Reason != first || now.WriteBack.Message == nil):
		t.Errorf("%s is closed: %+v", first, now.WriteBack)
	}

	// Opened, they send what is wanted then; unless there is nothing to send.
	b.close(t, schedule, map[sparki.WriteBackReason]bool{
		sparki.ReasonDisabled: true, sparki.ReasonSettings: true, sparki.ReasonAgendaOff: true, sparki.ReasonOutbound: true, sparki.ReasonNotLinked: true})
	b.push(t)
	if items := b.agenda.live(t); open[sparki.ReasonStatus] != (len(items) == 1) {
		t.Errorf("opened: %d items, %+v", len(items), b.read(t, a).WriteBack)
	}
}

// close turns the switches as open says; linking needs the agenda, so that comes while it is on.
func (b *bundle) close(t *testing.T, schedule *sparki.Schedule, open map[sparki.WriteBackReason]bool) {
	t.Helper()
	links, err := b.DB.LinksOfSchedules(t.Context(), b.portal.ID, []uuid.UUID{schedule.ID})
	if err != nil {
		t.Fatal(err)
	}
	if len(links) == 1 && !open[sparki.ReasonNotLinked] {
		if _, err := b.Disconnect(t.Context(), b.who, links[0].ID); err != nil {
			t.Fatal(err)
		}
	}
	i := *b.integration
	i.Enabled, i.Domains = open[sparki.ReasonDisabled], sparki.Domains{Agenda: open[sparki.ReasonAgendaOff], Outbound: open[sparki.ReasonOutbound]}
	b.integration = &i
	b.incomplete.Store(!open[sparki.ReasonSettings])
	b.save(t)
	if len(links) == 0 && open[sparki.ReasonNotLinked] {
		b.link(t, schedule, 0)
	}
}

// A cancel still goes out when only `confirmed` is closed, and by no other closed gate.
func TestCancelPassesGates(t *testing.T) {
	t.Parallel()
	for n, gate := range inGateOrder {
		g := gates{true, true, true, true, true, true}
		*[]*bool{&g.enabled, &g.complete, &g.agenda, &g.outbound, &g.linked, &g.confirmed}[n] = false
		for _, a := range []action{create, update, cancel} {
			want := gate
			if gate == sparki.ReasonStatus && a == cancel {
				want = ""
			}
			if got := g.closed(a); got != want {
				t.Errorf("%s closed, action %d: %q", gate, a, got)
			}
		}
	}
}

// What the CRM's agenda is to say, on the days on which the clocks change and at midnight.
func TestEntry(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		when, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	for name, c := range map[string]struct{ start, end, wantStart, wantEnd string }{
		"an ordinary day":          {"2027-01-12T13:00:00Z", "2027-01-12T13:30:00Z", "2027-01-12T14:00:00+01:00", "2027-01-12T14:30:00+01:00"},
		"over the hour that lacks": {"2027-03-28T00:30:00Z", "2027-03-28T02:00:00Z", "2027-03-28T01:30:00+01:00", "2027-03-28T04:00:00+02:00"},
		"first of the double hour": {"2027-10-31T00:30:00Z", "2027-10-31T01:00:00Z", "2027-10-31T02:30:00+02:00", "2027-10-31T02:00:00+01:00"},
		"second of it":             {"2027-10-31T01:30:00Z", "2027-10-31T02:00:00Z", "2027-10-31T02:30:00+01:00", "2027-10-31T03:00:00+01:00"},
		"over midnight":            {"2027-06-30T21:45:00Z", "2027-06-30T22:15:00Z", "2027-06-30T23:45:00+02:00", "2027-07-01T00:15:00+02:00"},
		"over new year":            {"2026-12-31T22:45:00Z", "2026-12-31T23:15:00Z", "2026-12-31T23:45:00+01:00", "2027-01-01T00:15:00+01:00"},
	} {
		e, err := entryOf(&db.Situation{Appointment: &sparki.Appointment{StartsAt: at(c.start), EndsAt: at(c.end)}, TimeZone: "Europe/Amsterdam"})
		if err != nil {
			t.Fatal(err)
		}
		if start, end := e.Start.Format(time.RFC3339), e.End.Format(time.RFC3339); start != c.wantStart || end != c.wantEnd {
			t.Errorf("%s: %s to %s", name, start, end)
		}
	}

	title, address, mail := "Lindelaan 14A", "Lindelaan 14A, 3981 XB Bunnik", "noor@mail.example"
	integration := sparki.NewID()
	s := &db.Situation{
		Appointment: &sparki.Appointment{ID: sparki.NewID(), Customer: sparki.Customer{Name: "Noor Beekman", Email: &mail}},
		TimeZone:    "Europe/Amsterdam", ProjectTitle: &title, ProjectAddress: &address, ObjectIntegration: &integration,
		Object: &sparki.EntryObject{ExternalID: "3f6d", ObjectCode: "LM100231"},
		Link:   &sparki.ScheduleLink{IntegrationID: integration}, Target: &sparki.AgendaTarget{ExternalID: "e0f1", Name: "Sanne", Kind: sparki.TargetPerson},
	}
	e, err := entryOf(s)
	if err != nil {
		t.Fatal(err)
	}
	want := "Project: Lindelaan 14A\nKlant: Noor Beekman\nE-mail: noor@mail.example\nLocatie: Lindelaan 14A, 3981 XB Bunnik\nObject: LM100231\nSparki: " + s.NodeID() + "\n"
	if e.Subject != "Lindelaan 14A – Noor Beekman" || e.Description != want || e.Location != address || e.Object != s.Object || e.Target.Name != "Sanne" {
		t.Errorf("the entry is %+v", e)
	}
	s.Link.IntegrationID = sparki.NewID() // of another CRM, which does not know this object
	if e, err = entryOf(s); err != nil || e.Object != nil {
		t.Errorf("%+v, %v", e.Object, err)
	}
}
