package kolibri

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/rest"
)

const (
	squareMetres = "m²"
	cubicMetres  = "m³"
	minSize      = 0.01        // m² or m³; less is shown as nothing
	maxSize      = 100_000_000 // m² or m³; beyond it, somebody mistyped
)

// details are the rows of the details table, in the order in which they are shown. A row that the
// CRM leaves empty is left out. An open house is left out too: nobody takes the row away when the
// day has passed.
func (c *conversion) details() []sparki.DetailRow {
	a := c.assignment
	r := make(rows, 0, 32)
	r.add("reference", "Referentie", line(a["publicReference"]))
	r.add("constructionNumber", "Bouwnummer", line(a["constructionNumber"]))
	r.add("propertyType", "Soort", capital(c.propertyType()))
	r.add("buildingType", "Bouwvorm", c.word("buildingType", a["buildingType"], buildingTypes))
	c.unitRows(&r)
	c.sizeRows(&r)
	c.roomRows(&r)
	c.buildingRows(&r)
	c.surroundingsRows(&r)
	c.termsRows(&r)
	c.planningRows(&r)
	return r
}

// rows is a details table in the making.
type rows []sparki.DetailRow

func (r *rows) add(key, label, value string) {
	if value != "" {
		*r = append(*r, sparki.DetailRow{Key: key, Label: label, Value: value})
	}
}

func (r *rows) measure(key, label, value, unit string) {
	if value != "" {
		*r = append(*r, sparki.DetailRow{Key: key, Label: label, Value: value, Unit: &unit})
	}
}

func (r *rows) number(key, label string, v gjson.Result, least int) {
	if n, ok := count(v, least, 99_999); ok {
		r.add(key, label, strconv.Itoa(n))
	}
}

// word is an enum value in Dutch, with a capital; "" for none and for an unknown one.
func (c *conversion) word(field string, v gjson.Result, table map[string]string) string {
	word, _ := known(c, field, v, table)
	return capital(word)
}

// words are the values of a list of enums, each once, with one capital in front.
func (c *conversion) words(field string, list gjson.Result, table map[string]string) string {
	var there []string
	seen := map[string]bool{}
	elements(list, func(v gjson.Result) {
		if word, ok := known(c, field, v, table); ok && !seen[word] {
			seen[word] = true
			there = append(there, word)
		}
	})
	return capital(strings.Join(there, ", "))
}

// propertyType says what kind of property it is, as precisely as Kolibri does: "eengezinswoning,
// tussenwoning"; "" if it does not.
func (c *conversion) propertyType() string {
	a := c.assignment
	word := func(field string, table map[string]string) string {
		w, _ := known(c, field, a[field], table)
		return w
	}
	house := joined(", ", word("houseSort", houseSorts), word("houseType", houseTypes), word("houseCharacteristic", houseCharacteristics))
	sort, characteristic := word("apartmentSort", apartmentSorts), word("apartmentCharacteristic", apartmentCharacteristics)
	if sort == characteristic {
		characteristic = "" // both know the penthouse
	}
	return cmp.Or(
		joined(", ", house, sort, characteristic),
		word("parkingType", parkingTypes), word("residentialSubtypeOther", residentialSubtypes),
		word("listingType", listingTypes), word("typePART", typeParts),
	)
}

func (c *conversion) unitRows(r *rows) {
	r.number("units", "Aantal eenheden", c.first("amountOfUnits", "amountUnits"), 1)
	r.number("freeUnits", "Nog beschikbaar", c.first("amountOfFreeUnits", "amountFreeUnits"), 0)
}

func (c *conversion) sizeRows(r *rows) {
	area := func(key, label string, names ...string) {
		r.measure(key, label, c.size("Area", names...), squareMetres)
	}
	area("livingArea", "Woonoppervlakte", "usableArea", "usageArea")
	area("plotArea", "Perceeloppervlakte", "parcelSurface")
	r.measure("volume", "Inhoud", c.size("Volume", "contents", "content"), cubicMetres)
	area("livingRoomArea", "Woonkamer", "livingRoomSurface")
	area("otherIndoorArea", "Overige inpandige ruimte", "otherInsideSpaces")
	area("outdoorArea", "Gebouwgebonden buitenruimte", "buildingRelatedOutdoorSpace", "buildingBoundOutsideSpaces")
	area("storageArea", "Externe bergruimte", "externalStorage", "externalStoragesSpaces")
	area("lettableArea", "Verhuurbaar vloeroppervlak", "vVO")
	area("grossArea", "Bruto vloeroppervlak", "bVO")
	area("shopArea", "Winkelvloeroppervlak", "wvo")
	area("officeArea", "Kantoorruimte", "officeSpaceSurface")
	area("terrainArea", "Terrein", "terrainSurface")
}

