package kolibri

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"sparki.app/integrations/providers/mockkit"
)

// mockAssignmentKinds names the resources of contract §3.1 and what they hold.
var mockAssignmentKinds = map[string]string{
	"ObjectAssignments": mockObjectKind, "ObjectTypeAssignments": mockTypeKind, "ProjectAssignments": mockProjectKind,
}

// mockAssignmentTypes is AssignmentType by kind. Acquisitions can be searched, not read.
var mockAssignmentTypes = map[string]string{
	mockObjectKind: "Object", mockTypeKind: "ObjectType", mockProjectKind: "Project", mockAcquisitionKind: "Acquisition",
}

// mockAssignment is one object, object type, project or acquisition as searches see it.
type mockAssignment struct {
	mockView
	kind     string
	deleted  bool
	created  time.Time
	modified time.Time
	project  string // id of its project; ""
	typeID   string // id of its object type; ""
	office   string // id
	people   []string
	row      []byte  // its AssignmentSnapShot
	search   mockRow // the same, to look at
}

// mockView is the part of the full entities that rows, filters and orders need. What is only passed
// on stays as it was sent, be it null, absent or of an unknown enum value.
type mockView struct {
	ID                         string          `json:"id"`
	IsActive                   bool            `json:"isActive"`
	DateTimeCreated            string          `json:"dateTimeCreated"`
	DateTimeModified           string          `json:"dateTimeModified"`
	LinkedCreatedBy            json.RawMessage `json:"linkedCreatedBy"`
	LinkedModifiedBy           json.RawMessage `json:"linkedModifiedBy"`
	DisplayName                string          `json:"displayName"`
	TitleText                  []mockText      `json:"titleText"`
	PublicReference            *string         `json:"publicReference"`
	RealEstateGroup            string          `json:"realEstateGroup"`
	ListingType                *string         `json:"listingType"`
	AssignmentPhase            string          `json:"assignmentPhase"`
	AvailabilityStatus         *string         `json:"availabilityStatus"`
	ForSale                    bool            `json:"forSale"`
	ForRent                    bool            `json:"forRent"`
	IsConfidential             json.RawMessage `json:"isConfidential"`
	IsOlderVersion             bool            `json:"isOlderVersion"`
	ConstructionNumber         *string         `json:"constructionNumber"`
	KeyNr                      *int            `json:"keyNr"`
	KeyNote                    *string         `json:"keyNote"`
	Address                    *mockAddress    `json:"address"`
	SaleOffer                  *mockOffer      `json:"saleOffer"`
	RentOffer                  *mockOffer      `json:"rentOffer"`
	NumberOfBedRooms           *int            `json:"numberOfBedRooms"`
	NumberOfBathRooms          *int            `json:"numberOfBathRooms"`
	WithdrawnDateTime          json.RawMessage `json:"withdrawnDateTime"`
	WithdrawReason             json.RawMessage `json:"withdrawReason"`
	MandateDateTime            json.RawMessage `json:"mandateDateTime"`
	Photos                     []mockPhoto     `json:"photos"`
	Videos                     []mockPhoto     `json:"videos"`
	LinkedOffice               json.RawMessage `json:"linkedOffice"`
	LinkedEmployee             json.RawMessage `json:"linkedEmployee"`
	LinkedEmployees            []mockID        `json:"linkedEmployees"`
	LinkedProjectAssignment    json.RawMessage `json:"linkedProjectAssignment"`
	LinkedObjectTypeAssignment json.RawMessage `json:"linkedObjectTypeAssignment"`
	LinkedVendors              []mockID        `json:"linkedVendors"`
	LinkedApplicants           []mockID        `json:"linkedApplicants"`
}

type mockID struct {
	ID string `json:"id"`
}

type mockText struct {
	Language string  `json:"language"`
	Text     *string `json:"text"`
}

type mockPhoto struct {
	URLMedium   json.RawMessage `json:"urlMedium"`
	URLOriginal json.RawMessage `json:"urlOriginal"`
}

type mockName struct {
	Name string `json:"name"`
}

type mockAddress struct {
	Street                 *mockName    `json:"street"`
	HouseNumber            *int         `json:"houseNumber"`
	HouseNumberPostfix     string       `json:"houseNumberPostfix"`
	HouseNumberDisplayName string       `json:"houseNumberDisplayName"`
	PostalCode             *string      `json:"postalCode"`
	Locality               *mockName    `json:"locality"`
	CountryISO2            *string      `json:"countryIso2"`
	GeoLocation            *mockGeoJSON `json:"geoLocation"`
}

