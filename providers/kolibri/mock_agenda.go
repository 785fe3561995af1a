package kolibri

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/mockkit"
)

const (
	mockZeroID     = "00000000-0000-0000-0000-000000000000"
	mockMaxSubject = 250 // characters (contract §5.3)
)

// mockAgendaItem is an AgendaItem (contract §5.3), and the part of a save request that is kept.
type mockAgendaItem struct {
	Subject                  *string           `json:"subject"`
	Description              *string           `json:"description"`
	Location                 *string           `json:"location"`
	GeoLocation              *mockGeoJSON      `json:"geoLocation"`
	AllDayEvent              bool              `json:"allDayEvent"`
	IsCanceled               bool              `json:"isCanceled"`
	IsConfirmed              bool              `json:"isConfirmed"`
	IsPrivate                bool              `json:"isPrivate"`
	IsRecurringEvent         bool              `json:"isRecurringEvent"`
	RecurrencePattern        *string           `json:"recurrencePattern"`
	ExceptionDates           []string          `json:"exceptionDates"`
	ParentID                 *string           `json:"parentId"`
	ExcludeAtParent          *string           `json:"utcDateTimeToExcludeAtParent"`
	Priority                 string            `json:"priority"`
	TimeMarker               string            `json:"timeMarker"`
	UseReminder              bool              `json:"useReminder"`
	MinutesBeforeReminder    *int              `json:"minutesBeforeReminder"`
	ReadOnly                 bool              `json:"readOnly"`
	ID                       string            `json:"id"`
	RealEstateAgencyID       string            `json:"realEstateAgencyId"`
	IsNew                    bool              `json:"isNew"`
	IsActive                 bool              `json:"isActive"`
	DateTimeCreated          string            `json:"dateTimeCreated"`
	DateTimeModified         string            `json:"dateTimeModified"`
	LinkedCreatedBy          json.RawMessage   `json:"linkedCreatedBy"`
	LinkedModifiedBy         json.RawMessage   `json:"linkedModifiedBy"`
	StartDateTime            string            `json:"startDateTime"`
	EndDateTime              string            `json:"endDateTime"`
	LinkedAgendaItemCategory json.RawMessage   `json:"linkedAgendaItemCategory"`
	LinkedEmployees          []json.RawMessage `json:"linkedEmployees"`
	LinkedAssignments        []json.RawMessage `json:"linkedAssignments"`
	LinkedRelations          []json.RawMessage `json:"linkedRelations"`
	LinkedOffice             json.RawMessage   `json:"linkedOffice"`
}

// mockAgendaItemSchema is what a save request must hold: the fields that the type declares
// non-nullable, also on create (contract §5.3).
var mockAgendaItemSchema = mockSchema{
	"subject": "string", "description": "string", "location": "string", "geoLocation": "object",
	"allDayEvent": "bool!", "isCanceled": "bool!", "isConfirmed": "bool!", "isPrivate": "bool!", "isRecurringEvent": "bool!",
	"recurrencePattern": "string", "exceptionDates": "date-time[]", "parentId": "guid", "utcDateTimeToExcludeAtParent": "date-time",
	"priority": "Priority!", "timeMarker": "AgendaItemTimeMarker!", "useReminder": "bool!", "minutesBeforeReminder": "int32",
	"readOnly": "bool!", "id": "guid!", "realEstateAgencyId": "guid!", "isNew": "bool!", "isActive": "bool!",
	"dateTimeCreated": "date-time!", "dateTimeModified": "date-time!", "startDateTime": "moment!", "endDateTime": "moment!",
	"linkedAgendaItemCategory": "object", "linkedEmployees": "object[]", "linkedAssignments": "object[]",
	"linkedRelations": "object[]", "linkedOffice": "object",
}

// links are the snapshots that an item holds, by id.
func (a *mockAgendaItem) links() map[string]json.RawMessage {
	links := map[string]json.RawMessage{}
	all := slices.Concat(a.LinkedEmployees, a.LinkedAssignments, a.LinkedRelations)
	for _, l := range append(all, a.LinkedOffice, a.LinkedAgendaItemCategory) {
		links[mockLinkID(l)] = l
	}
	return links
}

