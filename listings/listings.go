// Package listings brings CRM objects in: webhook deliveries and crawls become synced items, items
// become projects, and projects follow their items.
package listings

import (
	"context"
	"log/slog"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/providers"
)

// Service is what the program knows about listings.
type Service struct {
	DB *db.DB
	// Connect gives an integration's line to its CRM.
	Connect func(context.Context, *sparki.Integration) (providers.Conn, error)
	// Messages reads the body of a verified delivery.
	Messages func(context.Context, *sparki.Integration, []byte) ([]sparki.Message, error)
	// Map maps a stored answer again.
	Map func(context.Context, *sparki.Integration, sparki.Ref, []byte) (*sparki.Found, error)
	// MayShow says whether a medium at a URL that a CRM or a person gives may be shown and fetched.
	MayShow func(url string) bool
	// Info describes a kind of CRM by its key.
	Info    func(provider string) (*providers.Info, error)
	Signals sparki.Signals
	Log     *slog.Logger
}