type mockGeoJSON struct {
	Latitude  json.RawMessage `json:"latitude"`
	Longitude json.RawMessage `json:"longitude"`
}

// mockOffer is a SaleOffer or a RentOffer.
type mockOffer struct {
	SalePrice        *json.Number    `json:"salePrice"`
	SalePriceMax     *json.Number    `json:"salePriceMax"`
	SaleCondition    json.RawMessage `json:"saleCondition"`
	PricePerUnit     json.RawMessage `json:"pricePerUnit"`
	RentPrice        *json.Number    `json:"rentPrice"`
	RentPriceMax     *json.Number    `json:"rentPriceMax"`
	RentCondition    json.RawMessage `json:"rentCondition"`
	RentPricePerUnit json.RawMessage `json:"rentPricePerUnit"`
	VATCondition     json.RawMessage `json:"vatCondition"`
	Furnishing       *string         `json:"furnishing"`
	AvailableFrom    *string         `json:"availableFrom"`
	AvailableUntil   *string         `json:"availableUntil"`
	DateReservation  json.RawMessage `json:"dateReservation"`
	DateSold         json.RawMessage `json:"dateSold"`
	DateTransfer     json.RawMessage `json:"dateTransfer"`
	RentedFrom       json.RawMessage `json:"rentedFrom"`
}

// mockRow is an AssignmentSnapShot (contract §3.3), without the commission totals, which are ours.
type mockRow struct {
	ID                         string          `json:"id"`
	TypeOfAssignment           string          `json:"typeOfAssignment"`
	RealEstateAgencyID         string          `json:"realEstateAgencyId"`
	DisplayName                string          `json:"displayName"`
	PublicReference            *string         `json:"publicReference"`
	RealEstateGroup            string          `json:"realEstateGroup"`
	ListingType                *string         `json:"listingType"`
	AssignmentPhase            string          `json:"assignmentPhase"`
	AvailabilityStatus         *string         `json:"availabilityStatus"`
	ForSale                    bool            `json:"forSale"`
	ForRent                    bool            `json:"forRent"`
	IsActive                   bool            `json:"isActive"`
	IsConfidential             json.RawMessage `json:"isConfidential"`
	IsPartOfProject            bool            `json:"isPartOfProject"`
	ConstructionNumber         *int            `json:"constructionNumber"`
	ConstructionNumberString   *string         `json:"constructionNumberString"`
	StreetNameAndNumber        *string         `json:"streetNameAndNumber"`
	PostalCode                 *string         `json:"postalCode"`
	Locality                   *string         `json:"locality"`
	CountryCode                *string         `json:"countryCode"`
	Latitude                   json.RawMessage `json:"latitude"`
	Longitude                  json.RawMessage `json:"longitude"`
	SalePrice                  *json.Number    `json:"salePrice"`
	SalePriceMax               *json.Number    `json:"salePriceMax"`
	SalePricePerUnit           json.RawMessage `json:"salePricePerUnit"`
	SaleCondition              json.RawMessage `json:"saleCondition"`
	SaleVATCondition           json.RawMessage `json:"saleVatCondition"`
	RentPrice                  *json.Number    `json:"rentPrice"`
	RentPriceMax               *json.Number    `json:"rentPriceMax"`
	RentPricePerUnit           json.RawMessage `json:"rentPricePerUnit"`
	RentCondition              json.RawMessage `json:"rentCondition"`
	RentVATCondition           json.RawMessage `json:"rentVatCondition"`
	Furnishing                 *string         `json:"furnishing"`
	NumberOfBedrooms           *int            `json:"numberOfBedrooms"`
	NumberOfBathRooms          *int            `json:"numberOfBathRooms"`
	AvailableFrom              *string         `json:"availableFrom"`
	AvailableUntil             *string         `json:"availableUntil"`
	DateRentedReservation      json.RawMessage `json:"dateRentedReservation"`
	DateSold                   json.RawMessage `json:"dateSold"`
	DateSoldReservation        json.RawMessage `json:"dateSoldReservation"`
	DateTransfer               json.RawMessage `json:"dateTransfer"`
	RentedFrom                 json.RawMessage `json:"rentedFrom"`
	Photo1URL                  json.RawMessage `json:"photo1Url"`
	Photo2URL                  json.RawMessage `json:"photo2Url"`
	Photo3URL                  json.RawMessage `json:"photo3Url"`
	TotalNrOfPhotos            int             `json:"totalNrOfPhotos"`
	TotalNrOfVideos            int             `json:"totalNrOfVideos"`
	Video1URL                  json.RawMessage `json:"video1Url"`
	WithdrawnDateTime          json.RawMessage `json:"withdrawnDateTime"`
	WithdrawReason             json.RawMessage `json:"withdrawReason"`
	MandateDateTime            json.RawMessage `json:"mandateDateTime"`
	KeyNr                      *int            `json:"keyNr"`
	KeyNote                    *string         `json:"keyNote"`
	LinkedOffice               json.RawMessage `json:"linkedOffice"`
	LinkedEmployee             json.RawMessage `json:"linkedEmployee"`
	LinkedProjectAssignment    json.RawMessage `json:"linkedProjectAssignment"`
	LinkedObjectTypeAssignment json.RawMessage `json:"linkedObjectTypeAssignment"`
	LinkedVendors              []mockID        `json:"linkedVendors"`
	LinkedApplicants           []mockID        `json:"linkedApplicants"`
	DateTimeCreated            string          `json:"dateTimeCreated"`
	DateTimeModified           string          `json:"dateTimeModified"`
	LinkedCreatedBy            json.RawMessage `json:"linkedCreatedBy"`
	LinkedModifiedBy           json.RawMessage `json:"linkedModifiedBy"`
}

