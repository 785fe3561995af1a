package kolibri

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/memstore"
	"sparki.app/integrations/providers/mockkit"
)

// try makes a call and gives all there is to know about the answer.
func (r *mockRig) try(ctx context.Context, method, path string) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.server.URL+"/mock/v3/"+mockAgencyID+"/"+path, nil)
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Authorization", "Bearer "+r.token)
	client := *r.server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, string(body), err
}

func TestFaults(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	read := "ObjectAssignments?id=" + mockLindelaan
	cases := []struct {
		name   string
		fault  mockkit.Fault
		status int
		check  func(header http.Header, body string) bool
	}{
		{"429", mockkit.Fault{Status: 429, RetryAfter: "20"}, 429, func(h http.Header, b string) bool {
			return h.Get("Retry-After") == "20" && b == `{"message":"Too Many Requests"}`
		}},
		{"409", mockkit.Fault{Status: 409}, 409, func(_ http.Header, b string) bool { return b == `{"message":"Conflict"}` }},
		{"400", mockkit.Fault{Status: 400}, 400, func(_ http.Header, b string) bool { return strings.Contains(b, `"errorCode":"Other"`) }},
		{"403", mockkit.Fault{Status: 403}, 403, func(_ http.Header, b string) bool { return b == `{"message":"Forbidden"}` }},
		{"HTML", mockkit.Fault{Kind: mockkit.FaultHTML}, 500, func(h http.Header, b string) bool {
			return h.Get("Content-Type") == "text/html" && strings.HasPrefix(b, "<!DOCTYPE")
		}},
		{"HTML with a date", mockkit.Fault{Kind: mockkit.FaultHTML, Status: 503, RetryAfter: "Fri, 20 Nov 2026 10:00:00 GMT"}, 503, func(h http.Header, _ string) bool {
			return strings.HasPrefix(h.Get("Retry-After"), "Fri")
		}},
		{"slow", mockkit.Fault{Kind: mockkit.FaultSlow, Delay: 30 * time.Millisecond}, 200, func(_ http.Header, b string) bool { return strings.Contains(b, mockLindelaan) }},
		{"drip", mockkit.Fault{Kind: mockkit.FaultDrip, Delay: time.Microsecond}, 200, func(_ http.Header, b string) bool { return json.Valid([]byte(b)) }},
		{"garbage", mockkit.Fault{Kind: mockkit.FaultGarbage}, 200, func(_ http.Header, b string) bool { return !json.Valid([]byte(b)) }},
		{"truncated", mockkit.Fault{Kind: mockkit.FaultTruncated}, 200, func(_ http.Header, b string) bool { return len(b) > 1000 && !json.Valid([]byte(b)) }},
		{"empty", mockkit.Fault{Kind: mockkit.FaultEmpty}, 200, func(_ http.Header, b string) bool { return b == "" }},
		{"redirect", mockkit.Fault{Kind: mockkit.FaultRedirect, Location: "https://elsewhere.example/"}, 302, func(h http.Header, _ string) bool {
			return h.Get("Location") == "https://elsewhere.example/"
		}},
		{"huge", mockkit.Fault{Kind: mockkit.FaultHuge}, 200, func(_ http.Header, b string) bool { return len(b) == 11<<20 && json.Valid([]byte(b)) }},
		{"huge, sized", mockkit.Fault{Kind: mockkit.FaultHuge, Size: 1000}, 200, func(_ http.Header, b string) bool { return len(b) == 1000 }},
		{"gone well afterwards", mockkit.Fault{Times: -1, Path: "/Elsewhere"}, 200, func(_ http.Header, b string) bool { return json.Valid([]byte(b)) }},
	}
	for _, c := range cases {
		r.Faults.Add(c.fault)
		res, body, err := r.try(t.Context(), "GET", read)
		if err != nil || res.StatusCode != c.status || !c.check(res.Header, body) {
			t.Errorf("%s: %v %v %.200q", c.name, err, res, body)
		}
		if res, _, err := r.try(t.Context(), "GET", read); err != nil || res.StatusCode != 200 {
			t.Errorf("after %s: %v %v", c.name, err, res)
		}
	}
	if left := r.Faults.Left(); left != 0 {
		t.Errorf("%d faults are left", left)
	}
}

