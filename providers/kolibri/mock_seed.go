package kolibri

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/mockkit"
)

// mockSeedJSON describes the listings of a new store: what differs between them. What they have in
// common is added by mockSpec.entity. Everything in it is invented.
//
//go:embed mock/seed.json
var mockSeedJSON []byte

// mockSpec is a listing in short.
type mockSpec struct {
	Kind         string // a document kind; "" is an object
	ID           string // made from Ref when empty
	Ref          string
	Name         string // displayName; made from the address when empty
	By           string // a key of mockPeople
	Office       string // a key of mockOffices
	Created      string
	Modified     string
	Project      string // id of its project
	TypeRef      string // Ref of its object type
	Unit         string // construction number
	Bundle       string // versions of one property share it
	Group        string
	Type         string
	Status       *string
	Phase        string
	Street       string
	Number       int
	Letter       string
	Addition     string
	Postcode     string
	Town         string
	District     string
	Municipality string
	Province     string
	At           [2]float64
	ForSale      bool
	Sale         *float64
	SaleMax      *float64
	SaleCond     string `json:"saleCondition"`
	Rent         *float64
	RentCond     string `json:"rentCondition"`
	Title        map[string]string
	Text         map[string]string
	Short        map[string]string
	Rooms        int
	Bedrooms     *int
	Bathrooms    int
	Toilets      int
	Floors       int
	Area         float64
	Plot         float64
	Volume       float64
	Living       float64
	Year         int
	Energy       string
	Photos       []string
	Plans        []string
	Brochure     bool
	Video        bool
	// Set is merged over the entity, field by field; Unset removes fields.
	Set   mockFields
	Unset []string
}

// mockSpace is the namespace of the ids that are made from references.
var mockSpace = uuid.MustParse("6f1d3c0a-5b7e-4f1a-9a44-2b1c7d9e0f53")

func mockMadeID(text string) string { return uuid.NewSHA1(mockSpace, []byte(text)).String() }

func (s *mockSpec) id() string { return cmp.Or(s.ID, mockMadeID(s.Ref)) }

// mockSeedListings are the listings of a new store, always the same.
var mockSeedListings = sync.OnceValues(func() (docs []providers.MockDoc, err error) {
	var specs []mockSpec
	if err := json.Unmarshal(mockSeedJSON, &specs); err != nil {
		return nil, fmt.Errorf("read mock seed: %w", err)
	}
	names := map[string]string{}
	for _, s := range specs {
		names[s.id()] = s.Name
	}
	for _, s := range specs {
		doc, e := mockEntityDoc(cmp.Or(s.Kind, mockObjectKind), s.id(), s.entity(names[s.Project]))
		docs, err = append(docs, doc), cmp.Or(err, e)
	}
	return docs, err
})

// mockSeed is what a new store is filled with. Only its configuration and the days of its agenda
// differ from one call to the next, so that two processes may seed one store at once.
func mockSeed(now time.Time) ([]providers.MockDoc, error) {
	listings, err := mockSeedListings()
	if err != nil {
		return nil, err
	}
	people, err := mockSeedPeople(now)
	if err != nil {
		return nil, err
	}
	config := newMockConfig(now)
	text, err := mockkit.Marshal(config)
	if err != nil {
		return nil, err
	}
	return slices.Concat(people, listings, []providers.MockDoc{{Kind: mockConfigKind, ID: config.ClientID, JSON: text}}), nil
}

func mockEntityDoc(kind, id string, entity mockFields) (providers.MockDoc, error) {
	text, err := mockkit.Marshal(entity)
	if err != nil {
		return providers.MockDoc{}, err
	}
	return mockDoc(kind, id, mockDocument{Entity: text})
}

