package kolibri

import (
	"cmp"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/mockkit"
)

// The ids of the contract's samples.
const (
	mockAgencyID      = "5b0c9a2e-7d41-4c36-9f58-1e2a6c3d4b70"
	mockAgencyName    = "De Wit Makelaars B.V."
	mockSanneID       = "e0f1a2b3-14c5-4d6e-8f70-91a2b3c4d5e6"
	mockJelleID       = "f7a68b59-2c3d-4e1f-9a0b-8c7d6e5f4a3b"
	mockMaritID       = "0a9b8c7d-5e6f-4a1b-8c2d-3e4f5a6b7c8d"
	mockUtrechtID     = "c1a7e6b4-3f52-4d0e-8b19-0a6d5e7f9c21"
	mockDeventerID    = "d29e4f8a-61b7-4c9d-a35e-7f80b1c2d3e4"
	mockViewingID     = "2e7c5b91-8d04-4f6a-9b13-c0d1e2f3a4b5"
	mockOtherID       = "5f4e3d2c-1b0a-4998-8776-655443322110"
	mockSampleTypeID  = "4d8e1f02-6b3a-4795-a0c1-9f2e3d4b5a68"
	mockSampleTypeRef = "NB-KB-2-B"
)

var mockOfficeIDs = map[string]string{"utrecht": mockUtrechtID, "deventer": mockDeventerID}

// mockEmployeeSpec is an employee in short. All are invented.
type mockEmployeeSpec struct {
	key, id, first, middle, last, gender, mail, mobile, role string
	offices                                                  []string
	inactive                                                 bool
}

var mockEmployees = []mockEmployeeSpec{
	{key: "sanne", id: mockSanneID, first: "Sanne", last: "Verbruggen", gender: "Female", mail: "sanne.verbruggen", mobile: "+31 6 5550 1101", role: "Standard", offices: []string{"utrecht"}},
	{key: "jelle", id: mockJelleID, first: "Jelle", last: "Hoekstra", gender: "Male", mail: "jelle.hoekstra", mobile: "+31 6 5550 1102", role: "Standard", offices: []string{"deventer"}},
	{key: "marit", id: mockMaritID, first: "Marit", middle: "de", last: "Wit", gender: "Female", mail: "marit.dewit", mobile: "+31 6 5550 1103", role: "Standard", offices: []string{"utrecht", "deventer"}},
	{key: "ilse", id: mockMadeID("employee/ilse"), first: "Ilse", last: "Brandsma", gender: "Unknown", mail: "backoffice", role: "BackOffice", offices: []string{"utrecht"}},
	{key: "ruben", id: mockMadeID("employee/ruben"), first: "Ruben", last: "Postma", gender: "Male", mail: "ruben.postma", role: "Standard", offices: []string{"deventer"}, inactive: true},
}

const (
	mockOfficeCreated  = "2019-02-11T09:00:00Z"
	mockPersonCreated  = "2021-05-03T08:12:44.12Z"
	mockPersonModified = "2026-01-19T10:40:02.5Z"
)

// mockRoot is what every root entity has (contract §2).
func mockRoot(id string, active bool, created, modified string) mockFields {
	return mockFields{
		"id": id, "realEstateAgencyId": mockAgencyID, "isNew": false, "isActive": active,
		"dateTimeCreated": created, "dateTimeModified": modified, "linkedCreatedBy": nil, "linkedModifiedBy": nil,
	}
}

func mockOffice(key string) mockFields {
	f := mockRoot(mockOfficeIDs[key], true, mockOfficeCreated, "2025-11-04T15:21:10.03Z")
	name, phone, main := "De Wit Makelaars Utrecht", "+31 30 555 01 00", true
	spec := mockSpec{Street: "Oudegracht", Number: 999, Postcode: "3512 JE", Town: "Utrecht", Province: "Utrecht", At: [2]float64{52.09061, 5.12143}}
	if key == "deventer" {
		name, phone, main = "De Wit Makelaars Deventer", "+31 570 55 02 00", false
		spec = mockSpec{Street: "Brink", Number: 998, Postcode: "7411 KJ", Town: "Deventer", Province: "Overijssel", At: [2]float64{52.25172, 6.16051}}
	}
	f["name"], f["isMainOffice"], f["letterAvatar"] = name, main, "DW"
	f["emailAddresses"] = []any{mockFields{"address": key + "@dewitmakelaars.example", "type": "Work"}}
	f["phoneNumbers"] = []any{mockFields{"number": phone, "type": "Work"}}
	f["visitAddress"], f["postalAddressDiffersVisitAddress"] = spec.address(), false
	f["webAddress"] = "https://dewitmakelaars.example/" + key
	return f
}

