package sparki

import (
	"time"

	"github.com/google/uuid"
)

// ActivityType names what happened.
type ActivityType string

// What can happen. An activity row exists exactly when its change does.
const (
	SettingsSaved       ActivityType = "SETTINGS_SAVED"
	IntegrationEnabled  ActivityType = "INTEGRATION_ENABLED"
	IntegrationDisabled ActivityType = "INTEGRATION_DISABLED"
	ConnectionChecked   ActivityType = "CONNECTION_CHECKED"
	SyncRunStarted      ActivityType = "SYNC_RUN_STARTED"
	SyncRunFinished     ActivityType = "SYNC_RUN_FINISHED"
	ItemCreated         ActivityType = "ITEM_CREATED"
	ItemUpdated         ActivityType = "ITEM_UPDATED"
	ItemDeactivated     ActivityType = "ITEM_DEACTIVATED"
	ItemReactivated     ActivityType = "ITEM_REACTIVATED"
	ProjectImported     ActivityType = "PROJECT_IMPORTED"
	ProjectLinked       ActivityType = "PROJECT_LINKED"
	ProjectDisconnected ActivityType = "PROJECT_DISCONNECTED"
	ProjectRefreshed    ActivityType = "PROJECT_REFRESHED"
	ProjectCreated      ActivityType = "PROJECT_CREATED"
	ProjectUpdated      ActivityType = "PROJECT_UPDATED"
	ProjectReviewed     ActivityType = "PROJECT_REVIEWED"
	DeliveryReceived    ActivityType = "DELIVERY_RECEIVED"
	DeliveryRejected    ActivityType = "DELIVERY_REJECTED"
	DeliveryFailed      ActivityType = "DELIVERY_FAILED"

	ScheduleCreated      ActivityType = "SCHEDULE_CREATED"
	ScheduleLinked       ActivityType = "SCHEDULE_LINKED"
	ScheduleDisconnected ActivityType = "SCHEDULE_DISCONNECTED"
	AppointmentCreated   ActivityType = "APPOINTMENT_CREATED"
	AppointmentUpdated   ActivityType = "APPOINTMENT_UPDATED"
	// AppointmentEnded is its cancellation.
	AppointmentEnded         ActivityType = "APPOINTMENT_CANCELLED"
	WriteBackSent            ActivityType = "WRITE_BACK_SENT"
	WriteBackFailedActivity  ActivityType = "WRITE_BACK_FAILED"
	WriteBackSkippedActivity ActivityType = "WRITE_BACK_SKIPPED"
	WriteBackDrifted         ActivityType = "WRITE_BACK_DRIFTED"
	DriftResolved            ActivityType = "DRIFT_RESOLVED"
)

// Activity is one line of a portal's log. It is stored as type and parameters and worded when read.
type Activity struct {
	ID       uuid.UUID
	PortalID uuid.UUID
	// Seq counts a portal's activities from 1 without gaps, in commit order: a reader who has seen
	// n has seen everything up to n.
	Seq  int64
	At   time.Time
	Type ActivityType
	// Params fill the wording, for example {"title": "…"}; never secrets or customer data.
	Params map[string]string
	// Actor is a person's or token's name, or "sync" for the program itself.
	Actor         string
	IntegrationID *uuid.UUID
	SubjectKind   NodeKind // "" when the activity is about nothing in particular
	SubjectID     uuid.UUID
}

// NodeID is the activity's public id.
func (a *Activity) NodeID() string { return ActivityNode.ID(a.ID) }

// SyncActor is the actor of what the program does by itself.
const SyncActor = "sync"
