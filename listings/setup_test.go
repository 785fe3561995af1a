package listings

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/devstack/teststack"
	"sparki.app/integrations/providers"
)

func TestMain(m *testing.M) { teststack.Main(m) }

// bundle is a Service over a database of its own and a CRM that a test scripts.
type bundle struct {
	*Service
	crm         *crm
	signals     *signals
	portal      *sparki.Portal
	integration *sparki.Integration
	who         *sparki.Principal
	super       *pgx.Conn // past row-level security
}

func setup(t testing.TB) *bundle {
	t.Helper()
	url := dbtest.URL(t)
	d := dbtest.Open(t, db.Options{URL: url})
	super, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = super.Close(context.Background()) })
	b := &bundle{crm: &crm{objects: map[string]*sparki.Found{}}, signals: &signals{}, portal: dbtest.Portal(t, d, "kolibri"), super: super}
	b.who = &sparki.Principal{PortalID: b.portal.ID, Name: "Sanne", Permissions: sparki.Permissions}
	b.Service = &Service{
		DB: d, Signals: b.signals, Log: slog.New(slog.DiscardHandler),
		Connect: func(context.Context, *sparki.Integration) (providers.Conn, error) { return b.crm, nil },
		MayShow: func(url string) bool { return !strings.Contains(url, "//127.") },
		Info:    func(string) (*providers.Info, error) { return &providers.Info{Key: "kolibri", MappingVersion: 1}, nil },
	}
	err = d.Tx(t.Context(), b.portal.ID, func(tx *db.Tx) (err error) {
		b.integration, _, err = tx.UpsertIntegration(t.Context(), &sparki.Integration{
			ID: sparki.NewID(), Provider: "kolibri", Enabled: true, Domains: sparki.Domains{Listings: true},
		})
		return err
	})
	if err == nil {
		err = d.Prune(t.Context(), b.portal.ID, b.portal.ID) // so that nothing is due by itself
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// exec changes rows behind the program's back, as time or a crash would.
func (b *bundle) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := b.super.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// count reads a number.
func (b *bundle) count(t testing.TB, sql string, args ...any) int {
	t.Helper()
	var n int
	if err := b.super.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// deliver keeps a delivery that hints at these objects; each message has a new id.
func (b *bundle) deliver(t *testing.T, refs ...sparki.Ref) *sparki.Delivery {
	t.Helper()
	d := &sparki.Delivery{ID: sparki.NewID(), PortalID: b.portal.ID, IntegrationID: b.integration.ID, Body: []byte(`{}`)}
	for _, ref := range refs {
		d.Messages = append(d.Messages, sparki.Message{ExternalID: sparki.NewID().String(), Kind: sparki.MessageRefresh, Ref: ref, Outcome: sparki.OutcomePending})
	}
	if err := b.DB.KeepDeliveries(t.Context(), []*sparki.Delivery{d}); err != nil {
		t.Fatal(err)
	}
	return d
}

func (b *bundle) outcome(t *testing.T, d *sparki.Delivery) (outcome string) {
	t.Helper()
	if err := b.super.QueryRow(t.Context(), `select outcome from deliveries where id = $1`, d.ID).Scan(&outcome); err != nil {
		t.Fatal(err)
	}
	return outcome
}

// process reads the inbox and fetches what it asks for, as a worker would.
func (b *bundle) process(t *testing.T) {
	t.Helper()
	if err := b.ReadInbox(t.Context(), b.portal.ID, b.integration.ID); err != nil {
		t.Fatal(err)
	}
	if err := b.FetchItems(t.Context(), b.portal.ID, b.integration.ID); err != nil {
		t.Fatal(err)
	}
}

// sync runs a crawl of everything and gives how it ended.
func (b *bundle) sync(t testing.TB) *sparki.SyncRun {
	t.Helper()
	run, err := b.StartSync(t.Context(), b.who, b.integration.ID)
	if err != nil {
		t.Fatal(err)
	}
	return b.goOn(t, run)
}

func (b *bundle) goOn(t testing.TB, run *sparki.SyncRun) *sparki.SyncRun {
	t.Helper()
	if err := b.ContinueRun(t.Context(), b.portal.ID, run.ID); err != nil {
		t.Fatal(err)
	}
	run, err := b.DB.Run(t.Context(), b.portal.ID, run.ID)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func (b *bundle) item(t *testing.T, ref sparki.Ref) *sparki.Item {
	t.Helper()
	known, _, err := b.DB.KnownItems(t.Context(), b.portal.ID, b.integration.ID, []sparki.Ref{ref})
	if err != nil {
		t.Fatal(err)
	}
	item, err := b.DB.Item(t.Context(), b.portal.ID, known[ref.Key()].ID)
	if err != nil {
		t.Fatalf("item %s: %v", ref.Key(), err)
	}
	return item
}

// signals remembers the bells that were rung.
type signals struct {
	mu    sync.Mutex
	bells []sparki.Bell
}

func (s *signals) Ring(_ context.Context, bells ...sparki.Bell) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bells = append(s.bells, bells...)
}

func (s *signals) Wake(context.Context, ...uuid.UUID) {}

// crm is a CRM whose objects and faults a test sets.
type crm struct {
	mu      sync.Mutex
	objects map[string]*sparki.Found // by Ref.Key; nil: it is on the list but gone
	order   []sparki.Ref
	hidden  map[string]bool // on no list, but there
	reads   int
	// before runs at the start of each read, with no lock held.
	before func(ref sparki.Ref) error
	// onPage runs at the start of each page.
	onPage   func(cursor string) error
	pageSize int
}

// ref names the nth object.
func ref(n int) sparki.Ref {
	return sparki.Ref{Type: "object-assignment", ID: fmt.Sprintf("object-%03d", n)}
}

// put adds or changes an object; each version is modified a minute later than the one before.
func (c *crm) put(r sparki.Ref, title string, version int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	modified := time.Date(2026, 3, 1, 12, version, 0, 0, time.UTC)
	if _, known := c.objects[r.Key()]; !known {
		c.order = append(c.order, r)
	}
	c.objects[r.Key()] = &sparki.Found{
		Ref: r, ModifiedAt: modified, Raw: fmt.Appendf(nil, `{"title":%q,"version":%d}`, title, version),
		Listing: &sparki.Listing{Title: title, Status: sparki.StatusAvailable, Category: sparki.CategoryHouse, Address: sparki.Address{Label: "Dorpsstraat 1, Bunnik"}},
	}
}

// remove deletes an object.
func (c *crm) remove(r sparki.Ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.objects, r.Key())
}

func (c *crm) Map(r sparki.Ref, _ []byte) (*sparki.Found, error) {
	return c.Listing(context.Background(), r)
}

func (c *crm) Check(context.Context) error { return nil }

func (c *crm) Page(_ context.Context, crawl providers.Crawl) (providers.Page, error) {
	if c.onPage != nil {
		if err := c.onPage(crawl.Cursor); err != nil {
			return providers.Page{}, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []sparki.Ref
	for _, r := range c.order {
		if found := c.objects[r.Key()]; found != nil && !c.hidden[r.Key()] && !found.ModifiedAt.Before(crawl.Since) {
			r.ModifiedAt = found.ModifiedAt
			list = append(list, r)
		}
	}
	skip := 0
	if crawl.Cursor != "" {
		if _, err := fmt.Sscan(crawl.Cursor, &skip); err != nil {
			return providers.Page{}, err
		}
	}
	size := c.pageSize
	if size == 0 {
		size = 100
	}
	page := providers.Page{Total: len(list)}
	end := min(skip+size, len(list))
	page.Refs = list[min(skip, len(list)):end]
	if end < len(list) {
		page.Next = fmt.Sprint(end)
	}
	return page, nil
}

func (c *crm) Listing(_ context.Context, r sparki.Ref) (*sparki.Found, error) {
	c.mu.Lock()
	c.reads++
	found := c.objects[r.Key()] // as it is when the read begins
	c.mu.Unlock()
	if c.before != nil {
		if err := c.before(r); err != nil {
			return nil, err
		}
	}
	if found == nil {
		return nil, sparki.Errorf(sparki.NotFound, "gone")
	}
	return found, nil
}
