package kolibri

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sparki.app/integrations/providers/memstore"
)

func TestMockSearchFilters(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	all, _ := r.search(nil)
	is := func(key string, values ...any) func(mockFields) bool {
		return func(row mockFields) bool { return slices.Contains(values, row[key]) }
	}
	linked := func(key, id string) func(mockFields) bool {
		return func(row mockFields) bool {
			link, _ := row[key].(mockFields)
			return link["id"] == id
		}
	}
	price := func(low, high float64) func(mockFields) bool {
		return func(row mockFields) bool {
			for _, key := range []string{"salePrice", "rentPrice"} {
				if n, ok := row[key].(json.Number); ok {
					if p, err := n.Float64(); err == nil && p >= low && p <= high {
						return true
					}
				}
			}
			return false
		}
	}
	cases := []struct {
		name    string
		changes mockFields
		want    func(row mockFields) bool
	}{
		{"everything", nil, func(mockFields) bool { return true }},
		{"for sale", mockFields{"forRent": false}, is("forSale", true)},
		{"for rent", mockFields{"forSale": false}, is("forRent", true)},
		{"neither", mockFields{"forSale": false, "forRent": false}, func(mockFields) bool { return false }},
		{"active", mockFields{"filterByActive": "ActiveOnly"}, is("isActive", true)},
		{"inactive", mockFields{"filterByActive": "InactiveOnly"}, is("isActive", false)},
		{"office", mockFields{"officeIds": []string{mockDeventerID}}, linked("linkedOffice", mockDeventerID)},
		{"office in capitals", mockFields{"officeIds": []string{strings.ToUpper(mockDeventerID)}}, linked("linkedOffice", mockDeventerID)},
		{"ids", mockFields{"assignmentIds": []string{mockLindelaan, mockProject}}, is("id", mockLindelaan, mockProject)},
		{"status", mockFields{"availabiltyStatuses": []string{"Withdrawn", "Sold"}}, is("availabilityStatus", "Withdrawn", "Sold")},
		{"phase", mockFields{"assignmentPhases": []string{"Concept"}}, is("assignmentPhase", "Concept")},
		{"types", mockFields{"filterByAssignmentTypes": []string{"Object", "ObjectType", "Project"}}, is("typeOfAssignment", "Object", "ObjectType", "Project")},
		{"group", mockFields{"filterByRealEstateGroups": []string{"Agricultural"}}, is("realEstateGroup", "Agricultural")},
		{"listing type", mockFields{"listingTypes": []string{"Parking"}}, is("listingType", "Parking")},
		{"project", mockFields{"filterByProjectAssignmentIds": []string{mockProject}}, linked("linkedProjectAssignment", mockProject)},
		{"object type", mockFields{"filterByObjectTypeAssignmentIds": []string{mockSampleTypeID}}, is("id", mockUnit12)},
		{"place", mockFields{"localities": []string{"UTRECHT"}}, is("locality", "UTRECHT")},
		{"price", mockFields{"filterByMinPrice": 300000, "filterByMaxPrice": 500000}, price(300000, 500000)},
		{"bedrooms", mockFields{"filterByNumberOfBedroomsMin": 6}, is("numberOfBedrooms", json.Number("6"), json.Number("7"))},
		{"furnishing", mockFields{"filterByFurnishings": []string{"Furnished"}}, is("furnishing", "Furnished")},
		{"key", mockFields{"hasKey": true}, is("id", mockLindelaan)},
		{"key number", mockFields{"filterByKeyNumbers": []int{17}}, is("id", mockLindelaan)},
		{"available from", mockFields{"availableFromMin": "2027-01-15T00:00:00Z"}, is("availableFrom", "2027-02-01T00:00:00Z")},
		{"relation", mockFields{"relationIds": []string{"9d3c7b20-4e5f-4a61-8b72-f0e1d2c3b4a5"}}, is("publicReference", "DWM-H-0077")},
		{"term", mockFields{"term": "lindel", "termFields": []string{"StreetNameAndNumber"}}, is("id", mockLindelaan)},
		{"term in another field", mockFields{"term": "lindel", "termFields": []string{"Locality", "PublicReference"}}, func(mockFields) bool { return false }},
	}
	for _, c := range cases {
		rows, total := r.search(c.changes)
		var got, want []string
		for _, row := range rows {
			got = append(got, row["id"].(string))
		}
		for _, row := range all {
			if c.want(row) {
				want = append(want, row["id"].(string))
			}
		}
		if !slices.Equal(got, want) || total != fmt.Sprint(len(want)) {
			t.Errorf("%s: %d rows (%s), want %d", c.name, len(got), total, len(want))
		}
	}

	// What a row does not show.
	rows, _ := r.search(mockFields{"employeeIds": []string{mockSanneID}})
	project := false
	for _, row := range rows {
		project = project || row["id"] == mockProject
		if e, ok := row["linkedEmployee"].(mockFields); ok && e["id"] != mockSanneID {
			t.Errorf("somebody else's: %v", row)
		}
	}
	if !project {
		t.Error("the second employee of a project does not find it")
	}
	without, _ := r.search(mockFields{"ignoreOldVersions": true})
	if len(without) != len(all)-1 {
		t.Errorf("without old versions %d of %d", len(without), len(all))
	}
}

