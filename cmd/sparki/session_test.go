package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"sparki.app/integrations"
	"sparki.app/integrations/auth"
	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/providers/all"
	"sparki.app/integrations/providers/kolibri"
)

// header makes a header of names and values in turn.
func header(pairs ...string) http.Header {
	h := http.Header{}
	for n := 0; n < len(pairs); n += 2 {
		h.Add(pairs[n], pairs[n+1])
	}
	return h
}

// signIn trades a token for a cookie, as "name=value".
func (b *bundle) signIn(t *testing.T, token string) string {
	t.Helper()
	got := b.send(t, http.MethodPost, "/session", nil, header("Authorization", "Bearer "+token))
	cookie, _, _ := strings.Cut(got.header.Get("Set-Cookie"), ";")
	if got.status != http.StatusNoContent || !strings.Contains(cookie, "sparki_session=session_") {
		t.Fatalf("POST /session is answered %d %s %v", got.status, got.body, got.header)
	}
	return cookie
}

// asks sends a query with any headers and gives the status.
func (b *bundle) asks(t *testing.T, h http.Header) int {
	t.Helper()
	h.Set("Content-Type", "application/json")
	return b.send(t, http.MethodPost, "/graphql", strings.NewReader(`{"query": "{ viewer { name } }"}`), h).status
}

func TestSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const ours = "X-Requested-With"
	cookie := b.signIn(t, b.token)

	t.Run("Cookie", func(t *testing.T) {
		t.Parallel()
		for scheme, want := range map[string]string{
			"http":  `^sparki_session=session_[\w-]+; Path=/; Expires=[^;]+ GMT; HttpOnly; SameSite=Strict$`,
			"https": `^__Host-sparki_session=session_[\w-]+; Path=/; Expires=[^;]+ GMT; HttpOnly; Secure; SameSite=Strict$`,
		} {
			b := b
			if scheme == "https" {
				b = setup(t, func(c *config) { c.PublicAPIURL = "https://api.sparki.example" })
			}
			for what, got := range map[string]answered{
				"header": b.send(t, http.MethodPost, "/session", nil, header("Authorization", "Bearer "+b.token)),
				"body":   b.send(t, http.MethodPost, "/session", strings.NewReader(fmt.Sprintf(`{"token": %q}`, b.token)), header("Content-Type", "application/json; charset=utf-8")),
			} {
				if set := got.header.Get("Set-Cookie"); got.status != http.StatusNoContent || !regexp.MustCompile(want).MatchString(set) || strings.Contains(set, b.token) {
					t.Errorf("%s, token as %s: %d %s", scheme, what, got.status, set)
				}
				if got.header.Get("Cache-Control") != "no-store" {
					t.Errorf("Cache-Control is %q", got.header.Get("Cache-Control"))
				}
			}
			cookie := b.signIn(t, b.token)
			if status := b.asks(t, header("Cookie", cookie, ours, "x", "Origin", b.config.PublicAPIURL, "Sec-Fetch-Site", "same-origin")); status != http.StatusOK {
				t.Errorf("%s: the cookie from the public URL's page is answered %d", scheme, status)
			}
		}
	})
	// A cookie counts from our own pages only, and only with a header that no form or link can send (F6, F2, F3).
	t.Run("Counts", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			header http.Header
			status int
		}{
			"Programs":         {header(ours, "x"), http.StatusOK},
			"OwnPage":          {header(ours, "x", "Origin", b.url, "Sec-Fetch-Site", "same-origin"), http.StatusOK},
			"CookieOnly":       {header(), http.StatusUnauthorized},
			"OwnPageNoHeader":  {header("Origin", b.url), http.StatusUnauthorized},
			"EmptyHeader":      {header(ours, ""), http.StatusUnauthorized},
			"ForeignOrigin":    {header(ours, "x", "Origin", "https://evil.example"), http.StatusUnauthorized},
			"NullOrigin":       {header(ours, "x", "Origin", "null"), http.StatusUnauthorized},
			"OtherPort":        {header(ours, "x", "Origin", "http://127.0.0.1:1"), http.StatusUnauthorized},
			"OriginInside":     {header(ours, "x", "Origin", b.url+".evil.example"), http.StatusUnauthorized},
			"UserInfo":         {header(ours, "x", "Origin", strings.Replace(b.url, "://", "://x@", 1)+".evil.example"), http.StatusUnauthorized},
			"CrossSite":        {header(ours, "x", "Sec-Fetch-Site", "cross-site"), http.StatusUnauthorized},
			"SameSite":         {header(ours, "x", "Sec-Fetch-Site", "same-site"), http.StatusUnauthorized},
			"TypedAddress":     {header(ours, "x", "Sec-Fetch-Site", "none"), http.StatusUnauthorized},
			"WrongTokenBeside": {header(ours, "x", "Authorization", "Bearer nonsense"), http.StatusUnauthorized},
			"CookieAsToken":    {header("Authorization", "Bearer "+strings.TrimPrefix(cookie, "sparki_session=")), http.StatusUnauthorized},
		} {
			c.header.Set("Cookie", cookie)
			if status := b.asks(t, c.header); status != c.status {
				t.Errorf("%s: answered %d, want %d", name, status, c.status)
			}
		}
		for name, cookie := range map[string]string{
			"Token": "sparki_session=" + b.token, "Cut": cookie[:len(cookie)-1], "Empty": "sparki_session=", "OtherName": "session=" + strings.TrimPrefix(cookie, "sparki_session="),
		} {
			if status := b.asks(t, header("Cookie", cookie, ours, "x")); status != http.StatusUnauthorized {
				t.Errorf("cookie %s: answered %d", name, status)
			}
		}
		// A query by GET, as a foreign page's picture would send it.
		path := "/graphql?query=" + "%7Bviewer%7Bname%7D%7D"
		if got := b.send(t, http.MethodGet, path, nil, header("Cookie", cookie)); got.status != http.StatusUnauthorized {
			t.Errorf("GET with the cookie alone: %d", got.status)
		}
		if got := b.send(t, http.MethodGet, path, nil, header("Cookie", cookie, ours, "x")); got.status != http.StatusOK {
			t.Errorf("GET from our page: %d", got.status)
		}
	})
	// No mutation runs by GET, nor by what a form can send.
	t.Run("SimpleRequests", func(t *testing.T) {
		t.Parallel()
		before := b.count(t, "projects where portal_id = $1", b.portal.ID)
		const make = `mutation { createProject(input: {title: "CSRF"}) { project { id } } }`
		got := b.send(t, http.MethodGet, "/graphql?query="+strings.ReplaceAll(strings.ReplaceAll(make, " ", "%20"), `"`, "%22"), nil, header("Cookie", cookie, ours, "x"))
		if got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != http.MethodPost {
			t.Errorf("a mutation by GET is answered %d %s", got.status, got.body)
		}
		body := fmt.Sprintf(`{"query": %q}`, make)
		for _, contentType := range []string{"text/plain", "text/plain; application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/graphql", ""} {
			h := header("Cookie", cookie, ours, "x")
			h["Content-Type"] = []string{contentType}
			if got := b.send(t, http.MethodPost, "/graphql", strings.NewReader(body), h); got.status != http.StatusUnsupportedMediaType {
				t.Errorf("%q is answered %d %s", contentType, got.status, got.body)
			}
		}
		if after := b.count(t, "projects where portal_id = $1", b.portal.ID); after != before {
			t.Errorf("%d projects were made", after-before)
		}
	})
	t.Run("SignInFromElsewhere", func(t *testing.T) {
		t.Parallel()
		good := []string{"Authorization", "Bearer " + b.token}
		for name, h := range map[string]http.Header{
			"ForeignOrigin": header(append(good, "Origin", "https://evil.example")...), "CrossSite": header(append(good, "Sec-Fetch-Site", "cross-site")...),
		} {
			if got := b.send(t, http.MethodPost, "/session", nil, h); got.status != http.StatusForbidden || got.header.Get("Set-Cookie") != "" {
				t.Errorf("%s: %d %v", name, got.status, got.header)
			}
		}
		for _, contentType := range []string{"text/plain", "application/x-www-form-urlencoded", ""} {
			h := http.Header{"Content-Type": {contentType}}
			if got := b.send(t, http.MethodPost, "/session", strings.NewReader(fmt.Sprintf(`{"token": %q}`, b.token)), h); got.status != http.StatusBadRequest || got.header.Get("Set-Cookie") != "" {
				t.Errorf("%q: %d", contentType, got.status)
			}
		}
		huge := `{"token": "` + strings.Repeat("x", 1<<20) + `"}`
		if got := b.send(t, http.MethodPost, "/session", strings.NewReader(huge), header("Content-Type", "application/json")); got.status != http.StatusBadRequest {
			t.Errorf("1 MiB: %d", got.status)
		}
	})
	t.Run("SignOut", func(t *testing.T) {
		t.Parallel()
		cookie := b.signIn(t, b.token)
		live := b.cookieSocket(t, cookie, b.url)
		live.next(t, "connection_ack")
		for name, h := range map[string]http.Header{"NoHeader": header("Cookie", cookie), "Foreign": header("Cookie", cookie, ours, "x", "Origin", "https://evil.example")} {
			if got := b.send(t, http.MethodDelete, "/session", nil, h); got.status != http.StatusForbidden || got.header.Get("Set-Cookie") != "" {
				t.Errorf("%s: %d %v", name, got.status, got.header)
			}
		}
		got := b.send(t, http.MethodDelete, "/session", nil, header("Cookie", cookie, ours, "x"))
		if set := got.header.Get("Set-Cookie"); got.status != http.StatusNoContent || !strings.HasPrefix(set, "sparki_session=; ") || !strings.Contains(set, "Expires=Thu, 01 Jan 1970") {
			t.Errorf("DELETE: %d %s", got.status, set)
		}
		if status := b.asks(t, header("Cookie", cookie, ours, "x")); status != http.StatusUnauthorized {
			t.Errorf("after it was given back, the cookie is answered %d", status)
		}
		if code := live.closed(t, 10*time.Second); code != 4403 {
			t.Errorf("its socket is closed with %d", code)
		}
		if got := b.send(t, http.MethodDelete, "/session", nil, http.Header{}); got.status != http.StatusNoContent {
			t.Errorf("nobody signs out: %d", got.status)
		}
	})
	t.Run("EndsWithItsToken", func(t *testing.T) {
		t.Parallel()
		text, stored := auth.NewToken(b.portal.ID, "Short", sparki.Permissions)
		if err := b.db.CreateToken(t.Context(), b.portal.ID, stored); err != nil {
			t.Fatal(err)
		}
		cookie := b.signIn(t, text)
		live := b.cookieSocket(t, cookie, b.url)
		live.next(t, "connection_ack")
		if err := b.db.RevokeToken(t.Context(), b.portal.ID, stored.ID); err != nil {
			t.Fatal(err)
		}
		if code := live.closed(t, 10*time.Second); code != 4403 {
			t.Errorf("the socket is closed with %d", code)
		}
		within(t, 10*time.Second, "the cookie to be refused", func() bool { return b.asks(t, header("Cookie", cookie, ours, "x")) == http.StatusUnauthorized })
	})
	t.Run("RightsStay", func(t *testing.T) {
		t.Parallel()
		cookie := b.signIn(t, b.newToken(t, b.portal, sparki.View))
		h := header("Cookie", cookie, ours, "x", "Content-Type", "application/json")
		got := b.send(t, http.MethodPost, "/graphql", strings.NewReader(`{"query": "mutation { createProject(input: {title: \"x\"}) { project { id } } }"}`), h)
		if !strings.Contains(got.body, "FORBIDDEN") {
			t.Errorf("answered %d %s", got.status, got.body)
		}
	})
}

