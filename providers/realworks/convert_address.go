package realworks

import (
	"regexp"
	"strings"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/dutch"
	"sparki.app/integrations/providers/wire"
)

// place is where a property stands, as far as it may be shown.
type place struct {
	address     sparki.Address
	coordinates *sparki.Coordinates
	streetLine  string // "Lindehof 12A"
}

// place reads the address: in v3 it stands in adres, before at the top; a project has no street
// (contract §2.3, §3.1, §3.2).
func (c *conversion) place() place {
	street := wire.Line(c.at("adres.straat", "straat"))
	postalCode := dutch.PostalCode(wire.Line(c.at("adres.postcode", "postcode", "project.algemeen.postcode")))
	city := placeName(wire.Line(c.at("adres.plaats", "plaats", "project.algemeen.plaats")))
	number, addition := c.houseNumber()
	var p place
	a := &p.address
	a.City = wire.Optional(city)
	a.StateOrProvince = wire.Optional(c.province(c.at("adres.provincie", "provincie", "project.algemeen.provincie")))
	a.Country = wire.Optional(c.country(c.at("adres.land", "land", "project.algemeen.land")))
	point := c.point()
	a.Physical = street != "" || postalCode != "" || city != "" || point != nil
	if !c.hidesAddress() {
		a.Street, a.PostalCode = wire.Optional(street), wire.Optional(postalCode)
		a.HouseNumber, a.HouseNumberAddition = wire.Optional(number), wire.Optional(addition)
		p.coordinates = point
		p.streetLine = strings.TrimSpace(street + " " + dutch.HouseNumber(number, addition))
	}
	town := city
	if a.PostalCode != nil {
		town = strings.TrimSpace(postalCode + " " + city)
	}
	a.Label = dutch.Joined(", ", p.streetLine, town)
	return p
}

// hidesAddress: the office shows the place only (contract §3.1).
func (c *conversion) hidesAddress() bool {
	return wire.IsFalse(c.at("marketing.publicatie.adresvermelding"))
}

// houseNumber reads both forms of a house number: an object in v3, two fields before (contract §2.3).
// A range is business property's. 0 stands for none yet, whatever its addition.
func (c *conversion) houseNumber() (number, addition string) {
	from := c.at("adres.huisnummer", "huisnummer")
	if from.IsObject() {
		number, addition = wire.Line(from.Get("hoofdnummer")), wire.Line(from.Get("toevoeging"))
	} else {
		number, addition = wire.Line(from), wire.Line(c.at("adres.huisnummertoevoeging", "huisnummertoevoeging"))
	}
	begin := wire.Line(c.at("adres.huisnummerReeksBegin", "huisnummerReeksBegin"))
	end := wire.Line(c.at("adres.huisnummerReeksEind", "huisnummerReeksEind"))
	if begin != "" && end != "" && begin != "0" && begin != end {
		return begin + "-" + end, ""
	}
	if number == "" || number == "0" {
		return "", ""
	}
	return number, addition
}

// gemeente is what some offices put behind a place's name: "EIKENDAL GEM. BOSVELD" (contract §2.3).
var gemeente = regexp.MustCompile(`(?i)\s+gem\.?\s.*$`)

func placeName(s string) string { return dutch.PlaceName(gemeente.ReplaceAllString(s, "")) }

// provinces are the twelve, as Realworks writes them.
var provinces = map[string]string{
	"DRENTHE": "Drenthe", "FLEVOLAND": "Flevoland", "FRIESLAND": "Friesland", "FRYSLAN": "Fryslân", "GELDERLAND": "Gelderland",
	"GRONINGEN": "Groningen", "LIMBURG": "Limburg", "NOORD_BRABANT": "Noord-Brabant", "NOORD_HOLLAND": "Noord-Holland",
	"OVERIJSSEL": "Overijssel", "UTRECHT": "Utrecht", "ZEELAND": "Zeeland", "ZUID_HOLLAND": "Zuid-Holland",
}

func (c *conversion) province(v gjson.Result) string {
	if value := wire.Line(v); value == "" || value == sentinel || strings.ToUpper(value) != value {
		return strings.TrimPrefix(value, sentinel) // somebody wrote it out
	}
	if province, ok := wire.Known(&c.gaps, "provincie", v, provinces); ok {
		return province
	}
	return dutch.Capital(words(v))
}

// countries are names of countries in whose code they stand; Nieuwbouw sends the code (contract §7).
var countries = map[string]string{"nederland": "NL", "belgië": "BE", "belgie": "BE", "duitsland": "DE"}

func (c *conversion) country(v gjson.Result) string {
	name := wire.Line(v)
	if code, ok := countries[strings.ToLower(name)]; ok {
		return code
	}
	if len(name) == 2 && strings.Trim(strings.ToUpper(name), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		return strings.ToUpper(name)
	}
	if name != "" {
		c.gaps.Note("land", name)
	}
	return ""
}

// point is where the property is on a map, should Realworks ever tell (contract §7).
func (c *conversion) point() *sparki.Coordinates {
	in := c.at("adres.coordinaten")
	for _, pair := range [][2]gjson.Result{
		{in.Get("latitude"), in.Get("longitude")}, {in.Get("lat"), in.Get("lng")},
		{c.at("adres.latitude"), c.at("adres.longitude")}, {c.at("adres.lat"), c.at("adres.lng")},
		{c.at("latitude"), c.at("longitude")}, {c.at("lat"), c.at("lng")},
		{c.at("project.algemeen.latitude"), c.at("project.algemeen.longitude")},
	} {
		if point := wire.Coordinates(pair[0], pair[1]); point != nil {
			return point
		}
	}
	return nil
}
