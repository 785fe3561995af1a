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

// mockRelation is an employee, an office or a contact as searches see it.
type mockRelation struct {
	ID       string
	active   bool
	created  time.Time
	modified time.Time
	search   mockRelationRow
	row      []byte          // its RelationSnapShot
	link     json.RawMessage // its snapshot in other entities: LinkedEmployee, LinkedOffice or LinkedRelation
}

// mockPerson is the part of Employee and Office, and all of a stored contact, that rows are made of.
type mockPerson struct {
	ID               string            `json:"id"`
	IsActive         bool              `json:"isActive"`
	DateTimeCreated  string            `json:"dateTimeCreated"`
	DateTimeModified string            `json:"dateTimeModified"`
	DisplayName      string            `json:"displayName"`
	Name             string            `json:"name"` // an office's
	FirstName        *string           `json:"firstName"`
	MiddleName       *string           `json:"middleName"`
	LastName         *string           `json:"lastName"`
	Gender           *string           `json:"gender"`
	LetterAvatar     *string           `json:"letterAvatar"`
	Roles            []string          `json:"roles"`
	IsMainOffice     *bool             `json:"isMainOffice"`
	LinkedOffices    []json.RawMessage `json:"linkedOffices"`
	VisitAddress     *mockAddress      `json:"visitAddress"`
	EmailAddresses   []struct {
		Address string `json:"address"`
	} `json:"emailAddresses"`
	PhoneNumbers []struct {
		Number string `json:"number"`
		Type   string `json:"type"`
	} `json:"phoneNumbers"`
}

// mockRelationRow is a RelationSnapShot (contract §6).
type mockRelationRow struct {
	ID                  string            `json:"id"`
	TypeOfRelation      string            `json:"typeOfRelation"`
	DisplayName         string            `json:"displayName"`
	FirstName           *string           `json:"firstName"`
	MiddleName          *string           `json:"middleName"`
	LastName            *string           `json:"lastName"`
	NickName            *string           `json:"nickName"`
	Email               *string           `json:"email"`
	SecondEmailAddress  *string           `json:"secondEmailAddress"`
	ThirdEmailAddress   *string           `json:"thirdEmailAddress"`
	PhoneNumber         *string           `json:"phoneNumber"`
	MobileNumber        *string           `json:"mobileNumber"`
	IsActive            bool              `json:"isActive"`
	IsMainOffice        *bool             `json:"isMainOffice"`
	EmployeeRole        *string           `json:"employeeRole"`
	LinkedOffices       []json.RawMessage `json:"linkedOffices"`
	LetterAvatar        *string           `json:"letterAvatar"`
	AvatarURL           *string           `json:"avatarUrl"`
	Gender              *string           `json:"gender"`
	Locality            *string           `json:"locality"`
	PostalCode          *string           `json:"postalCode"`
	StreetNameAndNumber *string           `json:"streetNameAndNumber"`
	DateTimeCreated     string            `json:"dateTimeCreated"`
	DateTimeModified    string            `json:"dateTimeModified"`
}

var mockRelationTypes = map[string]string{
	mockEmployeeKind: "Employee", mockOfficeKind: "Office", mockContactKind: "ContactPerson",
}

