package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/memstore"
	"sparki.app/integrations/providers/mockkit"
)

// The contract's own objects, which the mock knows as well.
const (
	lindelaan  = "3f6d2c81-9b0e-4a57-8c1d-6e2f7a4b5c90" // a house for sale
	kersenboom = "b7e2f4d0-5a18-4c63-8d9f-0e1b2a3c4d5e" // a project
	withdrawn  = "a1d5e9c3-7f24-4b86-9e0a-52c7d8b1f463" // a house that is withdrawn
)

// office is an estate agent's office with a CRM of its own: the mock over real HTTP, which remembers
// its calls and can be made to fail.
type office struct {
	kind
	faults mockkit.Faults
	url    string
	store  *memstore.Store
	mock   atomic.Pointer[mock]

	mu      sync.Mutex
	calls   []call
	respell map[string]func(entity map[string]any) // what a read of an object answers, by its id
	headers http.Header                            // of each of its answers
}

// call is one call of the office's API.
type call struct {
	what string // "GET /v3/…?id=…"
	at   time.Time
	with string // the Authorization header
}

func openOffice(t *testing.T) *office {
	t.Helper()
	return openOfficeOf(t, kinds[0])
}

func openOfficeOf(t *testing.T, k kind) *office {
	t.Helper()
	o := &office{kind: k, store: memstore.New()}
	crm := o.faults.Wrap(http.HandlerFunc(o.serve))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		o.calls = append(o.calls, call{r.Method + " " + r.URL.RequestURI(), time.Now(), r.Header.Get("Authorization")})
		o.mu.Unlock()
		crm.ServeHTTP(w, r)
	}))
	o.url = "http://" + server.Listener.Addr().String()
	o.sendWebhooksTo("")
	server.Start()
	t.Cleanup(func() {
		_ = o.crm().Close()
		server.CloseClientConnections()
		server.Close()
	})
	return o
}

func (o *office) serve(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	maps.Copy(w.Header(), o.headers)
	o.mu.Unlock()
	respell := o.respelling(r)
	if respell == nil {
		o.crm().ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	o.crm().ServeHTTP(answer, r)
	var said map[string]any
	_ = json.Unmarshal(answer.Body.Bytes(), &said) // the mock's own JSON
	entity := said
	if len(said) == 1 { // the object stands in another: {"objectAssignment": {…}}
		for _, inner := range said {
			entity, _ = inner.(map[string]any)
		}
	}
	respell(entity)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(said)
}

// respelling is how the answer to a read of one object is changed; nil when it is not.
func (o *office) respelling(r *http.Request) func(map[string]any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for object, respell := range o.respell {
		if r.URL.Query().Get("id") == object || strings.HasSuffix(r.URL.Path, "/"+object) {
			return respell
		}
	}
	return nil
}

// respells changes what every read of an object answers from now on.
func (o *office) respells(object string, how func(entity map[string]any)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.respell == nil {
		o.respell = map[string]func(map[string]any){}
	}
	o.respell[object] = how
}

// sets adds a header to every answer from now on.
func (o *office) sets(name, value string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.headers = http.Header{name: {value}}
}

// sendWebhooksTo lets every change of the office's objects send a webhook there.
func (o *office) sendWebhooksTo(url string) {
	crm := o.provider.Mock(providers.MockOptions{Store: o.store, BaseURL: o.url, WebhookURL: url}).(mock)
	if old := o.mock.Swap(&crm); old != nil {
		_ = (*old).Close()
	}
}

func (o *office) crm() mock { return *o.mock.Load() }

// called counts the calls whose method and URL hold a text.
func (o *office) called(text string) int { return len(o.callTimes(text)) }

// callTimes tells when the calls came whose method and URL hold a text.
func (o *office) callTimes(text string) (times []time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.calls {
		if strings.Contains(c.what, text) {
			times = append(times, c.at)
		}
	}
	return times
}

// shown lists the credentials that the office was called with.
func (o *office) shown() map[string]bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := map[string]bool{}
	for _, c := range o.calls {
		if c.with != "" {
			all[c.with] = true
		}
	}
	return all
}

// settings are what connects a portal with the office; the webhook secret among them.
func (o *office) settings(t *testing.T) map[string]any {
	t.Helper()
	s, err := o.crm().Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	for key, value := range s.Text {
		all[key] = value
	}
	for key, value := range s.Lists {
		all[key] = value
	}
	for key, secrets := range s.Secrets {
		all[key] = secrets[0].Reveal()
	}
	delete(all, "widgetAppClientKey") // few offices have one
	return all
}

// secret is the office's webhook secret; "" where the CRM does not sign.
func (o *office) secret(t *testing.T) string {
	t.Helper()
	secret, _ := o.settings(t)["webhookSecret"].(string)
	return secret
}

// input names the office's CRM in the input of a save.
func (o *office) input(input map[string]any) { input["provider"] = o.key }

