package wire_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sparki.app/integrations/providers/dutch"
	"sparki.app/integrations/providers/wire"
)

func TestMoment(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ utc, inAmsterdam string }{
		`"2026-03-02T09:15:32Z"`:         {"2026-03-02T09:15:32Z", "2026-03-02T09:15:32Z"},
		`"2026-03-02T09:15:32.4173052Z"`: {"2026-03-02T09:15:32.4173052Z", "2026-03-02T09:15:32.4173052Z"},
		`"2026-04-02T14:00:00+02:00"`:    {"2026-04-02T12:00:00Z", "2026-04-02T12:00:00Z"},
		`"2026-04-02T14:00:00.5"`:        {"2026-04-02T14:00:00.5Z", "2026-04-02T12:00:00.5Z"},
		`"2026-04-02 14:00:00"`:          {"2026-04-02T14:00:00Z", "2026-04-02T12:00:00Z"},
		`" 2026-04-02T14:00 "`:           {"2026-04-02T14:00:00Z", "2026-04-02T12:00:00Z"},
		`"2026-01-02"`:                   {"2026-01-02T00:00:00Z", "2026-01-01T23:00:00Z"},
	}
	for _, none := range []string{`"0001-01-01T00:00:00"`, `"9999-12-31T00:00:00Z"`, `"2026-13-02T00:00:00Z"`, `"tomorrow"`, `""`, `null`, `17`, `{}`} {
		tests[none] = struct{ utc, inAmsterdam string }{}
	}
	in := func(raw string, zone *time.Location) string {
		at, ok := wire.Moment(gjson.Parse(raw), zone)
		if !ok {
			return ""
		}
		return at.Format(time.RFC3339Nano)
	}
	for raw, want := range tests {
		if utc, local := in(raw, time.UTC), in(raw, dutch.Time); utc != want.utc || local != want.inAmsterdam {
			t.Errorf("Moment(%s) = %s, %s, want %+v", raw, utc, local, want)
		}
	}
}

func TestTexts(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`"a\u0000b\r\nc\u0007\td\ud800"`: "ab\nc\td", `" x "`: "x", `17.50`: "17.50", `null`: "", `true`: "", `[]`: "", `{}`: "",
	} {
		if got := wire.Text(gjson.Parse(raw)); got != want {
			t.Errorf("Text(%s) = %q, want %q", raw, got, want)
		}
	}
	if got := wire.Clean("a\xffb\xc3"); got != "ab" {
		t.Errorf("invalid UTF-8: %q", got)
	}
	if got := wire.Line(gjson.Parse(`"a\nb ` + strings.Repeat("é", 300) + `"`)); !strings.HasPrefix(got, "a b é") || len(got) > 300 {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`5`: "5 true", `" 34.5 "`: "34.5 true", `-3e2`: "-300 true", `"x"`: "0 false", `""`: "0 false", `"NaN"`: "false", `"Inf"`: "false", `1e999`: "false",
		`null`: "0 false", `true`: "0 false", `[]`: "0 false",
	} {
		n, ok := wire.Number(gjson.Parse(raw))
		if got := fmt.Sprint(n, " ", ok); !strings.HasSuffix(got, want) {
			t.Errorf("Number(%s) = %s, want %s", raw, got, want)
		}
	}
	for raw, want := range map[string]bool{`0`: false, `1`: true, `"9"`: true, `10`: false, `1.5`: false, `"1e0"`: true, `null`: false} {
		if _, ok := wire.Count(gjson.Parse(raw), 1, 9); ok != want {
			t.Errorf("Count(%s) = %v", raw, ok)
		}
	}
	for raw, want := range map[string]string{
		`5.85e5`: "585000.00", `" 999 "`: "999.00", `0`: "", `0.001`: "", `-5`: "", `1e300`: "", `"abc"`: "", `"0x10"`: "", `true`: "", `null`: "",
	} {
		if d, ok := wire.Amount(gjson.Parse(raw)); ok != (want != "") || ok && string(d) != want {
			t.Errorf("Amount(%s) = %s, %v, want %q", raw, d, ok, want)
		}
	}
}

func TestCoordinates(t *testing.T) {
	t.Parallel()
	for pair, want := range map[[2]string]bool{
		{"52.5", "5.05"}: true, {`"52.5"`, `"5.05"`}: true, {"0", "0"}: false, {"0", "5"}: true, {"91", "5"}: false, {"52", "181"}: false, {"52", "null"}: false, {`"x"`, "5"}: false,
	} {
		if c := wire.Coordinates(gjson.Parse(pair[0]), gjson.Parse(pair[1])); (c != nil) != want {
			t.Errorf("%v: %v", pair, c)
		}
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		`"https://a.example/x?y=1"`: true, `"http://a.example"`: true, `"ftp://a.example"`: false, `"javascript:alert(1)"`: false, `"//a.example"`: false,
		`"https://u:p@a.example"`: false, `"https://"`: false, `"https://a.example/<x>"`: false, `"https://a.example\\x"`: false, `"/x"`: false, `""`: false, `null`: false,
		`"https://a.example/` + strings.Repeat("x", 2048) + `"`: false,
	} {
		if got := wire.URL(gjson.Parse(raw)); (got != "") != want {
			t.Errorf("URL(%.60s) = %q", raw, got)
		}
	}
	for text, want := range map[string]string{"Image/JPEG": "image/jpeg", "": "", "jpeg": "", "/x": "", "x/": "", "a/b, c/d": "", "a/<b>": ""} {
		if got := wire.MimeType(text); (got == nil) != (want == "") || got != nil && *got != want {
			t.Errorf("MimeType(%q) = %v, want %q", text, got, want)
		}
	}
}

func TestFlagsAndEmptiness(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string][2]bool{ // off, empty
		`false`: {true, true}, `"False"`: {true, false}, `true`: {}, `null`: {false, true}, ``: {false, true}, `0`: {false, true}, `"0"`: {}, `[]`: {false, true}, `{}`: {false, true}, `[0]`: {},
	} {
		v := gjson.Parse(raw)
		if got := [2]bool{wire.IsFalse(v), wire.IsEmpty(v)}; got != want {
			t.Errorf("%s: %v, want %v", raw, got, want)
		}
	}
}

func TestGaps(t *testing.T) {
	t.Parallel()
	var gaps wire.Gaps
	table := map[string]int{"A": 1}
	for _, raw := range []string{`"A"`, `"B"`, `"B"`, `""`, `null`, `"C\nD"`} {
		n, ok := wire.Known(&gaps, "sort", gjson.Parse(raw), table)
		if ok != (n == 1) {
			t.Errorf("%s: %d, %v", raw, n, ok)
		}
	}
	if !slices.Equal(gaps, wire.Gaps{"sort=B", "sort=C D"}) {
		t.Errorf("%q", gaps)
	}
	for n := range 100 {
		gaps.Note("sort", fmt.Sprint(n))
	}
	if len(gaps) != 50 {
		t.Errorf("%d gaps are kept", len(gaps))
	}
}

// What is no object or array has nothing in it.
func TestWalks(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{`{"a":1,"b":null}`: "a b ", `[1,"x"]`: "1 x ", `null`: "", `"x"`: "", `17`: "", ``: ""} {
		var b strings.Builder
		wire.Each(gjson.Parse(raw), func(key string, _ gjson.Result) { b.WriteString(key + " ") })
		wire.Elements(gjson.Parse(raw), func(v gjson.Result) { b.WriteString(v.String() + " ") })
		if b.String() != want {
			t.Errorf("%s: %q", raw, b.String())
		}
	}
}
