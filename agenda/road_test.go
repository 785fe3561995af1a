package agenda

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/providers"
)

// each runs a test against the mock of every CRM.
func each(t *testing.T, test func(t *testing.T, b *bundle)) {
	t.Helper()
	eachOf(t, crms, test)
}

func eachOf(t *testing.T, crms map[string]*crm, test func(t *testing.T, b *bundle)) {
	t.Helper()
	t.Parallel()
	d := sharedDB(t)
	for name, c := range crms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newBundle(t, d, c))
		})
	}
}

// wants checks where an appointment's write-back stands; "" stands for none.
func (b *bundle) wants(t *testing.T, a *sparki.Appointment, state sparki.WriteBackState, action sparki.WriteBackAction, reason sparki.WriteBackReason) sparki.WriteBack {
	t.Helper()
	w := b.read(t, a).WriteBack
	if w.State != state || w.Action != nil && *w.Action != action || w.Action == nil && action != "" ||
		w.Reason != nil && *w.Reason != reason || w.Reason == nil && reason != "" {
		t.Errorf("it is %+v (%v, %v), want %s %s %s", w, w.Action, w.Reason, state, action, reason)
	}
	return w
}

func code(err error) sparki.UserErrorCode {
	if refused, ok := errors.AsType[sparki.Refusal](err); ok {
		return refused[0].Code
	}
	return ""
}

// ringing answers bells as a worker does: at once, and once more when one rings meanwhile.
type ringing struct {
	silent
	*bundle
	mu            sync.Mutex
	running, rung bool
	workers       errgroup.Group
}

func (r *ringing) Ring(context.Context, ...sparki.Bell) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rung = true; r.running {
		return
	}
	r.running = true
	r.workers.Go(func() error {
		for r.again() {
			if err := r.PushAppointments(context.Background(), r.portal.ID, r.integration.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *ringing) again() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running, r.rung = r.rung, false
	return r.running
}

// Twenty quick changes make at most two sends, the last of which says what holds; also while a worker
// answers each of them at once.
func TestCoalescing(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		s := b.linked(t, "Bezichtigingen", 0)
		a := b.book(t, s, sparki.AppointmentConfirmed)
		b.push(t)
		bells := &ringing{bundle: b}
		b.Signals, b.Between = bells, 3*time.Second
		b.line.mu.Lock()
		b.line.sends = b.crm.sends
		b.line.mu.Unlock()
		for n := range 20 {
			b.change(t, a, AppointmentPatch{StartsAt: new(noon(0).Add(time.Duration(n+1) * time.Minute))})
			b.sendsWithin(50*time.Millisecond, n+1)
		}
		if err := bells.workers.Wait(); err != nil {
			t.Fatal(err)
		}
		b.wants(t, a, sparki.WriteBackSynced, sparki.WriteBackUpdate, "")
		if _, all := b.line.sentAfter(time.Now()); all > 2 || all < 1 {
			t.Errorf("%d sends", all)
		}
		if items := b.agenda.live(t); len(items) != 1 || !items[0].start.Equal(noon(0).Add(20*time.Minute)) {
			t.Errorf("the agenda has %+v", items)
		}
	})
}

// sendsWithin gives a worker a moment to send so often.
func (b *bundle) sendsWithin(moment time.Duration, n int) {
	deadline, tick := time.NewTimer(moment), time.NewTicker(time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if _, all := b.line.sentAfter(time.Now()); all >= n {
				return
			}
		case <-deadline.C:
			return
		}
	}
}