// resolve replaces the links of an item by the snapshots of what they name. One that names nothing
// breaks a rule, unless the item had it before and its end has been deleted since (assumed: "must
// already exist in Kolibri" is all that contract §5.3 says).
func (a *mockAgendaItem) resolve(s *mockState, before map[string]json.RawMessage, rules map[string]string) {
	link := func(field string, raw json.RawMessage, find func(id string) json.RawMessage) json.RawMessage {
		if mockIsNull(raw) {
			return nil
		}
		id := mockLinkID(raw)
		if found := find(id); found != nil {
			return found
		}
		if before[id] == nil {
			rules["AgendaItem."+field] = field + " does not exist."
		}
		return before[id]
	}
	relation := func(types ...string) func(string) json.RawMessage {
		return func(id string) json.RawMessage {
			if v := s.relation(id, types...); v != nil {
				return v.link
			}
			return nil
		}
	}
	each := func(field string, list []json.RawMessage, find func(id string) json.RawMessage) []json.RawMessage {
		found := make([]json.RawMessage, len(list))
		for i, raw := range list {
			found[i] = link(field, raw, find)
		}
		return found
	}
	a.LinkedEmployees = each("LinkedEmployees", a.LinkedEmployees, relation("Employee"))
	a.LinkedRelations = each("LinkedRelations", a.LinkedRelations, relation("ContactPerson", "ContactCompany"))
	a.LinkedAssignments = each("LinkedAssignments", a.LinkedAssignments, s.assignmentLink)
	a.LinkedOffice = link("LinkedOffice", a.LinkedOffice, relation("Office"))
	a.LinkedAgendaItemCategory = link("LinkedAgendaItemCategory", a.LinkedAgendaItemCategory, s.categoryLink)
}

// check applies the rules of contract §10.5 and puts the times into UTC, as Kolibri answers them.
func (a *mockAgendaItem) check(rules map[string]string) {
	start, end := mockTime(a.StartDateTime, mockkit.Amsterdam()), mockTime(a.EndDateTime, mockkit.Amsterdam())
	if !start.Before(end) && !(a.AllDayEvent && start.Equal(end)) {
		rules["AgendaItem.EndDateTime"] = "EndDateTime must be later than StartDateTime."
	}
	if len(a.LinkedEmployees) == 0 {
		rules["AgendaItem.LinkedEmployees"] = "At least one attendee is required."
	}
	if utf8.RuneCountInString(mockValue(a.Subject)) > mockMaxSubject {
		rules["AgendaItem.Subject"] = "Subject is longer than 250 characters."
	}
	a.StartDateTime, a.EndDateTime = start.UTC().Format(time.RFC3339Nano), end.UTC().Format(time.RFC3339Nano)
}

// assignmentLink is the LinkedAssignment of an assignment that exists; nil otherwise.
func (s *mockState) assignmentLink(id string) json.RawMessage {
	if a := s.byID[strings.ToLower(id)]; a != nil && !a.deleted {
		return a.link()
	}
	return nil
}

func (a *mockAssignment) link() json.RawMessage {
	r := &a.search
	link, err := mockkit.Marshal(mockFields{
		"id": a.ID, "displayName": r.DisplayName, "typeOfAssignment": r.TypeOfAssignment, "realEstateGroup": r.RealEstateGroup,
		"listingType": r.ListingType, "availabilityStatus": r.AvailabilityStatus, "assignmentPhase": r.AssignmentPhase,
		"forSale": r.ForSale, "forRent": r.ForRent, "salePrice": r.SalePrice, "saleCondition": r.SaleCondition,
		"rentPrice": r.RentPrice, "rentCondition": r.RentCondition, "streetNameAndNumber": r.StreetNameAndNumber,
		"postalCode": r.PostalCode, "locality": r.Locality, "countryCode": r.CountryCode, "publicReference": r.PublicReference,
		"photo1Url": r.Photo1URL, "keyNr": r.KeyNr, "keyNote": r.KeyNote, "hasCadastres": false, "isCancelled": nil,
		"isActive": r.IsActive, "dateTimeCreated": r.DateTimeCreated, "dateTimeModified": r.DateTimeModified,
	})
	if err != nil {
		return nil
	}
	return link
}

func (s *mockState) categoryLink(id string) json.RawMessage {
	for _, c := range s.categories {
		if strings.EqualFold(c.ID, id) {
			return c.link
		}
	}
	return nil
}

