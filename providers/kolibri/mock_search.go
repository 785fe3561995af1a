package kolibri

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"sparki.app/integrations/providers/mockkit"
)

// mockAssignmentsSchema is AssignmentsSearchRequest (contract §3.2), "availabiltyStatuses" spelled
// as on the wire. isCancelled is read and filters nothing: the mock cancels no assignments.
var mockAssignmentsSchema = mockSchema{
	"forSale": "bool!", "forRent": "bool!", "includeStatistics": "bool!", "orderBy": "AssignmentOrderByField!",
	"termFields": "AssignmentTermField[]", "assignmentIds": "guid[]", "officeIds": "guid[]", "employeeIds": "guid[]",
	"relationIds": "guid[]", "assignmentPhases": "AssignmentPhase[]", "availabiltyStatuses": "AvailabilityStatus[]",
	"filterByAssignmentTypes": "AssignmentType[]", "filterByRealEstateGroups": "RealEstateGroup[]",
	"listingTypes": "ListingType[]", "localities": "string[]", "countryCode": "string",
	"filterByProjectAssignmentIds": "guid[]", "filterByObjectTypeAssignmentIds": "guid[]",
	"filterByAcquisitionAssignmentIds": "guid[]", "ignoreOldVersions": "bool", "hasKey": "bool",
	"filterByKeyNumbers": "int32[]", "filterByFurnishings": "Furnishing[]", "filterByMinPrice": "decimal",
	"filterByMaxPrice": "decimal", "filterByNumberOfBedroomsMin": "int32", "filterByNumberOfBedroomsMax": "int32",
	"isCancelled": "bool", "acquisitionStatuses": "AcquisitionStatus[]", "availableFromMin": "date-time",
	"availableFromMax": "date-time", "availableUntilMin": "date-time", "availableUntilMax": "date-time",
}

type mockAssignmentsSearch struct {
	mockSearch
	ForSale             bool     `json:"forSale"`
	ForRent             bool     `json:"forRent"`
	IncludeStatistics   bool     `json:"includeStatistics"`
	AssignmentIDs       []string `json:"assignmentIds"`
	OfficeIDs           []string `json:"officeIds"`
	EmployeeIDs         []string `json:"employeeIds"`
	RelationIDs         []string `json:"relationIds"`
	Phases              []string `json:"assignmentPhases"`
	Statuses            []string `json:"availabiltyStatuses"`
	Types               []string `json:"filterByAssignmentTypes"`
	Groups              []string `json:"filterByRealEstateGroups"`
	ListingTypes        []string `json:"listingTypes"`
	Localities          []string `json:"localities"`
	CountryCode         string   `json:"countryCode"`
	ProjectIDs          []string `json:"filterByProjectAssignmentIds"`
	TypeIDs             []string `json:"filterByObjectTypeAssignmentIds"`
	AcquisitionIDs      []string `json:"filterByAcquisitionAssignmentIds"`
	IgnoreOldVersions   bool     `json:"ignoreOldVersions"`
	HasKey              *bool    `json:"hasKey"`
	KeyNumbers          []int    `json:"filterByKeyNumbers"`
	Furnishings         []string `json:"filterByFurnishings"`
	MinPrice            *float64 `json:"filterByMinPrice"`
	MaxPrice            *float64 `json:"filterByMaxPrice"`
	BedroomsMin         *int     `json:"filterByNumberOfBedroomsMin"`
	BedroomsMax         *int     `json:"filterByNumberOfBedroomsMax"`
	AcquisitionStatuses []string `json:"acquisitionStatuses"`
	AvailableFromMin    string   `json:"availableFromMin"`
	AvailableFromMax    string   `json:"availableFromMax"`
	AvailableUntilMin   string   `json:"availableUntilMin"`
	AvailableUntilMax   string   `json:"availableUntilMax"`
}

