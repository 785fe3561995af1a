package integrations_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
	"sparki.app/integrations/agenda"
	"sparki.app/integrations/db"
	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/devstack/teststack"
	"sparki.app/integrations/integrations"
	"sparki.app/integrations/listings"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/kolibri"
	"sparki.app/integrations/providers/memstore"
	"sparki.app/integrations/providers/realworks"
	"sparki.app/integrations/providers/rest"
)

func TestMain(m *testing.M) { teststack.Main(m) }

// bundle is a Service over a database of its own, whose live Kolibri is a mock behind a line that a test can cut.
type bundle struct {
	*integrations.Service
	crm    *line
	live   map[string]any // settings with which the line works
	portal *sparki.Portal
	who    *sparki.Principal
	url    string    // of the database
	super  *pgx.Conn // past row-level security
	saved  *sparki.Integration
}

// line carries calls to the live CRM and counts them.
type line struct {
	http.RoundTripper
	calls atomic.Int64
	// refuse answers every call with this status; 0 lets them through.
	refuse atomic.Int64
	// lose breaks the line off instead of answering when an agenda item is saved.
	lose atomic.Bool
}

func (l *line) RoundTrip(req *http.Request) (*http.Response, error) {
	l.calls.Add(1)
	if status := int(l.refuse.Load()); status != 0 {
		return &http.Response{StatusCode: status, Body: http.NoBody, Request: req}, nil
	}
	resp, err := l.RoundTripper.RoundTrip(req)
	if err == nil && l.lose.Load() && strings.HasSuffix(req.URL.Path, "/AgendaItems") {
		_ = resp.Body.Close()
		return nil, io.ErrUnexpectedEOF
	}
	return resp, err
}

func setup(t *testing.T) *bundle {
	t.Helper()
	url := dbtest.URL(t)
	super, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = super.Close(context.Background()) })
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	keys, err := integrations.ParseKeys("test:" + base64.StdEncoding.EncodeToString(key))
	if err != nil {
		t.Fatal(err)
	}
	mock := kolibri.New().Mock(providers.MockOptions{Store: memstore.New(), BaseURL: "http://kolibri.test"})
	s, err := mock.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{crm: &line{RoundTripper: rest.Local(mock)}, url: url, super: super}
	b.live = map[string]any{
		"apiBaseUrl": s.Text["apiBaseUrl"], "tokenUrl": s.Text["tokenUrl"], "realEstateAgencyId": s.Text["realEstateAgencyId"],
		"clientId": s.Text["clientId"], "clientSecret": s.Secret("clientSecret").Reveal(), "webhookSecret": "a secret of some length",
	}
	b.Service = &integrations.Service{
		DB: dbtest.Open(t, db.Options{URL: url}), Keys: keys, Providers: []providers.Provider{kolibri.New(), realworks.New()},
		Policy: rest.Policy{AllowPrivate: true}, Live: b.crm, Limits: rest.Limits{Concurrency: 8, PerSecond: 1000, Burst: 1000},
		PublicURL: "https://api.sparki.test", Signals: silent{}, Log: slog.New(slog.DiscardHandler),
	}
	t.Cleanup(b.Close)
	b.portal = dbtest.Portal(t, b.DB, "kolibri", "realworks")
	b.who = &sparki.Principal{PortalID: b.portal.ID, Name: "Sanne", Permissions: sparki.Permissions}
	return b
}

type silent struct{}

func (silent) Ring(context.Context, ...sparki.Bell) {}
func (silent) Wake(context.Context, ...uuid.UUID)   {}

// save saves the integration: everything on, the line to the live CRM in order, but for what change says.
func (b *bundle) save(t *testing.T, change func(*integrations.SaveInput)) {
	t.Helper()
	in := integrations.SaveInput{Provider: "kolibri", Enabled: true, Settings: b.live, Domains: sparki.Domains{Listings: true, Agenda: true, Outbound: true}}
	if change != nil {
		change(&in)
	}
	var err error
	if b.saved, err = b.Save(t.Context(), b.who, in); err != nil {
		t.Fatal(err)
	}
}