// change changes an object as a person in the office does: {"price": 1}, {"deleted": true}, ….
func (o *office) change(t *testing.T, object, change string) {
	t.Helper()
	o.admin(t, "/admin/objects/"+object, change)
}

func (o *office) admin(t *testing.T, path, body string) []byte {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	o.crm().ServeHTTP(answer, req)
	if answer.Code/100 != 2 {
		t.Fatalf("%s: %d %s", path, answer.Code, answer.Body)
	}
	return answer.Body.Bytes()
}

// saved is what the API answers when settings are saved.
type saved struct {
	Integration *struct {
		ID         string
		Enabled    bool
		Connection struct{ State, Problem string }
	}
	UserErrors []userError
}

const saveDocument = `mutation ($input: SaveIntegrationInput!) { saveIntegration(input: $input) {
	integration { id enabled connection { state problem } } userErrors { code message field } } }`

// saveAs saves a live Kolibri's settings with a token. The changes are made to the input.
func (b *bundle) saveAs(t *testing.T, token string, settings any, changes ...func(input map[string]any)) saved {
	t.Helper()
	input := map[string]any{"provider": "kolibri", "mock": false, "settings": settings,
		"domains": map[string]any{"listings": true, "agenda": false, "outbound": false}}
	for _, change := range changes {
		change(input)
	}
	var out struct{ SaveIntegration saved }
	b.query(t, token, saveDocument, map[string]any{"input": input}, &out)
	return out.SaveIntegration
}

func (b *bundle) save(t *testing.T, settings any, changes ...func(input map[string]any)) saved {
	t.Helper()
	return b.saveAs(t, b.token, settings, changes...)
}

// save saves settings of the hook's own integration.
func (h *hook) save(t *testing.T, settings any, changes ...func(input map[string]any)) saved {
	t.Helper()
	return h.bundle.save(t, settings, append([]func(map[string]any){h.office.input}, changes...)...)
}

// connect connects the portal with an office, waits for the first crawl, and gives the integration's id.
func (b *bundle) connect(t *testing.T, o *office) string {
	t.Helper()
	got := b.save(t, o.settings(t), o.input)
	if len(got.UserErrors) > 0 || got.Integration.Connection.State != "OK" {
		t.Fatalf("connect with the office: %+v", got)
	}
	if state := b.waitForSync(t, got.Integration.ID); state != "SUCCEEDED" {
		t.Fatalf("the first crawl ended %s", state)
	}
	return got.Integration.ID
}

// sql asks the database as its superuser, who sees every portal, for one row.
func (b *bundle) sql(t *testing.T, query string, args []any, into ...any) {
	t.Helper()
	b.superuser(t, func(ctx context.Context, c *pgx.Conn) error { return c.QueryRow(ctx, query, args...).Scan(into...) })
}

// exec changes the database as its superuser.
func (b *bundle) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	b.superuser(t, func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, statement, args...)
		return err
	})
}

func (b *bundle) superuser(t *testing.T, f func(context.Context, *pgx.Conn) error) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), b.config.DatabaseURL)
	if err == nil {
		defer c.Close(context.Background())
		err = f(t.Context(), c)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// count counts rows: count(t, "items where state = $1", "ACTIVE").
func (b *bundle) count(t *testing.T, rows string, args ...any) int {
	t.Helper()
	n := 0
	b.sql(t, "select count(*) from "+rows, args, &n)
	return n
}

// item is what the API says about one object of the office.
type item struct {
	ID, State, InactiveReason, SyncedAt, SyncError string
	Listing                                        struct {
		Title string
		Price struct{ Amount string }
	}
}

// item reads one object's item; nil when there is none.
func (b *bundle) item(t *testing.T, object string) *item {
	t.Helper()
	var out struct{ SyncedItems struct{ Nodes []item } }
	b.query(t, b.token, `query ($search: String) { syncedItems(first: 2, filter: {search: $search}) {
		nodes { id state inactiveReason syncedAt syncError listing { title price { amount } } } } }`, map[string]any{"search": object}, &out)
	switch nodes := out.SyncedItems.Nodes; len(nodes) {
	case 0:
		return nil
	case 1:
		return &nodes[0]
	}
	t.Fatalf("several items for %s", object)
	return nil
}

// uuidOf is a public id's UUID, as the database writes it.
func uuidOf(t *testing.T, publicID string) string {
	t.Helper()
	_, id, err := sparki.ParseID(publicID)
	if err != nil {
		t.Fatalf("%s: %v", publicID, err)
	}
	return id.String()
}

func codes(errors []userError) []string {
	list := make([]string, len(errors))
	for i, e := range errors {
		list[i] = fmt.Sprintf("%s %s", e.Code, strings.Join(e.Field, "."))
	}
	slices.Sort(list)
	return list
}

func itoa(n int) string { return strconv.Itoa(n) }
