package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// visit sends a request as a browser might, and gives the answer and its body.
func (b *bundle) visit(t *testing.T, method, path, body string, header map[string]string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
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
	return resp, string(content)
}

// A page elsewhere cannot make anything happen with a request that its browser sends without asking
// first, not even if it knew a token.
func TestSimpleRequestsChangeNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const mutation = `mutation { createProject(input: {title: "From elsewhere"}) { project { id } } }`
	const json = `{"query": "mutation { createProject(input: {title: \"From elsewhere\"}) { project { id } } }"}`
	signedIn := map[string]string{"Authorization": "Bearer " + b.token, "Accept": "application/graphql-response+json"}
	with := func(contentType string) map[string]string {
		return map[string]string{"Authorization": "Bearer " + b.token, "Content-Type": contentType}
	}
	const form = "--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n" + json + "\r\n--x\r\nContent-Disposition: form-data; name=\"map\"\r\n\r\n{}\r\n--x--\r\n"
	for name, c := range map[string]struct {
		method, path, body string
		header             map[string]string
		status             int
	}{
		"Get":         {"GET", "/graphql?query=" + url.QueryEscape(mutation), "", signedIn, 405},
		"GetNoToken":  {"GET", "/graphql?query=" + url.QueryEscape(`{ viewer { name } }`), "", nil, 401},
		"Text":        {"POST", "/graphql", json, with("text/plain"), 415},
		"TextAsJSON":  {"POST", "/graphql", json, with("text/plain; application/json"), 415},
		"Form":        {"POST", "/graphql", "query=" + url.QueryEscape(mutation), with("application/x-www-form-urlencoded"), 415},
		"Multipart":   {"POST", "/graphql", form, with("multipart/form-data; boundary=x"), 415},
		"GraphQL":     {"POST", "/graphql", mutation, with("application/graphql"), 415},
		"NoType":      {"POST", "/graphql", json, signedIn, 415},
		"QueryInURL":  {"POST", "/graphql?query=" + url.QueryEscape(mutation), "", with("application/json"), 400},
		"TokenInURL":  {"POST", "/graphql?access_token=" + b.token, json, map[string]string{"Content-Type": "application/json"}, 401},
		"OtherMethod": {"PUT", "/graphql", json, with("application/json"), 405},
	} {
		resp, content := b.visit(t, c.method, c.path, c.body, c.header)
		if resp.StatusCode != c.status {
			t.Errorf("%s: %d %s, want %d", name, resp.StatusCode, content, c.status)
		}
		if c.status == 405 && resp.Header.Get("Allow") == "" {
			t.Errorf("%s: no Allow", name)
		}
	}
	var out struct{ Projects struct{ TotalCount int } }
	if b.query(t, b.token, `{ projects { totalCount } }`, nil, &out); out.Projects.TotalCount != 0 {
		t.Errorf("%d projects were made", out.Projects.TotalCount)
	}
}

// Pages of the allowed origins may use the API with a token; no answer names or lets in any other, and
// none ever lets cookies come along.
func TestForeignOrigins(t *testing.T) {
	t.Parallel()
	const good = "https://app.example.nl"
	b := setup(t, func(c *config) { c.AllowedOrigins = []string{good} })
	for origin, allowed := range map[string]bool{
		good: true, "https://evil.example": false, "null": false, "http://app.example.nl": false, "https://app.example.nl.evil.example": false,
		"https://evil-app.example.nl": false, "https://app.example.nl:8443": false,
	} {
		want := map[bool]string{true: origin}[allowed]
		preflight, _ := b.visit(t, http.MethodOptions, "/graphql", "", map[string]string{
			"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type",
		})
		plain, _ := b.visit(t, http.MethodPost, "/graphql", `{"query": "{ viewer { name } }"}`, map[string]string{
			"Origin": origin, "Authorization": "Bearer " + b.token, "Content-Type": "application/json",
		})
		for what, resp := range map[string]*http.Response{"preflight": preflight, "request": plain} {
			if got := resp.Header.Get("Access-Control-Allow-Origin"); got != want {
				t.Errorf("%s: the %s lets in %q, want %q", origin, what, got, want)
			}
			if !strings.Contains(strings.Join(resp.Header.Values("Vary"), ","), "Origin") || resp.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s: the %s has %v", origin, what, resp.Header)
			}
		}
		dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
		conn, resp, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(b.url, "http")+"/graphql", http.Header{"Origin": {origin}})
		if (err == nil) != allowed || !allowed && resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: a socket is answered %v, %v", origin, resp, err)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
	conn, _, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(b.url, "http")+"/graphql", http.Header{"Origin": {b.url}})
	if err != nil {
		t.Fatalf("our own page: %v", err)
	}
	_ = conn.Close()
	// Webhooks and pages let no other origin read them.
	for _, path := range []string{"/", "/graphiql", "/healthz", "/webhooks/kolibri/v1/x"} {
		if resp, _ := b.visit(t, http.MethodGet, path, "", map[string]string{"Origin": good}); resp.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s lets in %s", path, resp.Header.Get("Access-Control-Allow-Origin"))
		}
	}
}

// No page elsewhere can put ours into a frame, whatever the route.
func TestNobodyFramesUs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/", "/graphiql", "/schema.graphqls", "/graphql", "/healthz", "/readyz", "/media/x", "/static/home.css", "/static/nothing", "/nothing", "/webhooks/kolibri/v1/x", "/mock/kolibri/x/"} {
		resp, _ := b.visit(t, http.MethodGet, path, "", nil)
		if resp.Header.Get("X-Frame-Options") != "DENY" || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: %d %v", path, resp.StatusCode, resp.Header)
		}
		if resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: its type may be guessed", path)
		}
	}
}
