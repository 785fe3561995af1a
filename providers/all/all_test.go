package all_test

import (
	"slices"
	"testing"

	"sparki.app/integrations/providers/all"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	keys := all.Keys()
	if !slices.Contains(keys, "kolibri") {
		t.Errorf("Kolibri is missing in %v", keys)
	}
	slices.Sort(keys)
	if len(slices.Compact(slices.Clone(keys))) != len(keys) {
		t.Errorf("two providers share a key: %v", keys)
	}
}
