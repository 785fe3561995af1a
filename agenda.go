package sparki

import (
	"errors"
	"time"

	"github.com/google/uuid"
)

// Schedule is one of Sparki's own agendas. A parent schedule can be linked with an agenda of a CRM; a
// separated one belongs to one project and writes back through its parent.
type Schedule struct {
	ID   uuid.UUID
	Name string
	// ParentID is the schedule that a separated one belongs to; nil for a parent.
	ParentID *uuid.UUID
	// ProjectID is the only project that a separated schedule is for; nil for any.
	ProjectID *uuid.UUID
	CreatedAt time.Time
}

// NodeID is the schedule's public id.
func (s *Schedule) NodeID() string { return ScheduleNode.ID(s.ID) }

// AgendaTargetKind is what stands behind an agenda of a CRM.
type AgendaTargetKind string

// The kinds of agenda targets.
const (
	TargetPerson AgendaTargetKind = "PERSON"
	TargetOffice AgendaTargetKind = "OFFICE"
)

// AgendaTarget is an agenda of a CRM that a parent schedule can be linked with.
type AgendaTarget struct {
	ID            uuid.UUID
	IntegrationID uuid.UUID
	// ExternalID is the CRM's id, unique in its integration for good.
	ExternalID string
	Name       string
	Kind       AgendaTargetKind
	// AfdelingCode is the office department that it belongs to; nil where the CRM has none.
	AfdelingCode *string
	// MedewerkerID is the employee that its items are for; nil where the CRM has none, or did not say.
	MedewerkerID *string
	// Available: the CRM still has it, and items can be put into it.
	Available bool
}

// NodeID is the target's public id.
func (t *AgendaTarget) NodeID() string { return AgendaTargetNode.ID(t.ID) }

// ScheduleLink says into which agenda of a CRM a schedule's appointments are written.
type ScheduleLink struct {
	ID            uuid.UUID
	IntegrationID uuid.UUID
	ScheduleID    uuid.UUID
	TargetID      uuid.UUID
	// AfdelingCode and MedewerkerID are the target's, or what the person who linked gave.
	AfdelingCode *string
	MedewerkerID *string
	CreatedAt    time.Time
}

// NodeID is the link's public id.
func (l *ScheduleLink) NodeID() string { return ScheduleLinkNode.ID(l.ID) }

// EntryTarget is the agenda of a CRM that an item stands in, as it was when the item was made.
type EntryTarget struct {
	ExternalID   string           `json:"externalId"`
	Kind         AgendaTargetKind `json:"kind"`
	Name         string           `json:"name"`
	AfdelingCode string           `json:"afdelingCode,omitempty"` // "" for none
	MedewerkerID string           `json:"medewerkerId,omitempty"` // "" for none
}

// Same says whether two targets are one agenda; a new name makes no other one.
func (t EntryTarget) Same(o EntryTarget) bool {
	o.Name = t.Name
	return t == o
}

// EntryObject is the CRM object that an appointment is about.
type EntryObject struct {
	SourceType   string `json:"sourceType"` // as in Ref.Type
	ExternalID   string `json:"externalId"`
	ObjectCode   string `json:"objectCode,omitempty"`   // "" for none
	AfdelingCode string `json:"afdelingCode,omitempty"` // "" for none
}

// AgendaEntry is what a CRM's agenda is to say about one appointment. Its texts have no control
// characters but newlines; a provider cuts them to its CRM's limits. Its JSON is what the database keeps.
type AgendaEntry struct {
	// Reference names the appointment for good, "appointment_01jd…". Description holds it in a line of
	// its own, see ReferenceLine: that is how an item is found again whose id got lost.
	Reference string      `json:"reference"`
	Target    EntryTarget `json:"target"`
	Subject   string      `json:"subject"`
	// Description has lines that end in "\n".
	Description string `json:"description"`
	// Start and End are in the portal's time zone, Start before End.
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// Location is an address for a person; "" when it is not known.
	Location string   `json:"location,omitempty"`
	Customer Customer `json:"customer"`
	// Object is nil for an appointment that is not about an object of this CRM.
	Object *EntryObject `json:"object,omitempty"`
	// Test: it is one of the smoke test, to be marked as such (with the prefix of the settings).
	Test bool `json:"test,omitempty"`
}

// ReferenceLine is the line of a description that names the appointment.
func ReferenceLine(reference string) string { return "Sparki: " + reference }

// AgendaItem is an item as it stands in a CRM's agenda.
type AgendaItem struct {
	RemoteID string `json:"remoteId"`
	// Target is the ExternalID of the agenda that it stands in; if it stands in several, the one that
	// was asked for wins.
	Target    string    `json:"target"`
	Start     time.Time `json:"start"`
	End       time.Time `json:"end"`
	Cancelled bool      `json:"cancelled"`
}

// Lost says whether the answer to a write got lost: the CRM may have done what was asked, or do it yet.
// Every error says so, unless it is one of a CRM that is sure that nothing was done.
func Lost(err error) bool {
	if err == nil {
		return false
	}
	e, ok := errors.AsType[*Error](err)
	return !ok || e.Lost
}

// Undone is an error of a call that came before the write: whatever happened to it, nothing was done.
func Undone(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || !e.Lost {
		return err
	}
	sure := *e
	sure.Lost = false
	return &sure
}

// AgendaSmokeTest is what a smoke test of a CRM's agenda did.
type AgendaSmokeTest struct {
	// Succeeded: every step did, and nothing was left in the agenda.
	Succeeded bool
	Steps     []*AgendaSmokeTestStep
}

// AgendaSmokeTestStep is one step of it.
type AgendaSmokeTestStep struct {
	Action     WriteBackAction
	Succeeded  bool
	ExternalID *string
	Message    *string // what went wrong, in words
	DurationMs int
}
