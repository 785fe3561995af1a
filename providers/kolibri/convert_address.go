package kolibri

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/dutch"
	"sparki.app/integrations/providers/wire"
)

// place is where a property stands: what may be shown of it, and enough of the rest to keep it
// from showing elsewhere.
type place struct {
	address     sparki.Address
	coordinates *sparki.Coordinates
	streetLine  string // "Lindelaan 14A", as far as it may be shown

	hidesAddress, hidesNumber bool
	// As Kolibri sent them, hidden or not.
	street, postalCode, locality string
}

// place reads the address (contract §3.4). Types in a project have none (contract §4).
func (c *conversion) place() place {
	from := c.assignment["address"]
	p := place{
		hidesAddress: c.assignment["hideAddress"].Bool(),
		street:       wire.Line(from.Get("street.name")),
		postalCode:   dutch.PostalCode(wire.Line(from.Get("postalCode"))),
		locality:     wire.Line(from.Get("locality.name")),
	}
	// A number that is hidden is not to be guessed from a point on the map either, assumed.
	p.hidesNumber = p.hidesAddress || c.assignment["hideHouseNumber"].Bool()

	city := dutch.PlaceName(p.locality)
	if city == "" {
		city = dutch.PlaceName(wire.Line(from.Get("adminAreaLevel2.name"))) // the municipality
	}
	point := wire.Coordinates(from.Get("geoLocation.latitude"), from.Get("geoLocation.longitude"))
	a := &p.address
	a.City = wire.Optional(city)
	a.StateOrProvince = wire.Optional(wire.Line(from.Get("adminAreaLevel1.name")))
	a.Country = wire.Optional(countryCode(wire.Line(from.Get("countryIso2"))))
	a.Physical = p.street != "" || p.postalCode != "" || city != "" || point != nil
	if !p.hidesAddress {
		a.Street, a.PostalCode = wire.Optional(p.street), wire.Optional(p.postalCode)
		p.streetLine = p.street
	}
	if !p.hidesNumber {
		number := houseNumberFrom(from)
		a.HouseNumber, a.HouseNumberAddition = wire.Optional(number.number), wire.Optional(number.addition)
		p.streetLine = strings.TrimSpace(p.street + " " + number.display)
		p.coordinates = point
	}
	town := city
	if a.PostalCode != nil {
		town = strings.TrimSpace(p.postalCode + " " + city)
	}
	a.Label = dutch.Joined(", ", p.streetLine, town)
	return p
}

// hidden says whether a part of the address must not be shown.
func (p place) hidden() bool { return p.hidesAddress || p.hidesNumber }

// names says whether a text tells more of the address than may be shown.
func (p place) names(text string) bool {
	text = strings.ToLower(text)
	return p.street == "" || strings.Contains(text, strings.ToLower(p.street)) ||
		p.postalCode != "" && strings.Contains(text, strings.ToLower(p.postalCode))
}

// title names the place where nothing else names the property: "Lindelaan 14A, Bunnik".
func (p place) title() string {
	city := ""
	if p.address.City != nil {
		city = *p.address.City
	}
	return dutch.Joined(", ", p.streetLine, city)
}

// cased writes the locality at the end of a name in small letters: "Lindelaan 14A, BUNNIK".
func (p place) cased(name string) string {
	if before, ok := strings.CutSuffix(name, ", "+p.locality); ok && p.locality != "" {
		return before + ", " + dutch.PlaceName(p.locality)
	}
	return name
}

// houseNumber is a house number in its parts, and as it is written.
type houseNumber struct{ number, addition, display string }

// houseNumberFrom reads the number of an address (contract §3.4: the postfix is letter and
// addendum joined, so never both).
func houseNumberFrom(address gjson.Result) houseNumber {
	const most = 99_999
	var h houseNumber
	first, hasFirst := wire.Count(address.Get("startOfHouseNumberRange"), 1, most)
	last, hasLast := wire.Count(address.Get("endOfHouseNumberRange"), 1, most)
	if address.Get("usesHouseNumberRange").Bool() && hasFirst && hasLast && first != last {
		h.number = strconv.Itoa(first) + "-" + strconv.Itoa(last)
		h.display = h.number
		return h
	}
	if n, ok := wire.Count(address.Get("houseNumber"), 1, most); ok {
		h.number = strconv.Itoa(n)
	}
	h.addition = wire.Line(address.Get("houseNumberPostfix"))
	if h.addition == "" {
		h.addition = wire.Line(address.Get("houseLetter")) + wire.Line(address.Get("houseNumberAddendum"))
	}
	if h.display = wire.Line(address.Get("houseNumberDisplayName")); h.display == "" {
		h.display = dutch.HouseNumber(h.number, h.addition)
	}
	return h
}

// countryCode is an ISO 3166-1 alpha-2 code; "" for anything else.
func countryCode(s string) string {
	if len(s) != 2 || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) || r > unicode.MaxASCII }) {
		return ""
	}
	return strings.ToUpper(s)
}
