package sparki

import (
	"context"

	"github.com/google/uuid"
)

// A Bell tells a worker that rows are waiting. It carries ids and nothing else: the row is the
// truth, a lost bell is rung again by the sweep, a bell too many finds nothing to do.
type Bell struct {
	Job      JobKind
	PortalID uuid.UUID
	// ID is the integration for ReadInbox, FetchItems, RenewMapping, PushAppointments and
	// CleanSmokeTests, the run for ContinueRun and SyncTargets, the portal itself for CopyMedia,
	// CollectMedia and Prune.
	ID uuid.UUID
}

// JobKind names a kind of background work. None is a prefix of another.
type JobKind string

const (
	// ReadInbox turns an integration's stored webhook messages into fetches.
	ReadInbox JobKind = "inbox:read"
	// FetchItems reads the objects that wait to be fetched for an integration.
	FetchItems JobKind = "items:fetch"
	// ContinueRun goes on with a sync run where it stopped.
	ContinueRun JobKind = "run:continue"
	// RenewMapping maps an integration's stored answers again with a newer mapping.
	RenewMapping JobKind = "mapping:renew"
	// CopyMedia copies a portal's pictures to the blob store.
	CopyMedia JobKind = "media:copy"
	// CollectMedia deletes the copies that no medium of the portal refers to.
	CollectMedia JobKind = "media:collect"
	// PushAppointments writes what is due to the agenda of an integration's CRM.
	PushAppointments JobKind = "appointments:push"
	// SyncTargets goes on with a run that reads a CRM's agendas.
	SyncTargets JobKind = "targets:sync"
	// CleanSmokeTests removes what smoke tests that broke off left in an integration's CRM.
	CleanSmokeTests JobKind = "smoke:clean"
	// Prune forgets what a portal need not keep any longer.
	Prune JobKind = "portal:prune"
)

// Signals tells other processes what was committed. Both calls are hints that may get lost: they
// take at most half a second, and fail silently.
type Signals interface {
	// Ring wakes a worker for each bell.
	Ring(ctx context.Context, bells ...Bell)
	// Wake tells the subscribers of these portals that something changed.
	Wake(ctx context.Context, portals ...uuid.UUID)
}
