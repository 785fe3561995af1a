package kolibri

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/memstore"
)

// mockRig is a mock behind a real HTTP server.
type mockRig struct {
	*Mock
	t      *testing.T
	server *httptest.Server
	token  string
}

// newMockRig starts a mock over a store; nil is a new one.
func newMockRig(t *testing.T, store providers.MockStore, webhookURL string) *mockRig {
	t.Helper()
	if store == nil {
		store = memstore.New()
	}
	r := &mockRig{t: t}
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { r.ServeHTTP(w, q) }))
	t.Cleanup(r.server.Close)
	r.Mock = newMock(providers.MockOptions{
		Store: store, BaseURL: r.server.URL + "/mock", WebhookURL: webhookURL, Client: r.server.Client(),
	}).(*Mock)
	t.Cleanup(func() { _ = r.Close() })
	token, err := r.StaticToken(t.Context())
	if err != nil {
		t.Fatalf("token: %v", err)
	}
	r.token = token
	return r
}

// do makes a call below /mock and gives status and body. A body that is a string is sent as it is.
func (r *mockRig) do(method, path string, body any, change ...func(*http.Request)) (int, []byte) {
	r.t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			r.t.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.server.URL+"/mock"+path, in)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	req.Header.Set("Content-Type", "application/json")
	for _, c := range change {
		c(req)
	}
	client := *r.server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(req)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	return res.StatusCode, text
}

// agency makes a call for the agency.
func (r *mockRig) agency(method, path string, body any) (int, []byte) {
	r.t.Helper()
	return r.do(method, "/v3/"+mockAgencyID+"/"+path, body)
}

// call is agency that wants a status and decodes the answer.
func (r *mockRig) call(status int, method, path string, body any) mockFields {
	r.t.Helper()
	got, text := r.agency(method, path, body)
	if got != status {
		r.t.Fatalf("%s %s: status %d, want %d: %s", method, path, got, status, text)
	}
	if len(text) == 0 {
		return nil
	}
	return mockDecode(r.t, text)
}

func mockDecode(t *testing.T, text []byte) mockFields {
	t.Helper()
	var f mockFields
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&f); err != nil {
		t.Fatalf("not JSON: %v: %.200q", err, text)
	}
	return f
}

// mockQuery is a search request over everything, with changes; nil removes a field.
func mockQuery(changes mockFields) mockFields {
	q := mockFields{
		"skip": 0, "take": 100, "order": "Descending", "orderBy": "ModificationDate", "filterByActive": "ActiveOrInactive",
		"forSale": true, "forRent": true, "includeStatistics": false,
	}
	for k, v := range changes {
		if v == nil {
			delete(q, k)
		} else {
			q[k] = v
		}
	}
	return q
}

// search gives the rows of an assignments search and the total.
func (r *mockRig) search(changes mockFields) ([]mockFields, string) {
	r.t.Helper()
	return mockRows(r.call(http.StatusOK, "POST", "Assignments/Search", mockQuery(changes)))
}

func mockRows(answer mockFields) ([]mockFields, string) {
	var rows []mockFields
	for _, row := range answer["results"].([]any) {
		rows = append(rows, row.(mockFields))
	}
	return rows, answer["totalResults"].(json.Number).String()
}

const (
	mockLindelaan = "3f6d2c81-9b0e-4a57-8c1d-6e2f7a4b5c90"
	mockProject   = "b7e2f4d0-5a18-4c63-8d9f-0e1b2a3c4d5e"
	mockUnit12    = "6a2b9d47-e1c0-4f83-b726-d5a4c3e2f180"
)