// newMockAssignment decodes a full entity and derives its row.
func newMockAssignment(kind string, deleted bool, entity []byte) (*mockAssignment, error) {
	a := &mockAssignment{kind: kind, deleted: deleted}
	if err := json.Unmarshal(entity, &a.mockView); err != nil {
		return nil, err
	}
	a.created, a.modified = mockTime(a.DateTimeCreated, time.UTC), mockTime(a.DateTimeModified, time.UTC)
	a.project, a.typeID = mockLinkID(a.LinkedProjectAssignment), mockLinkID(a.LinkedObjectTypeAssignment)
	a.office = mockLinkID(a.LinkedOffice)
	if id := mockLinkID(a.LinkedEmployee); id != "" {
		a.people = append(a.people, id)
	}
	for _, e := range a.LinkedEmployees {
		a.people = append(a.people, strings.ToLower(e.ID))
	}
	if err := a.makeRow(); err != nil {
		return nil, err
	}
	if kind != mockTypeKind { // whose row is made again within its project
		a.mockView.drop()
		a.search.drop()
	}
	return a, nil
}

// drop lets go of what only the finished row needs.
func (v *mockView) drop() {
	v.LinkedCreatedBy, v.LinkedModifiedBy, v.LinkedOffice, v.LinkedEmployee = nil, nil, nil, nil
	v.LinkedProjectAssignment, v.LinkedObjectTypeAssignment, v.Photos, v.Videos = nil, nil, nil, nil
}

func (r *mockRow) drop() {
	r.LinkedCreatedBy, r.LinkedModifiedBy, r.LinkedOffice, r.LinkedEmployee = nil, nil, nil, nil
	r.LinkedProjectAssignment, r.LinkedObjectTypeAssignment = nil, nil
}

// mockLinkID is the id of a linked entity; "" without one.
func mockLinkID(link json.RawMessage) string {
	var l mockID
	_ = json.Unmarshal(link, &l)
	return strings.ToLower(l.ID)
}

// within gives an object type what it lacks and its project has: group and address (contract §4).
func (a *mockAssignment) within(project *mockAssignment) *mockAssignment {
	if project == nil {
		return a
	}
	inner := *a
	inner.Address, inner.RealEstateGroup = project.Address, project.RealEstateGroup
	inner.DisplayName = project.DisplayName + " - " + a.title()
	if inner.makeRow() != nil {
		return a
	}
	return &inner
}

// title is what a person calls it: the Dutch title, else any, else the display name.
func (a *mockAssignment) title() string {
	title := ""
	for _, t := range a.TitleText {
		if t.Text != nil && *t.Text != "" && (title == "" || t.Language == "Dutch") {
			title = *t.Text
		}
	}
	return cmp.Or(title, a.DisplayName, a.ID)
}

