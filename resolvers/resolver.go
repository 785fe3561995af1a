// Package resolvers answers the GraphQL API: each resolver asks a service, or the database where
// there is nothing to decide.
package resolvers

import (
	"context"
	"encoding/json"
	"log/slog"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/agenda"
	"sparki.app/integrations/db"
	"sparki.app/integrations/feed"
	"sparki.app/integrations/graph"
	"sparki.app/integrations/integrations"
	"sparki.app/integrations/listings"
	"sparki.app/integrations/media"
)

// Resolver is what the resolvers need.
type Resolver struct {
	DB           *db.DB
	Integrations *integrations.Service
	Listings     *listings.Service
	Agenda       *agenda.Service
	Media        *media.Service
	Feed         *feed.Feed
	Log          *slog.Logger
}

// need gives the caller, who must have a right.
func need(ctx context.Context, right sparki.Permission) (*sparki.Principal, error) {
	who, err := sparki.PrincipalFrom(ctx)
	if err != nil {
		return nil, err
	}
	return who, who.Need(right)
}

// portalOf is the portal of a caller who was let in already by the field above.
func portalOf(ctx context.Context) uuid.UUID {
	if who, err := sparki.PrincipalFrom(ctx); err == nil {
		return who.PortalID
	}
	return uuid.Nil // sees nothing
}

// payload splits what a service answered: a Refusal goes into the payload, any other error on top.
func payload(err error) ([]*sparki.UserError, error) {
	refused, ok := err.(sparki.Refusal)
	if !ok {
		return []*sparki.UserError{}, err
	}
	out := make([]*sparki.UserError, len(refused))
	for i := range refused {
		out[i] = &refused[i]
	}
	return out, nil
}

func integrationPayload(i *sparki.Integration, err error) (*graph.SaveIntegrationPayload, error) {
	refused, err := payload(err)
	return &graph.SaveIntegrationPayload{Integration: i, UserErrors: refused}, err
}

func runPayload(run *sparki.SyncRun, err error) (*graph.StartSyncPayload, error) {
	refused, err := payload(err)
	return &graph.StartSyncPayload{SyncRun: run, UserErrors: refused}, err
}

func projectPayload(p *sparki.Project, err error) (*graph.ProjectPayload, error) {
	refused, err := payload(err)
	return &graph.ProjectPayload{Project: p, UserErrors: refused}, err
}

// settingsInput reads the settings argument: an object, or nothing.
func settingsInput(v any) (map[string]any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, nil
	default:
		return nil, sparki.Refuse(sparki.CodeInvalid, "give an object of settings by key", "input", "settings")
	}
}

// rawJSON shows a CRM's answer as it came; what is no JSON, as a string.
func rawJSON(raw []byte) any {
	switch {
	case len(raw) == 0:
		return nil
	case json.Valid(raw):
		return json.RawMessage(raw)
	default:
		return string(raw)
	}
}

// nodeOf reads any object by its public id; nil when there is none in the portal.
func (r *Resolver) nodeOf(ctx context.Context, portal uuid.UUID, kind sparki.NodeKind, id uuid.UUID) (graph.Node, error) {
	switch kind {
	case sparki.PortalNode:
		if id != portal {
			return nil, nil
		}
		return found(r.DB.Portal(ctx, portal))
	case sparki.IntegrationNode:
		return found(load(ctx).integrations.load(id))
	case sparki.SyncRunNode:
		return found(load(ctx).runs.load(id))
	case sparki.DeliveryNode:
		return found(load(ctx).deliveries.load(id))
	case sparki.ItemNode:
		return found(load(ctx).wholeItems.load(id))
	case sparki.ProjectNode:
		return found(load(ctx).wholeProjects.load(id))
	case sparki.MediaNode:
		return found(r.DB.Media(ctx, portal, id))
	case sparki.ScheduleNode:
		return found(load(ctx).schedules.load(id))
	case sparki.AgendaTargetNode:
		return found(load(ctx).targets.load(id))
	case sparki.ScheduleLinkNode:
		return found(r.DB.ScheduleLink(ctx, portal, id))
	case sparki.AppointmentNode:
		return found(load(ctx).appointments.load(id))
	case sparki.ActivityNode:
		return found(r.DB.Activity(ctx, portal, id))
	default:
		return nil, nil
	}
}