func newMockRelation(kind string, entity []byte) (*mockRelation, error) {
	var p mockPerson
	if err := json.Unmarshal(entity, &p); err != nil {
		return nil, err
	}
	row := mockRelationRow{
		ID: p.ID, TypeOfRelation: mockRelationTypes[kind], DisplayName: cmp.Or(p.DisplayName, p.Name),
		FirstName: p.FirstName, MiddleName: p.MiddleName, LastName: p.LastName,
		IsActive: p.IsActive, IsMainOffice: p.IsMainOffice, LinkedOffices: p.LinkedOffices,
		LetterAvatar: p.LetterAvatar, Gender: p.Gender,
		DateTimeCreated: p.DateTimeCreated, DateTimeModified: p.DateTimeModified,
	}
	if len(p.Roles) > 0 {
		row.EmployeeRole = &p.Roles[0]
	}
	for i, email := range []**string{&row.Email, &row.SecondEmailAddress, &row.ThirdEmailAddress} {
		if i < len(p.EmailAddresses) {
			*email = &p.EmailAddresses[i].Address
		}
	}
	for _, n := range p.PhoneNumbers {
		if n.Type == "Mobile" {
			row.MobileNumber = &n.Number
		} else {
			row.PhoneNumber = &n.Number
		}
	}
	if a := p.VisitAddress; a != nil {
		row.PostalCode, row.StreetNameAndNumber = a.PostalCode, a.line()
		if a.Locality != nil {
			row.Locality = &a.Locality.Name
		}
	}
	v := &mockRelation{
		ID: p.ID, active: p.IsActive, search: row,
		created: mockTime(p.DateTimeCreated, time.UTC), modified: mockTime(p.DateTimeModified, time.UTC),
	}
	var err error
	if v.row, err = mockkit.Marshal(row); err != nil {
		return nil, err
	}
	v.link, err = mockkit.Marshal(row.snapshot())
	return v, err
}

// snapshot is how other entities embed it.
func (r *mockRelationRow) snapshot() mockFields {
	link := mockFields{
		"id": r.ID, "displayName": r.DisplayName, "email": r.Email, "avatarUrl": nil, "letterAvatar": r.LetterAvatar,
		"phoneMobile": r.MobileNumber, "isActive": r.IsActive,
		"dateTimeCreated": r.DateTimeCreated, "dateTimeModified": r.DateTimeModified,
	}
	switch r.TypeOfRelation {
	case "Employee":
		link["gender"], link["phoneHome"], link["phoneWork"] = r.Gender, nil, r.PhoneNumber
	case "Office":
		link["isMainOffice"], link["phone"] = r.IsMainOffice, r.PhoneNumber
		link["locality"], link["postalCode"], link["streetNameAndNumber"] = r.Locality, r.PostalCode, r.StreetNameAndNumber
	default:
		link["typeOfRelation"], link["phone"] = r.TypeOfRelation, r.PhoneNumber
	}
	return link
}

// mockRelationsSchema is RelationsSearchRequest (contract §6).
var mockRelationsSchema = mockSchema{
	"filterByRelationTypes": "RelationType[]", "filterByRelationGroupIds": "guid[]", "includeStatistics": "bool!",
	"includeBackOfficeEmployees": "bool", "orderBy": "RelationOrderByField!", "relationId": "guid",
	"termFields": "RelationTermField[]", "minDateTimeCreated": "date-time", "maxDateTimeCreated": "date-time",
	"minDateTimeModified": "date-time", "maxDateTimeModified": "date-time", "emailAddresses": "string[]",
	"relationIds": "guid[]", "phoneNumber": "string", "hasPhoneNumber": "bool",
}

