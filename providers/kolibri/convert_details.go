package kolibri

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/dutch"
	"sparki.app/integrations/providers/wire"
)

// details are the rows of the details table, in the order in which they are shown. A row that the
// CRM leaves empty is left out. An open house is left out too: nobody takes the row away when the
// day has passed.
func (c *conversion) details() []sparki.DetailRow {
	a := c.assignment
	r := make(dutch.Rows, 0, 32)
	r.Add("reference", "Referentie", wire.Line(a["publicReference"]))
	r.Add("constructionNumber", "Bouwnummer", wire.Line(a["constructionNumber"]))
	r.Add("propertyType", "Soort", dutch.Capital(c.propertyType()))
	r.Add("buildingType", "Bouwvorm", c.word("buildingType", a["buildingType"], buildingTypes))
	c.unitRows(&r)
	c.sizeRows(&r)
	c.roomRows(&r)
	c.buildingRows(&r)
	c.surroundingsRows(&r)
	c.termsRows(&r)
	c.planningRows(&r)
	return r
}

// number adds a row with a whole number, if it is at least so much.
func number(r *dutch.Rows, key, label string, v gjson.Result, least int) {
	if n, ok := wire.Count(v, least, 99_999); ok {
		r.Add(key, label, strconv.Itoa(n))
	}
}

// word is an enum value in Dutch, with a capital; "" for none and for an unknown one.
func (c *conversion) word(field string, v gjson.Result, table map[string]string) string {
	word, _ := wire.Known(&c.gaps, field, v, table)
	return dutch.Capital(word)
}

// words are the values of a list of enums, each once, with one capital in front.
func (c *conversion) words(field string, list gjson.Result, table map[string]string) string {
	var there []string
	seen := map[string]bool{}
	wire.Elements(list, func(v gjson.Result) {
		if word, ok := wire.Known(&c.gaps, field, v, table); ok && !seen[word] {
			seen[word] = true
			there = append(there, word)
		}
	})
	return dutch.Capital(strings.Join(there, ", "))
}

// propertyType says what kind of property it is, as precisely as Kolibri does: "eengezinswoning,
// tussenwoning"; "" if it does not.
func (c *conversion) propertyType() string {
	a := c.assignment
	word := func(field string, table map[string]string) string {
		w, _ := wire.Known(&c.gaps, field, a[field], table)
		return w
	}
	house := dutch.Joined(", ", word("houseSort", houseSorts), word("houseType", houseTypes), word("houseCharacteristic", houseCharacteristics))
	sort, characteristic := word("apartmentSort", apartmentSorts), word("apartmentCharacteristic", apartmentCharacteristics)
	if sort == characteristic {
		characteristic = "" // both know the penthouse
	}
	return cmp.Or(
		dutch.Joined(", ", house, sort, characteristic),
		word("parkingType", parkingTypes), word("residentialSubtypeOther", residentialSubtypes),
		word("listingType", listingTypes), word("typePART", typeParts),
	)
}

func (c *conversion) unitRows(r *dutch.Rows) {
	number(r, "units", "Aantal eenheden", c.first("amountOfUnits", "amountUnits"), 1)
	number(r, "freeUnits", "Nog beschikbaar", c.first("amountOfFreeUnits", "amountFreeUnits"), 0)
}

func (c *conversion) sizeRows(r *dutch.Rows) {
	area := func(key, label string, names ...string) {
		r.Measure(key, label, c.size("Area", names...), dutch.SquareMetres)
	}
	area("livingArea", "Woonoppervlakte", "usableArea", "usageArea")
	area("plotArea", "Perceeloppervlakte", "parcelSurface")
	r.Measure("volume", "Inhoud", c.size("Volume", "contents", "content"), dutch.CubicMetres)
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
	if unit := wire.Text(v.Get("unitOfMeasurement")); unit != "" && unit != "Meter" {
		c.gaps.Note("unitOfMeasurement", unit)
		return ""
	}
	read := func(name string) string {
		n, _ := wire.Number(v.Get(name))
		return dutch.Size(n)
	}
	if one := read(strings.ToLower(what)); one != "" {
		return one
	}
	low, high := read("min"+what), read("max"+what)
	if low == high {
		return low
	}
	return dutch.Joined("–", low, high)
}