// What was never sent needs no cancellation, and what stands in a disconnected schedule's agenda stays there.
func TestNothingIsSent(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		s := b.linked(t, "Bezichtigingen", 0)
		before := b.line.count()
		pending := b.book(t, s, sparki.AppointmentPending)
		b.change(t, pending, AppointmentPatch{StartsAt: new(noon(1))})
		if _, err := b.Cancel(t.Context(), b.who, pending.ID); err != nil {
			t.Fatal(err)
		}
		b.push(t)
		b.wants(t, pending, sparki.WriteBackNotNeeded, "", sparki.ReasonStatus)
		if calls := b.line.count() - before; calls != 0 {
			t.Errorf("%d calls for an appointment that was never confirmed", calls)
		}

		confirmed := b.book(t, s, sparki.AppointmentConfirmed)
		b.push(t)
		b.wants(t, confirmed, sparki.WriteBackSynced, sparki.WriteBackCreate, "")
		links, err := b.DB.LinksOfSchedules(t.Context(), b.portal.ID, []uuid.UUID{s.ID})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Disconnect(t.Context(), b.who, links[0].ID); err != nil {
			t.Fatal(err)
		}
		before = b.line.count()
		if _, err := b.Cancel(t.Context(), b.who, confirmed.ID); err != nil {
			t.Fatal(err)
		}
		b.push(t)
		b.wants(t, confirmed, sparki.WriteBackSkipped, sparki.WriteBackCancel, sparki.ReasonNotLinked)
		if calls := b.line.count() - before; calls != 0 {
			t.Errorf("%d calls for a disconnected schedule", calls)
		}
		b.link(t, s, 0)
		b.push(t)
		b.wants(t, confirmed, sparki.WriteBackSynced, sparki.WriteBackCancel, "")
		if items := b.agenda.live(t); len(items) != 0 {
			t.Errorf("the agenda has %+v", items)
		}
	})
}

// Moving to another schedule, or linking with another agenda, cancels there and creates here. A
// separated schedule writes through its parent.
func TestAnotherAgenda(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		first, second := b.linked(t, "Eerste", 0), b.linked(t, "Tweede", 1)
		separated, alone := b.schedule(t, "Apart", &second.ID), b.schedule(t, "Los", nil)
		a := b.book(t, first, sparki.AppointmentConfirmed)
		b.push(t)
		in := func(target int) {
			t.Helper()
			items := b.agenda.live(t)
			if len(items) != 1 || items[0].target != b.targets[target].ExternalID {
				t.Errorf("the agenda has %+v, want one item in %s", items, b.targets[target].ExternalID)
			}
		}
		in(0)
		b.change(t, a, AppointmentPatch{ScheduleID: &separated.ID})
		b.push(t)
		in(1)
		b.link(t, second, 0)
		b.push(t)
		in(0)
		b.change(t, a, AppointmentPatch{ScheduleID: &alone.ID}) // is linked with nothing: it stands nowhere
		b.push(t)
		b.wants(t, a, sparki.WriteBackSkipped, sparki.WriteBackCreate, sparki.ReasonNotLinked)
		if items := b.agenda.live(t); len(items) != 0 {
			t.Errorf("the agenda has %+v", items)
		}
		if _, err := b.LinkSchedule(t.Context(), b.who, LinkInput{ScheduleID: separated.ID, TargetID: b.targets[0].ID}); code(err) != sparki.CodeNotParentSchedule {
			t.Errorf("link a separated schedule: %v", err)
		}
		if _, err := b.CreateSchedule(t.Context(), b.who, ScheduleInput{Name: "Nog een", ParentID: &separated.ID}); code(err) != sparki.CodeNotParentSchedule {
			t.Errorf("separate from a separated schedule: %v", err)
		}
	})
}

