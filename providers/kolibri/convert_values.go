package kolibri

import (
	"math"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // moments are shown in Dutch time wherever this runs
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"sparki.app/integrations/providers/rest"
)

// The functions of this file read single values, and tolerate what contract §2 leaves open: null
// and absent are the same, numbers may be strings, dates have many forms.

// each calls fn for every field of an object; for none if v is no object.
func each(v gjson.Result, fn func(key string, v gjson.Result)) {
	if v.IsObject() {
		v.ForEach(func(key, value gjson.Result) bool {
			fn(key.Str, value)
			return true
		})
	}
}

// elements calls fn for every element of an array; for none if v is no array.
func elements(v gjson.Result, fn func(gjson.Result)) {
	if v.IsArray() {
		v.ForEach(func(_, element gjson.Result) bool {
			fn(element)
			return true
		})
	}
}

// text is a string, cleaned; a number as it is written; "" for everything else.
func text(v gjson.Result) string {
	switch v.Type {
	case gjson.String:
		return clean(v.Str)
	case gjson.Number:
		return v.Raw
	default:
		return ""
	}
}

const maxLine = 300 // bytes of a title or a name

// line is a text on one line.
func line(v gjson.Result) string { return rest.OneLine(text(v), maxLine) }

// clean takes out what is no text: broken characters and controls, such as the NUL that Postgres
// refuses. Lines end in \n.
func clean(s string) string {
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

// number reads a number, or a string that holds one. NaN and the infinities are none.
func number(v gjson.Result) (float64, bool) {
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

// count reads a whole number within bounds.
func count(v gjson.Result, least, most int) (int, bool) {
	n, ok := number(v)
	if !ok || n < float64(least) || n > float64(most) || n != math.Trunc(n) {
		return 0, false
	}
	return int(n), true
}

// isFalse says whether a flag is given and off.
func isFalse(v gjson.Result) bool {
	return v.Type == gjson.False || v.Type == gjson.String && strings.EqualFold(v.Str, "false")
}

// moment reads a date-time (contract §2): with Z, an offset or neither, 0 to 7 digits of a second,
// or a date alone. Without a zone it is UTC, as audit times are. .NET's year 1 stands for none.
func moment(v gjson.Result) (time.Time, bool) { return momentIn(v, time.UTC) }

func momentIn(v gjson.Result, zone *time.Location) (time.Time, bool) {
	if v.Type != gjson.String {
		return time.Time{}, false
	}
	s := strings.TrimSpace(v.Str)
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

var amsterdam = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		panic(err) // it is built in
	}
	return zone
}()

var dutchMonths = [...]string{
	"januari", "februari", "maart", "april", "mei", "juni",
	"juli", "augustus", "september", "oktober", "november", "december",
}

// dutchDate writes a date for a person, "1 april 2026" or "april 2026"; "" if there is none.
func dutchDate(v gjson.Result, wholeMonth bool) string {
	t, ok := momentIn(v, amsterdam)
	if !ok {
		return ""
	}
	t = t.In(amsterdam)
	date := dutchMonths[t.Month()-1] + " " + strconv.Itoa(t.Year())
	if wholeMonth {
		return date
	}
	return strconv.Itoa(t.Day()) + " " + date
}

// dutchNumber writes a number for a person, with at most two decimals: "1.260", "34,5".
func dutchNumber(n float64) string {
	s := strconv.FormatFloat(n, 'f', 2, 64)
	s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	return dutchDigits(s)
}

// dutchDigits puts dots between thousands, and a comma before decimals.
func dutchDigits(s string) string {
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

// translated is a text in Dutch, else in English, else in the first language that has one
// (contract §3.4: languages are names, the list and each text may be empty).
func translated(texts gjson.Result) string {
	if texts.Type == gjson.String {
		return clean(texts.Str)
	}
	best, rank := "", 3
	elements(texts, func(t gjson.Result) {
		var language, words string
		each(t, func(key string, v gjson.Result) {
			switch key {
			case "language":
				language = text(v)
			case "text":
				words = text(v)
			}
		})
		if r := languageRank(language); words != "" && r < rank {
			best, rank = words, r
		}
	})
	return best
}

func languageRank(language string) int {
	switch language {
	case "Dutch":
		return 0
	case "English":
		return 1
	default:
		return 2
	}
}

// capital begins a text with a capital letter.
func capital(s string) string {
	_, size := utf8.DecodeRuneInString(s)
	return strings.ToUpper(s[:size]) + s[size:]
}

// optional is nil for no text.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