func (e *mockEmployeeSpec) entity() mockFields {
	f := mockRoot(e.id, !e.inactive, mockPersonCreated, mockPersonModified)
	last := e.last
	if e.middle != "" {
		last = e.middle + " " + e.last
	}
	f["displayName"], f["firstName"], f["middleName"], f["lastName"] = e.first+" "+last, e.first, mockFilled(e.middle), e.last
	f["nameLetters"], f["letterAvatar"], f["gender"], f["civilState"] = e.first[:1]+".", e.first[:1]+e.last[:1], e.gender, "Unknown"
	f["userName"], f["accountId"], f["accountIsActive"] = e.mail+"@dewitmakelaars.example", mockMadeID("account/"+e.key), !e.inactive
	f["roles"] = []any{e.role}
	f["emailAddresses"] = []any{mockFields{"address": e.mail + "@dewitmakelaars.example", "type": "Work"}}
	phones := []any{mockFields{"number": "+31 30 555 01 10", "type": "Work"}}
	if e.mobile != "" {
		phones = append(phones, mockFields{"number": e.mobile, "type": "Mobile"})
	}
	f["phoneNumbers"] = phones
	offices := make([]any, len(e.offices))
	for i, key := range e.offices {
		offices[i] = mockOfficeLinks()[key]
	}
	f["linkedOffices"], f["postalAddressDiffersVisitAddress"] = offices, false
	return f
}

// mockSnapshot is how an employee or office is embedded in other entities.
func mockSnapshot(kind string, entity mockFields) json.RawMessage {
	text, err := mockkit.Marshal(entity)
	if err != nil {
		return nil
	}
	v, err := newMockRelation(kind, text)
	if err != nil {
		return nil
	}
	return v.link
}

// mockOfficeLinks and mockEmployeeLinks are the snapshots by key.
var (
	mockOfficeLinks = sync.OnceValue(func() map[string]json.RawMessage {
		links := map[string]json.RawMessage{}
		for key := range mockOfficeIDs {
			links[key] = mockSnapshot(mockOfficeKind, mockOffice(key))
		}
		return links
	})
	mockEmployeeLinks = sync.OnceValue(func() map[string]json.RawMessage {
		links := map[string]json.RawMessage{}
		for _, e := range mockEmployees {
			links[e.key] = mockSnapshot(mockEmployeeKind, e.entity())
		}
		return links
	})
)

// mockSeedPeople are the offices, employees, two customers, the categories and the first agenda.
func mockSeedPeople(now time.Time) (docs []providers.MockDoc, err error) {
	add := func(kind string, entity mockFields) {
		doc, e := mockEntityDoc(kind, entity["id"].(string), entity)
		docs, err = append(docs, doc), cmp.Or(err, e)
	}
	for _, key := range []string{"utrecht", "deventer"} {
		office := mockOffice(key)
		var people []any
		for _, e := range mockEmployees {
			for _, o := range e.offices {
				if o == key && !e.inactive {
					people = append(people, mockEmployeeLinks()[e.key])
				}
			}
		}
		office["linkedEmployees"] = people
		add(mockOfficeKind, office)
	}
	for _, e := range mockEmployees {
		add(mockEmployeeKind, e.entity())
	}
	for i, name := range []string{"T. Abels", "N. Beekman"} {
		id := mockMadeID("contact/" + name)
		if i == 0 {
			id = "9d3c7b20-4e5f-4a61-8b72-f0e1d2c3b4a5"
		}
		contact := mockRoot(id, true, mockPersonCreated, mockPersonModified)
		contact["displayName"], contact["lastName"], contact["gender"] = name, name[3:], "Unknown"
		contact["emailAddresses"] = []any{mockFields{"address": mockSlug(name) + "@mail.example", "type": "Home"}}
		add(mockContactKind, contact)
	}
	for _, c := range mockSeedCategories() {
		text, e := mockkit.Marshal(c)
		var entity mockFields
		err = cmp.Or(err, e, json.Unmarshal(text, &entity))
		add(mockCategoryKind, entity)
	}
	agenda, e := mockSeedAgenda(now)
	return append(docs, agenda...), cmp.Or(err, e)
}

func mockSeedCategories() []mockCategoryRow {
	old := false
	row := func(id, name, color, kind string, minutes int, confirm bool) mockCategoryRow {
		return mockCategoryRow{
			ID: id, DisplayName: name, BackColor: color, FrontColor: "#ffffff", CategoryType: kind, NeedsToBeConfirmed: confirm,
			StandardDurationInMinutes: minutes, TimeMarker: "Busy", UseReminder: true, MinutesBeforeReminder: 30, Priority: "Medium",
			DateTimeCreated: mockOfficeCreated, DateTimeModified: "2024-04-02T09:00:00Z",
		}
	}
	rows := []mockCategoryRow{
		row(mockViewingID, "Bezichtiging", "#2e7d32", "Viewing", 30, false),
		row(mockOtherID, "Overig", "#9e9e9e", "Other", 60, false),
		row(mockMadeID("category/survey"), "Opname", "#1565c0", "Survey", 60, true),
		row(mockMadeID("category/deed"), "Overdracht bij de notaris", "#6a1b9a", "SigningDeed", 90, false),
		row(mockMadeID("category/inspection"), "Inspectie", "#ef6c00", "Inspection", 45, true),
		row(mockMadeID("category/old"), "Bezichtiging (vervallen)", "#bdbdbd", "Viewing", 20, false),
	}
	rows[len(rows)-1].IsActive = &old
	return rows
}

