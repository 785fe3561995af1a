package kolibri

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sparki.app/integrations/providers/mockkit"
)

// mockSchema says what a request may hold, in the words of schema-facts.json: "guid!" must be there,
// "guid[]" is a list, other names are those of mockEnums. A number behind a string is its length.
// Keys that are not listed are ignored, as .NET does.
type mockSchema map[string]string

// mockEnums are the enums that requests use [SDK].
var mockEnums = map[string][]string{
	"AcquisitionStatus":              strings.Fields("New UnderNegociation Dissolved Purchased Rented Canceled"),
	"ActiveFilter":                   strings.Fields("ActiveOrInactive ActiveOnly InactiveOnly"),
	"AgendaItemCategoryOrderByField": strings.Fields("DisplayName ParentType"),
	"AgendaItemCategoryTermField":    strings.Fields("DisplayName"),
	"AgendaItemCategoryType":         strings.Fields("Other Survey Viewing SigningDeed Inspection"),
	"AgendaItemOrderByField":         strings.Fields("StartDateTime"),
	"AgendaItemTermField":            strings.Fields("Subject"),
	"AgendaItemTimeMarker":           strings.Fields("None Busy Free OutOfOffice Tentative"),
	"AssignmentOrderByField":         strings.Fields("LocalityStreetNameAndNumber ModificationDate CreationDate ConstructionNumber KeyNumber ActivityAndDateTimeModified AssignmentType"),
	"AssignmentPhase":                strings.Fields("Concept Initiated Completed"),
	"AssignmentTermField":            strings.Fields("PublicReference StreetNameAndNumber PostalCode Locality"),
	"AssignmentType":                 strings.Fields("Object ObjectType Project Acquisition AcquisitionObject Generic"),
	"AvailabilityStatus":             strings.Fields("Available UnderBid UnderOption SoldUnderCondition RentedUnderCondition Sold Rented Withdrawn FarmedUnderCondition Farmed LeasedUnderCondition Leased"),
	"Furnishing":                     strings.Fields("Furnished Upholstered AsShell OptionForFurnished"),
	"ListingType":                    strings.Fields("House Apartment Parking Plot SummerCottage Other ProductionHall OutdoorArea HotelRestaurantCafe Office Lot PracticeSpace RetailSpace Warehouse WarehouseProduction Services Garage ArableCompany LooseSoil DairyFarmingCompany PoultryCompany HorsesCompany ProductionRights Horticultural PigHolding VealCalvesFarming AgriculturalHouse CattleFarming BusinessSpace Ammoniac AvebeShares BeetQuota MilkQuota PoultryRights PaymentEntitlements PigRights Leisure Investment SocialProperty"),
	"Priority":                       strings.Fields("Low Medium High"),
	"RealEstateGroup":                strings.Fields("Residential Commercial Agricultural"),
	"RelationOrderByField":           strings.Fields("DateTimeCreated DisplayName UpcomingBirthday"),
	"RelationTermField":              strings.Fields("DisplayName StreetNameAndNumber PostalCode Locality PhoneNumber MobilePhoneNumber EmailAddress"),
	"RelationType":                   strings.Fields("Employee ContactPerson ContactCompany Office"),
	"SortOrder":                      strings.Fields("Ascending Descending"),
	"UpdateAvailabilityAction":       strings.Fields("ToRented ToSold ToWithdrawn ToAvailable ToUnderOffer ToUnderOption"),
	"WithdrawReason":                 strings.Fields("ReasonForMovingExpired AskingPriceNotMet RenewObjectInMedia ChoseOtherRealEstateAgent PurchasedByOwner SoldByOtherRealEstateAgent OwnerHasRentedProperty LoggedOfAsBOGObject WithdrawnFromAuction SellerContinuesToInhabit ObjectRegisteredTwice AssignmentTerminatedByRealtor"),
}