// found turns an object that does not exist into null.
func found[T any, P interface {
	*T
	graph.Node
}](node P, err error) (graph.Node, error) {
	if sparki.KindOf(err) == sparki.NotFound {
		return nil, nil
	}
	if err != nil || node == nil {
		return nil, err
	}
	return node, nil
}

// foreign reads an id in a filter. One that is no id of this kind finds nothing, like any that does not exist.
func foreign(parse func(string) (uuid.UUID, error), text *string) *uuid.UUID {
	if text == nil {
		return nil
	}
	id, err := parse(*text)
	if err != nil {
		id = uuid.Nil
	}
	return &id
}

func anyID(s string) (uuid.UUID, error) {
	_, id, err := sparki.ParseID(s)
	return id, err
}

// needFor gives the caller, who must have a right, and the object of this kind that a mutation is about.
func needFor(ctx context.Context, right sparki.Permission, kind sparki.NodeKind, publicID string) (*sparki.Principal, uuid.UUID, error) {
	who, err := need(ctx, right)
	if err != nil {
		return nil, uuid.Nil, err
	}
	id, err := kind.Parse(publicID)
	return who, id, err
}

func saveInput(in graph.SaveIntegrationInput) (integrations.SaveInput, error) {
	settings, err := settingsInput(in.Settings.Value())
	enabled, _ := in.Enabled.ValueOK()
	return integrations.SaveInput{
		Provider: in.Provider, Enabled: enabled == nil || *enabled, Mock: in.Mock, Settings: settings,
		Domains: sparki.Domains{Listings: in.Domains.Listings, Agenda: in.Domains.Agenda, Outbound: in.Domains.Outbound},
	}, err
}

func (r *Resolver) items(ctx context.Context, portal uuid.UUID, f sparki.ItemFilter, order *graph.SyncedItemOrder, page sparki.PageArgs) (*graph.SyncedItemConnection, error) {
	whole := wantsListings(ctx, []string{"nodes", "listing"}, []string{"edges", "node", "listing"})
	return itemConnection(ctx)(r.DB.Items(ctx, portal, f, itemOrder(order), page, whole))
}

func (r *Resolver) addOns(ctx context.Context, portal uuid.UUID) ([]*graph.AddOn, error) {
	p, err := r.DB.Portal(ctx, portal)
	if err != nil {
		return nil, err
	}
	connected, err := r.DB.Integrations(ctx, portal)
	if err != nil {
		return nil, err
	}
	cards := make([]*graph.AddOn, 0, len(r.Integrations.Providers))
	for _, provider := range r.Integrations.Providers {
		info := provider.Info()
		card := &graph.AddOn{Provider: &info, Availability: graph.AddOnAvailabilityLocked}
		if p.Has(info.Key) {
			card.Availability = graph.AddOnAvailabilityAvailable
		}
		for _, i := range connected {
			if i.Provider == info.Key {
				card.Integration = i
			}
		}
		cards = append(cards, card)
	}
	return cards, nil
}

// mediaOf gives a project's media of one kind, in order.
func mediaOf(ctx context.Context, p *sparki.Project, kind sparki.MediaKind) ([]*sparki.ProjectMedia, error) {
	all, err := load(ctx).media.load(p.ID)
	media := make([]*sparki.ProjectMedia, 0, len(all))
	for _, m := range all {
		if m.Kind == kind {
			media = append(media, m)
		}
	}
	return media, err
}

// thumbnail picks the small picture: the person's if the field is his, else the CRM's.
func thumbnail(p *sparki.Project, media []*sparki.ProjectMedia) *sparki.ProjectMedia {
	wanted := sparki.MediaManaged
	if _, overridden := p.Overrides[sparki.FieldThumbnail]; overridden {
		wanted = sparki.MediaManual
	}
	var other *sparki.ProjectMedia
	for _, m := range media {
		if m.Origin == wanted {
			return m
		}
		other = m
	}
	return other
}