// What becomes of a send that does not succeed, by what the CRM says.
func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		fault  fault
		state  sparki.WriteBackState
		reason sparki.WriteBackReason
		waits  time.Duration // at least, for the next try
	}{
		"TooManyCalls": {status(http.StatusTooManyRequests, "20"), sparki.WriteBackQueued, sparki.ReasonSlowDown, 20 * time.Second},
		"Away":         {status(http.StatusServiceUnavailable, ""), sparki.WriteBackQueued, sparki.ReasonNoAnswer, 0},
		"TimedOut":     {timeout, sparki.WriteBackQueued, sparki.ReasonNoAnswer, 0},
		"Refused":      {nil, sparki.WriteBackFailed, sparki.ReasonRejected, 0},
		"Unauthorized": {status(http.StatusUnauthorized, ""), sparki.WriteBackSkipped, sparki.ReasonRefused, 0},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, b *bundle) {
				s := b.linked(t, "Bezichtigingen", 0)
				a, other := b.book(t, s, sparki.AppointmentConfirmed), b.book(t, s, sparki.AppointmentConfirmed)
				b.push(t)
				b.change(t, a, AppointmentPatch{StartsAt: new(noon(1))})
				happens, says := c.fault, ""
				if happens == nil {
					happens, says = b.crm.refuses, "Onbekend agendatype"
				}
				b.line.arm(always(10, happens)...)
				b.push(t)
				w := b.wants(t, a, c.state, sparki.WriteBackUpdate, c.reason)
				if w.Message == nil || strings.Contains(*w.Message, "Noor") || !strings.Contains(*w.Message, says) {
					t.Errorf("the message is %v", w.Message)
				}
				if due := b.dueIn(t, a); c.waits > 0 && due < c.waits-10*time.Second {
					t.Errorf("the next try is in %v", due) // the machine may be slow
				}
				b.wants(t, other, sparki.WriteBackSynced, sparki.WriteBackCreate, "")
				b.line.repair()
				if c.state == sparki.WriteBackFailed {
					if _, err := b.Retry(t.Context(), b.who, a.ID); err != nil {
						t.Fatal(err)
					}
				} else {
					b.save(t) // also what was parked is sent then
				}
				b.push(t)
				b.wants(t, a, sparki.WriteBackSynced, sparki.WriteBackUpdate, "")
				if _, err := b.Retry(t.Context(), b.who, a.ID); code(err) != sparki.CodeNothingToRetry {
					t.Errorf("retry what was sent: %v", err)
				}
			})
		})
	}
}

// refuses refuses in the CRM's own words.
func (c *crm) refuses(_ http.RoundTripper, req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusBadRequest, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(c.refusal)), Request: req}, nil
}

func (b *bundle) dueIn(t *testing.T, a *sparki.Appointment) (in time.Duration) {
	t.Helper()
	err := b.DB.Tx(t.Context(), b.portal.ID, func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), `select due_at - now() from write_backs where appointment_id = $1`, a.ID).Scan(&in)
	})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// A refusal parks all: a hundred appointments cost a few calls, not a hundred.
func TestRefusalParksAll(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		b.queued(t, b.linked(t, "Bezichtigingen", 0), 100)
		before := b.line.count()
		b.line.arm(always(100, status(http.StatusUnauthorized, ""))...)
		b.push(t)
		if calls := b.line.count() - before; calls > 3*parallel {
			t.Errorf("%d calls", calls)
		}
		i, err := b.DB.Integration(t.Context(), b.portal.ID, b.integration.ID)
		if err != nil || i.Connection.State != sparki.ConnectionUnauthorized {
			t.Errorf("the connection is %+v, %v", i.Connection, err)
		}
	})
}

// What was skipped while a gate was closed is sent when it opens, unless it is over by then.
func TestOpeningSendsTheFuture(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		s := b.linked(t, "Bezichtigingen", 0)
		i := *b.integration
		i.Domains.Outbound = false
		b.integration = &i
		b.save(t)
		over, coming := b.book(t, s, sparki.AppointmentConfirmed), b.book(t, s, sparki.AppointmentConfirmed)
		b.change(t, over, AppointmentPatch{StartsAt: new(time.Now().Add(-3 * time.Hour))})
		i.Domains.Outbound = true
		b.integration = &i
		b.save(t)
		b.push(t)
		b.wants(t, coming, sparki.WriteBackSynced, sparki.WriteBackCreate, "")
		b.wants(t, over, sparki.WriteBackSkipped, sparki.WriteBackCreate, sparki.ReasonOutbound)
	})
}