// searchAssignments lists assignments of all kinds (contract §3.1).
func (m *Mock) searchAssignments(w http.ResponseWriter, r *http.Request, s *mockState) error {
	var q mockAssignmentsSearch
	if err := mockPage(w, r, &q, &q.mockSearch, mockAssignmentsSchema); err != nil {
		return err
	}
	matches := make([]*mockAssignment, 0, len(s.assignments))
	for _, a := range s.ordered(q.OrderBy) {
		if q.matches(a) {
			matches = append(matches, a)
		}
	}
	if q.Order == "Descending" {
		slices.Reverse(matches)
	}
	page := mockCut(matches, q.mockSearch)
	rows := make([][]byte, len(page))
	for i, a := range page {
		rows[i] = a.row
	}
	statistics := "null"
	if q.IncludeStatistics {
		statistics = mockStatistics(matches)
	}
	mockAnswerPage(w, rows, len(matches), statistics)
	return nil
}

func (q *mockAssignmentsSearch) matches(a *mockAssignment) bool {
	row := &a.search
	return !a.deleted &&
		mockActive(q.FilterByActive, a.IsActive) &&
		q.offers(a) &&
		mockAnyOf(q.AssignmentIDs, a.ID) &&
		mockAnyOf(q.OfficeIDs, a.office) &&
		mockAnyOf(q.EmployeeIDs, a.people...) &&
		mockAnyOf(q.Phases, row.AssignmentPhase) &&
		mockAnyOf(q.Statuses, mockValue(row.AvailabilityStatus)) &&
		mockAnyOf(q.Types, row.TypeOfAssignment) &&
		mockAnyOf(q.Groups, row.RealEstateGroup) &&
		mockAnyOf(q.ListingTypes, mockValue(row.ListingType)) &&
		mockAnyOf(q.Localities, mockValue(row.Locality)) &&
		(q.CountryCode == "" || strings.EqualFold(q.CountryCode, mockValue(row.CountryCode))) &&
		mockAnyOf(q.ProjectIDs, a.project) &&
		mockAnyOf(q.TypeIDs, a.typeID) &&
		len(q.AcquisitionIDs) == 0 && len(q.AcquisitionStatuses) == 0 && // the mock has none linked
		!(q.IgnoreOldVersions && a.IsOlderVersion) &&
		(q.HasKey == nil || *q.HasKey == (a.KeyNr != nil)) &&
		(len(q.KeyNumbers) == 0 || a.KeyNr != nil && slices.Contains(q.KeyNumbers, *a.KeyNr)) &&
		mockAnyOf(q.Furnishings, mockValue(row.Furnishing)) &&
		q.priced(row) &&
		mockBetween(q.BedroomsMin, q.BedroomsMax, row.NumberOfBedrooms) &&
		mockDuring(q.AvailableFromMin, q.AvailableFromMax, row.AvailableFrom) &&
		mockDuring(q.AvailableUntilMin, q.AvailableUntilMax, row.AvailableUntil) &&
		q.related(a) &&
		(q.Term == "" || mockTerm(&q.mockSearch, map[string]*string{
			"PublicReference": row.PublicReference, "StreetNameAndNumber": row.StreetNameAndNumber,
			"PostalCode": row.PostalCode, "Locality": row.Locality,
		}))
}

// offers applies forSale and forRent: both true is everything; both false is nothing (assumed, an
// open question in contract §11).
func (q *mockAssignmentsSearch) offers(a *mockAssignment) bool {
	if q.ForSale && q.ForRent {
		return true
	}
	return q.ForSale && a.ForSale || q.ForRent && a.ForRent
}

func (q *mockAssignmentsSearch) priced(row *mockRow) bool {
	if q.MinPrice == nil && q.MaxPrice == nil {
		return true
	}
	for _, price := range []*json.Number{row.SalePrice, row.RentPrice} {
		if price == nil {
			continue
		}
		if p, err := price.Float64(); err == nil && mockBetween(q.MinPrice, q.MaxPrice, &p) {
			return true
		}
	}
	return false
}

func (q *mockAssignmentsSearch) related(a *mockAssignment) bool {
	if len(q.RelationIDs) == 0 {
		return true
	}
	return slices.ContainsFunc(slices.Concat(a.LinkedVendors, a.LinkedApplicants), func(l mockID) bool {
		return mockAnyOf(q.RelationIDs, l.ID)
	})
}

