package kolibri

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// mockFactsJSON are the fields, types and enums of Kolibri's API, as far as they are public.
//
//go:embed mock/testdata/schema-facts.json
var mockFactsJSON []byte

type mockFacts struct {
	Types      map[string]map[string]string `json:"types"`
	Enums      map[string][]string          `json:"enums"`
	MaxLength  map[string]map[string]int    `json:"maxLength"`
	Operations []struct{ Verb, Path, Body string }
}

func readMockFacts(t *testing.T) *mockFacts {
	t.Helper()
	f := &mockFacts{}
	if err := json.Unmarshal(mockFactsJSON, f); err != nil {
		t.Fatal(err)
	}
	return f
}

// check compares an entity with its type, field by field, and gives what does not fit, as
// "path: problem".
func (f *mockFacts) check(kind, path string, v any) (wrong []string) {
	bad := func(format string, args ...any) { wrong = append(wrong, path+": "+fmt.Sprintf(format, args...)) }
	fields, isType := f.Types[kind]
	if isType {
		object, ok := v.(mockFields)
		if !ok {
			bad("%v is no %s", v, kind)
			return wrong
		}
		for name, value := range object {
			field, known := fields[name]
			if !known {
				bad("%s has no field %s", kind, name)
				continue
			}
			wrong = append(wrong, f.field(field, path+"."+name, value)...)
			if text, ok := value.(string); ok && f.MaxLength[kind][name] > 0 && utf8.RuneCountInString(text) > f.MaxLength[kind][name] {
				bad("%s is too long", name)
			}
		}
		for name, field := range fields {
			if _, there := object[name]; !there && strings.HasSuffix(field, "!") && !strings.Contains(field, "|") {
				bad("%s lacks %s", kind, name)
			}
		}
		return wrong
	}
	if values, isEnum := f.Enums[kind]; isEnum {
		if text, ok := v.(string); !ok || !slices.Contains(values, text) {
			bad("%v is no %s", v, kind)
		}
		return wrong
	}
	text, isText := v.(string)
	number, isNumber := v.(json.Number)
	ok := false
	switch kind {
	case "string":
		ok = isText
	case "guid":
		ok = isText && mockIsGUID(text)
	case "date-time":
		ok = isText && !mockTime(text, time.UTC).IsZero()
	case "bool":
		_, ok = v.(bool)
	case "int32", "int64":
		_, err := strconv.ParseInt(number.String(), 10, 64)
		ok = isNumber && err == nil
	case "decimal", "double":
		ok = isNumber
	case "array<string,string>":
		_, ok = v.(mockFields)
	default:
		bad("the facts do not know %s", kind)
		return wrong
	}
	if !ok {
		bad("%v is no %s", v, kind)
	}
	return wrong
}

func (f *mockFacts) field(kind, path string, v any) []string {
	kind, required := strings.CutSuffix(kind, "!")
	if v == nil {
		if required {
			return []string{path + ": is null"}
		}
		return nil
	}
	element, isList := strings.CutSuffix(kind, "[]")
	if !isList {
		return f.check(kind, path, v)
	}
	list, ok := v.([]any)
	if !ok {
		return []string{path + ": is no list"}
	}
	var wrong []string
	for i, e := range list {
		wrong = append(wrong, f.check(element, fmt.Sprintf("%s[%d]", path, i), e)...)
	}
	return wrong
}

// mockStrange is the object with values that Kolibri's types do not have, on purpose (contract §10.8).
var mockStrange = mockMadeID("DWM-X-0001")