func TestMockToken(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	s, err := r.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	form := func(change func(url.Values)) url.Values {
		v := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.Text["clientId"]}, "client_secret": {s.Secret("clientSecret").Reveal()}}
		if change != nil {
			change(v)
		}
		return v
	}
	formEncoded := func(q *http.Request) { q.Header.Set("Content-Type", "application/x-www-form-urlencoded") }
	cases := []struct {
		name   string
		change func(url.Values)
		status int
		want   string
	}{
		{"good", nil, 200, `"token_type":"Bearer"`},
		{"scope", func(v url.Values) { v.Set("scope", mockScope) }, 200, `"expires_in":3600`},
		{"wrong secret", func(v url.Values) { v.Set("client_secret", "x") }, 400, `"invalid_client"`},
		{"wrong id", func(v url.Values) { v.Set("client_id", "x") }, 400, `"invalid_client"`},
		{"no grant", func(v url.Values) { v.Del("grant_type") }, 400, `"unsupported_grant_type"`},
		{"wrong scope", func(v url.Values) { v.Set("scope", "other") }, 400, `"invalid_scope"`},
	}
	for _, c := range cases {
		status, body := r.do("POST", "/connect/token", form(c.change).Encode(), formEncoded)
		if status != c.status || !strings.Contains(string(body), c.want) {
			t.Errorf("%s: %d %s", c.name, status, body)
		}
	}
	if status, body := r.do("POST", "/connect/token", `{"grant_type":"client_credentials"}`); status != 400 {
		t.Errorf("JSON: %d %s", status, body)
	}

	_, body := r.do("POST", "/connect/token", form(nil).Encode(), formEncoded)
	bearer := mockDecode(t, body)["access_token"].(string)
	version := func(token string) int {
		status, _ := r.do("GET", "/v3/"+mockAgencyID+"/Offices?id="+mockUtrechtID, nil, func(q *http.Request) {
			q.Header.Set("Authorization", token)
		})
		return status
	}
	for token, want := range map[string]int{
		"Bearer " + bearer:                 200,
		"bearer " + bearer:                 200,
		"Bearer " + bearer + "x":           401,
		"Bearer x" + bearer:                401,
		"Bearer ":                          401,
		"":                                 401,
		"Basic " + bearer:                  401,
		"Bearer " + r.token:                200,
		"Bearer a.b.c":                     401,
		"Bearer " + bearer[:len(bearer)/2]: 401,
	} {
		if got := version(token); got != want {
			t.Errorf("token %.20q…: %d, want %d", token, got, want)
		}
	}

	// A token of one process is good at another, until it expires.
	other := newMock(providers.MockOptions{Store: r.mirror.Store, BaseURL: "http://other.example"}).(*Mock)
	state, err := other.load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !other.accepts(state, bearer) {
		t.Error("another process does not accept the token")
	}
	now := r.now()
	other.now = func() time.Time { return now.Add(r.TokenLifetime) }
	if other.accepts(state, bearer) {
		t.Error("an expired token is accepted")
	}
}

func TestMockVersionNeedsNoToken(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	status, body := r.do("GET", "/v3/Version", nil, func(q *http.Request) { q.Header.Del("Authorization") })
	if status != 200 || mockDecode(t, body)["version"] != "4.1.1245.0" {
		t.Errorf("%d %s", status, body)
	}
}

func TestMockRefusals(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	const other = "11111111-2222-4333-8444-555555555555"
	cases := []struct {
		name, method, path string
		body               any
		status             int
		want               string
	}{
		{"other agency", "GET", "/v3/" + other + "/Offices?id=" + mockUtrechtID, nil, 403, `{"message":"No consent for this real estate agency."}`},
		{"agency is no GUID", "GET", "/v3/dewit/Offices?id=" + mockUtrechtID, nil, 400, `"errorCode":"InvalidModelState"`},
		{"unknown path", "GET", "/v3/" + mockAgencyID + "/Employees/Search", nil, 404, `"message":"No HTTP resource`},
		{"unknown object", "GET", "/v3/" + mockAgencyID + "/ObjectAssignments?id=" + other, nil, 404, `"innerException":null`},
		{"object of another kind", "GET", "/v3/" + mockAgencyID + "/ObjectAssignments?id=" + mockProject, nil, 404, `not found`},
		{"id missing", "GET", "/v3/" + mockAgencyID + "/ObjectAssignments", nil, 400, `"request.id":`},
		{"id is no GUID", "GET", "/v3/" + mockAgencyID + "/ObjectAssignments?id=7", nil, 400, `"request.id":"Error converting value \"7\" to type guid."`},
		{"empty body", "POST", "/v3/" + mockAgencyID + "/Assignments/Search", nil, 400, `"errorCode":"NullModelState"`},
		{"null body", "POST", "/v3/" + mockAgencyID + "/Assignments/Search", "null", 400, `"errorCode":"NullModelState"`},
		{"broken body", "POST", "/v3/" + mockAgencyID + "/Assignments/Search", "{", 400, `"errorCode":"InvalidModelState"`},
		{"list as body", "POST", "/v3/" + mockAgencyID + "/Assignments/Search", "[]", 400, `"errorCode":"InvalidModelState"`},
		{"large body", "POST", "/v3/" + mockAgencyID + "/Assignments/Search", `{"term":"` + strings.Repeat("x", mockMaxBody) + `"}`, 413, `too large`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := *r
			r.t = t
			status, body := r.do(c.method, c.path, c.body)
			if status != c.status || !strings.Contains(string(body), c.want) {
				t.Errorf("%d %s, want %d %s", status, body, c.status, c.want)
			}
		})
	}
}

