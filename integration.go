package sparki

import (
	"time"

	"github.com/google/uuid"
)

// Domains are the separate switches for the separate flows.
type Domains struct {
	// Listings: read objects, store items, keep linked projects fresh.
	Listings bool
	// Agenda: read agenda targets so that schedules can be linked.
	Agenda bool
	// Outbound: write confirmed appointments back.
	Outbound bool
}

// ConnectionState is the outcome of the last connection check, or of the last refusal by the CRM.
type ConnectionState string

// The connection states.
const (
	Unchecked               ConnectionState = "UNCHECKED"
	ConnectionOK            ConnectionState = "OK"
	ConnectionUnreachable   ConnectionState = "UNREACHABLE"
	ConnectionUnauthorized  ConnectionState = "UNAUTHORIZED"
	ConnectionRevoked       ConnectionState = "REVOKED"
	ConnectionMisconfigured ConnectionState = "MISCONFIGURED"
)

// Connection is what we know about the line to the CRM.
type Connection struct {
	State     ConnectionState
	CheckedAt *time.Time
	// Problem is in plain words for the person who has to mend it; nil while OK or UNCHECKED.
	Problem *string
}

// ConnectionAfter says what an answer of the CRM tells about the connection. ok is false when it
// tells nothing about it, as with a missing object.
func ConnectionAfter(err error, at time.Time) (c Connection, ok bool) {
	c = Connection{CheckedAt: &at}
	switch KindOf(err) {
	case "":
		c.State = ConnectionOK
		return c, true
	case Unauthorized:
		c.State = ConnectionUnauthorized
	case Misconfigured:
		c.State = ConnectionMisconfigured
	case Unavailable:
		c.State = ConnectionUnreachable
	default:
		return c, false
	}
	text := TextOf(err)
	c.Problem = &text
	return c, true
}