// cookieSocket opens a socket as a browser does on a page of an origin, with a cookie and without a token.
func (b *bundle) cookieSocket(t *testing.T, cookie, origin string) *client {
	t.Helper()
	c, status := b.handshake(t, cookie, origin)
	if c == nil {
		t.Fatalf("the handshake is answered %d", status)
	}
	return c
}

func (b *bundle) handshake(t *testing.T, cookie, origin string) (*client, int) {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}, HandshakeTimeout: patience}
	h := http.Header{}
	for name, value := range map[string]string{"Cookie": cookie, "Origin": origin} {
		if value != "" {
			h.Set(name, value)
		}
	}
	conn, resp, err := dialer.Dial("ws"+strings.TrimPrefix(b.url, "http")+"/graphql", h)
	if err != nil {
		if resp == nil {
			t.Fatal(err)
		}
		return nil, resp.StatusCode
	}
	c := &client{conn: conn}
	c.news, c.close = make(chan struct{}, 1), func() { _ = conn.Close() }
	t.Cleanup(c.close)
	go c.listen()
	c.write(t, map[string]any{"type": "connection_init", "payload": map[string]any{}})
	return c, http.StatusSwitchingProtocols
}

// A socket opens for pages of our own origin and of the allowed ones, and the cookie counts on our own only (F5).
func TestSocketOrigins(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *config) { c.AllowedOrigins = []string{"https://app.example.nl"} })
	cookie := b.signIn(t, b.token)
	for name, c := range map[string]struct {
		origin string
		code   int // 403 at the handshake, a close code, or 0 for an acknowledgement
	}{
		"Own": {b.url, 0}, "Foreign": {"https://evil.example", 403}, "Null": {"null", 403}, "OtherPort": {"http://127.0.0.1:1", 403},
		"Prefix": {b.url + ".evil.example", 403}, "Allowed": {"https://app.example.nl", 4403}, "AllowedOverHTTP": {"http://app.example.nl", 403},
		"BelowAllowed": {"https://x.app.example.nl", 403}, "NoBrowser": {"", 4403},
	} {
		socket, status := b.handshake(t, cookie, c.origin)
		switch {
		case socket == nil:
			if status != c.code {
				t.Errorf("%s: the handshake is answered %d, want %d", name, status, c.code)
			}
		case c.code == 0:
			socket.next(t, "connection_ack")
		default:
			if code := socket.closed(t, patience); code != c.code {
				t.Errorf("%s: closed with %d, want %d", name, code, c.code)
			}
		}
	}
}