func TestFaultsAfterSuccess(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	for _, fault := range []mockkit.Fault{
		{Kind: mockkit.FaultReset, Method: "DELETE"}, {Kind: mockkit.FaultStatusAfter, Status: 502, Path: "/ObjectAssignments"},
		{Kind: mockkit.FaultSlow, Delay: time.Hour, Method: "DELETE"},
	} {
		r.Faults.Add(fault)
		ctx, cancel := context.WithCancel(t.Context())
		if fault.Kind == mockkit.FaultSlow { // the client loses patience once the work is done
			go func() {
				for {
					if s, err := r.load(t.Context()); err != nil || s.byID[mockLindelaan].deleted {
						cancel()
						return
					}
					runtime.Gosched()
				}
			}()
		}
		res, _, err := r.try(ctx, "DELETE", "ObjectAssignments?id="+mockLindelaan)
		cancel()
		if err == nil && (fault.Kind != mockkit.FaultStatusAfter || res.StatusCode != 502) {
			t.Errorf("%v: answered %d", fault.Kind, res.StatusCode)
		}
		r.call(404, "GET", "ObjectAssignments?id="+mockLindelaan, nil)
		r.call(204, "POST", "ObjectAssignments/Undelete", mockFields{"id": mockLindelaan})
	}
}

func TestFaultsMatch(t *testing.T) {
	t.Parallel()
	var f mockkit.Faults
	served := 0
	server := httptest.NewServer(f.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { served++ })))
	defer server.Close()
	get := func(method, path string) int {
		req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	f.Add(mockkit.Fault{Method: "POST", Path: "/Search", Times: 2, After: 1, Status: 503})
	f.Add(mockkit.Fault{Path: "/token", Times: -1, Status: 500})
	want := []struct {
		method, path string
		status       int
	}{
		{"GET", "/Search", 200}, {"POST", "/Search", 200}, {"POST", "/Assignments/Search", 503}, {"POST", "/Read", 200},
		{"POST", "/Search", 503}, {"POST", "/Search", 200}, {"GET", "/token", 500}, {"POST", "/connect/token", 500},
	}
	for i, w := range want {
		if got := get(w.method, w.path); got != w.status {
			t.Errorf("call %d, %s %s: %d, want %d", i, w.method, w.path, got, w.status)
		}
	}
	f.Clear()
	if got := get("GET", "/token"); got != 200 {
		t.Errorf("cleared: %d", got)
	}
	if served != 5 {
		t.Errorf("%d calls were served", served)
	}
}

// TestMockLeavesNoGoroutine runs mocks through all their work and counts. It is not parallel: it
// counts the goroutines of the whole process.
func TestMockLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	var quiet *Mock
	func() {
		refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
		defer refuses.Close()
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		loud := newMock(providers.MockOptions{
			Store: memstore.New(), BaseURL: "http://mock.example", WebhookURL: refuses.URL, Client: &http.Client{Transport: transport},
		}).(*Mock)
		quiet = newMock(providers.MockOptions{Store: memstore.New(), BaseURL: "http://mock.example"}).(*Mock)
		price := json.Number("5")
		for _, m := range []*Mock{loud, quiet} {
			if err := m.fulfil(t.Context(), mockLindelaan, mockWish{Price: &price}); err != nil {
				t.Fatal(err)
			}
			m.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/media/"+mockLindelaan+"/preview/gevel.jpg", nil))
		}
		if err := errors.Join(loud.Close()); err != nil {
			t.Fatal(err)
		}
	}()
	// The quiet one was never closed.
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	if now := runtime.NumGoroutine(); now > before {
		stacks := make([]byte, 1<<16)
		t.Errorf("%d goroutines, %d before:\n%s", now, before, stacks[:runtime.Stack(stacks, true)])
	}
	runtime.KeepAlive(quiet)
}