func TestMockServesTheSchema(t *testing.T) {
	t.Parallel()
	facts := readMockFacts(t)
	r := newMockRig(t, nil, "")
	if err := SeedObjects(t.Context(), r.mirror.Store, 20, 0); err != nil {
		t.Fatal(err)
	}
	resources := map[string][2]string{
		"Object":     {"ObjectAssignments", "ObjectAssignmentsSingleItemResponse"},
		"ObjectType": {"ObjectTypeAssignments", "ObjectTypeAssignmentsSingleItemResponse"},
		"Project":    {"ProjectAssignments", "ProjectAssignmentsSingleItemResponse"},
	}
	var strange []string
	fits := func(kind, what string, v any) {
		t.Helper()
		for _, problem := range facts.check(kind, what, v) {
			if strings.HasPrefix(what, mockStrange) {
				strange = append(strange, problem)
				continue
			}
			t.Error(problem)
		}
	}
	rows, _ := r.search(nil)
	if len(rows) < 40 {
		t.Fatalf("only %d rows", len(rows))
	}
	for _, row := range rows {
		id := row["id"].(string)
		fits("AssignmentSnapShot", id+" row", row)
		resource, ok := resources[row["typeOfAssignment"].(string)]
		if !ok {
			continue
		}
		answer := r.call(http.StatusOK, "GET", resource[0]+"?id="+id, nil)
		fits(resource[1], id, answer)
		for _, entity := range answer {
			mockRowMatches(t, row, entity.(mockFields))
		}
	}
	// The strange object is strange in these respects and no others.
	want := []string{
		".objectAssignment.availabilityStatus", ".objectAssignment.energyLabel.energyClass",
		".objectAssignment.heating[0]", ".objectAssignment.listingType", ".objectAssignment.saleOffer.saleCondition",
		".objectAssignment.titleText[0].language", " row.availabilityStatus", " row.listingType", " row.saleCondition",
	}
	for i, problem := range strange {
		strange[i], _, _ = strings.Cut(strings.TrimPrefix(problem, mockStrange), ":")
	}
	slices.Sort(strange)
	slices.Sort(want)
	if !slices.Equal(strange, want) {
		t.Errorf("the strange object deviates in\n%q, want\n%q", strange, want)
	}

	page := mockFields{"skip": 0, "take": 100, "order": "Ascending", "orderBy": "DisplayName", "filterByActive": "ActiveOrInactive", "includeStatistics": false, "includeBackOfficeEmployees": true}
	answer := r.call(http.StatusOK, "POST", "Relations/Search", page)
	fits("RelationsSearchResponse", "relations", answer)
	relations, _ := mockRows(answer)
	for _, row := range relations {
		id := row["id"].(string)
		switch row["typeOfRelation"] {
		case "Employee":
			fits("EmployeesSingleItemResponse", id, r.call(http.StatusOK, "GET", "Employees?id="+id, nil))
		case "Office":
			fits("OfficesSingleItemResponse", id, r.call(http.StatusOK, "GET", "Offices?id="+id, nil))
		}
	}
	delete(page, "includeBackOfficeEmployees")
	fits("AgendaItemCategoriesSearchResponse", "categories", r.call(http.StatusOK, "POST", "AgendaItemCategories/Search", page))
	delete(page, "includeStatistics")
	delete(page, "orderBy")
	_, text := r.do("POST", "/v3/RealEstateAgencies/Search", page)
	fits("RealEstateAgenciesSearchResponse", "agencies", mockDecode(t, text))
	_, text = r.do("GET", "/v3/Version", nil)
	fits("VersionResponse", "version", mockDecode(t, text))

	page["orderBy"], page["periodDateTimeMin"], page["periodDateTimeMax"] = "StartDateTime", "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"
	answer = r.call(http.StatusOK, "POST", "AgendaItems/Search", page)
	fits("AgendaItemsSearchResponse", "agenda", answer)
	items, _ := mockRows(answer)
	for _, row := range items {
		if row["accessDeniedForCurrentUser"] == false {
			id := row["id"].(string)
			fits("AgendaItemsSingleItemResponse", id, r.call(http.StatusOK, "GET", "AgendaItems?id="+id, nil))
		}
	}
	saved := r.call(http.StatusOK, "POST", "AgendaItems", mockSave(nil))
	fits("AgendaItemsSingleItemResponse", "saved item", saved)
	fits("AgendaItemsSingleItemResponse", "defined item", r.call(http.StatusOK, "POST", "AgendaItems/DefineNew", mockDefine(nil)))
	fits("ErrorResponse", "400", r.call(http.StatusBadRequest, "POST", "AgendaItems", `{}`))
	fits("HttpError", "404", r.call(http.StatusNotFound, "GET", "AgendaItems?id="+mockMadeID("none"), nil))
	with := r.call(http.StatusOK, "POST", "Assignments/Search", mockQuery(mockFields{"includeStatistics": true, "assignmentIds": []string{mockLindelaan}}))
	fits("AssignmentsSearchResponse", "statistics", with)
}

// mockRowMatches compares what row and full entity both have.
func mockRowMatches(t *testing.T, row, entity mockFields) {
	t.Helper()
	same := func(name string, a, b any) {
		t.Helper()
		left, _ := json.Marshal(a)
		right, _ := json.Marshal(b)
		if string(left) != string(right) {
			t.Errorf("%v: %s is %s in the row and %s in full", row["id"], name, left, right)
		}
	}
	for _, name := range []string{
		"id", "isActive", "dateTimeCreated", "dateTimeModified", "forSale", "forRent", "availabilityStatus", "assignmentPhase",
		"linkedOffice", "linkedEmployee", "withdrawnDateTime", "withdrawReason", "listingType", "publicReference",
	} {
		same(name, row[name], entity[name])
	}
	offer, _ := entity["saleOffer"].(mockFields)
	same("salePrice", row["salePrice"], offer["salePrice"])
	same("saleCondition", row["saleCondition"], offer["saleCondition"])
	offer, _ = entity["rentOffer"].(mockFields)
	same("rentPrice", row["rentPrice"], offer["rentPrice"])
	if address, ok := entity["address"].(mockFields); ok {
		same("postalCode", row["postalCode"], address["postalCode"])
		if point, ok := address["geoLocation"].(mockFields); ok {
			same("latitude", row["latitude"], point["latitude"])
		}
	}
	photos := entity["photos"].([]any)
	same("totalNrOfPhotos", row["totalNrOfPhotos"], len(photos))
	if len(photos) > 0 {
		same("photo1Url", row["photo1Url"], photos[0].(mockFields)["urlMedium"])
	}
}