func TestMockSearchRefusals(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	cases := []struct {
		changes mockFields
		key     string
	}{
		{mockFields{"skip": nil}, "skip"},
		{mockFields{"take": nil}, "take"},
		{mockFields{"order": nil}, "order"},
		{mockFields{"orderBy": nil}, "orderBy"},
		{mockFields{"filterByActive": nil}, "filterByActive"},
		{mockFields{"forSale": nil}, "forSale"},
		{mockFields{"forRent": nil}, "forRent"},
		{mockFields{"includeStatistics": nil}, "includeStatistics"},
		{mockFields{"skip": -1}, "skip"},
		{mockFields{"take": 1.5}, "take"},
		{mockFields{"take": "100"}, "take"},
		{mockFields{"take": 2147483648}, "take"},
		{mockFields{"order": "descending"}, "order"},
		{mockFields{"orderBy": "DateTimeModified"}, "orderBy"},
		{mockFields{"filterByAssignmentTypes": []string{"House"}}, "filterByAssignmentTypes"},
		{mockFields{"availabiltyStatuses": "Sold"}, "availabiltyStatuses"},
		{mockFields{"officeIds": []string{"utrecht"}}, "officeIds"},
		{mockFields{"officeIds": []any{json.RawMessage("null")}}, "officeIds"},
		{mockFields{"ignoreOldVersions": "true"}, "ignoreOldVersions"},
		{mockFields{"term": "x"}, "termFields"},
		{mockFields{"term": strings.Repeat("é", 51), "termFields": []string{"Locality"}}, "term"},
		{mockFields{"culture": "nl-NL-x"}, "culture"},
		{mockFields{"availableFromMin": "yesterday"}, "availableFromMin"},
	}
	for _, c := range cases {
		answer := r.call(400, "POST", "Assignments/Search", mockQuery(c.changes))
		rules, _ := answer["brokenBusinessRules"].(mockFields)
		if answer["errorCode"] != "InvalidModelState" || rules["request."+c.key] == nil || answer["requestId"] == "" {
			t.Errorf("%v: %v", c.changes, answer)
		}
	}
	// The properly spelled name is unknown, so it filters nothing.
	all, _ := r.search(nil)
	if rows, _ := r.search(mockFields{"availabilityStatuses": []string{"Sold"}}); len(rows) != len(all) {
		t.Errorf("an unknown field filtered: %d of %d rows", len(rows), len(all))
	}
}

func TestMockSearchPages(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	if err := SeedObjects(t.Context(), store, 230, 0); err != nil {
		t.Fatal(err)
	}
	r := newMockRig(t, store, "")
	objects := mockFields{"filterByAssignmentTypes": []string{"Object"}}
	_, total := r.search(objects)
	for _, take := range []int{7, 100, 101, 5000} {
		seen := map[string]bool{}
		for skip := 0; ; {
			rows, again := r.search(mockFields{"filterByAssignmentTypes": []string{"Object"}, "skip": skip, "take": take})
			if again != total || len(rows) > 100 {
				t.Fatalf("take %d: %d rows of %s", take, len(rows), again)
			}
			for _, row := range rows {
				if id := row["id"].(string); seen[id] {
					t.Fatalf("take %d: %s comes twice", take, id)
				} else {
					seen[id] = true
				}
			}
			if skip += len(rows); len(rows) == 0 {
				break
			}
		}
		if fmt.Sprint(len(seen)) != total {
			t.Errorf("take %d: %d of %s", take, len(seen), total)
		}
	}
	if rows, _ := r.search(mockFields{"take": 0}); len(rows) != 0 {
		t.Errorf("take 0 gives %d rows", len(rows))
	}
}