// entity is the full entity. projectName is for the snapshot of its project.
func (s *mockSpec) entity(projectName string) mockFields {
	kind := cmp.Or(s.Kind, mockObjectKind)
	employee, office := mockEmployeeLinks()[s.By], mockOfficeLinks()[s.Office]
	f := mockFields{
		"id": s.id(), "realEstateAgencyId": mockAgencyID, "isNew": false, "isActive": true,
		"dateTimeCreated": s.Created, "dateTimeModified": s.Modified,
		"linkedCreatedBy": employee, "linkedModifiedBy": employee, "linkedOffice": office, "officeID": mockOfficeIDs[s.Office],
		"forSale": s.Sale != nil || s.ForSale, "forRent": s.Rent != nil,
		"assignmentPhase": cmp.Or(s.Phase, "Initiated"), "availabilityStatus": s.Status,
		"isConfidential": false, "isPrivate": false, "confidentialityLevel": "Public", "hidePrice": false,
		"mandateDateTime": s.Created[:min(10, len(s.Created))] + "T00:00:00Z", "withdrawnDateTime": nil, "withdrawReason": nil,
		"titleText": mockTexts(s.Title), "advertisementText": mockTexts(s.Text), "specialText": []any{},
		"saleOffer": nil, "rentOffer": nil,
		"photos": s.pictures("photo", ".jpg", s.Photos), "maps": s.pictures("map", ".png", s.Plans), "videos": []any{},
		"thirdPartyMedia": []any{}, "brochures": []any{}, "linkedVendors": []any{}, "linkedApplicants": []any{},
		"internalMemo": nil, "keyNr": nil, "keyNote": nil,
	}
	s.offers(f)
	s.extraMedia(f)
	if kind != mockProjectKind {
		f["linkedEmployee"] = employee
		f["description"] = mockTexts(s.Short)
		f["numberOfRooms"], f["numberOfBedRooms"] = mockPositive(s.Rooms), s.Bedrooms
		f["numberOfBathRooms"], f["numberOfFloors"] = mockPositive(s.Bathrooms), mockPositive(s.Floors)
	}
	if s.Project != "" {
		f["linkedProjectAssignment"] = mockFields{"id": s.Project, "displayName": projectName, "typeOfAssignment": "Project", "isActive": true}
	}
	switch kind {
	case mockProjectKind:
		f["displayName"], f["publicReference"], f["realEstateGroup"] = s.Name, s.Ref, s.Group
		f["address"], f["hideAddress"] = s.address(), false
		f["linkedEmployees"] = []any{employee, mockEmployeeLinks()["sanne"]}
	case mockObjectKind, mockAcquisitionKind:
		s.object(f)
	}
	mockMerge(f, s.Set)
	for _, key := range s.Unset {
		delete(f, key)
	}
	return f
}

// object adds what only objects have.
func (s *mockSpec) object(f mockFields) {
	town := strings.ToUpper(s.Town)
	f["displayName"] = cmp.Or(s.Name, strings.TrimSpace(s.Street+" "+s.numberName())+", "+town)
	f["publicReference"], f["realEstateGroup"], f["listingType"] = s.Ref, s.Group, s.Type
	f["secondaryListingTypes"] = []any{}
	f["calculatedAvailabilityStatus"] = s.Status
	f["isOlderVersion"], f["bundleId"] = false, nil
	if s.Bundle != "" {
		f["bundleId"] = mockMadeID("bundle/" + s.Bundle)
	}
	f["hideAddress"], f["hideHouseNumber"] = false, false
	f["constructionNumber"] = nil
	if s.Unit != "" {
		f["constructionNumber"] = s.Unit
	}
	if s.TypeRef != "" {
		id := mockMadeID(s.TypeRef)
		if s.TypeRef == mockSampleTypeRef {
			id = mockSampleTypeID
		}
		f["linkedObjectTypeAssignment"] = mockFields{"id": id, "typeOfAssignment": "ObjectType", "isActive": true}
	}
	address := s.address()
	address["houseLetter"], address["houseNumberAddendum"] = mockFilled(s.Letter), mockFilled(s.Addition)
	address["houseNumberDisplayName"], address["useBagAddress"] = mockFilled(s.numberName()), true
	f["address"] = address
	f["acceptanceDetails"] = mockFields{"acceptance": "InConsultation", "date": nil, "description": []any{}}
	f["numberOfToilets"] = mockPositive(s.Toilets)
	f["usableArea"], f["parcelSurface"] = mockSize("area", s.Area), mockSize("area", s.Plot)
	f["contents"], f["livingRoomSurface"] = mockSize("volume", s.Volume), mockSize("area", s.Living)
	f["yearOfConstruction"] = nil
	if s.Year > 0 {
		f["yearOfConstruction"] = mockFields{"constructionYear": s.Year, "period": mockPeriod(s.Year), "isUnderConstruction": false, "description": []any{}}
	}
	f["energyLabel"] = nil
	if s.Energy != "" {
		f["energyLabel"] = mockFields{"energyClass": s.Energy, "energyIndex": nil, "isCertificateAvailable": true, "certificateNumber": nil, "endDate": "2034-06-12T00:00:00Z"}
	}
	f["gardens"], f["garages"], f["floors"] = []any{}, []any{}, s.floors()
	f["heating"], f["linkedBids"] = []any{}, []any{}
}

// numberName is the house number as it is shown: "14A", "203-2".
func (s *mockSpec) numberName() string {
	if s.Number == 0 {
		return ""
	}
	name := strconv.Itoa(s.Number) + s.Letter
	if s.Addition != "" {
		name += "-" + s.Addition
	}
	return name
}