// defineAgendaItem makes an item with defaults and stores nothing (contract §5.2).
func (m *Mock) defineAgendaItem(w http.ResponseWriter, r *http.Request, s *mockState) error {
	var q struct {
		Subject     *string  `json:"subject"`
		Start       string   `json:"startDateTime"`
		End         string   `json:"endDateTime"`
		AllDay      bool     `json:"allDayEvent"`
		EmployeeIDs []string `json:"linkedEmployeeIds"`
		OfficeID    *string  `json:"linkedOfficeId"`
	}
	err := mockRead(w, r, &q, "", mockSchema{
		"subject": "string", "startDateTime": "moment!", "endDateTime": "moment!", "allDayEvent": "bool",
		"linkedEmployeeIds": "guid[]!", "linkedOfficeId": "guid",
	})
	if err != nil {
		return err
	}
	now := m.stampAfter("")
	minutes := 30
	a := mockAgendaItem{
		Subject: q.Subject, AllDayEvent: q.AllDay, StartDateTime: q.Start, EndDateTime: q.End,
		Priority: "Medium", TimeMarker: "Busy", UseReminder: true, MinutesBeforeReminder: &minutes,
		ExceptionDates: []string{}, ID: mockZeroID, RealEstateAgencyID: mockAgencyID, IsNew: true, IsActive: true,
		DateTimeCreated: now, DateTimeModified: now, LinkedEmployees: mockLinks(q.EmployeeIDs),
	}
	if q.OfficeID != nil {
		a.LinkedOffice = mockLinks([]string{*q.OfficeID})[0]
	}
	rules := map[string]string{}
	a.resolve(s, nil, rules)
	a.check(rules)
	if len(rules) > 0 {
		return mockBroken(rules)
	}
	return mockkit.Answer(w, map[string]any{"agendaItem": a})
}

// mockLinks makes {id} references.
func mockLinks(ids []string) []json.RawMessage {
	links := make([]json.RawMessage, len(ids))
	for i, id := range ids {
		links[i], _ = json.Marshal(mockID{id})
	}
	return links
}

// saveAgendaItem creates with isNew, and replaces otherwise (contract §2).
func (m *Mock) saveAgendaItem(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	var a mockAgendaItem
	if err := mockRead(w, r, &a, "agendaItem", mockAgendaItemSchema); err != nil {
		return err
	}
	id, event := strings.ToLower(a.ID), "Update"
	if a.IsNew {
		id, event = uuid.NewString(), "Add"
	}
	return m.storeAgendaItem(r.Context(), w, id, event, func(old *mockAgendaEntry) (*mockAgendaItem, error) {
		if a.IsNew {
			a.DateTimeCreated, a.LinkedCreatedBy, a.LinkedModifiedBy = m.stampAfter(""), nil, nil
			a.ReadOnly = false
			return &a, nil
		}
		if old == nil {
			return nil, mockNotFound("AgendaItem not found.")
		}
		a.DateTimeCreated, a.LinkedCreatedBy = old.item.DateTimeCreated, old.item.LinkedCreatedBy
		a.ReadOnly = old.item.ReadOnly
		return &a, nil
	})
}

// storeAgendaItem applies the rules to what next makes of the stored item (nil when there is none),
// stores it, tells the webhook, and answers with it.
func (m *Mock) storeAgendaItem(ctx context.Context, w http.ResponseWriter, id, event string, next func(old *mockAgendaEntry) (*mockAgendaItem, error)) error {
	var a *mockAgendaItem
	err := m.change(ctx, func(s *mockState) (c mockChange, err error) {
		var old *mockAgendaEntry
		if e := s.entry(mockAgendaKind, id); e != nil {
			old = e.value.(*mockAgendaEntry)
			if old.denied {
				return c, &mockProblem{status: http.StatusForbidden, message: "Access denied."}
			}
		}
		if a, err = next(old); err != nil {
			return c, err
		}
		rules, last := map[string]string{}, ""
		var links map[string]json.RawMessage
		if old != nil {
			links, last = old.item.links(), old.item.DateTimeModified
			if old.item.ReadOnly {
				rules["AgendaItem.ReadOnly"] = mockReadOnly
			}
		}
		a.resolve(s, links, rules)
		a.check(rules)
		if len(rules) > 0 {
			return c, mockBroken(rules)
		}
		a.ID, a.RealEstateAgencyID, a.IsNew, a.DateTimeModified = id, mockAgencyID, false, m.stampAfter(last)
		if a.ExceptionDates == nil {
			a.ExceptionDates = []string{}
		}
		return m.agendaChange(a, event, false)
	})
	if err != nil {
		return err
	}
	return mockkit.Answer(w, map[string]any{"agendaItem": a})
}

const mockReadOnly = "This item cannot be changed."

// agendaChange is the stored form of an item and its webhook message.
func (m *Mock) agendaChange(a *mockAgendaItem, event string, deleted bool) (c mockChange, err error) {
	entity, err := mockkit.Marshal(a)
	if err != nil {
		return c, err
	}
	doc, err := mockDoc(mockAgendaKind, a.ID, mockDocument{Deleted: deleted, Entity: m.relative(entity)})
	return mockChange{docs: []providers.MockDoc{doc}, events: []WebhookMessage{{
		EntityType: mockEntityTypes[mockAgendaKind], EntityID: a.ID, Event: event,
		Created: a.DateTimeCreated, Modified: a.DateTimeModified,
	}}}, err
}

