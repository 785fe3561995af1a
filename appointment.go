package sparki

import (
	"time"

	"github.com/google/uuid"
)

// AppointmentStatus is where an appointment stands.
type AppointmentStatus string

// The statuses. Only CONFIRMED ones stand in a CRM's agenda.
const (
	AppointmentDraft     AppointmentStatus = "DRAFT"
	AppointmentPending   AppointmentStatus = "PENDING"
	AppointmentConfirmed AppointmentStatus = "CONFIRMED"
	AppointmentCancelled AppointmentStatus = "CANCELLED"
)

// Customer is whom an appointment is with.
type Customer struct {
	Name  string  `json:"name"`
	Email *string `json:"email,omitempty"`
	Phone *string `json:"phone,omitempty"`
}

// Appointment is a booking in a schedule.
type Appointment struct {
	ID         uuid.UUID
	ScheduleID uuid.UUID
	ProjectID  *uuid.UUID
	Status     AppointmentStatus
	StartsAt   time.Time
	EndsAt     time.Time
	Customer   Customer
	Location   *string
	Notes      *string
	WriteBack  WriteBack
	// Version rises with every change.
	Version   int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// NodeID is the appointment's public id, and its reference in a CRM's agenda.
func (a *Appointment) NodeID() string { return AppointmentNode.ID(a.ID) }

// WriteBackState is where an appointment's way to the CRM's agenda stands.
type WriteBackState string

// The states of a write-back.
const (
	// WriteBackNotNeeded: there is nothing to send, and never was.
	WriteBackNotNeeded WriteBackState = "NOT_NEEDED"
	WriteBackQueued    WriteBackState = "QUEUED"
	WriteBackSending   WriteBackState = "SENDING"
	// WriteBackUnknown: an answer was lost; the agenda is searched before anything is sent again.
	WriteBackUnknown WriteBackState = "UNKNOWN"
	WriteBackSynced  WriteBackState = "SYNCED"
	// WriteBackSkipped: a gate is closed; opening it sends what is wanted then.
	WriteBackSkipped WriteBackState = "SKIPPED"
	// WriteBackFailed: it will not be tried again before somebody changes something or asks for it.
	WriteBackFailed WriteBackState = "FAILED"
)

// WriteBackAction is what is sent to a CRM's agenda.
type WriteBackAction string

// The actions.
const (
	WriteBackCreate WriteBackAction = "CREATE"
	WriteBackUpdate WriteBackAction = "UPDATE"
	WriteBackCancel WriteBackAction = "CANCEL"
)

// WriteBackReason is why nothing is sent, or what went wrong.
type WriteBackReason string

// The first six are gates, in the order in which they are checked; the others are a CRM's refusals.
const (
	ReasonDisabled   WriteBackReason = "INTEGRATION_DISABLED"
	ReasonSettings   WriteBackReason = "SETTINGS_INCOMPLETE"
	ReasonAgendaOff  WriteBackReason = "AGENDA_OFF"
	ReasonOutbound   WriteBackReason = "OUTBOUND_OFF"
	ReasonNotLinked  WriteBackReason = "SCHEDULE_NOT_LINKED"
	ReasonStatus     WriteBackReason = "NOT_CONFIRMED"
	ReasonRefused    WriteBackReason = "UNAUTHORIZED"
	ReasonRejected   WriteBackReason = "REJECTED"
	ReasonNoAnswer   WriteBackReason = "UNREACHABLE"
	ReasonSlowDown   WriteBackReason = "RATE_LIMITED"
	ReasonUnresolved WriteBackReason = "DRIFTED"
)

// Drift is what somebody did in the CRM to an item that we wrote.
type Drift string

// The kinds of drift.
const (
	InSync         Drift = "IN_SYNC"
	MovedInCRM     Drift = "MOVED_IN_CRM"
	CancelledInCRM Drift = "CANCELLED_IN_CRM"
	DeletedInCRM   Drift = "DELETED_IN_CRM"
)

// WriteBackGate is one condition for write-back.
type WriteBackGate struct {
	Gate WriteBackReason // the reason while it is closed
	Open bool
	// Remedy is what to do about it; nil while it is open.
	Remedy *string
}

// WriteBack is an appointment's way to the CRM's agenda, as it is shown.
type WriteBack struct {
	AppointmentID uuid.UUID
	State         WriteBackState
	// Action is the last one that was sent, or the one that waits; nil when there was none.
	Action *WriteBackAction
	// ExternalID is the item's id in the CRM; nil while there is none.
	ExternalID *string
	Reason     *WriteBackReason
	// Message is the reason in words for a person, among them the CRM's own.
	Message *string
	// Attempts counts the tries since the last success or change.
	Attempts int
	// SyncedAt is when the CRM last confirmed what we sent; nil for never.
	SyncedAt *time.Time
	Drift    Drift
}

// DriftSide is whose word holds when the CRM's item and ours differ.
type DriftSide string

// The sides.
const (
	KeepSparki DriftSide = "SPARKI"
	KeepCRM    DriftSide = "CRM"
)