func (s *mockSpec) address() mockFields {
	detail := func(name string) any {
		if name == "" {
			return nil
		}
		return mockFields{"id": int(mockkit.Hash(name) % 100000), "name": name}
	}
	var number any
	if s.Number > 0 {
		number = s.Number
	}
	return mockFields{
		"countryIso2": "NL", "countryId": 150, "adminAreaLevel1": detail(s.Province),
		"adminAreaLevel2": detail(cmp.Or(s.Municipality, s.Town)), "adminAreaLevel3": nil,
		"locality": detail(strings.ToUpper(s.Town)), "sublocality": detail(s.District), "street": detail(s.Street),
		"houseNumber": number, "houseNumberPostfix": mockFilled(s.Letter + s.Addition), "postalCode": mockFilled(s.Postcode),
		"geoLocation":          mockFields{"latitude": s.At[0], "longitude": s.At[1]},
		"usesHouseNumberRange": false, "startOfHouseNumberRange": nil, "endOfHouseNumberRange": nil,
		"cadastralCode": nil, "claimInProgress": nil,
	}
}

func (s *mockSpec) offers(f mockFields) {
	history := func(price *float64) []any {
		return []any{mockFields{"event": "Registered", "dateTimeModified": s.Created, "oldPrice": nil, "oldPriceMax": nil, "newPrice": mockMoney(price), "newPriceMax": nil}}
	}
	if s.Sale != nil || s.ForSale {
		f["saleOffer"] = mockFields{
			"salePrice": mockMoney(s.Sale), "salePriceMax": mockMoney(s.SaleMax), "saleCondition": cmp.Or(s.SaleCond, "CostsBuyer"),
			"priceCode": "AskingPrice", "vatCondition": nil, "pricePerUnit": nil, "pricePerUnitSize": nil, "purchasePrice": nil,
			"serviceCosts": nil, "dateReservation": nil, "dateSold": nil, "dateTransfer": nil, "priceHistory": history(s.Sale),
		}
	}
	if s.Rent != nil {
		f["rentOffer"] = mockFields{
			"rentPrice": mockMoney(s.Rent), "rentPriceMax": nil, "rentCondition": cmp.Or(s.RentCond, "PricePerMonth"),
			"priceCode": nil, "vatCondition": nil, "furnishing": nil, "serviceCosts": nil, "deposit": nil, "rentSpecifications": []any{},
			"availableFrom": nil, "availableUntil": nil, "dateReservation": nil, "rentedFrom": nil, "rentedUntil": nil,
			"minimumLeaseTerm": nil, "maximumLeaseTerm": nil, "priceHistory": history(s.Rent),
		}
	}
}

// pictures are the blobs of photos or floor plans, with relative URLs.
func (s *mockSpec) pictures(what, extension string, names []string) []any {
	blobs := make([]any, len(names))
	for i, motif := range names {
		id := mockMadeID(fmt.Sprintf("%s/%s/%d/%s", s.id(), what, i, motif))
		name := mockSlug(cmp.Or(s.Street, s.Name, s.Ref) + "-" + motif)
		url := func(size string) string { return "/media/" + id + "/" + size + "/" + name + extension }
		width, height := mockShape(id, extension)
		var description any
		if i%3 != 2 {
			description = strings.ToUpper(motif[:1]) + strings.ReplaceAll(motif[1:], "-", " ")
		}
		blobs[i] = mockFields{
			"fileDataId": id, "fileName": name, "fileExtension": extension, "fileSize": 90000 + int(mockkit.Hash(id)%60000),
			"contentType": mockMediaTypes[extension], "md5Hash": mockMD5(id, name), "name": name, "description": description,
			"width": width, "height": height, "urlOriginal": url("original"), "urlBig": url("big"), "urlMedium": url("medium"),
			"urlPreview": url("preview"), "dateTimeCreated": s.Created, "dateTimeModified": s.Created,
		}
	}
	return blobs
}

