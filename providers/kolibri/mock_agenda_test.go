package kolibri

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// mockItem is an agenda item to save, as in the contract's sample, with changes; nil removes a field.
func mockItem(changes mockFields) mockFields {
	f := mockFields{
		"subject": "Bezichtiging Lindelaan 14A", "description": "Referentie: APT-000482", "location": "Lindelaan 14A, Bunnik",
		"allDayEvent": false, "isCanceled": false, "isConfirmed": true, "isPrivate": false, "isRecurringEvent": false,
		"exceptionDates": []any{}, "priority": "Medium", "timeMarker": "Busy", "useReminder": true, "minutesBeforeReminder": 30,
		"readOnly": false, "id": mockZeroID, "isNew": true, "isActive": true, "realEstateAgencyId": mockAgencyID,
		"startDateTime": "2026-04-02T14:00:00+02:00", "endDateTime": "2026-04-02T14:30:00+02:00",
		"dateTimeCreated": "2026-03-05T10:00:00Z", "dateTimeModified": "2026-03-05T10:00:00Z",
		"linkedAgendaItemCategory": mockFields{"id": mockViewingID},
		"linkedEmployees":          []any{mockFields{"id": mockSanneID}},
		"linkedAssignments":        []any{mockFields{"id": mockLindelaan, "typeOfAssignment": "Object"}},
		"linkedRelations":          []any{}, "linkedOffice": mockFields{"id": mockUtrechtID},
	}
	for k, v := range changes {
		if v == nil {
			delete(f, k)
		} else {
			f[k] = v
		}
	}
	return f
}

func mockSave(changes mockFields) mockFields { return mockFields{"agendaItem": mockItem(changes)} }

func mockDefine(changes mockFields) mockFields {
	f := mockFields{
		"subject": "Bezichtiging", "startDateTime": "2026-04-02T14:00:00+02:00", "endDateTime": "2026-04-02T14:30:00+02:00",
		"linkedEmployeeIds": []string{mockSanneID}, "linkedOfficeId": mockUtrechtID,
	}
	for k, v := range changes {
		if v == nil {
			delete(f, k)
		} else {
			f[k] = v
		}
	}
	return f
}

// saved saves an item and gives it back.
func (r *mockRig) saved(changes mockFields) mockFields {
	r.t.Helper()
	return r.call(http.StatusOK, "POST", "AgendaItems", mockSave(changes))["agendaItem"].(mockFields)
}

func (r *mockRig) agendaTotal() string {
	r.t.Helper()
	_, total := mockRows(r.call(http.StatusOK, "POST", "AgendaItems/Search", mockAgendaQuery(nil)))
	return total
}

func mockAgendaQuery(changes mockFields) mockFields {
	q := mockFields{
		"skip": 0, "take": 100, "order": "Ascending", "orderBy": "StartDateTime", "filterByActive": "ActiveOnly",
		"periodDateTimeMin": "2020-01-01T00:00:00Z", "periodDateTimeMax": "2099-01-01T00:00:00Z",
	}
	for k, v := range changes {
		if v == nil {
			delete(q, k)
		} else {
			q[k] = v
		}
	}
	return q
}