// mockPageFields are in every search request (contract §2).
var mockPageFields = mockSchema{
	"skip": "int32!", "take": "int32!", "order": "SortOrder!", "filterByActive": "ActiveFilter!",
	"term": "string50", "culture": "string5",
}

// mockSearch is the page part of a search request.
type mockSearch struct {
	Skip           int      `json:"skip"`
	Take           int      `json:"take"`
	Order          string   `json:"order"`
	OrderBy        string   `json:"orderBy"`
	FilterByActive string   `json:"filterByActive"`
	Term           string   `json:"term"`
	TermFields     []string `json:"termFields"`
}

const mockMaxBody = 1 << 20

// mockBody reads a request's JSON object: NullModelState for an empty one, InvalidModelState for
// one that does not fit the schema (contract §10.2).
func mockBody(w http.ResponseWriter, r *http.Request) (map[string]json.RawMessage, error) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mockMaxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &mockProblem{status: http.StatusRequestEntityTooLarge, message: "The request is too large."}
	}
	if err != nil {
		return nil, mockInvalid("body", "The request could not be read.")
	}
	if text = bytes.TrimSpace(text); len(text) == 0 || string(text) == "null" {
		return nil, mockNullModel()
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, mockInvalid("body", "The request is not a JSON object.")
	}
	return fields, nil
}

// mockRead reads a request and checks it against its schemas; key is the name of the part they
// describe, "" for the whole.
func mockRead(w http.ResponseWriter, r *http.Request, into any, key string, schemas ...mockSchema) error {
	fields, err := mockBody(w, r)
	if err != nil {
		return err
	}
	prefix := "request."
	if key != "" {
		inner := fields[key]
		if mockIsNull(inner) {
			return mockInvalid(key, "The "+key+" field is required.")
		}
		prefix, fields = prefix+key+".", nil
		if err := json.Unmarshal(inner, &fields); err != nil {
			return mockInvalid(key, "Error converting value to an object.")
		}
	}
	wrong := map[string]string{}
	for _, schema := range schemas {
		for name, kind := range schema {
			if text := mockFieldError(name, kind, fields[name]); text != "" {
				wrong[prefix+name] = text
			}
		}
	}
	if len(wrong) > 0 {
		return mockInvalidFields(wrong)
	}
	known, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(known, into); err != nil {
		return mockInvalid(strings.TrimPrefix(prefix, "request.")+"body", "The request does not fit its type.")
	}
	return nil
}

// mockPage reads a search request.
func mockPage(w http.ResponseWriter, r *http.Request, into any, page *mockSearch, schema mockSchema) error {
	if err := mockRead(w, r, into, "", mockPageFields, schema); err != nil {
		return err
	}
	if page.Term != "" && len(page.TermFields) == 0 {
		return mockInvalid("termFields", "The termFields field is required when term is given.")
	}
	return nil
}

func mockIsNull(v json.RawMessage) bool { return len(v) == 0 || string(v) == "null" }

// mockFieldError says what is wrong with a field; "" when nothing is.
func mockFieldError(name, kind string, v json.RawMessage) string {
	kind, required := strings.CutSuffix(kind, "!")
	if mockIsNull(v) {
		if required {
			return "The " + name + " field is required."
		}
		return ""
	}
	element, isList := strings.CutSuffix(kind, "[]")
	if !isList {
		if !mockFits(kind, v) {
			return mockConversion(v, kind)
		}
		return ""
	}
	var list []json.RawMessage
	if json.Unmarshal(v, &list) != nil {
		return mockConversion(v, kind)
	}
	for _, e := range list {
		if mockIsNull(e) || !mockFits(element, e) {
			return mockConversion(e, element)
		}
	}
	return ""
}

func mockConversion(v json.RawMessage, kind string) string {
	if len(v) > 100 {
		v = append(slices.Clip(v[:100]), "…"...)
	}
	return "Error converting value " + string(v) + " to type " + kind + "."
}

