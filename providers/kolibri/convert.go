package kolibri

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/dutch"
	"sparki.app/integrations/providers/rest"
	"sparki.app/integrations/providers/wire"
)

// readFields are the fields of an assignment that are looked at, of some 370 (contract §3.4, §4).
// What must never become public is not among them: memos, keys, bids, commissions, people.
var readFields = fieldSet(`
	id realEstateAgencyId isActive dateTimeModified displayName publicReference
	officeID linkedOffice linkedEmployee linkedEmployees linkedProjectAssignment
	assignmentPhase availabilityStatus calculatedAvailabilityStatus
	isConfidential isPrivate confidentialityLevel isOlderVersion hideAddress hideHouseNumber hidePrice
	forSale forRent saleOffer rentOffer address
	realEstateGroup listingType typePART residentialSubtypeOther buildingType parkingType
	houseType houseSort houseCharacteristic apartmentSort apartmentCharacteristic
	titleText advertisementText description
	photos maps videos thirdPartyMedia brochures
	usableArea usageArea parcelSurface contents content livingRoomSurface otherInsideSpaces
	buildingRelatedOutdoorSpace buildingBoundOutsideSpaces externalStorage externalStoragesSpaces
	vVO bVO wvo officeSpaceSurface terrainSurface
	numberOfRooms numberOfBedRooms numberOfBathRooms numberOfToilets numberOfFloors floorLevel
	amountOfUnits amountUnits amountOfFreeUnits amountFreeUnits constructionNumber totalParkingCapacity
	yearOfConstruction energyLabel heating warmWaterTypes insulationTypes
	boilerType boilerFuel boilerYearOfConstruction boilerProperty
	locationPlaces parkingFacilities residentialFacilities peculiarities
	gardens garages maintenanceInside maintenanceOutside groundProperty acceptanceDetails
	saleStart saleStartDateParts hideSaleStartDate saleStartText
	buildingStart buildingTypeStart buildingStartDateParts hideBuildingStartDate buildingStartText
	deliveryStart deliveryStartDateParts hideDeliveryStartDate deliveryStartText
`, sectionTexts...)

// sectionTexts are the texts about parts of a property, in the order of a walk through it.
var sectionTexts = []string{
	"environmentText", "groundFloorText", "firstFloorText", "secondFloorText", "otherFloorsText",
	"balconyText", "gardensText", "parkingText", "peculiaritiesText",
}

func fieldSet(names string, more ...string) map[string]bool {
	set := map[string]bool{}
	for _, name := range append(strings.Fields(names), more...) {
		set[name] = true
	}
	return set
}

// assignment is an ObjectAssignment, an ObjectTypeAssignment or a ProjectAssignment (contract §3.4,
// §4): its readFields as Kolibri sent them. The three differ in a few names only.
type assignment map[string]gjson.Result

// assignments are empty ones to use again: each has room for all readFields, some 25 kB.
var assignments = sync.Pool{New: func() any { return make(assignment, len(readFields)) }}

const maxUnused = 200 // names; what is new shows among them

// assignmentFrom reads an entity in one pass over its text. unused names the other fields that have
// something in them. Whoever is done with it may release it.
func assignmentFrom(entity gjson.Result) (a assignment, unused []string) {
	a = assignments.Get().(assignment)
	wire.Each(entity, func(key string, v gjson.Result) {
		switch {
		case readFields[key]:
			a[key] = v
		case !wire.IsEmpty(v) && len(key) <= maxName && len(unused) < maxUnused:
			unused = append(unused, strings.Clone(rest.OneLine(key, maxName)))
		}
	})
	return a, unused
}

// release ends the use of an assignment. What was read from it stays.
func (a assignment) release() {
	clear(a)
	assignments.Put(a)
}

// first is the first of some fields that is there and not null: what differs in name only.
func (a assignment) first(names ...string) gjson.Result {
	for _, name := range names {
		if v := a[name]; v.Type != gjson.Null {
			return v
		}
	}
	return gjson.Result{}
}

func (a assignment) status() string {
	return wire.Text(a.first("availabilityStatus", "calculatedAvailabilityStatus")) // contract §3.5
}

// isSecret says whether the object is not for everybody (contract §3.4).
func (a assignment) isSecret() bool {
	level := wire.Text(a["confidentialityLevel"])
	return a["isConfidential"].Bool() || a["isPrivate"].Bool() || level != "" && level != "Public"
}

func (a assignment) office() string {
	if id := guid(wire.Text(a["linkedOffice"].Get("id"))); id != "" {
		return id
	}
	return guid(wire.Text(a["officeID"]))
}

// employees are the ids of the people in charge: one on objects and types, several on projects.
func (a assignment) employees() []string {
	var ids []string
	add := func(_, employee gjson.Result) bool {
		if id := guid(wire.Text(employee.Get("id"))); id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
		return true
	}
	add(gjson.Result{}, a["linkedEmployee"])
	a["linkedEmployees"].ForEach(add)
	return ids
}

// conversion is the work on one assignment. It never fails: what cannot be read is left out.
type conversion struct {
	assignment
	kind *assignmentKind
	gaps wire.Gaps
}

