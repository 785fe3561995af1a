package agenda

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/devstack/teststack"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/memstore"
	"sparki.app/integrations/providers/rest"
)

func TestMain(m *testing.M) { teststack.Main(m) }

// bundle is a Service over a portal of its own, whose CRM is a mock behind a line that a test can break.
type bundle struct {
	*Service
	crm         *crm
	settings    sparki.Settings
	line        *line
	agenda      agendaOf
	portal      *sparki.Portal
	who         *sparki.Principal
	integration *sparki.Integration
	incomplete  atomic.Bool // a setting is missing
	targets     []*sparki.AgendaTarget
}

// newBundle connects a portal with a mock of a CRM and reads its agendas.
func newBundle(t testing.TB, d *db.DB, c *crm) *bundle {
	t.Helper()
	mock := c.provider.Mock(providers.MockOptions{Store: memstore.New(), BaseURL: "http://crm.test"})
	settings, err := mock.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{crm: c, settings: settings, line: &line{RoundTripper: rest.Local(mock)}, portal: dbtest.Portal(t, d, c.provider.Info().Key)}
	b.agenda = c.agenda(t, mock, settings)
	b.who = &sparki.Principal{PortalID: b.portal.ID, Name: "Sanne", Permissions: sparki.Permissions}
	b.start(t, d)
	info := c.provider.Info()
	b.integration = &sparki.Integration{ID: sparki.NewID(), Provider: info.Key, Enabled: true, Mock: true, Domains: sparki.Domains{Agenda: true, Outbound: true}}
	b.save(t)
	b.readAgendas(t)
	return b
}

// start makes the Service, and its line to the CRM, anew: as a program does that starts again.
func (b *bundle) start(t testing.TB, d *db.DB) {
	t.Helper()
	conn, err := b.crm.provider.Connect(b.settings, b.line)
	if err != nil {
		t.Fatal(err)
	}
	info := b.crm.provider.Info()
	b.Service = New(Service{
		DB: d, Signals: silent{}, Log: slog.New(slog.DiscardHandler), Settle: time.Nanosecond, Between: time.Nanosecond,
		Connect: func(context.Context, *sparki.Integration) (providers.Agenda, error) {
			if b.incomplete.Load() {
				return nil, sparki.Errorf(sparki.Misconfigured, "a setting is missing")
			}
			return conn.(providers.Agenda), nil
		},
		Info: func(string) (*providers.Info, error) { return &info, nil },
	})
}

// revive starts the program again if it was killed: what its calls held died with it.
func (b *bundle) revive(t testing.TB) {
	t.Helper()
	if b.line.killed.Swap(false) {
		b.start(t, b.DB)
	}
}

// save stores the integration's switches, as saving its settings does.
func (b *bundle) save(t testing.TB) {
	t.Helper()
	err := b.DB.Tx(t.Context(), b.portal.ID, func(tx *db.Tx) error {
		i, _, err := tx.UpsertIntegration(t.Context(), b.integration)
		if err != nil {
			return err
		}
		b.integration = i
		if _, err := tx.SetConnection(t.Context(), i.ID, sparki.Connection{State: sparki.Unchecked}); err != nil {
			return err
		}
		return tx.QueueWriteBacks(t.Context(), i.ID)
	})
	if err != nil {
		var pg *pgconn.PgError
		if errors.As(err, &pg) {
			t.Log(pg.Detail, pg.Where)
		}
		t.Fatal(err)
	}
}