func TestMockBasePath(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	// In front of a StripPrefix the path is whole, behind it it is not.
	for _, path := range []string{"/mock/v3/Version", "/v3/Version"} {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 200 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, httptest.NewRequest("GET", "/mock", nil))
	if w.Code != 308 || w.Header().Get("Location") != "/mock/" {
		t.Errorf("without a slash: %d %s", w.Code, w.Header().Get("Location"))
	}
}

func TestMockSettingsConnect(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	s, err := r.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.Text["apiBaseUrl"] != r.server.URL+"/mock" || s.Text["realEstateAgencyId"] != mockAgencyID || len(s.Secret("webhookSecret")) < 16 {
		t.Errorf("settings: %+v", s.Text)
	}
	again, err := newMock(providers.MockOptions{Store: r.mirror.Store, BaseURL: r.site.URL}).Settings(t.Context())
	if err != nil || again.Secret("clientSecret").Reveal() != s.Secret("clientSecret").Reveal() {
		t.Errorf("the secrets are not kept in the store: %v", err)
	}
	other, err := newMock(providers.MockOptions{Store: memstore.New()}).Settings(t.Context())
	if err != nil || other.Secret("webhookSecret").Reveal() == s.Secret("webhookSecret").Reveal() {
		t.Errorf("another store has the same secret: %v", err)
	}
	conn, err := New().Connect(s, r.server.Client().Transport)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Check(t.Context()); err != nil {
		t.Errorf("the real client does not get through: %v", err)
	}
}

// TestMockSeedsOnce lets several processes find the same empty store at the same moment.
func TestMockSeedsOnce(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	const processes = 8
	mocks := make([]*Mock, processes)
	handed := make([]string, processes)
	var wg sync.WaitGroup
	for i := range processes {
		wg.Go(func() {
			mocks[i] = newMock(providers.MockOptions{Store: store, BaseURL: "http://mock.example"}).(*Mock)
			s, err := mocks[i].Settings(t.Context())
			if err != nil {
				t.Errorf("settings: %v", err)
				return
			}
			handed[i] = s.Secret("webhookSecret").Reveal()
		})
	}
	wg.Wait()
	want := ""
	for i, m := range mocks {
		s, err := m.Settings(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		secrets := map[string]bool{}
		for _, secret := range s.Secrets["webhookSecret"] {
			secrets[secret.Reveal()] = true
		}
		for _, h := range handed {
			if !secrets[h] {
				t.Errorf("mock %d forgot a secret that was handed out", i)
			}
		}
		if first := s.Secret("webhookSecret").Reveal(); want == "" {
			want = first
		} else if first != want {
			t.Errorf("mock %d hands out another secret", i)
		}
	}
	var specs []mockSpec
	if err := json.Unmarshal(mockSeedJSON, &specs); err != nil {
		t.Fatal(err)
	}
	state, err := mocks[0].load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(state.assignments) != len(specs) {
		t.Errorf("%d assignments, want %d", len(state.assignments), len(specs))
	}
}

// TestMockSeedsOnlyEmptyStores: deleting everything that can be deleted does not bring the seed back.
func TestMockSeedsOnlyEmptyStores(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	r.call(204, "DELETE", "ObjectAssignments?id="+mockLindelaan, nil)
	again := newMockRig(t, r.mirror.Store, "")
	again.call(404, "GET", "ObjectAssignments?id="+mockLindelaan, nil)
}

// mockBrokenStore fails on demand.
type mockBrokenStore struct {
	providers.MockStore
	mu  sync.Mutex
	err error
}

func (s *mockBrokenStore) Version(ctx context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	return s.MockStore.Version(ctx)
}

func TestMockStoreFails(t *testing.T) {
	t.Parallel()
	store := &mockBrokenStore{MockStore: memstore.New()}
	r := newMockRig(t, store, "")
	store.mu.Lock()
	store.err = errors.New("secret detail")
	store.mu.Unlock()
	status, body := r.agency("GET", "ObjectAssignments?id="+mockLindelaan, nil)
	if status != 500 || strings.Contains(string(body), "secret detail") {
		t.Errorf("%d %s", status, body)
	}
	if _, err := r.Settings(t.Context()); err == nil {
		t.Error("settings without a store")
	}
}