// Pages of the listed origins may use the API with a token; nobody else's, and none with a cookie (F4).
func TestCORS(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *config) { c.AllowedOrigins = []string{"https://app.example.nl"} })
	for origin, allowed := range map[string]bool{
		"https://app.example.nl": true, "https://evil.example": false, "null": false, "http://app.example.nl": false, "https://app.example.nl.evil.example": false, "https://x.app.example.nl": false,
	} {
		for _, method := range []string{http.MethodOptions, http.MethodPost} {
			h := header("Origin", origin, "Authorization", "Bearer "+b.token, "Content-Type", "application/json")
			if method == http.MethodOptions {
				h = header("Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
			}
			got := b.send(t, method, "/graphql", strings.NewReader(`{"query": "{ viewer { name } }"}`), h)
			if acao := got.header.Get("Access-Control-Allow-Origin"); (acao == origin) != allowed || acao == "*" {
				t.Errorf("%s of %s: allowed %q", method, origin, acao)
			}
			if got.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s of %s: with cookies", method, origin)
			}
			if !strings.Contains(strings.Join(got.header.Values("Vary"), ","), "Origin") {
				t.Errorf("%s of %s: Vary is %q", method, origin, got.header.Values("Vary"))
			}
		}
		if got := b.send(t, http.MethodOptions, "/session", nil, header("Origin", origin, "Access-Control-Request-Method", "POST")); got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("/session may be used by pages of %s", origin)
		}
	}
}

func TestSignInLink(t *testing.T) {
	t.Parallel()
	b := setup(t)
	who, err := b.tokens.Authenticate(t.Context(), "Bearer "+b.token)
	if err != nil {
		t.Fatal(err)
	}
	path := "/sign-in?code=" + b.tokens.SignInCode(who)
	got := b.send(t, http.MethodGet, path, nil, http.Header{})
	cookie, _, _ := strings.Cut(got.header.Get("Set-Cookie"), ";")
	if got.status != http.StatusSeeOther || got.header.Get("Location") != "/" || got.header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("the first time: %d %v", got.status, got.header)
	}
	if status := b.asks(t, header("Cookie", cookie, "X-Requested-With", "x")); status != http.StatusOK {
		t.Errorf("its cookie is answered %d", status)
	}
	for _, path := range []string{path, "/sign-in?code=nonsense"} {
		got := b.send(t, http.MethodGet, path, nil, header("Accept-Language", "nl"))
		if got.status != http.StatusUnauthorized || got.header.Get("Set-Cookie") != "" || !strings.Contains(got.body, "aanmeldlink") {
			t.Errorf("a used code: %d %s %v", got.status, got.body, got.header)
		}
	}
}