func mockValue(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// mockBetween says whether v lies within bounds, both included; without bounds everything does.
func mockBetween[T cmp.Ordered](low, high, v *T) bool {
	if low == nil && high == nil {
		return true
	}
	return v != nil && (low == nil || *v >= *low) && (high == nil || *v <= *high)
}

func mockDuring(low, high string, v *string) bool {
	if low == "" && high == "" {
		return true
	}
	at := mockTime(mockValue(v), time.UTC)
	return !at.IsZero() && (low == "" || !at.Before(mockTime(low, time.UTC))) && (high == "" || !at.After(mockTime(high, time.UTC)))
}

// mockStatistics is AssignmentsStatistics over all matches.
func mockStatistics(matches []*mockAssignment) string {
	types, towns, keys := map[string]bool{}, map[string]bool{}, map[int]bool{}
	for _, a := range matches {
		if a.ListingType != nil {
			types[*a.ListingType] = true
		}
		if l := a.search.Locality; l != nil {
			towns[*l] = true
		}
		if a.KeyNr != nil {
			keys[*a.KeyNr] = true
		}
	}
	text, err := mockkit.Marshal(map[string]any{
		"commissionTotal": nil, "listingTypes": slices.Sorted(maps.Keys(types)),
		"localities": slices.Sorted(maps.Keys(towns)), "keyNumbers": slices.Sorted(maps.Keys(keys)),
	})
	if err != nil {
		return "null"
	}
	return string(text)
}

// mockOrders is the number of orders below.
const mockOrders = 7

type mockOrderBy struct {
	name    string
	compare func(a, b *mockAssignment) int
}

// mockOrder lists the orders of AssignmentOrderByField, ascending; equal ones stand by id (assumed).
var mockOrder = [mockOrders]mockOrderBy{
	{"LocalityStreetNameAndNumber", func(a, b *mockAssignment) int {
		return cmp.Or(
			strings.Compare(mockValue(a.search.Locality), mockValue(b.search.Locality)),
			strings.Compare(a.street(), b.street()),
			cmp.Compare(a.houseNumber(), b.houseNumber()),
			strings.Compare(mockValue(a.search.StreetNameAndNumber), mockValue(b.search.StreetNameAndNumber)))
	}},
	{"ModificationDate", func(a, b *mockAssignment) int { return a.modified.Compare(b.modified) }},
	{"CreationDate", func(a, b *mockAssignment) int { return a.created.Compare(b.created) }},
	{"ConstructionNumber", func(a, b *mockAssignment) int {
		return mockCompareNil(a.search.ConstructionNumber, b.search.ConstructionNumber)
	}},
	{"KeyNumber", func(a, b *mockAssignment) int { return mockCompareNil(a.KeyNr, b.KeyNr) }},
	{"ActivityAndDateTimeModified", func(a, b *mockAssignment) int {
		return cmp.Or(mockCompareBool(a.IsActive, b.IsActive), a.modified.Compare(b.modified))
	}},
	{"AssignmentType", func(a, b *mockAssignment) int {
		return strings.Compare(a.search.TypeOfAssignment, b.search.TypeOfAssignment)
	}},
}

// ordered gives all assignments in an order, ascending. Each order is made once per state.
func (s *mockState) ordered(by string) []*mockAssignment {
	i := max(0, slices.IndexFunc(mockOrder[:], func(o mockOrderBy) bool { return o.name == by }))
	order := &s.orders[i]
	order.once.Do(func() {
		order.list = slices.Clone(s.assignments)
		slices.SortFunc(order.list, func(a, b *mockAssignment) int {
			return cmp.Or(mockOrder[i].compare(a, b), strings.Compare(a.ID, b.ID))
		})
	})
	return order.list
}

func (a *mockAssignment) street() string {
	if a.Address == nil || a.Address.Street == nil {
		return ""
	}
	return a.Address.Street.Name
}

func (a *mockAssignment) houseNumber() int {
	if a.Address == nil || a.Address.HouseNumber == nil {
		return 0
	}
	return *a.Address.HouseNumber
}

// mockCompareNil puts what has no value first.
func mockCompareNil(a, b *int) int {
	if a == nil || b == nil {
		return mockCompareBool(a != nil, b != nil)
	}
	return cmp.Compare(*a, *b)
}

func mockCompareBool(a, b bool) int {
	if a == b {
		return 0
	}
	if b {
		return -1
	}
	return 1
}