// mockSeedLink is the snapshot of a listing of the seed.
func mockSeedLink(id string) json.RawMessage {
	docs, err := mockSeedListings()
	if err != nil {
		return nil
	}
	for _, doc := range docs {
		if doc.ID != id {
			continue
		}
		var d mockDocument
		if json.Unmarshal(doc.JSON, &d) != nil {
			return nil
		}
		if a, err := newMockAssignment(doc.Kind, false, d.Entity); err == nil {
			return a.link()
		}
	}
	return nil
}

// mockSeedAgenda is the agenda of the days around now, with date-times in mixed forms (contract §10.8).
func mockSeedAgenda(now time.Time) (docs []providers.MockDoc, err error) {
	local := now.In(mockkit.Amsterdam())
	items := []struct {
		day, hour, minute, minutes int
		subject, category, layout  string
		people                     []string
		assignment                 string
		set                        func(*mockAgendaItem, *mockDocument)
	}{
		{-2, 10, 0, 30, "Bezichtiging Lindelaan 14A", mockViewingID, time.RFC3339, []string{"sanne"}, "3f6d2c81-9b0e-4a57-8c1d-6e2f7a4b5c90", nil},
		{1, 9, 30, 60, "Teamoverleg", mockOtherID, "2006-01-02T15:04:05.0000000Z07:00", []string{"sanne", "jelle", "marit"}, "", func(a *mockAgendaItem, _ *mockDocument) {
			a.IsRecurringEvent, a.ReadOnly = true, true
			rule := "FREQ=WEEKLY;COUNT=12"
			a.RecurrencePattern = &rule
		}},
		{1, 14, 0, 30, "Bezichtiging Keizerstraat 203-2", mockViewingID, "2006-01-02T15:04:05", []string{"jelle"}, "8c4b1a7e-0d3f-4296-b5e8-17c2d9f0a364", nil},
		{2, 11, 0, 30, "Bezichtiging De Kersenboomgaard", mockViewingID, time.RFC3339, []string{"marit"}, "b7e2f4d0-5a18-4c63-8d9f-0e1b2a3c4d5e", func(a *mockAgendaItem, _ *mockDocument) {
			a.IsCanceled = true
		}},
		{3, 16, 0, 45, "Opname nieuwe opdracht", mockMadeID("category/survey"), time.RFC3339, []string{"marit"}, "", func(a *mockAgendaItem, _ *mockDocument) {
			a.IsConfirmed = false
		}},
		{3, 12, 0, 60, "Privé", mockOtherID, time.RFC3339, []string{"sanne"}, "", func(a *mockAgendaItem, d *mockDocument) {
			a.IsPrivate, d.Denied = true, true
		}},
		{5, 0, 0, 24 * 60, "Open Huizen Dag", mockOtherID, time.RFC3339, []string{"sanne", "marit"}, "", func(a *mockAgendaItem, _ *mockDocument) {
			a.AllDayEvent, a.TimeMarker = true, "Free"
		}},
	}
	categories := map[string]json.RawMessage{}
	for _, row := range mockSeedCategories() {
		text, e := mockkit.Marshal(row)
		if c, e2 := newMockCategory(text); cmp.Or(e, e2) == nil {
			categories[row.ID] = c.link
		}
	}
	for i, item := range items {
		start := time.Date(local.Year(), local.Month(), local.Day()+item.day, item.hour, item.minute, 0, 0, local.Location())
		a := mockAgendaItem{
			Subject: &item.subject, IsConfirmed: true, Priority: "Medium", TimeMarker: "Busy", UseReminder: true,
			ExceptionDates: []string{}, ID: mockMadeID(fmt.Sprintf("agenda/%d", i)), RealEstateAgencyID: mockAgencyID, IsActive: true,
			DateTimeCreated: "2026-10-01T08:00:00Z", DateTimeModified: "2026-10-01T08:00:00.1234567Z",
			StartDateTime:            start.Format(item.layout),
			EndDateTime:              start.Add(time.Duration(item.minutes) * time.Minute).Format(item.layout),
			LinkedAgendaItemCategory: categories[item.category],
			LinkedAssignments:        []json.RawMessage{}, LinkedRelations: []json.RawMessage{},
		}
		for _, key := range item.people {
			a.LinkedEmployees = append(a.LinkedEmployees, mockEmployeeLinks()[key])
		}
		if item.assignment != "" {
			a.LinkedAssignments = append(a.LinkedAssignments, mockSeedLink(item.assignment))
		}
		d := mockDocument{}
		if item.set != nil {
			item.set(&a, &d)
		}
		var e1, e2 error
		d.Entity, e1 = mockkit.Marshal(a)
		doc, e2 := mockDoc(mockAgendaKind, a.ID, d)
		docs, err = append(docs, doc), cmp.Or(err, e1, e2)
	}
	return docs, err
}