// size reads a Size, or a DimensionsRange with both its ends: "128", "98–161" (contract §3.4, §4).
// what is "Area" or "Volume".
func (c *conversion) size(what string, names ...string) string {
	v := c.first(names...)
	if unit := text(v.Get("unitOfMeasurement")); unit != "" && unit != "Meter" {
		c.note("unitOfMeasurement", unit)
		return ""
	}
	read := func(name string) string {
		n, ok := number(v.Get(name))
		if !ok || n < minSize || n > maxSize {
			return ""
		}
		return dutchNumber(n)
	}
	if one := read(strings.ToLower(what)); one != "" {
		return one
	}
	low, high := read("min"+what), read("max"+what)
	if low == high {
		return low
	}
	return joined("–", low, high)
}

func (c *conversion) roomRows(r *rows) {
	a := c.assignment
	r.number("rooms", "Aantal kamers", a["numberOfRooms"], 1)
	r.number("bedrooms", "Aantal slaapkamers", a["numberOfBedRooms"], 1)
	r.number("bathrooms", "Aantal badkamers", a["numberOfBathRooms"], 1)
	r.number("toilets", "Aantal toiletten", a["numberOfToilets"], 1)
	layers := "Aantal woonlagen"
	if group := text(a["realEstateGroup"]); group != "" && group != "Residential" {
		layers = "Aantal bouwlagen"
	}
	r.number("floors", layers, a["numberOfFloors"], 1)
	if level, ok := count(a["floorLevel"], 0, 200); ok {
		value := "Begane grond"
		if level > 0 {
			value = strconv.Itoa(level) + "e verdieping"
		}
		r.add("floorLevel", "Gelegen op", value)
	}
}

func (c *conversion) buildingRows(r *rows) {
	a := c.assignment
	built := a["yearOfConstruction"]
	year := ""
	if n, ok := count(built.Get("constructionYear"), 1000, 2200); ok {
		year = strconv.Itoa(n)
	}
	period := c.word("yearOfConstruction.period", built.Get("period"), constructionPeriods)
	if year != "" {
		if built.Get("isUnderConstruction").Bool() {
			year += " (in aanbouw)"
		}
		r.add("buildYear", "Bouwjaar", year)
	} else {
		r.add("buildPeriod", "Bouwperiode", period)
	}
	energyClass, _ := known(c, "energyClass", a["energyLabel"].Get("energyClass"), energyClasses)
	r.add("energyLabel", "Energielabel", energyClass)
	r.add("heating", "Verwarming", c.words("heating", a["heating"], heatingMethods))
	r.add("hotWater", "Warm water", c.words("warmWaterTypes", a["warmWaterTypes"], hotWaterMethods))
	r.add("boiler", "Cv-ketel", c.boiler())
	r.add("insulation", "Isolatie", c.words("insulationTypes", a["insulationTypes"], insulationTypes))
	r.add("facilities", "Voorzieningen", c.words("residentialFacilities", a["residentialFacilities"], residentialFacilities))
	r.add("peculiarities", "Bijzonderheden", c.words("peculiarities", a["peculiarities"], peculiarities))
	r.add("maintenanceInside", "Onderhoud binnen", c.word("maintenanceInside.rating", a["maintenanceInside"].Get("rating"), conditions))
	r.add("maintenanceOutside", "Onderhoud buiten", c.word("maintenanceOutside.rating", a["maintenanceOutside"].Get("rating"), conditions))
}

// boiler describes the boiler: "HR-ketel, gas, 2019, eigendom".
func (c *conversion) boiler() string {
	fuel, _ := known(c, "boilerFuel", c.assignment["boilerFuel"], energySources)
	ownership, _ := known(c, "boilerProperty", c.assignment["boilerProperty"], ownerships)
	year := ""
	if n, ok := count(c.assignment["boilerYearOfConstruction"], 1900, 2200); ok {
		year = strconv.Itoa(n)
	}
	return capital(joined(", ", line(c.assignment["boilerType"]), fuel, year, ownership))
}

func (c *conversion) surroundingsRows(r *rows) {
	a := c.assignment
	r.add("location", "Ligging", c.words("locationPlaces", a["locationPlaces"], locationPlaces))
	r.add("garden", "Tuin", c.gardens())
	var garages []string
	elements(a["garages"], func(garage gjson.Result) {
		if word, ok := known(c, "garageType", garage.Get("garageType"), garageTypes); ok {
			garages = append(garages, word)
		}
	})
	r.add("garage", "Garage", capital(strings.Join(garages, ", ")))
	r.add("parking", "Parkeren", c.words("parkingFacilities", a["parkingFacilities"], parkingFacilities))
	r.number("parkingPlaces", "Parkeerplaatsen", a["totalParkingCapacity"], 1)
}

