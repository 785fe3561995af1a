package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sparki.app/integrations"
)

// identities is a stand-in identity provider with one key.
type identities struct {
	*httptest.Server
	key *rsa.PrivateKey
}

func newIdentities(t *testing.T) *identities {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &identities{key: key}
	answer := func(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]string{"issuer": p.URL, "jwks_uri": p.URL + "/keys"})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"keys": []any{map[string]string{"kty": "RSA", "kid": "1", "n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "e": "AQAB"}}})
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// jwt signs for a person of a portal.
func (p *identities) jwt(t *testing.T, portal *sparki.Portal, until time.Time, permissions ...sparki.Permission) string {
	t.Helper()
	return p.jwtOf(t, "1", portal, until, permissions...)
}

// jwtOf signs for the person whom the provider knows as subject.
func (p *identities) jwtOf(t *testing.T, subject string, portal *sparki.Portal, until time.Time, permissions ...sparki.Permission) string {
	t.Helper()
	part := func(v any) string {
		text, _ := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	text := part(map[string]string{"alg": "RS256", "kid": "1"}) + "." + part(map[string]any{
		"iss": p.URL, "aud": "sparki", "sub": subject, "exp": until.Unix(), "name": "Sanne de Wit", "portal": portal.NodeID(), "permissions": permissions,
	})
	digest := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// A JWT of the identity provider is good for all that an API token is: queries, sockets, event streams, a session.
func TestIdentityProvider(t *testing.T) {
	t.Parallel()
	p := newIdentities(t)
	b := setup(t, func(c *config) { c.OIDCIssuer, c.OIDCAudience = p.URL, "sparki" })
	jwt := p.jwt(t, b.portal, time.Now().Add(time.Hour), sparki.View)
	var out struct {
		Viewer struct {
			Name        string
			Portal      struct{ ID string }
			Permissions []string
		}
	}
	b.query(t, jwt, `{ viewer { name portal { id } permissions } }`, nil, &out)
	if v := out.Viewer; v.Name != "Sanne de Wit" || v.Portal.ID != b.portal.NodeID() || len(v.Permissions) != 1 || v.Permissions[0] != "VIEW" {
		t.Errorf("the viewer is %+v", v)
	}
	if got := b.ask(t, jwt, `mutation { createProject(input: {title: "x"}) { project { id } } }`, nil); len(got.Errors) != 1 || got.Errors[0].Extensions.Code != "FORBIDDEN" {
		t.Errorf("a right that it lacks: %s %+v", got.Data, got.Errors)
	}
	if status := b.asks(t, header("Cookie", b.signIn(t, jwt), "X-Requested-With", "x")); status != http.StatusOK {
		t.Errorf("its session is answered %d", status)
	}

	// What expires ends its connections within ten seconds (G12), also while the same person and others have what is
	// good for longer.
	short := p.jwt(t, b.portal, time.Now().Add(3*time.Second), sparki.View)
	socket, idle, events := subscribe(t, b.url, short, followActivity, nil), b.cookieSocket(t, b.signIn(t, short), b.url), stream(t, b.url, short, followActivity, nil)
	idle.next(t, "connection_ack")
	renewed, other := dial(t, b.url, jwt), dial(t, b.url, p.jwtOf(t, "2", b.portal, time.Now().Add(time.Hour), sparki.View))
	renewed.next(t, "connection_ack")
	other.next(t, "connection_ack")
	for what, s := range map[string]*subscriber{"token's": socket, "session's": &idle.subscriber} {
		if code := s.closed(t, 13*time.Second); code != 4403 {
			t.Errorf("the %s socket is closed with %d", what, code)
		}
	}
	events.closed(t, 10*time.Second)
	for what, c := range map[string]*client{"the person's other": renewed, "another person's": other} {
		c.start(t, "1", `{ viewer { name } }`, nil)
		if e := c.next(t, "next"); !strings.Contains(string(e.payload.Data), "Sanne") {
			t.Errorf("%s socket says %+v", what, e)
		}
	}
	if got := b.ask(t, short, `{ viewer { name } }`, nil); got.Status != http.StatusUnauthorized {
		t.Errorf("once expired it is answered %d", got.Status)
	}

	p.Close()
	if got := b.ask(t, p.jwt(t, b.portal, time.Now().Add(time.Hour), sparki.View), `{ viewer { name } }`, nil); got.Status != http.StatusOK {
		t.Errorf("while the provider is away, whose key is known: %d", got.Status)
	}
	anew := setup(t, func(c *config) { c.OIDCIssuer, c.OIDCAudience = p.URL, "sparki" })
	got := anew.ask(t, jwt, `{ viewer { name } }`, nil)
	if got.Status != http.StatusServiceUnavailable {
		t.Errorf("while its keys cannot be read: %d %+v", got.Status, got.Errors)
	}
	if got := anew.ask(t, anew.token, `{ viewer { name } }`, nil); got.Status != http.StatusOK {
		t.Errorf("an API token meanwhile: %d", got.Status)
	}
}