// Where the CRM needs a medewerker and the agenda names none, the person who links is asked for it.
func TestMedewerker(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		needs := b.crm.provider.Info().NeedsMedewerker
		at := slices.IndexFunc(b.targets, func(target *sparki.AgendaTarget) bool { return target.MedewerkerID == nil })
		s := b.schedule(t, "Bezichtigingen", nil)
		for given, want := range map[string]sparki.UserErrorCode{"": sparki.CodeMedewerkerRequired, " \t": sparki.CodeMedewerkerRequired, "Jaap": sparki.CodeInvalid} {
			if !needs {
				want = ""
			}
			_, err := b.LinkSchedule(t.Context(), b.who, LinkInput{ScheduleID: s.ID, TargetID: b.targets[at].ID, MedewerkerID: &given})
			if refused, ok := errors.AsType[sparki.Refusal](err); code(err) != want || ok && strings.Join(refused[0].Field, " ") != "input medewerkerId" {
				t.Errorf("medewerker %q: %v", given, err)
			}
		}
		link := b.link(t, s, at)
		if needs != (link.MedewerkerID != nil) || needs && *link.MedewerkerID != b.crm.medewerker {
			t.Errorf("the link is %+v", link)
		}
		a := b.book(t, s, sparki.AppointmentConfirmed)
		b.push(t)
		if items := b.agenda.live(t); len(items) != 1 || items[0].target != b.targets[at].ExternalID {
			t.Errorf("%+v, the agenda has %+v", b.read(t, a).WriteBack, items)
		}
		i := *b.integration
		i.Domains.Agenda = false
		b.integration = &i
		b.save(t)
		_, err := b.LinkSchedule(t.Context(), b.who, LinkInput{ScheduleID: b.schedule(t, "Tweede", nil).ID, TargetID: b.targets[at].ID, MedewerkerID: &b.crm.medewerker})
		if code(err) != sparki.CodeDomainOff {
			t.Errorf("link while the agenda is off: %v", err)
		}
	})
}

// A target that is gone stays, not available; its schedule stays linked, and no other one can be.
func TestTargetsThatAreGone(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		connect := b.Connect
		b.Connect = func(ctx context.Context, i *sparki.Integration) (providers.Agenda, error) {
			conn, err := connect(ctx, i)
			return onlyFirst{conn}, err
		}
		b.linked(t, "Tweede", 1)
		run, err := b.StartSync(t.Context(), b.who, b.integration.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.StartSync(t.Context(), b.who, b.integration.ID); code(err) != sparki.CodeSyncAlreadyRunning {
			t.Errorf("a second run: %v", err)
		}
		if err := b.SyncTargets(t.Context(), b.portal.ID, run.ID); err != nil {
			t.Fatal(err)
		}
		if run, err = b.DB.Run(t.Context(), b.portal.ID, run.ID); err != nil || run.State != sparki.RunSucceeded || run.Deactivated != len(b.targets)-1 {
			t.Errorf("the run is %+v, %v", run, err)
		}
		_, err = b.LinkSchedule(t.Context(), b.who, LinkInput{ScheduleID: b.schedule(t, "Derde", nil).ID, TargetID: b.targets[1].ID})
		if code(err) != sparki.CodeTargetUnavailable {
			t.Errorf("link with a target that is gone: %v", err)
		}
	})
}

// onlyFirst is a CRM that has lost all its agendas but one.
type onlyFirst struct{ providers.Agenda }

func (o onlyFirst) Targets(ctx context.Context) ([]sparki.AgendaTarget, error) {
	all, err := o.Agenda.Targets(ctx)
	for _, target := range all {
		if target.Available {
			return []sparki.AgendaTarget{target}, err
		}
	}
	return nil, err
}