func (b *bundle) readAgendas(t testing.TB) {
	t.Helper()
	run, err := b.StartSync(t.Context(), b.who, b.integration.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.SyncTargets(t.Context(), b.portal.ID, run.ID); err != nil {
		t.Fatal(err)
	}
	all, err := b.DB.AgendaTargets(t.Context(), b.portal.ID, b.integration.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range all {
		if target.Available {
			b.targets = append(b.targets, target)
		}
	}
	if len(b.targets) < 2 {
		t.Fatalf("%d agendas", len(b.targets))
	}
}

func (b *bundle) schedule(t testing.TB, name string, parent *uuid.UUID) *sparki.Schedule {
	t.Helper()
	s, err := b.CreateSchedule(t.Context(), b.who, ScheduleInput{Name: name, ParentID: parent})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (b *bundle) linked(t testing.TB, name string, target int) *sparki.Schedule {
	t.Helper()
	s := b.schedule(t, name, nil)
	b.link(t, s, target)
	return s
}

func (b *bundle) link(t testing.TB, s *sparki.Schedule, target int) *sparki.ScheduleLink {
	t.Helper()
	in := LinkInput{ScheduleID: s.ID, TargetID: b.targets[target].ID}
	if b.crm.provider.Info().NeedsMedewerker && b.targets[target].MedewerkerID == nil {
		in.MedewerkerID = &b.crm.medewerker
	}
	link, err := b.LinkSchedule(t.Context(), b.who, in)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// noon is a noon in the future, so many days from now.
func noon(days int) time.Time {
	now := time.Now().UTC()
	return time.Date(now.Year(), now.Month(), now.Day()+2+days, 12, 0, 0, 0, time.UTC)
}

func (b *bundle) book(t testing.TB, s *sparki.Schedule, status sparki.AppointmentStatus) *sparki.Appointment {
	t.Helper()
	a, err := b.Create(t.Context(), b.who, AppointmentInput{
		ScheduleID: s.ID, Status: status, Times: Times{StartsAt: noon(0)}, Customer: sparki.Customer{Name: "Noor Beekman"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (b *bundle) change(t testing.TB, a *sparki.Appointment, patch AppointmentPatch) *sparki.Appointment {
	t.Helper()
	changed, err := b.Update(t.Context(), b.who, a.ID, patch)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

func (b *bundle) read(t testing.TB, a *sparki.Appointment) *sparki.Appointment {
	t.Helper()
	now, err := b.DB.Appointment(t.Context(), b.portal.ID, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	return now
}

// push does what is due, as a worker would. After a kill it is another one.
func (b *bundle) push(t testing.TB) {
	t.Helper()
	b.revive(t)
	if err := b.PushAppointments(t.Context(), b.portal.ID, b.integration.ID); err != nil {
		t.Fatal(err)
	}
}

// pass lets so much time pass that every wait is over and every lease has run out.
func (b *bundle) pass(t testing.TB) {
	t.Helper()
	err := b.DB.Tx(t.Context(), b.portal.ID, func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `update write_backs set due_at = now() - interval '1 s',
			lease_until = case when lease_until is not null then now() - interval '1 s' end
			where state in ('QUEUED', 'UNKNOWN', 'SENDING') or look or lease_until is not null`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

type silent struct{}

func (silent) Ring(context.Context, ...sparki.Bell) {}
func (silent) Wake(context.Context, ...uuid.UUID)   {}

// line carries calls to the CRM and lets them go wrong.
type line struct {
	http.RoundTripper
	mu sync.Mutex
	// faults are what happens to the next calls, one each; nil lets a call through.
	faults []fault
	calls  int
	killed atomic.Bool // whoever called died in a call
	// sends says which calls change the agenda; sent is when they reached the CRM. Nil counts none.
	sends func(*http.Request) bool
	sent  []time.Time
}

// fault is what happens to a call instead of its answer. It may do the call first.
type fault func(next http.RoundTripper, req *http.Request) (*http.Response, error)

func (l *line) RoundTrip(req *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.calls++
	if l.sends != nil && l.sends(req) {
		l.sent = append(l.sent, time.Now())
	}
	var f fault
	if len(l.faults) > 0 {
		f, l.faults = l.faults[0], l.faults[1:]
	}
	l.mu.Unlock()
	if f == nil {
		return l.RoundTripper.RoundTrip(req)
	}
	dead := true
	defer func() {
		if dead {
			l.killed.Store(true)
		}
	}()
	resp, err := f(l.RoundTripper, req)
	dead = false
	return resp, err
}

// arm lets the next calls go wrong.
func (l *line) arm(faults ...fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = append(l.faults, faults...)
}

func (l *line) repair() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = nil
}

func (l *line) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls
}

var errReset = errors.New("connection reset by peer")

// after does the call, and then something else happens than its answer.
func after(f fault) fault {
	return func(next http.RoundTripper, req *http.Request) (*http.Response, error) {
		if resp, err := next.RoundTrip(req); err == nil {
			_ = resp.Body.Close()
		}
		return f(next, req)
	}
}

// reset breaks the line.
func reset(http.RoundTripper, *http.Request) (*http.Response, error) { return nil, errReset }

// status refuses.
func status(code int, retryAfter string) fault {
	return func(_ http.RoundTripper, req *http.Request) (*http.Response, error) {
		header := http.Header{}
		if retryAfter != "" {
			header.Set("Retry-After", retryAfter)
		}
		return &http.Response{StatusCode: code, Header: header, Body: http.NoBody, Request: req}, nil
	}
}

// sentAfter counts the sends that reached the CRM after a moment, and all of them.
func (l *line) sentAfter(at time.Time) (late, all int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, sent := range l.sent {
		if sent.After(at) {
			late++
		}
	}
	return late, len(l.sent)
}

// sharedDB opens one database for all portals of a test.
func sharedDB(t testing.TB) *db.DB {
	t.Helper()
	return dbtest.Open(t, db.Options{URL: dbtest.URL(t), MaxConns: 16})
}

var replay = os.Getenv("AGENDA_SEED") // of TestModel
