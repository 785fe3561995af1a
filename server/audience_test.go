package server

import (
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
