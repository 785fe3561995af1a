package integrations_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/devstack/teststack"
	"sparki.app/integrations/integrations"
	"sparki.app/integrations/listings"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/kolibri"
	"sparki.app/integrations/providers/memstore"
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
}

func (l *line) RoundTrip(req *http.Request) (*http.Response, error) {
	l.calls.Add(1)
	if status := int(l.refuse.Load()); status != 0 {
		return &http.Response{StatusCode: status, Body: http.NoBody, Request: req}, nil
	}
	return l.RoundTripper.RoundTrip(req)
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
		DB: dbtest.Open(t, db.Options{URL: url}), Keys: keys, Providers: []providers.Provider{kolibri.New()},
		Policy: rest.Policy{AllowPrivate: true}, Live: b.crm, Limits: rest.Limits{Concurrency: 8, PerSecond: 1000, Burst: 1000},
		PublicURL: "https://api.sparki.test", Signals: silent{}, Log: slog.New(slog.DiscardHandler),
	}
	t.Cleanup(b.Close)
	b.portal = dbtest.Portal(t, b.DB, "kolibri")
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
	active, _, _, err := b.DB.RunSummary(t.Context(), b.portal.ID, b.saved.ID)
	if err != nil || len(active) != 1 {
		t.Fatalf("%d runs: %v", len(active), err)
	}
	if err := b.listings().ContinueRun(t.Context(), b.portal.ID, active[0].ID); err != nil {
		t.Fatal(err)
	}
	if run, err := b.DB.Run(t.Context(), b.portal.ID, active[0].ID); err != nil || run.State != sparki.RunSucceeded {
		t.Fatalf("the run: %+v %v", run, err)
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
