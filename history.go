package sparki

import (
	"time"

	"github.com/google/uuid"
)

// ChangeCause is what made us look at an object.
type ChangeCause string

// What makes us look at an object: a notification, a crawl, or a person who has a delivery read again.
const (
	CauseWebhook ChangeCause = "WEBHOOK"
	CauseRun     ChangeCause = "SYNC_RUN"
	CauseManual  ChangeCause = "MANUAL"
)

// ItemChange is what changed on an item at one sync.
type ItemChange struct {
	ID      uuid.UUID
	At      time.Time
	Cause   ChangeCause
	Changes []*FieldChange
}