func TestMockAgendaLife(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")

	before := r.agendaTotal()
	defined := r.call(200, "POST", "AgendaItems/DefineNew", mockDefine(nil))["agendaItem"].(mockFields)
	if defined["isNew"] != true || defined["id"] != mockZeroID || defined["priority"] != "Medium" {
		t.Errorf("defined: %v", defined)
	}
	if after := r.agendaTotal(); after != before {
		t.Errorf("DefineNew stored something: %s items, before %s", after, before)
	}

	a := r.saved(mockFields{"id": mockMadeID("ignored")})
	id := a["id"].(string)
	if id == mockMadeID("ignored") || a["isNew"] != false || a["startDateTime"] != "2026-04-02T12:00:00Z" {
		t.Errorf("saved: %v", a)
	}
	employee := a["linkedEmployees"].([]any)[0].(mockFields)
	assignment := a["linkedAssignments"].([]any)[0].(mockFields)
	if employee["displayName"] != "Sanne Verbruggen" || assignment["publicReference"] != "DWM-2026-0142" ||
		a["linkedAgendaItemCategory"].(mockFields)["categoryType"] != "Viewing" || a["linkedOffice"].(mockFields)["locality"] != "UTRECHT" {
		t.Errorf("the links are not filled in: %v", a)
	}
	read := r.call(200, "GET", "AgendaItems?id="+id, nil)["agendaItem"].(mockFields)
	if read["description"] != "Referentie: APT-000482" || read["dateTimeModified"] != a["dateTimeModified"] {
		t.Errorf("read: %v", read)
	}

	update := mockSave(mockFields{"id": id, "isNew": false, "subject": "Verzet"})
	changed := r.call(200, "POST", "AgendaItems", update)["agendaItem"].(mockFields)
	if changed["id"] != id || changed["subject"] != "Verzet" || changed["dateTimeCreated"] != a["dateTimeCreated"] {
		t.Errorf("updated: %v", changed)
	}
	if changed["dateTimeModified"].(string) <= a["dateTimeModified"].(string) {
		t.Errorf("dateTimeModified did not rise: %v after %v", changed["dateTimeModified"], a["dateTimeModified"])
	}

	moved := r.call(200, "POST", "AgendaItems/Move", mockFields{
		"id": id, "startDateTime": "2026-04-03T10:00:00+02:00", "endDateTime": "2026-04-03T10:30:00+02:00",
		"allDayEvent": nil, "linkedEmployeeIds": []string{},
	})["agendaItem"].(mockFields)
	if moved["startDateTime"] != "2026-04-03T08:00:00Z" || len(moved["linkedEmployees"].([]any)) != 1 || moved["subject"] != "Verzet" {
		t.Errorf("moved: %v", moved)
	}
	moved = r.call(200, "POST", "AgendaItems/Move", mockFields{"id": id, "linkedEmployeeIds": []string{mockJelleID, mockMaritID}})["agendaItem"].(mockFields)
	if moved["startDateTime"] != "2026-04-03T08:00:00Z" || len(moved["linkedEmployees"].([]any)) != 2 {
		t.Errorf("reassigned: %v", moved)
	}

	confirmed := r.call(200, "POST", "AgendaItems/Confirm", mockFields{"id": id})["agendaItem"].(mockFields)
	if confirmed["isConfirmed"] != true {
		t.Errorf("confirmed: %v", confirmed)
	}
	for range 2 { // cancelling twice is no error
		cancelled := r.call(200, "POST", "AgendaItems/Cancel", mockFields{"id": id})["agendaItem"].(mockFields)
		if cancelled["isCanceled"] != true {
			t.Errorf("cancelled: %v", cancelled)
		}
	}
	rebooked := r.call(200, "POST", "AgendaItems", mockSave(mockFields{"id": id, "isNew": false}))["agendaItem"].(mockFields)
	if rebooked["isCanceled"] != false {
		t.Errorf("rebooked: %v", rebooked)
	}

	r.call(204, "DELETE", "AgendaItems?id="+id, nil)
	r.call(404, "GET", "AgendaItems?id="+id, nil)
	r.call(404, "DELETE", "AgendaItems?id="+id, nil)
	r.call(404, "POST", "AgendaItems/Cancel", mockFields{"id": id})
	r.call(404, "POST", "AgendaItems", mockSave(mockFields{"id": id, "isNew": false}))
	if back := r.call(200, "POST", "AgendaItems/Undelete", mockFields{"id": id})["agendaItem"].(mockFields); back["id"] != id {
		t.Errorf("undeleted: %v", back)
	}
	r.call(200, "GET", "AgendaItems?id="+id, nil)
}