// listings are the services behind the worker and the inbox.
func (b *bundle) listings() *listings.Service {
	return &listings.Service{DB: b.DB, Connect: b.Connect, Info: b.Info, MayShow: func(string) bool { return true }, Signals: silent{}, Log: b.Log}
}

// crawl reads the CRM, as a worker would, and wants the run to succeed.
func (b *bundle) crawl(t *testing.T) {
	t.Helper()
	b.finish(t, sparki.SyncListings, b.listings().ContinueRun)
}

// readAgenda reads the CRM's agendas, as a worker would, and wants the run to succeed.
func (b *bundle) readAgenda(t *testing.T) {
	t.Helper()
	b.finish(t, sparki.SyncAgenda, b.agenda().SyncTargets)
}

// finish does the run of a domain that waits.
func (b *bundle) finish(t *testing.T, domain sparki.SyncDomain, work func(context.Context, uuid.UUID, uuid.UUID) error) {
	t.Helper()
	active, _, _, err := b.DB.RunSummary(t.Context(), b.portal.ID, b.saved.ID)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(active, func(run *sparki.SyncRun) bool { return run.Domain == domain })
	if at < 0 {
		t.Fatalf("no run of %s among %d", domain, len(active))
	}
	if err := work(t.Context(), b.portal.ID, active[at].ID); err != nil {
		t.Fatal(err)
	}
	if run, err := b.DB.Run(t.Context(), b.portal.ID, active[at].ID); err != nil || run.State != sparki.RunSucceeded {
		t.Fatalf("the run: %+v %v", run, err)
	}
}

// agenda is the service behind schedules and appointments.
func (b *bundle) agenda() *agenda.Service {
	return agenda.New(agenda.Service{DB: b.DB, Connect: b.Agenda, Info: b.Info, Signals: silent{}, Log: b.Log})
}

// booked links a schedule with the CRM's first agenda, and adds a confirmed appointment to it.
func (b *bundle) booked(t *testing.T) *sparki.Appointment {
	t.Helper()
	b.readAgenda(t)
	targets, err := b.DB.AgendaTargets(t.Context(), b.portal.ID, b.saved.ID)
	if err != nil || len(targets) == 0 {
		t.Fatal(targets, err)
	}
	a := b.agenda()
	schedule, err := a.CreateSchedule(t.Context(), b.who, agenda.ScheduleInput{Name: "Bezichtigingen"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.LinkSchedule(t.Context(), b.who, agenda.LinkInput{ScheduleID: schedule.ID, TargetID: targets[0].ID}); err != nil {
		t.Fatal(err)
	}
	appointment, err := a.Create(t.Context(), b.who, agenda.AppointmentInput{ScheduleID: schedule.ID, Status: sparki.AppointmentConfirmed,
		Times: agenda.Times{StartsAt: time.Now().Add(24 * time.Hour)}, Customer: sparki.Customer{Name: "Noor Beekman"}})
	if err != nil {
		t.Fatal(err)
	}
	return appointment
}

// push writes what is due to the CRM, as a worker would.
func (b *bundle) push(t *testing.T) {
	t.Helper()
	if err := b.agenda().PushAppointments(t.Context(), b.portal.ID, b.saved.ID); err != nil {
		t.Fatal(err)
	}
}

// deliver keeps a webhook delivery, and reads its messages as a worker would.
func (b *bundle) deliver(t *testing.T, messages ...sparki.Message) {
	t.Helper()
	d := &sparki.Delivery{ID: sparki.NewID(), PortalID: b.portal.ID, IntegrationID: b.saved.ID, Body: []byte(`{}`), Messages: messages}
	if err := b.DB.KeepDeliveries(t.Context(), []*sparki.Delivery{d}); err != nil {
		t.Fatal(err)
	}
	if err := b.listings().ReadInbox(t.Context(), b.portal.ID, b.saved.ID); err != nil {
		t.Fatal(err)
	}
}

// exec changes rows behind the program's back, as time or an operator would.
func (b *bundle) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := b.super.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}