func (a *mockAssignment) makeRow() error {
	v := &a.mockView
	r := mockRow{
		ID: v.ID, TypeOfAssignment: mockAssignmentTypes[a.kind], RealEstateAgencyID: mockAgencyID,
		DisplayName: cmp.Or(v.DisplayName, a.title()), PublicReference: v.PublicReference,
		RealEstateGroup: cmp.Or(v.RealEstateGroup, "Residential"), ListingType: v.ListingType,
		AssignmentPhase: cmp.Or(v.AssignmentPhase, "Initiated"), AvailabilityStatus: v.AvailabilityStatus,
		ForSale: v.ForSale, ForRent: v.ForRent, IsActive: v.IsActive, IsConfidential: v.IsConfidential,
		IsPartOfProject: a.project != "", ConstructionNumberString: v.ConstructionNumber,
		NumberOfBedrooms: v.NumberOfBedRooms, NumberOfBathRooms: v.NumberOfBathRooms,
		TotalNrOfPhotos: len(v.Photos), TotalNrOfVideos: len(v.Videos),
		WithdrawnDateTime: v.WithdrawnDateTime, WithdrawReason: v.WithdrawReason, MandateDateTime: v.MandateDateTime,
		KeyNr: v.KeyNr, KeyNote: v.KeyNote,
		LinkedOffice: v.LinkedOffice, LinkedEmployee: v.LinkedEmployee,
		LinkedProjectAssignment: v.LinkedProjectAssignment, LinkedObjectTypeAssignment: v.LinkedObjectTypeAssignment,
		LinkedVendors: v.LinkedVendors, LinkedApplicants: v.LinkedApplicants,
		DateTimeCreated: v.DateTimeCreated, DateTimeModified: v.DateTimeModified,
		LinkedCreatedBy: v.LinkedCreatedBy, LinkedModifiedBy: v.LinkedModifiedBy,
	}
	if v.ConstructionNumber != nil {
		if n, err := strconv.Atoi(*v.ConstructionNumber); err == nil {
			r.ConstructionNumber = &n
		}
	}
	if d := v.Address; d != nil {
		r.StreetNameAndNumber = d.line()
		r.PostalCode, r.CountryCode = d.PostalCode, d.CountryISO2
		if d.Locality != nil {
			r.Locality = &d.Locality.Name
		}
		if d.GeoLocation != nil {
			r.Latitude, r.Longitude = d.GeoLocation.Latitude, d.GeoLocation.Longitude
		}
	}
	if o := v.SaleOffer; o != nil {
		r.SalePrice, r.SalePriceMax, r.SalePricePerUnit = o.SalePrice, o.SalePriceMax, o.PricePerUnit
		r.SaleCondition, r.SaleVATCondition = o.SaleCondition, o.VATCondition
		r.DateSold, r.DateSoldReservation, r.DateTransfer = o.DateSold, o.DateReservation, o.DateTransfer
	}
	if o := v.RentOffer; o != nil {
		r.RentPrice, r.RentPriceMax, r.RentPricePerUnit = o.RentPrice, o.RentPriceMax, o.RentPricePerUnit
		r.RentCondition, r.RentVATCondition = o.RentCondition, o.VATCondition
		r.Furnishing, r.AvailableFrom, r.AvailableUntil = o.Furnishing, o.AvailableFrom, o.AvailableUntil
		r.DateRentedReservation, r.RentedFrom = o.DateReservation, o.RentedFrom
	}
	for i, url := range []*json.RawMessage{&r.Photo1URL, &r.Photo2URL, &r.Photo3URL} {
		if i < len(v.Photos) {
			*url = v.Photos[i].URLMedium
		}
	}
	if len(v.Videos) > 0 {
		r.Video1URL = v.Videos[0].URLOriginal
	}
	row, err := mockkit.Marshal(r)
	a.row, a.search = row, r
	return err
}

// line is street and number as a row shows them; nil without a street.
func (d *mockAddress) line() *string {
	if d.Street == nil || d.Street.Name == "" {
		return nil
	}
	number := d.HouseNumberDisplayName
	if number == "" && d.HouseNumber != nil {
		number = strconv.Itoa(*d.HouseNumber) + d.HouseNumberPostfix
	}
	line := strings.TrimSpace(d.Street.Name + " " + number)
	return &line
}