// alterAgendaItem changes an existing item in one respect and answers with it. Doing it again is no
// error (assumed, contract §10.5).
func (m *Mock) alterAgendaItem(ctx context.Context, w http.ResponseWriter, id string, alter func(*mockAgendaItem)) error {
	return m.storeAgendaItem(ctx, w, id, "Update", func(old *mockAgendaEntry) (*mockAgendaItem, error) {
		if old == nil {
			return nil, mockNotFound("AgendaItem not found.")
		}
		a := old.item
		alter(&a)
		return &a, nil
	})
}

func (m *Mock) cancelAgendaItem(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	id, err := mockBodyID(w, r)
	if err != nil {
		return err
	}
	return m.alterAgendaItem(r.Context(), w, id, func(a *mockAgendaItem) { a.IsCanceled = true })
}

func (m *Mock) confirmAgendaItem(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	id, err := mockBodyID(w, r)
	if err != nil {
		return err
	}
	return m.alterAgendaItem(r.Context(), w, id, func(a *mockAgendaItem) { a.IsConfirmed = true })
}

// moveAgendaItem changes times and attendees; null and an empty list leave them (contract §5.1).
func (m *Mock) moveAgendaItem(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	var q struct {
		mockID
		Start       string   `json:"startDateTime"`
		End         string   `json:"endDateTime"`
		AllDay      *bool    `json:"allDayEvent"`
		EmployeeIDs []string `json:"linkedEmployeeIds"`
	}
	err := mockRead(w, r, &q, "", mockSchema{
		"id": "guid!", "startDateTime": "moment", "endDateTime": "moment", "allDayEvent": "bool", "linkedEmployeeIds": "guid[]",
	})
	if err != nil {
		return err
	}
	return m.alterAgendaItem(r.Context(), w, strings.ToLower(q.ID), func(a *mockAgendaItem) {
		a.StartDateTime, a.EndDateTime = cmp.Or(q.Start, a.StartDateTime), cmp.Or(q.End, a.EndDateTime)
		if q.AllDay != nil {
			a.AllDayEvent = *q.AllDay
		}
		if len(q.EmployeeIDs) > 0 {
			a.LinkedEmployees = mockLinks(q.EmployeeIDs)
		}
	})
}

func (m *Mock) readAgendaItem(w http.ResponseWriter, r *http.Request, s *mockState) error {
	id, err := mockQueryID(r)
	if err != nil {
		return err
	}
	e := s.entry(mockAgendaKind, id)
	if e == nil {
		return mockNotFound("AgendaItem not found.")
	}
	if e.doc.Denied {
		return &mockProblem{status: http.StatusForbidden, message: "Access denied."}
	}
	mockkit.Write(w, http.StatusOK, e.answer)
	return nil
}

func (m *Mock) deleteAgendaItem(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	id, err := mockQueryID(r)
	if err != nil {
		return err
	}
	return mockDone(w, m.removeAgendaItem(r.Context(), id, true))
}

func (m *Mock) undeleteAgendaItem(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	id, err := mockBodyID(w, r)
	if err != nil {
		return err
	}
	if err := m.removeAgendaItem(r.Context(), id, false); err != nil {
		return err
	}
	s, err := m.load(r.Context())
	if err != nil {
		return err
	}
	if e := s.entry(mockAgendaKind, id); e != nil {
		mockkit.Write(w, http.StatusOK, e.answer)
		return nil
	}
	return mockNotFound("AgendaItem not found.")
}

func (m *Mock) removeAgendaItem(ctx context.Context, id string, deleted bool) error {
	return m.change(ctx, func(s *mockState) (c mockChange, err error) {
		i := slices.IndexFunc(s.agenda, func(e *mockAgendaEntry) bool { return e.item.ID == id })
		if i < 0 || s.agenda[i].deleted && deleted {
			return c, mockNotFound("AgendaItem not found.")
		}
		old := s.agenda[i]
		if old.denied {
			return c, &mockProblem{status: http.StatusForbidden, message: "Access denied."}
		}
		if old.item.ReadOnly {
			return c, mockBroken(map[string]string{"AgendaItem.ReadOnly": mockReadOnly})
		}
		if old.deleted == deleted {
			return c, nil
		}
		a := old.item
		a.DateTimeModified = m.stampAfter(a.DateTimeModified)
		if deleted {
			return m.agendaChange(&a, "Delete", true)
		}
		return m.agendaChange(&a, "Add", false)
	})
}
