package sparki

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// PageArgs ask for one page of a list.
type PageArgs struct {
	First int
	// After is the cursor of the last node that was seen; "" for the first page.
	After string
}

// MaxPage is the largest page that may be asked for.
const MaxPage = 100

// Check refuses a page size out of bounds.
func (a PageArgs) Check() error {
	if a.First < 1 || a.First > MaxPage {
		return Errorf(Invalid, "first must be between 1 and %d", MaxPage)
	}
	return nil
}

// Page is one page of a list.
type Page[T any] struct {
	Nodes                []T
	HasNext, HasPrevious bool
	// Cursor is the place of a node of this page in the list.
	Cursor func(T) string
	// Count counts the whole list; it asks the database only when called.
	Count Counter
}

// Counter counts a whole list, when it is called.
type Counter func(context.Context) (int, error)

// Order is what a list is ordered by.
type Order struct {
	Field string // SYNCED_AT, UPDATED_AT, TITLE, CITY or PRICE
	Desc  bool
}

// ItemFilter says which items to list; nil and "" mean all.
type ItemFilter struct {
	Provider      *string
	IntegrationID *uuid.UUID
	State         *ItemState
	Linked        *bool
	Category      *ProjectCategory
	Search        string
}

// ProjectFilter says which projects to list; nil and "" mean all.
type ProjectFilter struct {
	Provider    *string
	Lifecycle   *ProjectLifecycle
	NeedsReview *bool
	Search      string
}

// ActivityFilter says which activities to list; nil means all.
type ActivityFilter struct {
	IntegrationID *uuid.UUID
	Types         []ActivityType
	SubjectID     *uuid.UUID
}

// Match says whether an activity passes the filter.
func (f ActivityFilter) Match(a *Activity) bool {
	if f.IntegrationID != nil && (a.IntegrationID == nil || *a.IntegrationID != *f.IntegrationID) {
		return false
	}
	if f.SubjectID != nil && a.SubjectID != *f.SubjectID {
		return false
	}
	if f.Types == nil {
		return true
	}
	for _, t := range f.Types {
		if t == a.Type {
			return true
		}
	}
	return false
}

// AppointmentFilter says which appointments to list; nil and "" mean all.
type AppointmentFilter struct {
	ScheduleID     *uuid.UUID
	ProjectID      *uuid.UUID
	Status         *AppointmentStatus
	WriteBackState *WriteBackState
	// From and To bound the period that an appointment touches.
	From, To *time.Time
	// Search matches the customer, the location and the notes.
	Search string
}