// Who gets a sign-in wrong too often waits; a webhook that is rightly signed always passes (A18).
func TestFailuresAreLimited(t *testing.T) {
	t.Parallel()
	t.Run("SignIn", func(t *testing.T) {
		t.Parallel()
		b := setup(t, func(c *config) { c.proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
		try := func(token, from string) answered {
			return b.send(t, http.MethodPost, "/session", nil, header("Authorization", "Bearer "+token, "X-Forwarded-For", from))
		}
		statuses := map[int]int{}
		for range 30 {
			got := try("nonsense", "203.0.113.9")
			statuses[got.status]++
			if got.status == http.StatusTooManyRequests && got.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		}
		if statuses[401] < 10 || statuses[429] < 10 || len(statuses) != 2 {
			t.Errorf("answered %v", statuses)
		}
		if got := b.send(t, http.MethodGet, "/sign-in?code=nonsense", nil, header("X-Forwarded-For", "203.0.113.9")); got.status != http.StatusTooManyRequests {
			t.Errorf("a link from there: %d", got.status)
		}
		for _, from := range []string{"203.0.113.10", "203.0.113.9, 198.51.100.1"} {
			if got := try(b.token, from); got.status != http.StatusNoContent {
				t.Errorf("from %s: %d", from, got.status)
			}
		}
	})
	t.Run("Webhook", func(t *testing.T) {
		t.Parallel()
		h := newHook(t)
		body := kolibri.Envelope(update("", lindelaan))
		statuses := map[int]int{}
		for range 1000 {
			statuses[h.send(t, http.MethodPost, hookPath(h.integration), bytes.NewReader(body), jsonHeader("wrong")).status]++
		}
		if statuses[401] < 60 || statuses[429] < 500 || len(statuses) != 2 {
			t.Errorf("answered %v", statuses)
		}
		if got := h.deliver(t, h.integration, h.secret, body); got.status != http.StatusAccepted {
			t.Errorf("a good one from the same address: %d %s", got.status, got.body)
		}
		other := dbtest.Portal(t, h.db, all.Keys()...)
		neighbour := h.saveAs(t, h.newToken(t, other, sparki.Permissions...), h.office.settings(t)).Integration.ID
		if got := h.send(t, http.MethodPost, hookPath(neighbour), bytes.NewReader(body), jsonHeader("wrong")); got.status != http.StatusUnauthorized {
			t.Errorf("a wrong one for another integration: %d", got.status)
		}
	})
}

// Every answer says how a browser has to take it (F7), and nothing of the inside is on the public port (I9).
func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *config) { c.PublicAPIURL = "https://api.sparki.example" })
	integration := b.connectMock(t, "kolibri")
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/", 200}, {"GET", "/graphiql", 200}, {"GET", "/static/x", 404}, {"GET", "/schema.graphqls", 200}, {"GET", "/healthz", 200}, {"GET", "/readyz", 200},
		{"GET", "/media/x", 404}, {"POST", "/graphql", 415}, {"GET", "/graphql", 401}, {"PUT", "/graphql", 405}, {"POST", "/session", 400}, {"PUT", "/session", 405}, {"DELETE", "/session", 204},
		{"GET", "/sign-in?code=x", 401}, {"POST", hookPath(integration), 401}, {"GET", hookPath(integration), 405}, {"GET", "/nothing", 404},
		{"GET", "/metrics", 404}, {"GET", "/debug/pprof/", 404}, {"GET", "/debug/vars", 404}, {"GET", "/.env", 404}, {"GET", "/.git/config", 404},
		{"GET", "/mock/kolibri/" + integration + "/", 200},
	} {
		got := b.send(t, c.method, c.path, nil, http.Header{})
		if got.status != c.status {
			t.Errorf("%s %s is answered %d, want %d", c.method, c.path, got.status, c.status)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin",
			"Strict-Transport-Security": "max-age=31536000", "Server": "", "X-Powered-By": "",
		} {
			if value := got.header.Get(name); value != want {
				t.Errorf("%s %s: %s is %q, want %q", c.method, c.path, name, value, want)
			}
		}
		policy := got.header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") || regexp.MustCompile(`script-src[^;]*'unsafe`).MatchString(policy) {
			t.Errorf("%s %s: the policy is %q", c.method, c.path, policy)
		}
	}
}