// searchRelations lists employees, offices and, unless it filters on types, customers too.
func (m *Mock) searchRelations(w http.ResponseWriter, r *http.Request, s *mockState) error {
	var q struct {
		mockSearch
		Types          []string `json:"filterByRelationTypes"`
		GroupIDs       []string `json:"filterByRelationGroupIds"`
		BackOffice     bool     `json:"includeBackOfficeEmployees"`
		RelationID     string   `json:"relationId"`
		RelationIDs    []string `json:"relationIds"`
		EmailAddresses []string `json:"emailAddresses"`
		PhoneNumber    string   `json:"phoneNumber"`
		HasPhoneNumber *bool    `json:"hasPhoneNumber"`
		MinCreated     string   `json:"minDateTimeCreated"`
		MaxCreated     string   `json:"maxDateTimeCreated"`
		MinModified    string   `json:"minDateTimeModified"`
		MaxModified    string   `json:"maxDateTimeModified"`
	}
	if err := mockPage(w, r, &q, &q.mockSearch, mockRelationsSchema); err != nil {
		return err
	}
	var matches []*mockRelation
	for _, v := range s.relations {
		row := &v.search
		phones := []string{mockValue(row.PhoneNumber), mockValue(row.MobileNumber)}
		if mockActive(q.FilterByActive, v.active) &&
			mockAnyOf(q.Types, row.TypeOfRelation) &&
			len(q.GroupIDs) == 0 && // the mock has no groups
			(q.BackOffice || mockValue(row.EmployeeRole) != "BackOffice") &&
			(q.RelationID == "" || strings.EqualFold(q.RelationID, v.ID)) &&
			mockAnyOf(q.RelationIDs, v.ID) &&
			mockAnyOf(q.EmailAddresses, mockValue(row.Email), mockValue(row.SecondEmailAddress), mockValue(row.ThirdEmailAddress)) &&
			(q.PhoneNumber == "" || slices.Contains(phones, q.PhoneNumber)) &&
			(q.HasPhoneNumber == nil || *q.HasPhoneNumber == (phones[0]+phones[1] != "")) &&
			mockDuring(q.MinCreated, q.MaxCreated, &row.DateTimeCreated) &&
			mockDuring(q.MinModified, q.MaxModified, &row.DateTimeModified) &&
			mockTerm(&q.mockSearch, map[string]*string{
				"DisplayName": &row.DisplayName, "StreetNameAndNumber": row.StreetNameAndNumber,
				"PostalCode": row.PostalCode, "Locality": row.Locality, "PhoneNumber": row.PhoneNumber,
				"MobilePhoneNumber": row.MobileNumber, "EmailAddress": row.Email,
			}) {
			matches = append(matches, v)
		}
	}
	slices.SortFunc(matches, func(a, b *mockRelation) int {
		by := strings.Compare(a.search.DisplayName, b.search.DisplayName)
		if q.OrderBy == "DateTimeCreated" {
			by = a.created.Compare(b.created)
		}
		return cmp.Or(by, strings.Compare(a.ID, b.ID))
	})
	if q.Order == "Descending" {
		slices.Reverse(matches)
	}
	page := mockCut(matches, q.mockSearch)
	rows := make([][]byte, len(page))
	for i, v := range page {
		rows[i] = v.row
	}
	mockAnswerPage(w, rows, len(matches), "null")
	return nil
}

// readRelation serves a full employee or office.
func (m *Mock) readRelation(kind string) mockHandler {
	return func(w http.ResponseWriter, r *http.Request, s *mockState) error {
		id, err := mockQueryID(r)
		if err != nil {
			return err
		}
		e := s.entry(kind, id)
		if e == nil {
			return mockNotFound(mockRelationTypes[kind] + " not found.")
		}
		mockkit.Write(w, http.StatusOK, e.answer)
		return nil
	}
}

// searchAgencies lists the agencies that gave this client consent: one (contract §1).
func (m *Mock) searchAgencies(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	var q mockSearch
	if err := mockRead(w, r, &q, "", mockPageFields, mockSchema{"appClientKey": "string"}); err != nil {
		return err
	}
	var agencies []mockFields
	if mockActive(q.FilterByActive, true) && strings.Contains(strings.ToLower(mockAgencyName), strings.ToLower(q.Term)) {
		agencies = append(agencies, mockFields{"id": mockAgencyID, "name": mockAgencyName})
	}
	var rows [][]byte
	for _, a := range mockCut(agencies, q) {
		row, err := mockkit.Marshal(a)
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	mockAnswerPage(w, rows, len(agencies), "")
	return nil
}

// relation finds the one with an id, of one of the types; nil when there is none.
func (s *mockState) relation(id string, types ...string) *mockRelation {
	for _, v := range s.relations {
		if strings.EqualFold(v.ID, id) && slices.Contains(types, v.search.TypeOfRelation) {
			return v
		}
	}
	return nil
}