func TestMockSearchOrders(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	when := func(key string) func(row mockFields) string {
		return func(row mockFields) string {
			return mockTime(row[key].(string), time.UTC).UTC().Format(mockStampLayout)
		}
	}
	text := func(row mockFields, key string) string {
		s, _ := row[key].(string)
		return s
	}
	for by, key := range map[string]func(row mockFields) string{
		"ModificationDate":            when("dateTimeModified"),
		"CreationDate":                when("dateTimeCreated"),
		"LocalityStreetNameAndNumber": func(row mockFields) string { return text(row, "locality") },
		"AssignmentType":              func(row mockFields) string { return text(row, "typeOfAssignment") },
		"ActivityAndDateTimeModified": func(row mockFields) string { return fmt.Sprint(row["isActive"]) },
		"KeyNumber":                   func(row mockFields) string { return fmt.Sprint(row["keyNr"] != nil) },
		"ConstructionNumber":          func(row mockFields) string { return fmt.Sprint(row["constructionNumber"] != nil) },
	} {
		up, _ := r.search(mockFields{"orderBy": by, "order": "Ascending"})
		if !slices.IsSortedFunc(up, func(a, b mockFields) int { return strings.Compare(key(a), key(b)) }) {
			t.Errorf("%s is not ascending", by)
		}
		down, _ := r.search(mockFields{"orderBy": by, "order": "Descending"})
		if len(up) != len(down) || up[0]["id"] != down[len(down)-1]["id"] {
			t.Errorf("%s: descending is not the reverse", by)
		}
	}
	// By address, house numbers count as numbers.
	rows, _ := r.search(mockFields{"orderBy": "LocalityStreetNameAndNumber", "order": "Ascending", "localities": []string{"UTRECHT"}})
	if text(rows[0], "streetNameAndNumber") != "Amsterdamsestraatweg 987-5" {
		t.Errorf("first in Utrecht: %v", rows[0]["streetNameAndNumber"])
	}
}

func TestMockStateChanges(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	read := func(resource, key, id string) mockFields {
		t.Helper()
		return r.call(200, "GET", resource+"?id="+id, nil)[key].(mockFields)
	}
	for resource, c := range map[string]struct{ key, id string }{
		"ObjectAssignments":     {"objectAssignment", mockLindelaan},
		"ObjectTypeAssignments": {"objectTypeAssignment", mockSampleTypeID},
		"ProjectAssignments":    {"projectAssignment", mockProject},
	} {
		ids := mockFields{"assignmentIds": []string{c.id}, "filterByActive": "ActiveOnly"}
		last := read(resource, c.key, c.id)["dateTimeModified"].(string)
		rises := func(what string) {
			t.Helper()
			now := read(resource, c.key, c.id)["dateTimeModified"].(string)
			if !mockTime(now, time.UTC).After(mockTime(last, time.UTC)) {
				t.Errorf("%s: %s does not raise dateTimeModified: %s after %s", resource, what, now, last)
			}
			last = now
		}
		r.call(204, "POST", resource+"/Archive", mockFields{"id": c.id})
		rises("Archive")
		if rows, _ := r.search(ids); len(rows) != 0 || read(resource, c.key, c.id)["isActive"] != false {
			t.Errorf("%s: archived, but found among the active", resource)
		}
		r.call(204, "POST", resource+"/Unarchive", mockFields{"id": c.id})
		rises("Unarchive")
		if rows, _ := r.search(ids); len(rows) != 1 || rows[0]["dateTimeModified"] != last {
			t.Errorf("%s: unarchived, but the row is %v", resource, rows)
		}
		for action, want := range map[string]string{
			"ToSold": "Sold", "ToRented": "Rented", "ToUnderOption": "UnderOption", "ToUnderOffer": "UnderBid",
		} {
			answer := r.call(200, "POST", resource+"/UpdateAvailability", mockFields{"id": c.id, "updateAvailabilityAction": action})
			if got := answer[c.key].(mockFields)["availabilityStatus"]; got != want {
				t.Errorf("%s %s: %v, want %s", resource, action, got, want)
			}
			rises(action)
		}
		answer := r.call(200, "POST", resource+"/UpdateAvailability", mockFields{
			"id": c.id, "updateAvailabilityAction": "ToWithdrawn", "withdrawnSettings": mockFields{"withdrawReason": "AskingPriceNotMet", "withdrawnDateTime": "2026-11-20T00:00:00Z"},
		})[c.key].(mockFields)
		if answer["availabilityStatus"] != "Withdrawn" || answer["withdrawReason"] != "AskingPriceNotMet" || answer["assignmentPhase"] != "Completed" || answer["withdrawnDateTime"] == nil {
			t.Errorf("%s: withdrawn: %v", resource, answer)
		}
		answer = r.call(200, "POST", resource+"/UpdateAvailability", mockFields{"id": c.id, "updateAvailabilityAction": "ToAvailable"})[c.key].(mockFields)
		if answer["availabilityStatus"] != "Available" || answer["withdrawReason"] != nil || answer["assignmentPhase"] != "Initiated" {
			t.Errorf("%s: available again: %v", resource, answer)
		}
		last = answer["dateTimeModified"].(string)

		r.call(204, "DELETE", resource+"?id="+c.id, nil)
		r.call(404, "GET", resource+"?id="+c.id, nil)
		r.call(404, "DELETE", resource+"?id="+c.id, nil)
		r.call(404, "POST", resource+"/Archive", mockFields{"id": c.id})
		if rows, _ := r.search(mockFields{"assignmentIds": []string{c.id}}); len(rows) != 0 {
			t.Errorf("%s: deleted, but found", resource)
		}
		r.call(204, "POST", resource+"/Undelete", mockFields{"id": c.id})
		rises("Undelete")
	}
	r.call(400, "POST", "ObjectAssignments/UpdateAvailability", mockFields{"id": mockLindelaan, "updateAvailabilityAction": "ToLet"})
	r.call(400, "POST", "ObjectAssignments/UpdateAvailability", mockFields{
		"id": mockLindelaan, "updateAvailabilityAction": "ToWithdrawn", "withdrawnSettings": mockFields{"withdrawReason": "Bored"},
	})
	r.call(400, "POST", "ObjectAssignments/Archive", mockFields{})
	r.call(404, "POST", "ObjectAssignments/Archive", mockFields{"id": mockProject})
}

