// Package all is the one list of the CRMs that Sparki knows: a new one is its folder and one line
// here.
package all

import (
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/kolibri"
	"sparki.app/integrations/providers/realworks"
)

// List gives every provider, in the order in which they are shown.
func List() []providers.Provider {
	return []providers.Provider{
		kolibri.New(),
		realworks.New(),
	}
}

// Keys gives every provider's key, in the same order.
func Keys() []string {
	list := List()
	keys := make([]string, len(list))
	for i, p := range list {
		keys[i] = p.Info().Key
	}
	return keys
}