func TestMockAgendaRules(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	unknown := mockMadeID("nobody")
	cases := []struct {
		name    string
		changes mockFields
		status  int
		code    string
		key     string
	}{
		{"end before start", mockFields{"endDateTime": "2026-04-02T13:00:00+02:00"}, 400, "BrokenBusinessRules", "AgendaItem.EndDateTime"},
		{"end at start", mockFields{"endDateTime": "2026-04-02T12:00:00Z"}, 400, "BrokenBusinessRules", "AgendaItem.EndDateTime"},
		{"all day may be a moment", mockFields{"endDateTime": "2026-04-02T14:00:00+02:00", "allDayEvent": true}, 200, "", ""},
		{"no attendee", mockFields{"linkedEmployees": []any{}}, 400, "BrokenBusinessRules", "AgendaItem.LinkedEmployees"},
		{"attendees left out", mockFields{"linkedEmployees": nil}, 400, "BrokenBusinessRules", "AgendaItem.LinkedEmployees"},
		{"unknown attendee", mockFields{"linkedEmployees": []any{mockFields{"id": unknown}}}, 400, "BrokenBusinessRules", "AgendaItem.LinkedEmployees"},
		{"unknown relation", mockFields{"linkedRelations": []any{mockFields{"id": unknown}}}, 400, "BrokenBusinessRules", "AgendaItem.LinkedRelations"},
		{"unknown object", mockFields{"linkedAssignments": []any{mockFields{"id": unknown}}}, 400, "BrokenBusinessRules", "AgendaItem.LinkedAssignments"},
		{"unknown category", mockFields{"linkedAgendaItemCategory": mockFields{"id": unknown}}, 400, "BrokenBusinessRules", "AgendaItem.LinkedAgendaItemCategory"},
		{"250 characters", mockFields{"subject": strings.Repeat("é", 250)}, 200, "", ""},
		{"251 characters", mockFields{"subject": strings.Repeat("é", 251)}, 400, "BrokenBusinessRules", "AgendaItem.Subject"},
		{"unknown id", mockFields{"isNew": false, "id": unknown}, 404, "", ""},
		{"bad enum", mockFields{"timeMarker": "Occupied"}, 400, "InvalidModelState", "request.agendaItem.timeMarker"},
		{"missing field", mockFields{"priority": nil}, 400, "InvalidModelState", "request.agendaItem.priority"},
		{"missing root field", mockFields{"dateTimeCreated": nil}, 400, "InvalidModelState", "request.agendaItem.dateTimeCreated"},
		{"time without offset", mockFields{"startDateTime": "2026-04-02T14:00:00"}, 400, "InvalidModelState", "request.agendaItem.startDateTime"},
		{"no category, no office", mockFields{"linkedAgendaItemCategory": nil, "linkedOffice": nil}, 200, "", ""},
		{"a real relation", mockFields{"linkedRelations": []any{mockFields{"id": mockMadeID("contact/N. Beekman")}}}, 200, "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := *r
			r.t = t
			answer := r.call(c.status, "POST", "AgendaItems", mockSave(c.changes))
			rules, _ := answer["brokenBusinessRules"].(mockFields)
			if c.code != "" && (answer["errorCode"] != c.code || rules[c.key] == nil) {
				t.Errorf("got %v", answer)
			}
		})
	}
	t.Run("wrapper missing", func(t *testing.T) {
		t.Parallel()
		r := *r
		r.t = t
		if answer := r.call(400, "POST", "AgendaItems", mockItem(nil)); answer["errorCode"] != "InvalidModelState" {
			t.Errorf("got %v", answer)
		}
	})
	t.Run("DefineNew without attendees", func(t *testing.T) {
		t.Parallel()
		r := *r
		r.t = t
		if answer := r.call(400, "POST", "AgendaItems/DefineNew", mockDefine(mockFields{"linkedEmployeeIds": nil})); answer["errorCode"] != "InvalidModelState" {
			t.Errorf("got %v", answer)
		}
		if answer := r.call(400, "POST", "AgendaItems/DefineNew", mockDefine(mockFields{"linkedEmployeeIds": []string{}})); answer["errorCode"] != "BrokenBusinessRules" {
			t.Errorf("got %v", answer)
		}
	})
}

// TestMockAgendaOutlivesItsObject: an item can be cancelled after its object was deleted.
func TestMockAgendaOutlivesItsObject(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	id := r.saved(nil)["id"].(string)
	r.call(204, "DELETE", "ObjectAssignments?id="+mockLindelaan, nil)
	cancelled := r.call(200, "POST", "AgendaItems/Cancel", mockFields{"id": id})["agendaItem"].(mockFields)
	if len(cancelled["linkedAssignments"].([]any)) != 1 {
		t.Errorf("the link is lost: %v", cancelled)
	}
}

func TestMockAgendaKeepsRelativeURLs(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	id := r.saved(nil)["id"].(string)
	other := newMockRig(t, r.mirror.Store, "")
	read := other.call(200, "GET", "AgendaItems?id="+id, nil)["agendaItem"].(mockFields)
	photo := read["linkedAssignments"].([]any)[0].(mockFields)["photo1Url"].(string)
	if !strings.HasPrefix(photo, other.server.URL+"/mock/media/") {
		t.Errorf("photo of another server: %s", photo)
	}
}