// TestMockKnowsItsRequests compares what the mock reads with the facts.
func TestMockKnowsItsRequests(t *testing.T) {
	t.Parallel()
	facts := readMockFacts(t)
	for name, values := range mockEnums {
		if !slices.Equal(values, facts.Enums[name]) {
			t.Errorf("%s is %q, want %q", name, values, facts.Enums[name])
		}
	}
	for kind, schema := range map[string]mockSchema{
		"AssignmentsSearchRequest": mockAssignmentsSchema, "RelationsSearchRequest": mockRelationsSchema,
		"AgendaItemsSearchRequest": mockAgendaSchema, "AgendaItemCategoriesSearchRequest": mockCategoriesSchema,
	} {
		whole := maps.Clone(schema)
		maps.Copy(whole, mockPageFields)
		for name := range facts.Types[kind] {
			if whole[name] == "" {
				t.Errorf("%s: %s is not read", kind, name)
			}
		}
		mockSchemaFits(t, facts, kind, whole)
	}
	mockSchemaFits(t, facts, "AgendaItem", mockAgendaItemSchema)
	for name, kind := range facts.Types["AgendaItem"] {
		if mockAgendaItemSchema[name] == "" && strings.HasSuffix(kind, "!") {
			t.Errorf("AgendaItem: %s is required and not read", name)
		}
	}
}

func mockSchemaFits(t *testing.T, facts *mockFacts, kind string, schema mockSchema) {
	t.Helper()
	for name, ours := range schema {
		theirs := facts.Types[kind][name]
		loose := strings.NewReplacer("moment", "date-time", "string50", "string", "string5", "string").Replace(ours)
		if strings.HasPrefix(loose, "object") {
			continue
		}
		if loose != theirs {
			t.Errorf("%s.%s is %s, want %s", kind, name, ours, theirs)
		}
		if limit := facts.MaxLength[kind][name]; limit > 0 && kind != "AgendaItem" && !strings.HasSuffix(ours, strconv.Itoa(limit)) {
			t.Errorf("%s.%s: %s, want at most %d characters", kind, name, ours, limit)
		}
	}
}

// TestMockSeedIsLifeLike holds the seed to what was asked of it.
func TestMockSeedIsLifeLike(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	rows, _ := r.search(nil)
	count := map[string]int{}
	towns := map[string]bool{}
	for _, row := range rows {
		count[row["typeOfAssignment"].(string)]++
		for _, key := range []string{"listingType", "availabilityStatus", "assignmentPhase", "realEstateGroup"} {
			if v, ok := row[key].(string); ok {
				count[v]++
			}
		}
		sale, rent := row["forSale"] == true, row["forRent"] == true
		switch {
		case sale && rent:
			count["both"]++
		case sale:
			count["sale"]++
		case rent:
			count["rent"]++
		}
		if row["isActive"] == false {
			count["archived"]++
		}
		if town, ok := row["locality"].(string); ok {
			towns[town] = true
		}
	}
	for what, least := range map[string]int{
		"Object": 28, "Project": 1, "ObjectType": 2, "Acquisition": 1, "sale": 15, "rent": 8, "both": 3, "House": 10, "Apartment": 8,
		"Parking": 2, "Plot": 1, "Office": 1, "RetailSpace": 1, "Agricultural": 2, "Withdrawn": 2, "archived": 2, "Sold": 2,
		"UnderOption": 2, "Concept": 1, "Commercial": 4, "Rented": 2,
	} {
		if count[what] < least {
			t.Errorf("%d × %s, want at least %d", count[what], what, least)
		}
	}
	if len(towns) < 20 {
		t.Errorf("only %d towns", len(towns))
	}
	plans, hidden := 0, map[string]int{}
	for _, row := range rows {
		if row["typeOfAssignment"] != "Object" {
			continue
		}
		o := r.call(http.StatusOK, "GET", "ObjectAssignments?id="+row["id"].(string), nil)["objectAssignment"].(mockFields)
		if photos := len(o["photos"].([]any)); photos < 2 || photos > 8 {
			t.Errorf("%v has %d photos", o["displayName"], photos)
		}
		if maps, _ := o["maps"].([]any); len(maps) > 0 {
			plans++
		}
		for _, key := range []string{"hidePrice", "hideAddress", "isConfidential", "isOlderVersion"} {
			if o[key] == true {
				hidden[key]++
			}
		}
	}
	if plans < 15 || hidden["hidePrice"] < 2 || hidden["hideAddress"] < 1 || hidden["isConfidential"] < 1 || hidden["isOlderVersion"] < 1 {
		t.Errorf("%d with floor plans, %v", plans, hidden)
	}
	if strings.Contains(string(mockSeedJSON), "http://") {
		t.Error("the seed has an http address")
	}
}
