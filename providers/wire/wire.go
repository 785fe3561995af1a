// Package wire reads single values out of a CRM's JSON, and tolerates what CRMs leave open: null and
// absent are the same, numbers may be strings, dates have many forms, texts hold anything. Nothing of
// it fails: what cannot be read is not there.
package wire

import (
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/rest"
)

// Each calls fn for every field of an object; for none if v is no object.
func Each(v gjson.Result, fn func(key string, v gjson.Result)) {
	if v.IsObject() {
		v.ForEach(func(key, value gjson.Result) bool {
			fn(key.Str, value)
			return true
		})
	}
}

// Elements calls fn for every element of an array; for none if v is no array.
func Elements(v gjson.Result, fn func(gjson.Result)) {
	if v.IsArray() {
		v.ForEach(func(_, element gjson.Result) bool {
			fn(element)
			return true
		})
	}
}

// IsEmpty says whether a field says nothing: null, false, 0, "", [] or {}.
func IsEmpty(v gjson.Result) bool {
	switch v.Raw {
	case "", "null", "false", "0", "0.0", `""`, "[]", "{}":
		return true
	}
	return false
}

// Text is a string, cleaned; a number as it is written; "" for everything else.
func Text(v gjson.Result) string {
	switch v.Type {
	case gjson.String:
		return Clean(v.Str)
	case gjson.Number:
		return v.Raw
	default:
		return ""
	}
}

const maxLine = 300 // bytes of a title or a name

// Line is a text on one line, of at most 300 bytes.
func Line(v gjson.Result) string { return OneLine(Text(v)) }

// OneLine makes one line of at most 300 bytes of a text.
func OneLine(text string) string { return rest.OneLine(text, maxLine) }

// Clean takes out what is no text: broken characters and controls, such as the NUL that Postgres
// refuses. Lines end in \n.
func Clean(s string) string {
	if strings.ContainsFunc(s, isDirt) {
		s = strings.Map(func(r rune) rune {
			if isDirt(r) {
				return -1
			}
			return r
		}, strings.ReplaceAll(s, "\r\n", "\n"))
	}
	return strings.TrimSpace(s)
}

func isDirt(r rune) bool {
	return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r <= 0x9f || r == utf8.RuneError
}

// Number reads a number, or a string that holds one. NaN and the infinities are none.
func Number(v gjson.Result) (float64, bool) {
	n := v.Num
	switch v.Type {
	case gjson.Number:
	case gjson.String:
		var err error
		if n, err = strconv.ParseFloat(strings.TrimSpace(v.Str), 64); err != nil {
			return 0, false
		}
	default:
		return 0, false
	}
	return n, !math.IsNaN(n) && !math.IsInf(n, 0)
}

// Count reads a whole number within bounds.
func Count(v gjson.Result, least, most int) (int, bool) {
	n, ok := Number(v)
	if !ok || n < float64(least) || n > float64(most) || n != math.Trunc(n) {
		return 0, false
	}
	return int(n), true
}

// IsFalse says whether a flag is given and off.
func IsFalse(v gjson.Result) bool {
	return v.Type == gjson.False || v.Type == gjson.String && strings.EqualFold(v.Str, "false")
}

// Amount reads a price. One that is zero or less is none.
func Amount(v gjson.Result) (sparki.Decimal, bool) {
	s := v.Raw
	switch v.Type {
	case gjson.Number:
	case gjson.String:
		s = strings.TrimSpace(v.Str)
	default:
		return "", false
	}
	if s == "" || s[0] == '-' || strings.Trim(s, "0123456789.eE+-") != "" {
		return "", false
	}
	d, ok := sparki.ParseDecimal(s)
	return d, ok && d != "0.00"
}

// Moment reads a date-time: with T or a blank in the middle, with Z, an offset or neither, 0 to 9
// digits of a second, or a date alone. Without a zone it is in the given one. Years that stand for
// none, such as .NET's year 1, are none.
func Moment(v gjson.Result, zone *time.Location) (time.Time, bool) {
	if v.Type != gjson.String {
		return time.Time{}, false
	}
	s := strings.Replace(strings.TrimSpace(v.Str), " ", "T", 1)
	t, err := time.Parse(time.RFC3339Nano, s)
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02T15:04", time.DateOnly} {
		if err == nil {
			break
		}
		t, err = time.ParseInLocation(layout, s, zone)
	}
	if err != nil || t.Year() < 1900 || t.Year() > 2200 {
		return time.Time{}, false
	}
	return t.UTC(), true
}

// Coordinates are nil unless they are on this planet and not in the Gulf of Guinea, where programs
// put what they do not know.
func Coordinates(latitude, longitude gjson.Result) *sparki.Coordinates {
	lat, ok1 := Number(latitude)
	lng, ok2 := Number(longitude)
	c := sparki.Coordinates{Latitude: lat, Longitude: lng}
	if !ok1 || !ok2 || !c.OnEarth() || lat == 0 && lng == 0 {
		return nil
	}
	return &c
}

const maxURL = 2048 // bytes; assumed

// URL is an absolute http(s) URL; "" for anything else.
func URL(v gjson.Result) string {
	s := Text(v)
	if s == "" || len(s) > maxURL || strings.ContainsAny(s, " \n\t<>\"\\") {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return ""
	}
	return s
}

// MimeType is nil for what is no media type.
func MimeType(s string) *string {
	kind, rest, ok := strings.Cut(strings.ToLower(s), "/")
	if !ok || kind == "" || rest == "" || strings.ContainsAny(s, " \n\t,<>") {
		return nil
	}
	return Optional(kind + "/" + rest)
}

// Gaps collects enum values that no table knows, as "field=value".
type Gaps []string

const maxGaps = 50 // enough to see what is new

// Note counts a value that no table knows.
func (g *Gaps) Note(field, value string) {
	if entry := field + "=" + rest.OneLine(value, 64); len(*g) < maxGaps && !slices.Contains(*g, entry) {
		*g = append(*g, entry)
	}
}

// Known looks an enum value up in a table. "" and false stand for no value as well as for an unknown
// one, which is noted.
func Known[T any](g *Gaps, field string, v gjson.Result, table map[string]T) (T, bool) {
	var none T
	value := Text(v)
	if value == "" {
		return none, false
	}
	found, ok := table[value]
	if !ok {
		g.Note(field, value)
	}
	return found, ok
}

// Optional is nil for no text.
func Optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
