package realworks

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sparki.app/integrations/providers/memstore"
	"sparki.app/integrations/providers/mockkit"
)

// try makes a call that may break, and gives all there is to know about the answer.
func (r *mockRig) try(method, path string, body any) (status int, header http.Header, text string, err error) {
	r.t.Helper()
	in, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.server.URL+"/mock"+path, strings.NewReader(string(in)))
	if err != nil {
		r.t.Fatal(err)
	}
	key := "apiToken"
	if strings.HasPrefix(path, "/agenda") {
		key = "agendaToken"
	}
	req.Header.Set("Authorization", "rwauth "+r.settings.Secret(key).Reveal())
	res, err := r.server.Client().Do(req)
	if err != nil {
		return 0, nil, "", err
	}
	defer res.Body.Close()
	var b strings.Builder
	buffer := make([]byte, 64<<10)
	for {
		n, err := res.Body.Read(buffer)
		b.Write(buffer[:n])
		if err != nil {
			return res.StatusCode, res.Header, b.String(), nil
		}
	}
}

// agendaSize is how many items there are, deleted ones too.
func (r *mockRig) agendaSize() int {
	r.t.Helper()
	var all []mockAgendaView
	if err := json.Unmarshal(r.text(200, "GET", "/admin/agenda", nil), &all); err != nil {
		r.t.Fatal(err)
	}
	return len(all)
}

// TestMockStoredFaults: what one process arms, the other one suffers, as often as asked.
func TestMockStoredFaults(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	one, two := newMockRig(t, store, ""), newMockRig(t, store, "")
	read := "/wonen/v3/objecten/935001/LM100231"
	cases := []struct {
		name   string
		status int
		check  func(http.Header, string) bool
	}{
		{"unauthorized", 401, func(_ http.Header, b string) bool { return b == `{"error":"Het opgegeven token is niet geldig."}` }},
		{"ip", 403, func(_ http.Header, b string) bool { return strings.Contains(b, "IP bereik") }},
		{"busy", 429, func(h http.Header, b string) bool { return h.Get("Retry-After") == "2" && json.Valid([]byte(b)) }},
		{"broken", 500, func(_ http.Header, b string) bool { return json.Valid([]byte(b)) }},
		{"html", 500, func(h http.Header, _ string) bool { return h.Get("Content-Type") == "text/html" }},
		{"garbage", 200, func(_ http.Header, b string) bool { return !json.Valid([]byte(b)) }},
		{"truncated", 200, func(_ http.Header, b string) bool { return len(b) > 1000 && !json.Valid([]byte(b)) }},
		{"empty", 200, func(_ http.Header, b string) bool { return b == "" }},
	}
	for _, c := range cases {
		one.call(200, "POST", "/admin/faults", mockFields{"fault": c.name, "path": "/wonen/", "after": 1, "times": 2})
		for i, want := range []bool{false, true, true, false} {
			status, header, body, err := two.try("GET", read, nil)
			if failed := status != 200 || !json.Valid([]byte(body)); err != nil || failed != want || want && (status != c.status || !c.check(header, body)) {
				t.Errorf("%s, call %d: %v %d %.200q", c.name, i, err, status, body)
			}
		}
		if status, _, _, err := two.try("GET", "/bog/v3/objecten", nil); err != nil || status != 200 {
			t.Errorf("another path: %v %d", err, status)
		}
	}
	one.call(200, "POST", "/admin/faults", mockFields{"fault": "broken", "times": -1})
	for range 3 {
		if status, _, _, _ := two.try("GET", read, nil); status != 500 {
			t.Errorf("for ever: %d", status)
		}
	}
	if armed := two.get("/admin/faults")["faults"].([]any); len(armed) != 1 {
		t.Errorf("armed: %v", armed)
	}
	two.text(200, "DELETE", "/admin/faults", nil)
	if status, _, _, _ := one.try("GET", read, nil); status != 200 {
		t.Errorf("after all are forgotten: %d", status)
	}
	for _, bad := range []mockFields{{"fault": "fire"}, {"foult": "ip"}} {
		one.text(400, "POST", "/admin/faults", bad)
	}
}

// TestMockFaultsAfterSuccess: the item is made, whatever the answer says.
func TestMockFaultsAfterSuccess(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	size := r.agendaSize()
	for name, want := range map[string]int{"lost": 0, "after": 502, "no-id": 202, "slow": 200} {
		r.call(200, "POST", "/admin/faults", mockFields{"fault": name, "method": "POST", "path": "/agenda", "millis": 1})
		status, _, body, err := r.try("POST", "/agenda/v3", mockAppointment(nil))
		if (err == nil) != (name != "lost") || status != want || name == "no-id" && body != "" {
			t.Errorf("%s: %v %d %s", name, err, status, body)
		}
		size++
		if got := r.agendaSize(); got != size {
			t.Errorf("%s: %d items, want %d", name, got, size)
		}
	}
	r.call(200, "POST", "/admin/faults", mockFields{"fault": "busy", "method": "POST"})
	if status, _, _, _ := r.try("POST", "/agenda/v3", mockAppointment(nil)); status != 429 || r.agendaSize() != size {
		t.Errorf("a refused create: %d, %d items", status, r.agendaSize())
	}
}

// TestMockFaults: the faults of a test in this process, in Realworks' own words.
func TestMockFaults(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	for status, want := range map[int]string{401: "token", 403: "IP bereik", 400: "foutmeldingen", 404: "Not Found", 503: "Service Unavailable"} {
		r.Faults.Add(mockkit.Fault{Path: "/wonen", Status: status})
		if got, body := r.do("GET", "/wonen/v3/objecten", nil); got != status || !strings.Contains(string(body), want) {
			t.Errorf("%d: %d %s", status, got, body)
		}
	}
	r.get("/wonen/v3/objecten")
}

// TestMockFaultsAreCounted: a stored fault fails exactly as many calls as it says, however many come
// at once.
func TestMockFaultsAreCounted(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	r.call(200, "POST", "/admin/faults", mockFields{"fault": "broken", "times": 7})
	var failed atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				if status, _ := r.do("GET", "/makelaars/v1", nil); status == 500 {
					failed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if failed.Load() != 7 {
		t.Errorf("%d calls failed, want 7", failed.Load())
	}
}

func TestMockRelease(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	r.call(200, "POST", "/admin/release", mockFields{"closed": []string{"wonen", "agenda", "relaties"}})
	for _, path := range []string{"/wonen/v3/objecten", "/agenda/v3/afdeling/935001", "/relaties/v1/medewerker"} {
		if answer := string(r.text(200, "GET", path, nil)); answer != `{"resultaten":[],"paginering":{"totaalAantal":0}}` {
			t.Errorf("%s: %s", path, answer)
		}
	}
	r.text(404, "GET", "/wonen/v3/objecten/935001/LM100231", nil)
	if len(r.rows("/bog/v3/objecten")) != 7 {
		t.Error("business objects are closed as well")
	}
	r.call(200, "POST", "/admin/release", mockFields{"closed": []string{}, "archive": true})
	for query, want := range map[string]int{"": 21, "actief=true": 21, "actief=false": 1, "actief=all": 22} {
		if got := len(r.rows("/wonen/v3/objecten?" + query)); got != want {
			t.Errorf("%s with the archive: %d, want %d", query, got, want)
		}
	}
	r.text(400, "POST", "/admin/release", mockFields{"closed": []string{"elsewhere"}})
}