// project adds a project by this title, and lets the project be changed later.
func (b *bundle) project(t testing.TB, title string) (p *sparki.Project) {
	t.Helper()
	p = &sparki.Project{ID: sparki.NewID(), AppointmentMinutes: 30, Listing: &sparki.Listing{
		Title: title, Status: sparki.StatusAvailable, Category: sparki.CategoryHouse, Address: sparki.Address{Label: "Lindelaan 14A, Bunnik"},
	}}
	err := b.DB.Tx(t.Context(), b.portal.ID, func(tx *db.Tx) error {
		return tx.InsertProject(t.Context(), p.ID, nil, p.AppointmentMinutes, p.Listing)
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rewrite stores a changed project, as a refresh or a person does.
func (b *bundle) rewrite(t testing.TB, p *sparki.Project, change func(*sparki.Listing)) {
	t.Helper()
	err := b.DB.Tx(t.Context(), b.portal.ID, func(tx *db.Tx) error {
		p, err := tx.Project(t.Context(), p.ID)
		if err != nil {
			return err
		}
		change(p.Listing)
		return tx.UpdateProject(t.Context(), p, true)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Items follow what they say of a project: in one send for all its changes, and in none for a change
// that they do not show, or for an appointment that is over.
func TestItemsFollowProjects(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		s, p := b.linked(t, "Bezichtigingen", 0), b.project(t, "Lindelaan 14A")
		var booked []*sparki.Appointment
		for _, start := range []time.Time{noon(0), time.Now().Add(-3 * time.Hour)} {
			a, err := b.Create(t.Context(), b.who, AppointmentInput{
				ScheduleID: s.ID, ProjectID: &p.ID, Status: sparki.AppointmentConfirmed, Times: Times{StartsAt: start}, Customer: sparki.Customer{Name: "Noor Beekman"},
			})
			if err != nil {
				t.Fatal(err)
			}
			booked = append(booked, a)
		}
		b.push(t)
		b.line.mu.Lock()
		b.line.sends = b.crm.sends
		b.line.mu.Unlock()
		sends := func(what string, want int) {
			t.Helper()
			b.push(t)
			if _, all := b.line.sentAfter(time.Now()); all != want {
				t.Errorf("%s: %d sends in all, want %d", what, all, want)
			}
			for _, a := range booked {
				if w := b.read(t, a).WriteBack; w.State != sparki.WriteBackSynced {
					t.Errorf("%s: %+v", what, w)
				}
			}
		}
		b.rewrite(t, p, func(l *sparki.Listing) { l.Status = sparki.StatusUnderOption })
		sends("a status", 0)
		b.rewrite(t, p, func(l *sparki.Listing) { l.Title = "Villa" })
		b.rewrite(t, p, func(l *sparki.Listing) { l.Title = "Landhuis" })
		b.rewrite(t, p, func(l *sparki.Listing) { l.Address.Label = "Brink 1, Deventer" })
		sends("two titles and an address", 1)
		var subjects []string
		for _, i := range b.agenda.live(t) {
			subjects = append(subjects, i.subject)
		}
		slices.Sort(subjects)
		if got := strings.Join(subjects, ", "); got != "Landhuis – Noor Beekman, Lindelaan 14A – Noor Beekman" {
			t.Errorf("the items are %s", got)
		}
		b.rewrite(t, p, func(l *sparki.Listing) { l.Title = "Kasteel" })
		b.rewrite(t, p, func(l *sparki.Listing) { l.Title = "Landhuis" })
		sends("there and back", 1)
	})
}

// What a person may enter.
func TestInput(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		s := b.linked(t, "Bezichtigingen", 0)
		at := func(text string) time.Time {
			when, err := time.Parse(time.RFC3339, text)
			if err != nil {
				t.Fatal(err)
			}
			return when
		}
		amsterdam := new("Europe/Amsterdam")
		for name, c := range map[string]struct {
			change func(*AppointmentInput)
			code   sparki.UserErrorCode
			field  string
		}{
			"good":                  {func(*AppointmentInput) {}, "", ""},
			"no name":               {func(in *AppointmentInput) { in.Customer.Name = " \x00 " }, sparki.CodeRequired, "input customer name"},
			"a bad address":         {func(in *AppointmentInput) { in.Customer.Email = new("noor") }, sparki.CodeInvalid, "input customer email"},
			"a long name":           {func(in *AppointmentInput) { in.Customer.Name = strings.Repeat("é", 501) }, sparki.CodeInvalid, "input customer name"},
			"long notes":            {func(in *AppointmentInput) { in.Notes = new(strings.Repeat("é", 5001)) }, sparki.CodeInvalid, "input notes"},
			"ends before it starts": {func(in *AppointmentInput) { in.EndsAt = new(in.StartsAt.Add(-time.Minute)) }, sparki.CodeInvalid, "input endsAt"},
			"ends when it starts":   {func(in *AppointmentInput) { in.EndsAt = &in.StartsAt }, sparki.CodeInvalid, "input endsAt"},
			"an unknown zone":       {func(in *AppointmentInput) { in.TimeZone = new("Europe/Atlantis") }, sparki.CodeInvalid, "input timeZone"},
			"no such year":          {func(in *AppointmentInput) { in.StartsAt = at("0001-01-01T00:00:00Z") }, sparki.CodeInvalid, "input startsAt"},
			"in a zone":             {func(in *AppointmentInput) { in.StartsAt, in.TimeZone = at("2027-07-01T14:00:00+02:00"), amsterdam }, "", ""},
			"another offset":        {func(in *AppointmentInput) { in.StartsAt, in.TimeZone = at("2027-07-01T14:00:00Z"), amsterdam }, sparki.CodeInvalid, "input startsAt"},
			"an hour that lacks":    {func(in *AppointmentInput) { in.StartsAt, in.TimeZone = at("2027-03-28T02:30:00+01:00"), amsterdam }, sparki.CodeInvalid, "input startsAt"},
			"the first of two":      {func(in *AppointmentInput) { in.StartsAt, in.TimeZone = at("2027-10-31T02:30:00+02:00"), amsterdam }, "", ""},
			"the second of two":     {func(in *AppointmentInput) { in.StartsAt, in.TimeZone = at("2027-10-31T02:30:00+01:00"), amsterdam }, "", ""},
		} {
			in := AppointmentInput{ScheduleID: s.ID, Status: sparki.AppointmentDraft, Times: Times{StartsAt: noon(0)}, Customer: sparki.Customer{Name: "Noor Beekman"}}
			c.change(&in)
			a, err := b.Create(t.Context(), b.who, in)
			if code(err) != c.code || err != nil && strings.Join(err.(sparki.Refusal)[0].Field, " ") != c.field {
				t.Errorf("%s: %v", name, err)
			}
			if err == nil && in.EndsAt == nil && !a.EndsAt.Equal(a.StartsAt.Add(30*time.Minute)) {
				t.Errorf("%s: it ends %s", name, a.EndsAt)
			}
		}
		if _, err := b.Create(t.Context(), b.who, AppointmentInput{ScheduleID: sparki.NewID()}); sparki.KindOf(err) != sparki.NotFound {
			t.Errorf("no such schedule: %v", err)
		}
		a := b.change(t, b.book(t, s, sparki.AppointmentDraft), AppointmentPatch{EndsAt: new(noon(0).Add(90 * time.Minute))})
		if a = b.change(t, a, AppointmentPatch{StartsAt: new(noon(1))}); a.EndsAt.Sub(a.StartsAt) != 90*time.Minute {
			t.Errorf("moved, it takes %v", a.EndsAt.Sub(a.StartsAt))
		}
		if a = b.change(t, a, AppointmentPatch{Location: new(new("Brink 1")), Notes: new(new("a\nb\x07"))}); *a.Location != "Brink 1" || *a.Notes != "a\nb" {
			t.Errorf("location and notes: %q %q", *a.Location, *a.Notes)
		}
		if a = b.change(t, a, AppointmentPatch{Location: new((*string)(nil))}); a.Location != nil || a.Notes == nil {
			t.Errorf("cleared: %v %v", a.Location, a.Notes)
		}
	})
}