func TestMockAgendaSearch(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	at := func(day int, hour string) string {
		return time.Date(2031, 5, day, 0, 0, 0, 0, time.UTC).Format("2006-01-02") + hour
	}
	first := r.saved(mockFields{"startDateTime": at(1, "T10:00:00+02:00"), "endDateTime": at(1, "T11:00:00+02:00"), "subject": "Eerste"})["id"].(string)
	second := r.saved(mockFields{
		"startDateTime": at(2, "T10:00:00+02:00"), "endDateTime": at(2, "T11:00:00+02:00"), "subject": "Tweede",
		"linkedEmployees": []any{mockFields{"id": mockJelleID}}, "linkedAgendaItemCategory": mockFields{"id": mockOtherID}, "isConfirmed": false,
	})["id"].(string)
	r.call(200, "POST", "AgendaItems/Cancel", mockFields{"id": second})
	period := mockFields{"periodDateTimeMin": at(1, "T00:00:00Z"), "periodDateTimeMax": at(3, "T00:00:00Z")}
	cases := []struct {
		name    string
		changes mockFields
		want    string
	}{
		{"period", nil, first + " " + second},
		{"descending", mockFields{"order": "Descending"}, second + " " + first},
		{"touching", mockFields{"periodDateTimeMin": at(1, "T08:30:00Z"), "periodDateTimeMax": at(1, "T08:45:00Z")}, first},
		{"just after", mockFields{"periodDateTimeMin": at(1, "T09:00:00Z"), "periodDateTimeMax": at(1, "T10:00:00Z")}, ""},
		{"employee", mockFields{"employeeIds": []string{strings.ToUpper(mockJelleID)}}, second},
		{"category", mockFields{"categoryIds": []string{mockViewingID}}, first},
		{"category type", mockFields{"categoryTypes": []string{"Other"}}, second},
		{"cancelled", mockFields{"isCanceled": true}, second},
		{"not cancelled", mockFields{"isCanceled": false}, first},
		{"unconfirmed", mockFields{"isConfirmed": false}, second},
		{"term", mockFields{"term": "eerst", "termFields": []string{"Subject"}}, first},
		{"ids", mockFields{"agendaItemIds": []string{second}}, second},
		{"id without a period", mockFields{"agendaItemId": first, "periodDateTimeMin": nil, "periodDateTimeMax": nil}, first},
		{"second page", mockFields{"skip": 1, "take": 1}, second},
	}
	for _, c := range cases {
		q := mockAgendaQuery(period)
		for k, v := range c.changes {
			q[k] = v
			if v == nil {
				delete(q, k)
			}
		}
		rows, _ := mockRows(r.call(200, "POST", "AgendaItems/Search", q))
		var got []string
		for _, row := range rows {
			got = append(got, row["id"].(string))
			if _, there := row["description"]; there {
				t.Error("a row has a description")
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if answer := r.call(400, "POST", "AgendaItems/Search", mockAgendaQuery(mockFields{"periodDateTimeMin": nil})); answer["errorCode"] != "InvalidModelState" {
		t.Errorf("without a period: %v", answer)
	}
}

// TestMockAgendaSeed: what others put into the agenda cannot be read or changed by us.
func TestMockAgendaSeed(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	rows, _ := mockRows(r.call(200, "POST", "AgendaItems/Search", mockAgendaQuery(nil)))
	if len(rows) < 5 {
		t.Fatalf("only %d items", len(rows))
	}
	forms := map[string]bool{}
	for _, row := range rows {
		id, start := row["id"].(string), row["startDateTime"].(string)
		forms[start[len("2006-01-02T15:04:05"):]] = true
		switch {
		case row["accessDeniedForCurrentUser"] == true:
			if row["subject"] != nil {
				t.Errorf("a private item shows its subject: %v", row)
			}
			r.call(403, "GET", "AgendaItems?id="+id, nil)
			r.call(403, "POST", "AgendaItems/Cancel", mockFields{"id": id})
		case row["readOnly"] == true:
			if answer := r.call(400, "POST", "AgendaItems/Cancel", mockFields{"id": id}); answer["errorCode"] != "BrokenBusinessRules" {
				t.Errorf("a read-only item was changed: %v", answer)
			}
			r.call(400, "DELETE", "AgendaItems?id="+id, nil)
		}
	}
	if len(forms) < 3 {
		t.Errorf("date-times in too few forms: %v", forms)
	}
}

func TestMockCategories(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	q := mockFields{"skip": 0, "take": 100, "order": "Ascending", "orderBy": "DisplayName", "filterByActive": "ActiveOnly", "includeStatistics": false}
	rows, _ := mockRows(r.call(200, "POST", "AgendaItemCategories/Search", q))
	if len(rows) != 5 || rows[0]["displayName"] != "Bezichtiging" || rows[0]["id"] != mockViewingID {
		t.Errorf("active: %v", rows)
	}
	q["filterByActive"] = "InactiveOnly"
	if rows, _ = mockRows(r.call(200, "POST", "AgendaItemCategories/Search", q)); len(rows) != 1 || rows[0]["categoryType"] != "Viewing" {
		t.Errorf("inactive: %v", rows)
	}
	q["orderBy"] = "StartDateTime"
	r.call(400, "POST", "AgendaItemCategories/Search", q)
}

func TestMockRelations(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	query := func(changes mockFields) (names []string) {
		q := mockFields{"skip": 0, "take": 100, "order": "Ascending", "orderBy": "DisplayName", "filterByActive": "ActiveOnly", "includeStatistics": false}
		for k, v := range changes {
			q[k] = v
		}
		rows, total := mockRows(r.call(200, "POST", "Relations/Search", q))
		if total != json.Number(total).String() {
			t.Error(total)
		}
		for _, row := range rows {
			names = append(names, row["displayName"].(string))
		}
		return names
	}
	cases := []struct {
		name    string
		changes mockFields
		want    string
	}{
		{"employees", mockFields{"filterByRelationTypes": []string{"Employee"}}, "Jelle Hoekstra, Marit de Wit, Sanne Verbruggen"},
		{"back office too", mockFields{"filterByRelationTypes": []string{"Employee"}, "includeBackOfficeEmployees": true}, "Ilse Brandsma, Jelle Hoekstra, Marit de Wit, Sanne Verbruggen"},
		{"inactive", mockFields{"filterByRelationTypes": []string{"Employee"}, "filterByActive": "InactiveOnly"}, "Ruben Postma"},
		{"offices", mockFields{"filterByRelationTypes": []string{"Office"}, "order": "Descending"}, "De Wit Makelaars Utrecht, De Wit Makelaars Deventer"},
		{"customers come unasked", mockFields{"take": 2, "skip": 5}, "Sanne Verbruggen, T. Abels"},
		{"by e-mail", mockFields{"emailAddresses": []string{"N-BEEKMAN@mail.example"}}, "N. Beekman"},
		{"by id", mockFields{"relationIds": []string{mockJelleID}}, "Jelle Hoekstra"},
		{"by term", mockFields{"term": "wit", "termFields": []string{"DisplayName"}}, "De Wit Makelaars Deventer, De Wit Makelaars Utrecht, Marit de Wit"},
		{"modified since", mockFields{"filterByRelationTypes": []string{"Office"}, "minDateTimeModified": "2026-01-01T00:00:00Z"}, ""},
	}
	for _, c := range cases {
		if got := strings.Join(query(c.changes), ", "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	employee := r.call(200, "GET", "Employees?id="+mockSanneID, nil)["employee"].(mockFields)
	if employee["displayName"] != "Sanne Verbruggen" || employee["accountIsActive"] != true {
		t.Errorf("employee: %v", employee)
	}
	office := r.call(200, "GET", "Offices?id="+mockDeventerID, nil)["office"].(mockFields)
	if len(office["linkedEmployees"].([]any)) != 2 {
		t.Errorf("office: %v", office)
	}
	r.call(404, "GET", "Employees?id="+mockDeventerID, nil)
	if status, _ := r.do("POST", "/v3/RealEstateAgencies/Search", mockFields{"skip": 0, "take": 10, "order": "Ascending", "filterByActive": "ActiveOnly"}); status != 200 {
		t.Errorf("agencies: %d", status)
	}
	_, body := r.do("POST", "/v3/RealEstateAgencies/Search", mockFields{"skip": 0, "take": 10, "order": "Ascending", "filterByActive": "InactiveOnly"})
	if rows, total := mockRows(mockDecode(t, body)); len(rows) != 0 || total != "0" {
		t.Errorf("inactive agencies: %s", body)
	}
}