func (c *conversion) listing() *sparki.Listing {
	place := c.place()
	l := &sparki.Listing{
		Description:     wire.Optional(translated(c.assignment["description"])),
		LongDescription: wire.Optional(c.longText()),
		Price:           c.price(),
		TransactionType: c.transactionType(),
		Status:          c.projectStatus(),
		Category:        c.category(),
		Address:         place.address,
		Coordinates:     place.coordinates,
		Images:          media(pictures, c.assignment["photos"]),
		FloorPlans:      media(pictures, c.assignment["maps"]),
		ThumbnailURL:    thumbnail(c.assignment["photos"]),
		OtherMedia: media(films, c.assignment["videos"], c.assignment["thirdPartyMedia"],
			publicBrochures(c.assignment["brochures"])),
	}
	headline := wire.OneLine(translated(c.assignment["titleText"]))
	l.Title = c.title(headline, place)
	if l.LongDescription != nil {
		l.LongDescriptionHeading = wire.Optional(headline) // assumed: the listing's headline stands above its text
	}
	l.Details = c.details()
	return l
}

// title is the headline, else the name, else the address (contract §3.4). A hidden address does
// not come back through the name.
func (c *conversion) title(headline string, p place) string {
	name := p.cased(wire.Line(c.assignment["displayName"]))
	if p.hidden() && (c.kind.source != "project-assignment" || p.names(name)) {
		name = ""
	}
	sort, _, _ := strings.Cut(dutch.Capital(c.propertyType()), ",")
	address := p.title()
	if p.hidesAddress {
		address = dutch.Joined(" in ", sort, address) // "Villa in Baarn"
	}
	// A type has no name of its own (contract §4).
	ofProject := wire.Line(c.assignment["linkedProjectAssignment"].Get("displayName"))
	if ofProject != "" {
		ofProject = dutch.Joined(" – ", ofProject, sort)
	}
	return cmp.Or(headline, name, address, ofProject, sort, wire.Line(c.assignment["publicReference"]), "Kolibri "+wire.Text(c.assignment["id"]))
}

// projectStatuses are where an offer stands (contract §3.5). What is reserved can still fall
// through; what is sold or rented is done.
var projectStatuses = map[string]sparki.ProjectStatus{
	"Available":            sparki.StatusAvailable,
	"UnderBid":             sparki.StatusUnderOption,
	"UnderOption":          sparki.StatusUnderOption,
	"SoldUnderCondition":   sparki.StatusUnderOption,
	"RentedUnderCondition": sparki.StatusUnderOption,
	"FarmedUnderCondition": sparki.StatusUnderOption,
	"LeasedUnderCondition": sparki.StatusUnderOption,
	"Sold":                 sparki.StatusCompleted,
	"Rented":               sparki.StatusCompleted,
	"Farmed":               sparki.StatusCompleted,
	"Leased":               sparki.StatusCompleted,
	"Withdrawn":            sparki.StatusCancelled,
}

// projectStatus falls back to the phase where no status is given, or none that we know: only what
// is initiated counts as available (contract §3.5).
func (c *conversion) projectStatus() sparki.ProjectStatus {
	status, ok := wire.Known(&c.gaps, "availabilityStatus", c.first("availabilityStatus", "calculatedAvailabilityStatus"), projectStatuses)
	phase := wire.Text(c.assignment["assignmentPhase"])
	switch {
	case ok && status == sparki.StatusAvailable && wire.IsFalse(c.assignment["isActive"]):
		return sparki.StatusClosed // archived
	case ok:
		return status
	case phase == "Initiated":
		return sparki.StatusAvailable
	case phase == "Completed":
		return sparki.StatusCompleted
	default:
		return sparki.StatusClosed
	}
}

// categories sort listing types (contract §3.5); business and farming have no category of their own.
var categories = map[string]sparki.ProjectCategory{
	"House": sparki.CategoryHouse, "SummerCottage": sparki.CategoryHouse, "AgriculturalHouse": sparki.CategoryHouse,
	"Apartment": sparki.CategoryApartment,
	"Parking":   sparki.CategoryParking, "Garage": sparki.CategoryParking,
	// Of types in a project (typePART, contract §4).
	"ResidentialBuilding": sparki.CategoryHouse,
}

// otherCategories refine the listing type Other.
var otherCategories = map[string]sparki.ProjectCategory{
	"StoreRoom": sparki.CategoryStorage, "StorageSpace": sparki.CategoryStorage,
	"ParkingSpace": sparki.CategoryParking, "Garage": sparki.CategoryParking,
	"LowerSection": sparki.CategoryApartment, "ResidentialShopPremises": sparki.CategoryHouse,
}

func (c *conversion) category() sparki.ProjectCategory {
	listingType := wire.Text(c.first("listingType", "typePART"))
	category, ok := categories[listingType]
	switch {
	case ok && category == sparki.CategoryApartment && wire.Text(c.assignment["apartmentSort"]) == "StudentRoom":
		return sparki.CategoryStudio
	case ok:
		return category
	}
	if category, ok := otherCategories[wire.Text(c.assignment["residentialSubtypeOther"])]; ok {
		return category
	}
	return sparki.CategoryOther
}