// Integration is the connection of one portal with one CRM.
type Integration struct {
	ID       uuid.UUID
	PortalID uuid.UUID
	// Provider is the key of the CRM's provider, for example "kolibri".
	Provider string
	// Enabled is the master switch: off stops every read, every webhook and every write-back.
	Enabled bool
	// Mock: the built-in mock CRM stands in for the live one.
	Mock       bool
	Domains    Domains
	Connection Connection
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// NodeID is the integration's public id.
func (i *Integration) NodeID() string { return IntegrationNode.ID(i.ID) }

// Parked says whether its jobs wait for a person: the CRM refused us, and asking again before the
// settings are saved would only be refused again.
func (i *Integration) Parked() bool {
	return i.Connection.State == ConnectionUnauthorized || i.Connection.State == ConnectionRevoked
}

// ReadsListings says whether listings may be fetched now.
func (i *Integration) ReadsListings() bool { return i.Enabled && i.Domains.Listings }

// ReadsAgenda says whether the CRM's agenda may be read now.
func (i *Integration) ReadsAgenda() bool { return i.Enabled && i.Domains.Agenda }

// SettingKind is the kind of input a setting is edited with, and the shape of its value: a list of
// strings for SettingList, a boolean for SettingToggle, a string for the others.
type SettingKind string

// The kinds of settings.
const (
	SettingText      SettingKind = "TEXT"
	SettingURL       SettingKind = "URL"
	SettingSecret    SettingKind = "SECRET"
	SettingList      SettingKind = "LIST"
	SettingToggle    SettingKind = "TOGGLE"
	SettingMultiline SettingKind = "MULTILINE"
)

// SettingField describes one field of a provider's settings form.
type SettingField struct {
	Key   string
	Label string
	Help  string
	Kind  SettingKind
	// Required: needed before the integration can talk to the live CRM.
	Required    bool
	Placeholder *string
	Suggestions []string
	// BoundTo are the keys of the URL settings whose hosts this secret, or what it buys, is sent to: when
	// one of them changes, it has to be given again. Empty for a secret that is never sent.
	BoundTo []string
	// Narrows: a filter, which takes over fewer objects than the CRM offers.
	Narrows bool
	// Check looks at a text's content; nil accepts any. Its error is Invalid, in words for the person.
	Check func(value string) error
	// MinLength is the least number of characters of a secret; 0 for no bound.
	MinLength int
}

// Settings are an integration's values, opened, by key.
type Settings struct {
	Text    map[string]string   // TEXT, URL, MULTILINE
	Lists   map[string][]string // LIST
	Toggles map[string]bool     // TOGGLE
	// Secrets holds the current value first, then a previous one while it is still valid.
	Secrets map[string][]Secret
}

// Secret is the current value of a secret setting; "" when none is stored.
func (s Settings) Secret(key string) Secret {
	if all := s.Secrets[key]; len(all) > 0 {
		return all[0]
	}
	return ""
}

// Setting is one stored value as it may be shown.
type Setting struct {
	Field SettingField
	// Value is a string, a list of strings or a boolean; nil when unset, and always for a secret.
	Value     any
	IsSet     bool
	UpdatedAt *time.Time
	// PreviousValidUntil is until when the secret's previous value is accepted as well.
	PreviousValidUntil *time.Time
}

// SyncDomain is what a run reads.
type SyncDomain string

// What can be read.
const (
	// SyncListings reads the CRM's objects.
	SyncListings SyncDomain = "LISTINGS"
	// SyncAgenda reads the CRM's agendas, that schedules can be linked with.
	SyncAgenda SyncDomain = "AGENDA"
)

// SyncTrigger is why a run was started.
type SyncTrigger string

// What starts a run.
const (
	TriggerSettingsSaved SyncTrigger = "SETTINGS_SAVED"
	TriggerManual        SyncTrigger = "MANUAL"
	TriggerScheduled     SyncTrigger = "SCHEDULED"
)

// SyncRunState is where a run stands.
type SyncRunState string

// The states of a run.
const (
	RunQueued        SyncRunState = "QUEUED"
	RunRunning       SyncRunState = "RUNNING"
	RunNeedsApproval SyncRunState = "NEEDS_APPROVAL"
	RunSucceeded     SyncRunState = "SUCCEEDED"
	RunFailed        SyncRunState = "FAILED"
	RunCancelled     SyncRunState = "CANCELLED"
)

// SyncRun is one crawl of a CRM, resumable page by page.
type SyncRun struct {
	ID            uuid.UUID
	IntegrationID uuid.UUID
	Domain        SyncDomain
	Trigger       SyncTrigger
	State         SyncRunState
	// Full: everything is read, and what is not found is looked at. Otherwise only what changed.
	Full bool
	// Approved: a person wants what is missing deactivated, however much it is.
	Approved bool
	// Since is where an incremental run stops reading; nil for a full one.
	Since *time.Time
	// Cursor is the provider's place in the crawl; "" at the start.
	Cursor string
	Total  *int
	SyncRunCounts
	StartedAt  *time.Time
	FinishedAt *time.Time
	Error      *string
}

// SyncRunCounts is the progress of a run, in objects.
type SyncRunCounts struct {
	Processed   int
	Created     int
	Updated     int
	Unchanged   int
	Deactivated int
	Failed      int
}

// Add sums two counts.
func (c SyncRunCounts) Add(o SyncRunCounts) SyncRunCounts {
	return SyncRunCounts{
		Processed: c.Processed + o.Processed, Created: c.Created + o.Created, Updated: c.Updated + o.Updated,
		Unchanged: c.Unchanged + o.Unchanged, Deactivated: c.Deactivated + o.Deactivated, Failed: c.Failed + o.Failed,
	}
}

// NodeID is the run's public id.
func (r *SyncRun) NodeID() string { return SyncRunNode.ID(r.ID) }

// A run that would deactivate more than both of these waits for a person.
const (
	guardItems   = 10
	guardPercent = 20
)

// NeedsApproval is the mass-missing guard: whether a person has to approve that a run deactivates
// missing of the active items.
func NeedsApproval(missing, active int) bool {
	return missing > guardItems && missing*100 > active*guardPercent
}

// SyncState sums an integration up for its status chip.
type SyncState string

// The states of an integration as a whole.
const (
	SyncDisabled SyncState = "DISABLED"
	SyncIdle     SyncState = "IDLE"
	Syncing      SyncState = "SYNCING"
	SyncDegraded SyncState = "DEGRADED"
	SyncFailing  SyncState = "FAILING"
)

// SyncStatus is the live state of an integration.
type SyncStatus struct {
	IntegrationID     uuid.UUID
	State             SyncState
	ActiveRuns        []*SyncRun
	LastSucceededAt   *time.Time
	LastFailure       *SyncFailure
	ItemCounts        ItemCounts
	PendingDeliveries int
	// PendingWriteBacks counts the appointments that wait to be written to the CRM.
	PendingWriteBacks int
}

// SyncFailure is the latest run that failed.
type SyncFailure struct {
	At      time.Time
	Message string
}

// ItemCounts counts an integration's items.
type ItemCounts struct {
	Active   int
	Inactive int
	// Linked counts items with at least one project.
	Linked int
	// Failed counts objects whose latest fetch did not succeed.
	Failed int
}

// Summarise decides the state that stands on the status chip.
func (s *SyncStatus) Summarise(i *Integration) SyncState {
	failedLast := s.LastFailure != nil && (s.LastSucceededAt == nil || s.LastFailure.At.After(*s.LastSucceededAt))
	switch {
	case !i.Enabled:
		return SyncDisabled
	case i.Connection.State != ConnectionOK && i.Connection.State != Unchecked:
		return SyncFailing
	case len(s.ActiveRuns) > 0 || s.PendingDeliveries > 0 || s.PendingWriteBacks > 0:
		return Syncing
	case failedLast || s.ItemCounts.Failed > 0:
		return SyncDegraded
	default:
		return SyncIdle
	}
}
