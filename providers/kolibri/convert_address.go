package kolibri

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
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
		street:       line(from.Get("street.name")),
		postalCode:   postalCode(line(from.Get("postalCode"))),
		locality:     line(from.Get("locality.name")),
	}
	// A number that is hidden is not to be guessed from a point on the map either, assumed.
	p.hidesNumber = p.hidesAddress || c.assignment["hideHouseNumber"].Bool()

	city := placeName(p.locality)
	if city == "" {
		city = placeName(line(from.Get("adminAreaLevel2.name"))) // the municipality
	}
	point := coordinates(from.Get("geoLocation"))
	a := &p.address
	a.City = optional(city)
	a.StateOrProvince = optional(line(from.Get("adminAreaLevel1.name")))
	a.Country = optional(countryCode(line(from.Get("countryIso2"))))
	a.Physical = p.street != "" || p.postalCode != "" || city != "" || point != nil
	if !p.hidesAddress {
		a.Street, a.PostalCode = optional(p.street), optional(p.postalCode)
		p.streetLine = p.street
	}
	if !p.hidesNumber {
		number := houseNumberFrom(from)
		a.HouseNumber, a.HouseNumberAddition = optional(number.number), optional(number.addition)
		p.streetLine = strings.TrimSpace(p.street + " " + number.display)
		p.coordinates = point
	}
	town := city
	if a.PostalCode != nil {
		town = strings.TrimSpace(p.postalCode + " " + city)
	}
	a.Label = joined(", ", p.streetLine, town)
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
	return joined(", ", p.streetLine, city)
}

// cased writes the locality at the end of a name in small letters: "Lindelaan 14A, BUNNIK".
func (p place) cased(name string) string {
	if before, ok := strings.CutSuffix(name, ", "+p.locality); ok && p.locality != "" {
		return before + ", " + placeName(p.locality)
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
	first, hasFirst := count(address.Get("startOfHouseNumberRange"), 1, most)
	last, hasLast := count(address.Get("endOfHouseNumberRange"), 1, most)
	if address.Get("usesHouseNumberRange").Bool() && hasFirst && hasLast && first != last {
		h.number = strconv.Itoa(first) + "-" + strconv.Itoa(last)
		h.display = h.number
		return h
	}
	if n, ok := count(address.Get("houseNumber"), 1, most); ok {
		h.number = strconv.Itoa(n)
	}
	h.addition = line(address.Get("houseNumberPostfix"))
	if h.addition == "" {
		h.addition = line(address.Get("houseLetter")) + line(address.Get("houseNumberAddendum"))
	}
	if h.display = line(address.Get("houseNumberDisplayName")); h.display == "" {
		h.display = h.number
		if h.addition != "" && unicode.IsDigit(rune(h.addition[0])) {
			h.display += "-" // 203-2, but 14A
		}
		h.display += h.addition
	}
	return h
}

// coordinates are nil unless they are on this planet and not in the Gulf of Guinea, where
// programs put what they do not know.
func coordinates(v gjson.Result) *sparki.Coordinates {
	latitude, ok1 := number(v.Get("latitude"))
	longitude, ok2 := number(v.Get("longitude"))
	if !ok1 || !ok2 || math.Abs(latitude) > 90 || math.Abs(longitude) > 180 || latitude == 0 && longitude == 0 {
		return nil
	}
	return &sparki.Coordinates{Latitude: latitude, Longitude: longitude}
}

var dutchPostalCode = regexp.MustCompile(`^(?i)([1-9][0-9]{3})\s*([a-z]{2})$`)

// postalCode writes a Dutch postal code as "1234 AB"; others stay as they are.
func postalCode(s string) string {
	if m := dutchPostalCode.FindStringSubmatch(s); m != nil {
		return m[1] + " " + strings.ToUpper(m[2])
	}
	return s
}

// countryCode is an ISO 3166-1 alpha-2 code; "" for anything else.
func countryCode(s string) string {
	if len(s) != 2 || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) || r > unicode.MaxASCII }) {
		return ""
	}
	return strings.ToUpper(s)
}

// placeName writes a place name that came in capitals, as Kolibri's do, the way it is written:
// BUNNIK is Bunnik, TULL EN 'T WAAL is Tull en 't Waal, 's-GRAVENHAGE is 's-Gravenhage.
func placeName(s string) string {
	if strings.ContainsFunc(withoutElisions.Replace(s), unicode.IsLower) {
		return s // somebody took the trouble
	}
	words := strings.Split(s, " ")
	for i, word := range words {
		parts := strings.Split(word, "-")
		for j, part := range parts {
			parts[j] = namePart(strings.ToLower(part), i == 0 && j == 0)
		}
		words[i] = strings.Join(parts, "-")
	}
	return strings.Join(words, " ")
}

// withoutElisions takes away what is written small in any case.
var withoutElisions = strings.NewReplacer("'s", "", "'t", "", "’s", "", "’t", "")

// smallWords stay small inside a Dutch or Belgian place name.
var smallWords = fieldSet(`a/d a.d. aan aux bij de den der des en het in la le op onder over te ten ter tot tussen van`)

// namePart writes a part of a place name, given in small letters.
func namePart(part string, first bool) string {
	switch {
	case part == "" || !first && smallWords[part]:
		return part
	case strings.HasPrefix(part, "'"), strings.HasPrefix(part, "’"):
		return part // 's, 't
	case strings.HasPrefix(part, "ij"):
		return "IJ" + part[len("ij"):] // one letter in Dutch
	case strings.HasPrefix(part, "("):
		return "(" + namePart(part[1:], true)
	default:
		return capital(part)
	}
}

// joined puts a separator between the texts that are not empty.
func joined(separator string, texts ...string) string {
	var there []string
	for _, s := range texts {
		if s != "" {
			there = append(there, s)
		}
	}
	return strings.Join(there, separator)
}
