// Package dutch writes what a listing shows the way the Dutch write it: amounts, numbers, dates,
// addresses. A listing's content is in the CRM's language, whatever language its reader has.
package dutch

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // moments are shown in Dutch time wherever this runs
	"unicode"
	"unicode/utf8"

	"sparki.app/integrations"
)

// Time is the Netherlands' own.
var Time = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		panic(err) // it is built in
	}
	return zone
}()

var months = [...]string{
	"januari", "februari", "maart", "april", "mei", "juni",
	"juli", "augustus", "september", "oktober", "november", "december",
}

// Date is "1 april 2026".
func Date(t time.Time) string { return strconv.Itoa(t.In(Time).Day()) + " " + Month(t) }

// Month is "april 2026".
func Month(t time.Time) string {
	t = t.In(Time)
	return months[t.Month()-1] + " " + strconv.Itoa(t.Year())
}

// Number has at most two decimals: "1.260", "34,5".
func Number(n float64) string {
	s := strconv.FormatFloat(n, 'f', 2, 64)
	return digits(strings.TrimSuffix(strings.TrimRight(s, "0"), "."))
}

// Euros is "€ 585.000", "€ 1.395,50".
func Euros(d sparki.Decimal) string {
	return "€ " + digits(strings.TrimSuffix(string(d), ".00"))
}

// digits puts dots between thousands, and a comma before decimals.
func digits(s string) string {
	whole, decimals, hasDecimals := strings.Cut(s, ".")
	var b strings.Builder
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte('.')
		}
		b.WriteRune(digit)
	}
	if hasDecimals {
		b.WriteString("," + decimals)
	}
	return b.String()
}

// Size is a surface or a volume of a property, in m² or m³; "" for what is none: less than it could
// be shown with, or so much that somebody mistyped.
func Size(n float64) string {
	if n < 0.01 || n > 100_000_000 {
		return ""
	}
	return Number(n)
}

// Units.
const (
	SquareMetres = "m²"
	CubicMetres  = "m³"
)

// HouseNumber writes a number with its addition: 14A, but 203-2.
func HouseNumber(number, addition string) string {
	if number != "" && addition != "" && unicode.IsDigit(rune(addition[0])) {
		return number + "-" + addition
	}
	return number + addition
}

var postalCode = regexp.MustCompile(`^(?i)([1-9][0-9]{3})\s*([a-z]{2})$`)

// PostalCode writes a Dutch postal code as "1234 AB"; others stay as they are.
func PostalCode(s string) string {
	if m := postalCode.FindStringSubmatch(s); m != nil {
		return m[1] + " " + strings.ToUpper(m[2])
	}
	return s
}

// PlaceName writes a place name that came in capitals the way it is written: BUNNIK is Bunnik, TULL
// EN 'T WAAL is Tull en 't Waal, 's-GRAVENHAGE is 's-Gravenhage.
func PlaceName(s string) string {
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
var smallWords = func() map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(`a/d a.d. aan aux bij de den der des en het in la le op onder over te ten ter tot tussen van`) {
		set[word] = true
	}
	return set
}()

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
		return Capital(part)
	}
}

// Capital begins a text with a capital letter.
func Capital(s string) string {
	_, size := utf8.DecodeRuneInString(s)
	return strings.ToUpper(s[:size]) + s[size:]
}

// Joined puts a separator between the texts that are not empty.
func Joined(separator string, texts ...string) string {
	var there []string
	for _, s := range texts {
		if s != "" {
			there = append(there, s)
		}
	}
	return strings.Join(there, separator)
}

// Rows is a details table in the making. A row without a value is left out.
type Rows []sparki.DetailRow

// Add adds a row.
func (r *Rows) Add(key, label, value string) {
	if value != "" {
		*r = append(*r, sparki.DetailRow{Key: key, Label: label, Value: value})
	}
}

// Measure adds a row whose value is in a unit.
func (r *Rows) Measure(key, label, value, unit string) {
	if value != "" {
		*r = append(*r, sparki.DetailRow{Key: key, Label: label, Value: value, Unit: &unit})
	}
}
