package kolibri

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"sparki.app/integrations/providers/mockkit"
)

// mockAgendaEntry is an agenda item as searches see it.
type mockAgendaEntry struct {
	item       mockAgendaItem
	deleted    bool
	denied     bool
	start, end time.Time
	employees  []string
	category   struct {
		ID           string `json:"id"`
		CategoryType string `json:"categoryType"`
		DisplayName  string `json:"displayName"`
	}
	row []byte // its AgendaItemSnapShot
}

func newMockAgendaEntry(doc mockDocument, entity []byte) (*mockAgendaEntry, error) {
	e := &mockAgendaEntry{deleted: doc.Deleted, denied: doc.Denied}
	if err := json.Unmarshal(entity, &e.item); err != nil {
		return nil, err
	}
	a := &e.item
	e.start, e.end = mockTime(a.StartDateTime, mockkit.Amsterdam()), mockTime(a.EndDateTime, mockkit.Amsterdam())
	for _, l := range a.LinkedEmployees {
		e.employees = append(e.employees, mockLinkID(l))
	}
	if !mockIsNull(a.LinkedAgendaItemCategory) {
		if err := json.Unmarshal(a.LinkedAgendaItemCategory, &e.category); err != nil {
			return nil, err
		}
	}
	row := mockFields{
		"accessDeniedForCurrentUser": e.denied, "allDayEvent": a.AllDayEvent, "dateTimeCreated": a.DateTimeCreated,
		"dateTimeModified": a.DateTimeModified, "endDateTime": a.EndDateTime, "exceptionDates": a.ExceptionDates,
		"isCanceled": a.IsCanceled, "isConfirmed": a.IsConfirmed, "isPrivate": a.IsPrivate, "isRecurringEvent": a.IsRecurringEvent,
		"linkedAgendaItemCategory": a.LinkedAgendaItemCategory, "linkedAssignments": a.LinkedAssignments,
		"linkedCreatedBy": a.LinkedCreatedBy, "linkedEmployees": a.LinkedEmployees, "linkedModifiedBy": a.LinkedModifiedBy,
		"linkedRelations": a.LinkedRelations, "location": a.Location, "parentId": a.ParentID, "priority": a.Priority,
		"realEstateAgencyId": a.RealEstateAgencyID, "recurrencePattern": a.RecurrencePattern, "startDateTime": a.StartDateTime,
		"subject": a.Subject, "timeMarker": a.TimeMarker, "readOnly": a.ReadOnly, "linkedOffice": a.LinkedOffice, "id": a.ID,
	}
	if e.denied {
		row["subject"], row["location"], row["linkedAssignments"], row["linkedRelations"] = nil, nil, []string{}, []string{}
	}
	var err error
	e.row, err = mockkit.Marshal(row)
	return e, err
}

// mockAgendaSchema is AgendaItemsSearchRequest (contract §5.3). Occurrences of recurring items are
// not made: an item is found in the period of its first one.
var mockAgendaSchema = mockSchema{
	"orderBy": "AgendaItemOrderByField!", "termFields": "AgendaItemTermField[]", "categoryIds": "guid[]",
	"categoryTypes": "AgendaItemCategoryType[]", "employeeIds": "guid[]", "periodDateTimeMin": "date-time",
	"periodDateTimeMax": "date-time", "isCanceled": "bool", "isConfirmed": "bool",
	"returnOccurencesOfRecurringAgendaItems": "bool", "agendaItemId": "guid", "agendaItemIds": "guid[]",
}

// searchAgendaItems lists items that touch a period (assumed: the contract does not say whether
// they have to lie in it).
func (m *Mock) searchAgendaItems(w http.ResponseWriter, r *http.Request, s *mockState) error {
	var q struct {
		mockSearch
		CategoryIDs   []string `json:"categoryIds"`
		CategoryTypes []string `json:"categoryTypes"`
		EmployeeIDs   []string `json:"employeeIds"`
		Min           string   `json:"periodDateTimeMin"`
		Max           string   `json:"periodDateTimeMax"`
		IsCanceled    *bool    `json:"isCanceled"`
		IsConfirmed   *bool    `json:"isConfirmed"`
		ID            string   `json:"agendaItemId"`
		IDs           []string `json:"agendaItemIds"`
	}
	if err := mockPage(w, r, &q, &q.mockSearch, mockAgendaSchema); err != nil {
		return err
	}
	if q.ID == "" && (q.Min == "" || q.Max == "") {
		return mockInvalid("periodDateTimeMin", "A period is required unless agendaItemId is given.")
	}
	low, high := mockTime(q.Min, mockkit.Amsterdam()), mockTime(q.Max, mockkit.Amsterdam())
	var rows [][]byte
	for _, e := range s.agenda {
		a := &e.item
		if !e.deleted && mockActive(q.FilterByActive, a.IsActive) &&
			(q.ID == "" || strings.EqualFold(q.ID, a.ID)) &&
			mockAnyOf(q.IDs, a.ID) &&
			mockAnyOf(q.EmployeeIDs, e.employees...) &&
			mockAnyOf(q.CategoryIDs, e.category.ID) &&
			mockAnyOf(q.CategoryTypes, e.category.CategoryType) &&
			(q.Min == "" || e.end.After(low)) && (q.Max == "" || e.start.Before(high)) &&
			(q.IsCanceled == nil || *q.IsCanceled == a.IsCanceled) &&
			(q.IsConfirmed == nil || *q.IsConfirmed == a.IsConfirmed) &&
			(q.Term == "" || !e.denied && mockTerm(&q.mockSearch, map[string]*string{"Subject": a.Subject})) {
			rows = append(rows, e.row)
		}
	}
	if q.Order == "Descending" {
		slices.Reverse(rows)
	}
	mockAnswerPage(w, mockCut(rows, q.mockSearch), len(rows), "")
	return nil
}