// gardens describes each garden: "Achtertuin op het zuiden, 84 m²; voortuin".
func (c *conversion) gardens() string {
	var gardens []string
	elements(c.assignment["gardens"], func(garden gjson.Result) {
		kind, ok := known(c, "gardenType", garden.Get("gardenType"), gardenTypes)
		if !ok {
			return
		}
		if side, ok := known(c, "orientation", garden.Get("orientation"), orientations); ok {
			kind += " op het " + side
		}
		if area, ok := number(garden.Get("size.area")); ok && area >= minSize && area <= maxSize {
			kind += ", " + dutchNumber(area) + " " + squareMetres
		}
		gardens = append(gardens, kind)
	})
	return capital(strings.Join(gardens, "; "))
}

// termsRows are the terms of a sale or a rent.
func (c *conversion) termsRows(r *rows) {
	a := c.assignment
	r.add("acceptance", "Aanvaarding", c.acceptance())
	ground := a["groundProperty"]
	r.add("ownership", "Eigendomssituatie", c.word("groundOwnershipType", ground.Get("groundOwnershipType"), groundOwnerships))
	money := func(key, label string, v gjson.Result, per string) {
		if d, ok := amount(v); ok {
			r.add(key, label, joined(" ", euros(d), per))
		}
	}
	money("groundRent", "Erfpachtcanon", ground.Get("yearlyAmount"), "per jaar")
	sale, rent := c.offered()
	if offer := a["saleOffer"]; sale {
		money("ownersAssociation", "Bijdrage VvE", offer.Get("serviceCosts"), "per maand")
		r.add("furnishing", "Inrichting", c.word("furnishing", offer.Get("furnishing"), furnishings))
	}
	if offer := a["rentOffer"]; rent {
		money("serviceCosts", "Servicekosten", offer.Get("serviceCosts"), "per maand")
		if !a["hidePrice"].Bool() { // it is a multiple of the rent
			money("deposit", "Waarborgsom", offer.Get("deposit"), "")
		}
		r.add("rentalFurnishing", "Oplevering", c.word("furnishing", offer.Get("furnishing"), furnishings))
		r.add("rentIncludes", "Inbegrepen in de huur", c.words("rentSpecifications", offer.Get("rentSpecifications"), rentSpecifications))
		r.add("availableFrom", "Beschikbaar vanaf", dutchDate(offer.Get("availableFrom"), false))
		r.add("availableUntil", "Beschikbaar tot", dutchDate(offer.Get("availableUntil"), false))
		r.add("minimumLease", "Minimale huurperiode", c.leaseTerm(offer.Get("minimumLeaseTerm")))
		r.add("maximumLease", "Maximale huurperiode", c.leaseTerm(offer.Get("maximumLeaseTerm")))
	}
}

func (c *conversion) acceptance() string {
	details := c.assignment["acceptanceDetails"]
	word := c.word("acceptance", details.Get("acceptance"), acceptances)
	if date := dutchDate(details.Get("date"), false); date != "" && text(details.Get("acceptance")) == "PerDate" {
		return "Per " + date
	}
	return word
}

func (c *conversion) leaseTerm(v gjson.Result) string {
	n, ok := count(v.Get("numberOfUnits"), 1, 999)
	unit, known := known(c, "leaseTermUnit", v.Get("unit"), leaseTermUnits)
	if isFalse(v.Get("isApplicable")) || !ok || !known {
		return ""
	}
	if n == 1 {
		return "1 " + unit.one
	}
	return strconv.Itoa(n) + " " + unit.many
}

// planningRows are the dates of a new build (contract §4): what the office wrote, else the date.
// "…DateParts" is taken to mean that the day is not exact, assumed.
func (c *conversion) planningRows(r *rows) {
	a := c.assignment
	plan := func(key, label string, date, inexact, hidden, words gjson.Result) {
		value := rest.OneLine(translated(words), maxLine)
		if value == "" && !hidden.Bool() {
			value = dutchDate(date, inexact.Bool())
		}
		r.add(key, label, capital(value))
	}
	plan("saleStart", "Start verkoop", a["saleStart"], a["saleStartDateParts"], a["hideSaleStartDate"], a["saleStartText"])
	plan("buildingStart", "Start bouw", c.first("buildingStart", "buildingTypeStart"),
		a["buildingStartDateParts"], a["hideBuildingStartDate"], a["buildingStartText"])
	plan("delivery", "Oplevering", a["deliveryStart"], a["deliveryStartDateParts"], a["hideDeliveryStartDate"], a["deliveryStartText"])
}
