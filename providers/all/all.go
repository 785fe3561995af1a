// Package all is the one list of CRMs: a new one is its folder and one line here.
package all

import (
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/kolibri"
)

// List gives every CRM, in the order in which the add-ons are shown.
func List() []providers.Provider {
	return []providers.Provider{
		kolibri.New(),
	}
}

// Keys lists the keys of every CRM.
func Keys() []string {
	var keys []string
	for _, p := range List() {
		keys = append(keys, p.Info().Key)
	}
	return keys
}
