package sparki

import (
	"time"

	"github.com/google/uuid"
)

// DeliveryOutcome is what became of a webhook delivery or of one of its messages.
type DeliveryOutcome string

// The outcomes.
const (
	OutcomePending   DeliveryOutcome = "PENDING"
	OutcomeProcessed DeliveryOutcome = "PROCESSED"
	OutcomeIgnored   DeliveryOutcome = "IGNORED"
	OutcomeFailed    DeliveryOutcome = "FAILED"
)

// Delivery is one accepted webhook request, kept as it came.
type Delivery struct {
	ID            uuid.UUID
	PortalID      uuid.UUID
	IntegrationID uuid.UUID
	Body          []byte
	// Signed says whether a signature was verified; nil where the CRM does not sign.
	Signed *bool
	// Outcome is PENDING while a message waits.
	Outcome DeliveryOutcome
	// Reason says why it was ignored or failed as a whole.
	Reason     string
	ReceivedAt time.Time
	// ProcessedAt is when its last message was decided; nil while PENDING.
	ProcessedAt *time.Time
	// Attempts counts the tries to fetch what it hinted at.
	Attempts int
	// ReplayOf is the delivery that this one repeats.
	ReplayOf *uuid.UUID
	// Trace is where the request is in its trace, as a W3C traceparent; "" for none, and when it is read.
	Trace string
	// Count is how many messages were in it; Messages is empty when it is read.
	Count    int
	Messages []Message
}

// NodeID is the delivery's public id.
func (d *Delivery) NodeID() string { return DeliveryNode.ID(d.ID) }

// MessageKind is what a message asks for.
type MessageKind string

// What messages ask for. Whatever else a CRM says is IGNORED or FAILED on arrival.
const (
	// MessageRefresh asks to fetch an object.
	MessageRefresh MessageKind = "REFRESH"
	// MessageRevoked says that the office took its consent back.
	MessageRevoked MessageKind = "REVOKED"
	// MessageTargets says that the agendas of the CRM changed: one came, went or has a new name.
	MessageTargets MessageKind = "TARGETS"
	// MessageAgendaItem says that the agenda item Ref.ID changed.
	MessageAgendaItem MessageKind = "AGENDA_ITEM"
)

// Message is one notification inside a delivery: a hint that something changed.
type Message struct {
	// ExternalID is the CRM's message id, unique in its integration for good: a message that comes again
	// is left out. "" where the CRM gives none; such a message is always a new one.
	ExternalID string
	Kind       MessageKind
	Ref        Ref
	Outcome    DeliveryOutcome
	// Reason says why it was ignored or failed.
	Reason string
}