func (c *conversion) roomRows(r *dutch.Rows) {
	a := c.assignment
	number(r, "rooms", "Aantal kamers", a["numberOfRooms"], 1)
	number(r, "bedrooms", "Aantal slaapkamers", a["numberOfBedRooms"], 1)
	number(r, "bathrooms", "Aantal badkamers", a["numberOfBathRooms"], 1)
	number(r, "toilets", "Aantal toiletten", a["numberOfToilets"], 1)
	layers := "Aantal woonlagen"
	if group := wire.Text(a["realEstateGroup"]); group != "" && group != "Residential" {
		layers = "Aantal bouwlagen"
	}
	number(r, "floors", layers, a["numberOfFloors"], 1)
	if level, ok := wire.Count(a["floorLevel"], 0, 200); ok {
		value := "Begane grond"
		if level > 0 {
			value = strconv.Itoa(level) + "e verdieping"
		}
		r.Add("floorLevel", "Gelegen op", value)
	}
}

func (c *conversion) buildingRows(r *dutch.Rows) {
	a := c.assignment
	built := a["yearOfConstruction"]
	year := ""
	if n, ok := wire.Count(built.Get("constructionYear"), 1000, 2200); ok {
		year = strconv.Itoa(n)
	}
	period := c.word("yearOfConstruction.period", built.Get("period"), constructionPeriods)
	if year != "" {
		if built.Get("isUnderConstruction").Bool() {
			year += " (in aanbouw)"
		}
		r.Add("buildYear", "Bouwjaar", year)
	} else {
		r.Add("buildPeriod", "Bouwperiode", period)
	}
	energyClass, _ := wire.Known(&c.gaps, "energyClass", a["energyLabel"].Get("energyClass"), energyClasses)
	r.Add("energyLabel", "Energielabel", energyClass)
	r.Add("heating", "Verwarming", c.words("heating", a["heating"], heatingMethods))
	r.Add("hotWater", "Warm water", c.words("warmWaterTypes", a["warmWaterTypes"], hotWaterMethods))
	r.Add("boiler", "Cv-ketel", c.boiler())
	r.Add("insulation", "Isolatie", c.words("insulationTypes", a["insulationTypes"], insulationTypes))
	r.Add("facilities", "Voorzieningen", c.words("residentialFacilities", a["residentialFacilities"], residentialFacilities))
	r.Add("peculiarities", "Bijzonderheden", c.words("peculiarities", a["peculiarities"], peculiarities))
	r.Add("maintenanceInside", "Onderhoud binnen", c.word("maintenanceInside.rating", a["maintenanceInside"].Get("rating"), conditions))
	r.Add("maintenanceOutside", "Onderhoud buiten", c.word("maintenanceOutside.rating", a["maintenanceOutside"].Get("rating"), conditions))
}

// boiler describes the boiler: "HR-ketel, gas, 2019, eigendom".
func (c *conversion) boiler() string {
	fuel, _ := wire.Known(&c.gaps, "boilerFuel", c.assignment["boilerFuel"], energySources)
	ownership, _ := wire.Known(&c.gaps, "boilerProperty", c.assignment["boilerProperty"], ownerships)
	year := ""
	if n, ok := wire.Count(c.assignment["boilerYearOfConstruction"], 1900, 2200); ok {
		year = strconv.Itoa(n)
	}
	return dutch.Capital(dutch.Joined(", ", wire.Line(c.assignment["boilerType"]), fuel, year, ownership))
}

func (c *conversion) surroundingsRows(r *dutch.Rows) {
	a := c.assignment
	r.Add("location", "Ligging", c.words("locationPlaces", a["locationPlaces"], locationPlaces))
	r.Add("garden", "Tuin", c.gardens())
	var garages []string
	wire.Elements(a["garages"], func(garage gjson.Result) {
		if word, ok := wire.Known(&c.gaps, "garageType", garage.Get("garageType"), garageTypes); ok {
			garages = append(garages, word)
		}
	})
	r.Add("garage", "Garage", dutch.Capital(strings.Join(garages, ", ")))
	r.Add("parking", "Parkeren", c.words("parkingFacilities", a["parkingFacilities"], parkingFacilities))
	number(r, "parkingPlaces", "Parkeerplaatsen", a["totalParkingCapacity"], 1)
}

// gardens describes each garden: "Achtertuin op het zuiden, 84 m²; voortuin".
func (c *conversion) gardens() string {
	var gardens []string
	wire.Elements(c.assignment["gardens"], func(garden gjson.Result) {
		kind, ok := wire.Known(&c.gaps, "gardenType", garden.Get("gardenType"), gardenTypes)
		if !ok {
			return
		}
		if side, ok := wire.Known(&c.gaps, "orientation", garden.Get("orientation"), orientations); ok {
			kind += " op het " + side
		}
		area, _ := wire.Number(garden.Get("size.area"))
		if size := dutch.Size(area); size != "" {
			kind += ", " + size + " " + dutch.SquareMetres
		}
		gardens = append(gardens, kind)
	})
	return dutch.Capital(strings.Join(gardens, "; "))
}

