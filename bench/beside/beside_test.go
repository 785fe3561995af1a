package beside_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations/bench/beside"
	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/devstack/teststack"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/kolibri"
	"sparki.app/integrations/providers/memstore"
)

func TestMain(m *testing.M) { teststack.Main(m) }

const secret = "a-secret-of-the-tests"

type bundle struct{ url, database string }

func setup(t *testing.T) bundle {
	t.Helper()
	o := beside.Options{DatabaseURL: dbtest.URL(t), WebhookSecret: secret, Token: "token"}
	s, err := beside.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		s.Close()
	})
	return bundle{server.URL, o.DatabaseURL}
}

func (b bundle) count(t *testing.T, sql string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), b.database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (b bundle) do(t *testing.T, method, path, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(content)
}

// The plain receiver keeps what Sparki keeps, and refuses what Sparki refuses.
func TestIngest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := kolibri.Envelope(kolibri.WebhookMessage{EntityType: "ObjectAssignment"}, kolibri.WebhookMessage{}, kolibri.WebhookMessage{})
	if status, answer := b.do(t, http.MethodPost, "/ingest", string(body), "Signature", kolibri.SignBody("another", body)); status != http.StatusUnauthorized {
		t.Errorf("wrongly signed: %d %s", status, answer)
	}
	for range 2 { // the second time its messages are known
		status, answer := b.do(t, http.MethodPost, "/ingest", string(body), "Signature", kolibri.SignBody(secret, body))
		if status != http.StatusAccepted || !strings.Contains(answer, `"deliveryId":"`) {
			t.Errorf("%d %s", status, answer)
		}
	}
	if d, m := b.count(t, `select count(*) from beside_deliveries`), b.count(t, `select count(*) from beside_messages`); d != 2 || m != 3 {
		t.Errorf("%d deliveries, %d messages", d, m)
	}
}

func TestListNeedsTheToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if status, _ := b.do(t, http.MethodGet, "/list", ""); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
	status, answer := b.do(t, http.MethodGet, "/list", "", "Authorization", "Bearer token")
	if want := `{"data":{"syncedItems":{"nodes":null,"pageInfo":{"hasNextPage":false}}}}`; status != http.StatusOK || strings.TrimSpace(answer) != want {
		t.Errorf("%d %s", status, answer)
	}
}

func TestBackfill(t *testing.T) {
	t.Parallel()
	const objects = 120
	b, store := setup(t), memstore.New()
	if err := kolibri.SeedObjects(t.Context(), store, objects, 0); err != nil {
		t.Fatal(err)
	}
	var mock http.Handler
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { mock.ServeHTTP(w, r) }))
	defer crm.Close()
	m := kolibri.New().Mock(providers.MockOptions{Store: store, BaseURL: crm.URL})
	mock = m
	settings, err := m.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	request, err := json.Marshal(beside.Backfill{
		URL: crm.URL, TokenURL: settings.Text["tokenUrl"], AgencyID: settings.Text["realEstateAgencyId"],
		ClientID: settings.Text["clientId"], ClientSecret: settings.Secret("clientSecret").Reveal(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		status, answer := b.do(t, http.MethodPost, "/backfill", string(request))
		var done beside.Backfilled
		if err := json.Unmarshal([]byte(answer), &done); err != nil || status != http.StatusOK || done.Objects < objects {
			t.Fatalf("%d %s", status, answer)
		}
		if n := b.count(t, `select count(*) from beside_items`); n != done.Objects {
			t.Errorf("%d items of %d objects", n, done.Objects)
		}
	}
	whole := `select count(*) from beside_items where title <> '' and price > 0 and city <> '' and thumbnail_url like 'http%' and raw ->> 'publicReference' like 'SYN-%'`
	if n := b.count(t, whole); n != objects {
		t.Errorf("%d made-up objects are stored whole", n)
	}
}

func TestFanOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(b.url, "http")+"/fan-out", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The handshake is answered before the socket is registered: the first broadcasts may miss it.
	heard := make(chan string, 1)
	go func() {
		_, message, _ := conn.ReadMessage()
		heard <- string(message)
	}()
	for {
		if status, answer := b.do(t, http.MethodPost, "/fan-out", "hello"); status != http.StatusNoContent {
			t.Fatalf("%d %s", status, answer)
		}
		select {
		case message := <-heard:
			if message != "hello" {
				t.Errorf("heard %q", message)
			}
			return
		default:
		}
	}
}
