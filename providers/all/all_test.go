package all_test

import (
	"testing"

	"sparki.app/integrations/providers/all"
)

func TestLookup(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, p := range all.List() {
		key := p.Info().Key
		if seen[key] {
			t.Errorf("two providers are called %q", key)
		}
		seen[key] = true
		if found, ok := all.Lookup(key); !ok || found.Info().Key != key {
			t.Errorf("Lookup(%q) = %v, %v", key, found, ok)
		}
	}
	if !seen["kolibri"] {
		t.Error("Kolibri is missing")
	}
	if p, ok := all.Lookup("nobody"); ok || p != nil {
		t.Errorf("Lookup of nobody = %v", p)
	}
}
