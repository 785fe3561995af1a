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
	Messages   []Message
}

// MessageKind is what a message asks for.
type MessageKind string

// MessageRefresh asks to fetch an object. Every other kind of message is IGNORED or FAILED on arrival.
const MessageRefresh MessageKind = "REFRESH"

// Message is one notification inside a delivery: a hint that something changed.
type Message struct {
	// ExternalID is the CRM's message id, unique in its integration for good.
	ExternalID string
	Kind       MessageKind
	Ref        Ref
	Outcome    DeliveryOutcome
	// Reason says why it was ignored or failed.
	Reason string
}
