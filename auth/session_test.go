package auth

import (
	"testing"
	"time"

	"sparki.app/integrations"
)

func TestSession(t *testing.T) {
	t.Parallel()
	tokens, portal, text, stored := setup(t)
	who, err := tokens.Authenticate(t.Context(), "Bearer "+text)
	if err != nil {
		t.Fatal(err)
	}
	open := func(t *testing.T) string {
		t.Helper()
		cookie, until, err := tokens.OpenSession(t.Context(), who)
		if err != nil || time.Until(until) > sessionFor {
			t.Fatalf("until %v: %v", until, err)
		}
		return cookie
	}
	cookie := open(t)
	got, err := tokens.AuthenticateSession(t.Context(), cookie)
	if err != nil || got.PortalID != portal.ID || got.Name != "Sanne" || got.Need(sparki.View) != nil || got.Need(sparki.EditProjects) == nil {
		t.Fatalf("%+v, %v", got, err)
	}

	for name, refused := range map[string]func() error{
		"CookieAsHeader": func() error { _, err := tokens.Authenticate(t.Context(), "Bearer "+cookie); return err },
		"TokenAsCookie":  func() error { _, err := tokens.AuthenticateSession(t.Context(), text); return err },
		"Cut":            func() error { _, err := tokens.AuthenticateSession(t.Context(), cookie[:len(cookie)-2]); return err },
		"OtherSecret": func() error {
			_, err := tokens.AuthenticateSession(t.Context(), cookie[:len(cookie)-4]+"AAAA")
			return err
		},
		"Empty": func() error { _, err := tokens.AuthenticateSession(t.Context(), ""); return err },
	} {
		if err := refused(); sparki.KindOf(err) != sparki.Unauthenticated {
			t.Errorf("%s: %v", name, err)
		}
	}

	t.Run("GivenBack", func(t *testing.T) {
		cookie := open(t)
		who, err := tokens.AuthenticateSession(t.Context(), cookie)
		if err != nil {
			t.Fatal(err)
		}
		if err := tokens.CloseSession(t.Context(), cookie); err != nil {
			t.Fatal(err)
		}
		if _, err := tokens.AuthenticateSession(t.Context(), cookie); sparki.KindOf(err) != sparki.Unauthenticated {
			t.Errorf("it is good after it was given back: %v", err)
		}
		if err := tokens.Alive(t.Context(), who); sparki.KindOf(err) != sparki.Unauthenticated {
			t.Errorf("its socket lives on: %v", err)
		}
		if err := tokens.CloseSession(t.Context(), cookie); err != nil {
			t.Errorf("given back twice: %v", err)
		}
	})
	t.Run("EndsWithItsToken", func(t *testing.T) {
		fresh := &Tokens{DB: tokens.DB} // who remembers nothing
		if err := tokens.DB.RevokeToken(t.Context(), portal.ID, stored.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := fresh.AuthenticateSession(t.Context(), cookie); sparki.KindOf(err) != sparki.Unauthenticated {
			t.Errorf("the token is revoked: %v", err)
		}
		if err := tokens.Alive(t.Context(), got); sparki.KindOf(err) != sparki.Unauthenticated {
			t.Errorf("its socket lives on: %v", err)
		}
	})
}

// A session never outlives what it was traded for.
func TestSessionEndsWithItsJWT(t *testing.T) {
	t.Parallel()
	tokens, portal, i := withIssuer(t)
	exp := time.Now().Add(10 * time.Minute).Truncate(time.Second)
	who, err := tokens.Authenticate(t.Context(), "Bearer "+i.sign(t, "one", i.person(portal, map[string]any{"exp": exp.Unix()})))
	if err != nil {
		t.Fatal(err)
	}
	cookie, until, err := tokens.OpenSession(t.Context(), who)
	if err != nil || !until.Equal(exp) {
		t.Fatalf("until %v, want %v: %v", until, exp, err)
	}
	if got, err := tokens.AuthenticateSession(t.Context(), cookie); err != nil || got.Name != "Sanne" || got.Subject != "auth0|1" || !got.ExpiresAt.Equal(exp) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestSignInCode(t *testing.T) {
	t.Parallel()
	tokens, portal, text, stored := setup(t)
	who, err := tokens.Authenticate(t.Context(), "Bearer "+text)
	if err != nil {
		t.Fatal(err)
	}
	code, late := tokens.SignInCode(who), tokens.SignInCode(who)
	if got, err := tokens.TakeSignInCode(t.Context(), code); err != nil || got.PortalID != portal.ID {
		t.Errorf("%+v, %v", got, err)
	}
	for _, code := range []string{code, "", "guess"} {
		if _, err := tokens.TakeSignInCode(t.Context(), code); sparki.KindOf(err) != sparki.Unauthenticated {
			t.Errorf("%q: %v", code, err)
		}
	}
	if err := tokens.DB.RevokeToken(t.Context(), portal.ID, stored.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := tokens.TakeSignInCode(t.Context(), late); sparki.KindOf(err) != sparki.Unauthenticated {
		t.Errorf("after its token was revoked: %v", err)
	}
}