// termsRows are the terms of a sale or a rent.
func (c *conversion) termsRows(r *dutch.Rows) {
	a := c.assignment
	r.Add("acceptance", "Aanvaarding", c.acceptance())
	ground := a["groundProperty"]
	r.Add("ownership", "Eigendomssituatie", c.word("groundOwnershipType", ground.Get("groundOwnershipType"), groundOwnerships))
	money := func(key, label string, v gjson.Result, per string) {
		if d, ok := wire.Amount(v); ok {
			r.Add(key, label, dutch.Joined(" ", dutch.Euros(d), per))
		}
	}
	money("groundRent", "Erfpachtcanon", ground.Get("yearlyAmount"), "per jaar")
	sale, rent := c.offered()
	if offer := a["saleOffer"]; sale {
		money("ownersAssociation", "Bijdrage VvE", offer.Get("serviceCosts"), "per maand")
		r.Add("furnishing", "Inrichting", c.word("furnishing", offer.Get("furnishing"), furnishings))
	}
	if offer := a["rentOffer"]; rent {
		money("serviceCosts", "Servicekosten", offer.Get("serviceCosts"), "per maand")
		if !a["hidePrice"].Bool() { // it is a multiple of the rent
			money("deposit", "Waarborgsom", offer.Get("deposit"), "")
		}
		r.Add("rentalFurnishing", "Oplevering", c.word("furnishing", offer.Get("furnishing"), furnishings))
		r.Add("rentIncludes", "Inbegrepen in de huur", c.words("rentSpecifications", offer.Get("rentSpecifications"), rentSpecifications))
		r.Add("availableFrom", "Beschikbaar vanaf", date(offer.Get("availableFrom")))
		r.Add("availableUntil", "Beschikbaar tot", date(offer.Get("availableUntil")))
		r.Add("minimumLease", "Minimale huurperiode", c.leaseTerm(offer.Get("minimumLeaseTerm")))
		r.Add("maximumLease", "Maximale huurperiode", c.leaseTerm(offer.Get("maximumLeaseTerm")))
	}
}

func (c *conversion) acceptance() string {
	details := c.assignment["acceptanceDetails"]
	word := c.word("acceptance", details.Get("acceptance"), acceptances)
	if on := date(details.Get("date")); on != "" && wire.Text(details.Get("acceptance")) == "PerDate" {
		return "Per " + on
	}
	return word
}

func (c *conversion) leaseTerm(v gjson.Result) string {
	n, ok := wire.Count(v.Get("numberOfUnits"), 1, 999)
	unit, known := wire.Known(&c.gaps, "leaseTermUnit", v.Get("unit"), leaseTermUnits)
	if wire.IsFalse(v.Get("isApplicable")) || !ok || !known {
		return ""
	}
	if n == 1 {
		return "1 " + unit.one
	}
	return strconv.Itoa(n) + " " + unit.many
}

// date writes a date for a person, "1 april 2026"; "" if there is none.
func date(v gjson.Result) string {
	if t, ok := wire.Moment(v, dutch.Time); ok {
		return dutch.Date(t)
	}
	return ""
}

// planningRows are the dates of a new build (contract §4): what the office wrote, else the date.
// "…DateParts" is taken to mean that the day is not exact, assumed.
func (c *conversion) planningRows(r *dutch.Rows) {
	a := c.assignment
	plan := func(key, label string, day, inexact, hidden, words gjson.Result) {
		value := wire.OneLine(translated(words))
		if t, ok := wire.Moment(day, dutch.Time); ok && value == "" && !hidden.Bool() {
			value = dutch.Date(t)
			if inexact.Bool() {
				value = dutch.Month(t)
			}
		}
		r.Add(key, label, dutch.Capital(value))
	}
	plan("saleStart", "Start verkoop", a["saleStart"], a["saleStartDateParts"], a["hideSaleStartDate"], a["saleStartText"])
	plan("buildingStart", "Start bouw", c.first("buildingStart", "buildingTypeStart"),
		a["buildingStartDateParts"], a["hideBuildingStartDate"], a["buildingStartText"])
	plan("delivery", "Oplevering", a["deliveryStart"], a["deliveryStartDateParts"], a["hideDeliveryStartDate"], a["deliveryStartText"])
}
