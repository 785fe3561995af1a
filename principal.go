package sparki

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Permission is one right of a caller inside its portal.
type Permission string

// The rights that a token may carry.
const (
	View               Permission = "VIEW"
	EditPortalSettings Permission = "EDIT_PORTAL_SETTINGS"
	EditProjects       Permission = "EDIT_PROJECTS"
	EditAgendas        Permission = "EDIT_AGENDAS"
)

// Permissions lists every right, in the order in which they are shown.
var Permissions = []Permission{View, EditPortalSettings, EditProjects, EditAgendas}

// Portal is one customer environment: the tenant.
type Portal struct {
	ID   uuid.UUID
	Name string
	// TimeZone is an IANA name such as Europe/Amsterdam.
	TimeZone string
	// AddOns are the keys of the providers that the portal's plan includes.
	AddOns []string
}

// NodeID is the portal's public id.
func (p *Portal) NodeID() string { return PortalNode.ID(p.ID) }

// Has says whether the portal's plan includes the add-on of a provider.
func (p *Portal) Has(provider string) bool { return slices.Contains(p.AddOns, provider) }

// Principal is the caller: a person or an API token, always inside exactly one portal.
type Principal struct {
	PortalID    uuid.UUID
	TokenID     uuid.UUID // the API token; zero for a caller of the identity provider
	Subject     string    // who this is to the identity provider; "" for an API token
	Name        string
	Permissions []Permission
	// ExpiresAt is zero for a token that does not expire.
	ExpiresAt time.Time
	// Credential is what the caller showed, to be looked at again for as long as a connection stays open.
	Credential Secret
}

// Need fails with Forbidden when the caller lacks a right.
func (p *Principal) Need(right Permission) error {
	if slices.Contains(p.Permissions, right) {
		return nil
	}
	return Errorf(Forbidden, "this needs the permission %s", right)
}

type principalKey struct{}

// WithPrincipal puts the caller into a context.
func WithPrincipal(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom is the caller of this request; Unauthenticated when nobody signed in.
func PrincipalFrom(ctx context.Context) (*Principal, error) {
	if p, ok := ctx.Value(principalKey{}).(*Principal); ok {
		return p, nil
	}
	return nil, Errorf(Unauthenticated, "send an API token: Authorization: Bearer …")
}
