package auth

import (
	"strings"
	"testing"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/devstack/teststack"
)

func TestMain(m *testing.M) { teststack.Main(m) }

func setup(t *testing.T) (*Tokens, *sparki.Portal, string, *db.Token) {
	t.Helper()
	d := dbtest.New(t)
	portal := dbtest.Portal(t, d)
	text, stored := NewToken(portal.ID, "Sanne", []sparki.Permission{sparki.View})
	if err := d.CreateToken(t.Context(), portal.ID, stored); err != nil {
		t.Fatal(err)
	}
	return &Tokens{DB: d}, portal, text, stored
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	tokens, portal, text, _ := setup(t)
	who, err := tokens.Authenticate(t.Context(), "bearer "+text)
	if err != nil || who.PortalID != portal.ID || who.Name != "Sanne" || who.Need(sparki.View) != nil {
		t.Fatalf("%+v, %v", who, err)
	}
	if err := who.Need(sparki.EditProjects); sparki.KindOf(err) != sparki.Forbidden {
		t.Errorf("a right that it lacks: %v", err)
	}

	other := dbtest.Portal(t, tokens.DB)
	elsewhere, _ := NewToken(other.ID, "Sanne", nil) // never stored
	last := map[bool]string{true: "B", false: "A"}[text[len(text)-1] == 'A']
	for name, header := range map[string]string{
		"Nothing": "", "NoScheme": text, "OtherScheme": "Basic " + text, "Empty": "Bearer ", "NoToken": "Bearer hunter2",
		"Unknown": "Bearer " + elsewhere, "LastCharacter": "Bearer " + text[:len(text)-1] + last, "Longer": "Bearer " + text + "A",
		"WithoutPrefix": "Bearer " + strings.TrimPrefix(text, tokenPrefix), "Newline": "Bearer " + text[:20] + "\n" + text[20:],
	} {
		if who, err := tokens.Authenticate(t.Context(), header); sparki.KindOf(err) != sparki.Unauthenticated || strings.Contains(err.Error(), text) {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
}

func TestTokenEnds(t *testing.T) {
	t.Parallel()

	t.Run("Revoked", func(t *testing.T) {
		t.Parallel()
		tokens, portal, text, stored := setup(t)
		who, err := tokens.Authenticate(t.Context(), "Bearer "+text)
		if err != nil {
			t.Fatal(err)
		}
		if err := tokens.DB.RevokeToken(t.Context(), portal.ID, stored.ID); err != nil {
			t.Fatal(err)
		}
		if err := tokens.Alive(t.Context(), who); sparki.KindOf(err) != sparki.Unauthenticated {
			t.Errorf("a socket lives on: %v", err)
		}
		if _, err := (&Tokens{DB: tokens.DB}).Authenticate(t.Context(), "Bearer "+text); sparki.KindOf(err) != sparki.Unauthenticated {
			t.Errorf("somebody who remembers nothing lets it in: %v", err)
		}
		for hash := range tokens.good { // as if its time had come
			tokens.good[hash] = known{who, time.Now()}
		}
		if _, err := tokens.Authenticate(t.Context(), "Bearer "+text); sparki.KindOf(err) != sparki.Unauthenticated {
			t.Errorf("it is let in for longer than it is remembered: %v", err)
		}
	})

	t.Run("Expired", func(t *testing.T) {
		t.Parallel()
		d := dbtest.New(t)
		portal := dbtest.Portal(t, d)
		text, stored := NewToken(portal.ID, "Sanne", []sparki.Permission{sparki.View})
		past := time.Now().Add(-time.Second)
		stored.ExpiresAt = &past
		if err := d.CreateToken(t.Context(), portal.ID, stored); err != nil {
			t.Fatal(err)
		}
		if _, err := (&Tokens{DB: d}).Authenticate(t.Context(), "Bearer "+text); sparki.KindOf(err) != sparki.Unauthenticated {
			t.Errorf("an expired token: %v", err)
		}
	})

	t.Run("DatabaseAway", func(t *testing.T) {
		t.Parallel()
		tokens, _, text, _ := setup(t)
		tokens.DB.Close()
		if _, err := tokens.Authenticate(t.Context(), "Bearer "+text); err == nil || sparki.KindOf(err) == sparki.Unauthenticated {
			t.Errorf("a good token is refused for the database's sake: %v", err)
		}
	})
}
