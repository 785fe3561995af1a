package integrations_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/integrations"
	"sparki.app/integrations/providers/rest"
)

// A CRM that fails is left alone for one office, and asked for the others; saving the settings asks it again.
func TestBreaker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Breaking = rest.Breaking{Failures: 3, Pause: time.Hour}
	told := map[string][]string{}
	b.Watch = func(i *sparki.Integration) func(string, time.Duration) {
		return func(outcome string, _ time.Duration) { told[i.NodeID()] = append(told[i.NodeID()], outcome) }
	}
	b.save(t, nil)
	broken := b.saved
	check := func(i *sparki.Integration) error {
		conn, err := b.Connect(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		return conn.Check(t.Context())
	}
	b.crm.refuse.Store(http.StatusServiceUnavailable)
	told[broken.NodeID()] = nil
	for range 3 {
		if err := check(broken); sparki.KindOf(err) != sparki.Unavailable || sparki.Unasked(err) {
			t.Fatalf("a CRM that fails: %v", err)
		}
	}
	calls := b.crm.calls.Load()
	b.crm.refuse.Store(0)
	if err := check(broken); !errors.Is(err, rest.ErrOpen) || !sparki.Unasked(err) || sparki.RetryAfter(err) < 59*time.Minute {
		t.Errorf("a CRM that is left alone: %v", err)
	}
	if b.crm.calls.Load() != calls {
		t.Error("it is called")
	}
	if want := []string{"5xx", "5xx", "5xx", "open"}; !slices.Equal(told[broken.NodeID()], want) {
		t.Errorf("told of %q, want %q", told[broken.NodeID()], want)
	}
	if got := b.Breakers(); len(got) != 1 || got[0] != (integrations.Breaker{IntegrationID: broken.ID, Provider: "kolibri", State: rest.Open}) {
		t.Errorf("the breakers are %+v", got)
	}

	b.portal = dbtest.Portal(t, b.DB, "kolibri")
	first := b.who
	b.who = &sparki.Principal{PortalID: b.portal.ID, Name: "Daan", Permissions: sparki.Permissions}
	b.save(t, nil)
	if err := check(b.saved); err != nil {
		t.Errorf("another office: %v", err)
	}
	b.who = first
	b.save(t, nil)
	if err := check(b.saved); err != nil {
		t.Errorf("after its settings were saved: %v", err)
	}
}
