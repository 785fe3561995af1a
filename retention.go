package sparki

import "time"

// How long things are kept (product.md §10). The history of an item is bounded by number instead, a
// CRM's raw answer lives as long as its item, and a webhook's message ids are kept for good: a message
// that comes again years later is still the same one.
const (
	KeepDeliveryBodies = 30 * 24 * time.Hour
	KeepActivities     = 180 * 24 * time.Hour
)