// mockCategory is an agenda item category.
type mockCategory struct {
	ID     string
	active bool
	name   string
	kind   string
	row    []byte          // its AgendaItemCategorySnapShot
	link   json.RawMessage // its LinkedAgendaItemCategory
}

// mockCategoryRow is an AgendaItemCategorySnapShot (contract §5.4), stored as it is served but for
// IsActive, which only the filter sees.
type mockCategoryRow struct {
	ID                        string  `json:"id"`
	DisplayName               string  `json:"displayName"`
	BackColor                 string  `json:"backColor"`
	FrontColor                string  `json:"frontColor"`
	CategoryType              string  `json:"categoryType"`
	NeedsToBeConfirmed        bool    `json:"needsToBeConfirmed"`
	AllDayEvent               bool    `json:"allDayEvent"`
	StandardDurationInMinutes int     `json:"standardDurationInMinutes"`
	TimeMarker                string  `json:"timeMarker"`
	UseReminder               bool    `json:"useReminder"`
	MinutesBeforeReminder     int     `json:"minutesBeforeReminder"`
	Priority                  string  `json:"priority"`
	IsPrivate                 bool    `json:"isPrivate"`
	DescriptionHash           *string `json:"descriptionHash"`
	DateTimeCreated           string  `json:"dateTimeCreated"`
	DateTimeModified          string  `json:"dateTimeModified"`
	IsActive                  *bool   `json:"isActive,omitempty"`
}

func newMockCategory(entity []byte) (*mockCategory, error) {
	var row mockCategoryRow
	if err := json.Unmarshal(entity, &row); err != nil {
		return nil, err
	}
	c := &mockCategory{ID: row.ID, name: row.DisplayName, kind: row.CategoryType, active: row.IsActive == nil || *row.IsActive}
	row.IsActive = nil
	var err error
	if c.row, err = mockkit.Marshal(row); err != nil {
		return nil, err
	}
	c.link, err = mockkit.Marshal(mockFields{
		"id": row.ID, "displayName": row.DisplayName, "backColor": row.BackColor, "frontColor": row.FrontColor,
		"categoryType": row.CategoryType, "needsToBeConfirmed": row.NeedsToBeConfirmed, "isActive": c.active,
		"dateTimeCreated": row.DateTimeCreated, "dateTimeModified": row.DateTimeModified,
	})
	return c, err
}

// mockCategoriesSchema is AgendaItemCategoriesSearchRequest (contract §5.4).
var mockCategoriesSchema = mockSchema{
	"orderBy": "AgendaItemCategoryOrderByField!", "termFields": "AgendaItemCategoryTermField[]", "includeStatistics": "bool!",
}

func (m *Mock) searchCategories(w http.ResponseWriter, r *http.Request, s *mockState) error {
	var q mockSearch
	if err := mockPage(w, r, &q, &q, mockCategoriesSchema); err != nil {
		return err
	}
	var matches []*mockCategory
	for _, c := range s.categories {
		if mockActive(q.FilterByActive, c.active) && mockTerm(&q, map[string]*string{"DisplayName": &c.name}) {
			matches = append(matches, c)
		}
	}
	slices.SortFunc(matches, func(a, b *mockCategory) int {
		by := 0
		if q.OrderBy == "ParentType" {
			by = strings.Compare(a.kind, b.kind)
		}
		return cmp.Or(by, strings.Compare(a.name, b.name), strings.Compare(a.ID, b.ID))
	})
	if q.Order == "Descending" {
		slices.Reverse(matches)
	}
	page := mockCut(matches, q)
	rows := make([][]byte, len(page))
	for i, c := range page {
		rows[i] = c.row
	}
	mockAnswerPage(w, rows, len(matches), "null")
	return nil
}
