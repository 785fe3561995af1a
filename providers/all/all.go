// Package all is the one list of the CRMs that Sparki knows: a new one is its folder and one line
// here.
package all

import (
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/kolibri"
)

// List gives every provider, in the order in which they are shown.
func List() []providers.Provider {
	return []providers.Provider{
		kolibri.New(),
	}
}

// Lookup finds a provider by its key; ok is false when there is none.
func Lookup(key string) (p providers.Provider, ok bool) {
	for _, p := range List() {
		if p.Info().Key == key {
			return p, true
		}
	}
	return nil, false
}