// mockFits says whether a JSON value is of a schema type.
func mockFits(kind string, v json.RawMessage) bool {
	var text string
	isText := json.Unmarshal(v, &text) == nil
	switch kind {
	case "bool":
		return string(v) == "true" || string(v) == "false"
	case "int32":
		n, err := strconv.Atoi(string(v))
		return err == nil && n >= 0 && n <= math.MaxInt32
	case "decimal":
		_, err := strconv.ParseFloat(string(v), 64)
		return err == nil
	case "guid":
		return isText && mockIsGUID(text)
	case "date-time":
		return isText && !mockTime(text, time.UTC).IsZero()
	case "moment":
		// A time that says which moment it is. Contract §5.3 tells to send nothing else; that
		// Kolibri would refuse it is assumed, so that a client without offsets is found out here.
		_, err := time.Parse(time.RFC3339Nano, text)
		return isText && err == nil
	case "object":
		return v[0] == '{'
	}
	if limit, ok := strings.CutPrefix(kind, "string"); ok {
		n, err := strconv.Atoi(limit)
		return isText && (err != nil || utf8.RuneCountInString(text) <= n)
	}
	return isText && slices.Contains(mockEnums[kind], text)
}

// mockIsGUID says whether s is a GUID in its usual form of 36 characters.
func mockIsGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		default:
			return false
		}
	}
	return true
}

// mockQueryID is the id of a read or delete, which Kolibri wants in the query (contract §2).
func mockQueryID(r *http.Request) (string, error) {
	id := r.URL.Query().Get("id")
	if id == "" {
		return "", mockInvalid("id", "The id field is required.")
	}
	if !mockIsGUID(id) {
		return "", mockInvalid("id", "Error converting value "+mockQuote(id)+" to type guid.")
	}
	return strings.ToLower(id), nil
}

// mockBodyID is the id of an {id} request.
func mockBodyID(w http.ResponseWriter, r *http.Request) (string, error) {
	var body mockID
	err := mockRead(w, r, &body, "", mockSchema{"id": "guid!"})
	return strings.ToLower(body.ID), err
}

// mockMaxTake is where Kolibri cuts pages, without saying so (contract §2).
const mockMaxTake = 100

// mockCut gives the rows of one page.
func mockCut[T any](rows []T, page mockSearch) []T {
	rows = rows[min(page.Skip, len(rows)):]
	return rows[:min(page.Take, mockMaxTake, len(rows))]
}

// mockAnswerPage sends a page of finished rows. statistics is JSON, "" to leave it out.
func mockAnswerPage(w http.ResponseWriter, rows [][]byte, total int, statistics string) {
	size := 100 + len(statistics)
	for _, row := range rows {
		size += len(row) + 1
	}
	b := make([]byte, 0, size)
	b = append(b, `{"resultCount":`...)
	b = strconv.AppendInt(b, int64(len(rows)), 10)
	b = append(b, `,"totalResults":`...)
	b = strconv.AppendInt(b, int64(total), 10)
	if statistics != "" {
		b = append(append(b, `,"statistics":`...), statistics...)
	}
	b = append(b, `,"results":[`...)
	for i, row := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, row...)
	}
	mockkit.Write(w, http.StatusOK, append(b, ']', '}'))
}

// mockAnyOf says whether a filter is unset or holds the value, in any case.
func mockAnyOf(filter []string, values ...string) bool {
	if len(filter) == 0 {
		return true
	}
	return slices.ContainsFunc(filter, func(f string) bool {
		return slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(f, v) })
	})
}

// mockActive applies filterByActive.
func mockActive(filter string, active bool) bool {
	return filter == "ActiveOrInactive" || active == (filter == "ActiveOnly")
}

// mockTerm applies term to the fields that termFields names; no field, no match.
func mockTerm(page *mockSearch, fields map[string]*string) bool {
	return page.Term == "" || slices.ContainsFunc(page.TermFields, func(name string) bool {
		v := fields[name]
		return v != nil && strings.Contains(strings.ToLower(*v), strings.ToLower(page.Term))
	})
}
