package kolibri

import (
	"testing"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/memstore"
	"sparki.app/integrations/providers/rest"
)

// TestMockThroughTheRealClient crawls the seed and 150 more with the real client, in this process
// and without a network: what mock mode does.
func TestMockThroughTheRealClient(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	if err := SeedObjects(t.Context(), store, 150, 0); err != nil {
		t.Fatal(err)
	}
	m := New().Mock(providers.MockOptions{Store: store, BaseURL: "http://mock.example/kolibri"})
	s, err := m.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := New().Connect(s, rest.Local(m))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen, inactive := map[string]bool{}, map[sparki.InactiveReason]int{}
	for crawl := (providers.Crawl{}); ; {
		page, err := conn.Page(t.Context(), crawl)
		if err != nil {
			t.Fatal(err)
		}
		for _, ref := range page.Refs {
			seen[ref.Key()] = true
			found, err := conn.Listing(t.Context(), ref)
			if err != nil {
				t.Errorf("%s: %v", ref.Key(), err)
				continue
			}
			inactive[found.Inactive]++
			if len(found.Unknown) > 0 && ref.ID != mockStrange {
				t.Errorf("%s has values the mapping does not know: %q", ref.Key(), found.Unknown)
			}
			if found.Inactive == "" && (found.Listing == nil || found.Listing.Title == "") {
				t.Errorf("%s has no title", ref.Key())
			}
		}
		if crawl.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	// Everything but the acquisition and the older version of a property.
	if want := 150 + 40 + 4 - 1; len(seen) != want {
		t.Errorf("%d listings, want %d", len(seen), want)
	}
	if inactive[""] < 150+25 || inactive[sparki.ReasonWithdrawn] < 2 || inactive[sparki.ReasonNotAvailable] < 1 {
		t.Errorf("states: %v", inactive)
	}
}