// extraMedia adds a brochure and a tour on somebody else's site.
func (s *mockSpec) extraMedia(f mockFields) {
	if s.Brochure {
		id := mockMadeID(s.id() + "/brochure")
		name := "brochure-" + mockSlug(cmp.Or(s.Street, s.Name))
		f["brochures"] = []any{mockFields{
			"id": "br-1", "originalId": mockMadeID(s.id() + "/original"), "type": "Brochure", "allowToPublish": nil,
			"publishForAgendaReminders": nil, "isEditable": false, "fileDataId": id, "fileName": name, "fileExtension": ".pdf",
			"fileSize": 1100, "contentType": "application/pdf", "md5Hash": mockMD5(id, name), "name": "Brochure", "description": nil,
			"urlOriginal": "/media/" + id + "/original/" + name + ".pdf", "urlPreview": nil,
			"dateTimeCreated": s.Created, "dateTimeModified": s.Created,
		}}
	}
	if s.Video {
		code := mockMD5(s.id(), "video")[:11]
		f["thirdPartyMedia"] = []any{mockFields{
			"fileDataId": nil, "fileName": nil, "fileExtension": nil, "fileSize": 0, "contentType": nil, "md5Hash": nil,
			"name": "Woningvideo", "description": nil, "thirdPartyIDCode": code, "urlOriginal": "https://video.example/watch/" + code,
			"urlPreview": nil, "dateTimeCreated": s.Created, "dateTimeModified": s.Created,
		}}
	}
}

// floors lays the rooms out over the floors of a house or flat.
func (s *mockSpec) floors() []any {
	if s.Floors == 0 || s.Bedrooms == nil {
		return []any{}
	}
	names := []string{"Begane grond", "Eerste verdieping", "Tweede verdieping", "Zolder"}
	floors := make([]any, 0, s.Floors)
	left := *s.Bedrooms
	for i := range min(s.Floors, len(names)) {
		floor := mockFields{"floorType": "Floor", "floorNumber": i, "name": names[i], "atticOptions": []any{}, "description": []any{}}
		var spaces []any
		space := func(kind, name string, area float64) {
			spaces = append(spaces, mockFields{"type": kind, "name": name, "size": mockSize("area", area), "description": []any{}})
		}
		if i == 0 {
			floor["floorType"] = "GroundFloor"
			space("LivingRoom", "Woonkamer", cmp.Or(s.Living, s.Area/4))
			space("Kitchen", "Keuken", s.Area/10)
		}
		here := left
		if last := i == min(s.Floors, len(names))-1; !last {
			here = min(left, i*3)
		}
		for n := range here {
			space("Bedroom", fmt.Sprintf("Slaapkamer %d", *s.Bedrooms-left+n+1), s.Area/12)
		}
		left -= here
		floor["numberOfBedrooms"], floor["numberOfSpaces"], floor["spaces"] = here, len(spaces), spaces
		if spaces == nil {
			floor["spaces"] = []any{}
		}
		floors = append(floors, floor)
	}
	return floors
}

// mockMerge puts values over f; objects are merged, everything else is replaced.
func mockMerge(f, values mockFields) {
	for key, value := range values {
		inner, isObject := value.(mockFields)
		if old, ok := f[key].(mockFields); ok && isObject {
			mockMerge(old, inner)
			continue
		}
		f[key] = value
	}
}

// mockTexts makes Kolibri's texts of texts by ISO language.
func mockTexts(texts map[string]string) []any {
	list := []any{}
	for _, language := range [][2]string{{"nl", "Dutch"}, {"en", "English"}, {"de", "German"}} {
		if text, ok := texts[language[0]]; ok {
			list = append(list, mockFields{"language": language[1], "text": text})
		}
	}
	return list
}

func mockFilled(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func mockPositive(n int) any {
	if n == 0 {
		return nil
	}
	return n
}

// mockMoney writes amounts as Kolibri does, with a decimal.
func mockMoney(amount *float64) any {
	if amount == nil {
		return nil
	}
	text := strconv.FormatFloat(*amount, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return json.Number(text)
}

func mockSize(key string, value float64) any {
	if value == 0 {
		return nil
	}
	value = float64(int(value*10+0.5)) / 10
	size := mockFields{
		"area": nil, "height": nil, "length": nil, "width": nil, "volume": nil,
		"unitOfMeasurement": "Meter", "unitOfVolume": "CubicMeter",
	}
	size[key] = mockMoney(&value)
	return size
}

// mockPeriod is the ConstructionPeriod of a year.
func mockPeriod(year int) string {
	for _, p := range []struct {
		until int
		name  string
	}{
		{1905, "Before1906"}, {1930, "Between1906And1930"}, {1944, "Between1931And1944"}, {1959, "Between1945And1959"},
		{1970, "Between1960And1970"}, {1980, "Between1971And1980"}, {1990, "Between1981And1990"},
		{2000, "Between1991And2000"}, {2010, "Between2001And2010"},
	} {
		if year <= p.until {
			return p.name
		}
	}
	return "After2010"
}

// mockSlug makes a file name: lower case, dashes.
func mockSlug(text string) string {
	return strings.Trim(strings.Join(strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "-"), "-")
}
