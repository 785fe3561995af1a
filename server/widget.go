package server

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/web"
	"sparki.app/integrations/words"
)

// widget serves the page that a CRM shows inside its own. Its address is signed, for a while, by the CRM:
// whatever is wrong with it is answered with one and the same 401. The page changes nothing and sets no cookie.
func (s *Server) widget(provider providers.Provider) http.HandlerFunc {
	frames := strings.Join(provider.Info().WidgetFrames, " ")
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			refuse(w, http.StatusMethodNotAllowed, "the widget is read with GET")
			return
		}
		i, about, err := s.Integrations.Widget(r.Context(), provider, r.PathValue("id"), r.URL.RawQuery)
		if err != nil {
			refuse(w, http.StatusUnauthorized, "the address is not valid: its signature does not verify, or its time is over")
			return
		}
		ctx := words.With(r.Context(), strings.Join(r.Header.Values("Accept-Language"), ","))
		page, err := s.widgetPage(ctx, i, about)
		if err != nil {
			s.Log.ErrorContext(r.Context(), "widget not shown", slog.Any("error", err))
			w.Header().Set("Retry-After", "5")
			refuse(w, http.StatusServiceUnavailable, "the page is not available: try again")
			return
		}
		web.ServeWidget(w, page, frames)
	}
}

// widgetPage says what Sparki has of what the CRM's page is about.
func (s *Server) widgetPage(ctx context.Context, i *sparki.Integration, about providers.Widget) (web.Widget, error) {
	page := web.Widget{Language: words.LanguageOf(ctx)}
	if !i.Enabled {
		page.Title = words.In(ctx, "The connection with Sparki is switched off")
		return page, nil
	}
	item, err := s.widgetItem(ctx, i, about.Ref)
	if err != nil {
		return page, err
	}
	if item == nil {
		page.Title = words.In(ctx, "Sparki has nothing about this")
		return page, nil
	}
	portal, err := s.DB.Portal(ctx, i.PortalID)
	if err != nil {
		return page, err
	}
	zone, err := time.LoadLocation(portal.TimeZone)
	if err != nil {
		return page, err
	}
	projects, err := s.DB.ProjectsOfItems(ctx, i.PortalID, []uuid.UUID{item.ID}, false)
	if err != nil {
		return page, err
	}
	page.Title = item.Listing.Title
	page.Add(words.In(ctx, "Address"), item.Listing.Address.Label)
	if item.Listing.Price != nil {
		page.Add(words.In(ctx, "Price"), item.Listing.Price.Label)
	}
	state := words.In(ctx, "This is followed")
	if item.State != sparki.ItemActive {
		state = words.In(ctx, "This is no longer offered")
	}
	page.Add(words.In(ctx, "In Sparki"), state)
	page.Add(words.In(ctx, "Last read"), item.SyncedAt.In(zone).Format("02-01-2006 15:04"))
	for _, p := range projects {
		page.Add(words.In(ctx, "Project"), p.Title)
	}
	return page, nil
}

// widgetItem is the item that a widget is about; nil when there is none.
func (s *Server) widgetItem(ctx context.Context, i *sparki.Integration, ref *sparki.Ref) (*sparki.Item, error) {
	if ref == nil {
		return nil, nil
	}
	known, _, err := s.DB.KnownItems(ctx, i.PortalID, i.ID, []sparki.Ref{*ref})
	if err != nil {
		return nil, err
	}
	found, ok := known[ref.Key()]
	if !ok {
		return nil, nil
	}
	return s.DB.Item(ctx, i.PortalID, found.ID)
}