// TestMockProcessesShareAStore: what one process changes, the others serve at once.
func TestMockProcessesShareAStore(t *testing.T) {
	t.Parallel()
	one := newMockRig(t, nil, "")
	two := newMockRig(t, one.mirror.Store, "")
	two.search(nil) // fills its cache
	one.call(204, "POST", "ObjectAssignments/Archive", mockFields{"id": mockLindelaan})
	if o := two.call(200, "GET", "ObjectAssignments?id="+mockLindelaan, nil)["objectAssignment"].(mockFields); o["isActive"] != false {
		t.Error("the other process serves an old object")
	}
	if rows, _ := two.search(mockFields{"filterByActive": "ActiveOnly", "assignmentIds": []string{mockLindelaan}}); len(rows) != 0 {
		t.Error("the other process serves an old row")
	}
	photo := func(r *mockRig) string {
		rows, _ := r.search(mockFields{"assignmentIds": []string{mockLindelaan}})
		return rows[0]["photo1Url"].(string)
	}
	if !strings.HasPrefix(photo(one), one.server.URL+"/mock/media/") || !strings.HasPrefix(photo(two), two.server.URL+"/mock/media/") {
		t.Errorf("photos are not under each one's own address: %s, %s", photo(one), photo(two))
	}
}

// TestMockConcurrentWrites: many writers of one process lose nothing.
func TestMockConcurrentWrites(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	if err := SeedObjects(t.Context(), store, 40, 0); err != nil {
		t.Fatal(err)
	}
	r := newMockRig(t, store, "")
	done := make(chan error, 40)
	for i := range 40 {
		go func() {
			price, archived := json.Number(fmt.Sprint(100000+i)), true
			err := r.fulfil(t.Context(), SeededObjectID(i), mockWish{Price: &price})
			if err == nil {
				err = r.fulfil(t.Context(), SeededObjectID(i), mockWish{Archived: &archived})
			}
			done <- err
		}()
	}
	for range 40 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	fresh := newMockRig(t, store, "")
	for i := range 40 {
		o := fresh.call(200, "GET", "ObjectAssignments?id="+SeededObjectID(i), nil)["objectAssignment"].(mockFields)
		offer, _ := o["saleOffer"].(mockFields)
		if offer == nil {
			offer = o["rentOffer"].(mockFields)
		}
		price := offer["salePrice"]
		if price == nil {
			price = offer["rentPrice"]
		}
		if price != json.Number(fmt.Sprint(100000+i)) || o["isActive"] != false {
			t.Errorf("object %d: price %v, active %v", i, price, o["isActive"])
		}
	}
}

func TestSeedObjects(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	for range 2 { // twice is once
		if err := SeedObjects(t.Context(), store, 300, 100); err != nil {
			t.Fatal(err)
		}
	}
	docs, err := store.List(t.Context(), mockObjectKind)
	if err != nil || len(docs) != 300 {
		t.Fatalf("%d objects, %v", len(docs), err)
	}
	size := 0
	ids := map[string]bool{}
	for _, d := range docs {
		size += len(d.JSON)
		ids[d.ID] = true
	}
	if mean := size / len(docs); mean < 7500 || mean > 9500 {
		t.Errorf("an object has %d bytes", mean)
	}
	if !ids[SeededObjectID(100)] || !ids[SeededObjectID(399)] || ids[SeededObjectID(99)] {
		t.Error("the range is another one")
	}
}
