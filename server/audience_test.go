package server

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/words"
)

// Who is shown the same: whatever token it is, the rights count, the portal and the language.
func TestAudience(t *testing.T) {
	t.Parallel()
	portal := uuid.New()
	of := func(portal uuid.UUID, language string, rights ...sparki.Permission) string {
		who := &sparki.Principal{PortalID: portal, TokenID: uuid.New(), Name: "Sanne", Permissions: rights}
		return audience(words.With(sparki.WithPrincipal(t.Context(), who), language))
	}
	one := of(portal, "en", sparki.View, sparki.EditProjects)
	for what, same := range map[string]string{
		"Order": of(portal, "en", sparki.EditProjects, sparki.View), "NoLanguage": of(portal, "", sparki.View, sparki.EditProjects),
		"UnknownLanguage": of(portal, "tlh", sparki.View, sparki.EditProjects),
	} {
		if same != one {
			t.Errorf("%s: %s and %s", what, one, same)
		}
	}
	for what, other := range map[string]string{
		"Portal": of(uuid.New(), "en", sparki.View, sparki.EditProjects), "Rights": of(portal, "en", sparki.View),
		"Language": of(portal, "nl", sparki.View, sparki.EditProjects), "Nobody": audience(t.Context()),
	} {
		if other == one {
			t.Errorf("%s: %s for both", what, one)
		}
	}
}

// Whose sockets are counted together: those of an API token and its sessions, and those of a person of the identity
// provider in one portal; each credential ends by itself.
func TestHolder(t *testing.T) {
	t.Parallel()
	portal, token := uuid.New(), uuid.New()
	of := func(who sparki.Principal) (string, string) {
		ctx := sparki.WithPrincipal(t.Context(), &who)
		return holder(ctx), proof(ctx)
	}
	seen := map[string]string{}
	for what, who := range map[string]sparki.Principal{
		"Token":         {PortalID: portal, TokenID: token, Name: "Sanne", Credential: "token"},
		"TokensSession": {PortalID: portal, TokenID: token, Name: "Sanne", Credential: "session"},
		"OtherToken":    {PortalID: portal, TokenID: uuid.New(), Name: "Sanne", Credential: "other"},
		"Person":        {PortalID: portal, Subject: "1", Name: "Sanne", Credential: "jwt"},
		"PersonAnew":    {PortalID: portal, Subject: "1", Name: "Sanne de Wit", Credential: "renewed"},
		"Namesake":      {PortalID: portal, Subject: "2", Name: "Sanne", Credential: "namesake"},
		"Elsewhere":     {PortalID: uuid.New(), Subject: "1", Name: "Sanne", Credential: "elsewhere"},
	} {
		held, shown := of(who)
		seen[what] = held
		if strings.Contains(shown, who.Credential.Reveal()) {
			t.Errorf("%s: what was shown is kept as it is", what)
		}
		seen["proof of "+what] = shown
	}
	if seen["Token"] != seen["TokensSession"] || seen["Person"] != seen["PersonAnew"] {
		t.Errorf("what belongs together is counted apart: %q", seen)
	}
	delete(seen, "TokensSession")
	delete(seen, "PersonAnew")
	distinct := map[string]bool{}
	for _, name := range seen {
		distinct[name] = true
	}
	if len(distinct) != len(seen) || distinct[""] {
		t.Errorf("what belongs apart is counted together: %q", seen)
	}
}

// Each portal has its own allowance of operations: what comes at once, and then so many a second.
func TestAdmission(t *testing.T) {
	t.Parallel()
	ctx := sparki.WithPrincipal(t.Context(), &sparki.Principal{PortalID: uuid.New()})
	other := sparki.WithPrincipal(t.Context(), &sparki.Principal{PortalID: uuid.New()})
	a := &admission{perSecond: 0.001}
	if wait := a.admit(ctx); wait != 0 {
		t.Fatalf("the first waits %v", wait)
	}
	for range 2 { // a refused one takes nothing of the allowance
		if wait := a.admit(ctx); wait < 990e9 || wait > 1000e9 {
			t.Errorf("the next waits %v, want 1,000 s", wait)
		}
	}
	if wait := a.admit(other); wait != 0 {
		t.Errorf("another portal waits %v", wait)
	}
	unlimited := &admission{}
	for range 1000 {
		if wait := unlimited.admit(ctx); wait != 0 {
			t.Fatalf("without a limit one waits %v", wait)
		}
	}
}
