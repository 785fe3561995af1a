package direct

import (
	"bytes"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
)

func FuzzText(f *testing.F) {
	f.Add("plain")
	f.Add("\x00\x1f\t\r\n\\\"/<>&\u2028é😀\xff")
	f.Fuzz(func(t *testing.T, s string) {
		var want bytes.Buffer
		graphql.MarshalString(s).MarshalGQL(&want)
		if got := appendText(nil, s); !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%q is written %s, want %s", s, got, &want)
		}
	})
}

func TestPlainWritesValuesAsTheExecutorDoes(t *testing.T) {
	t.Parallel()
	type state string
	type inner struct {
		State  state
		Gone   *state
		Number int
	}
	type value struct {
		*inner
		Ratio float64
		Yes   bool
		At    *time.Time
		Tags  []string
		None  []string
	}
	at := time.Date(2026, 3, 2, 10, 15, 0, 5_000, time.FixedZone("", 3600))
	v := &value{inner: &inner{State: "A", Number: -7}, Ratio: 1e-7, Yes: true, At: &at, Tags: []string{"a", `"`}}
	for name, want := range map[string]string{
		"state": `"A"`, "gone": "null", "number": "-7", "ratio": "1e-07", "yes": "true", "at": `"2026-03-02T09:15:00.000005Z"`, "tags": `["a","\""]`, "none": "[]",
	} {
		a := &answer{}
		if Plain[value](name)(nil)(a, v); string(a.json) != want || a.failed {
			t.Errorf("%s is written %s, want %s", name, a.json, want)
		}
	}
	a := &answer{}
	v.Ratio = math.NaN()
	if Plain[value]("ratio")(nil)(a, v); !a.failed {
		t.Errorf("a number that is none is written %s", a.json)
	}
}

func TestPlainRefusesWhatItCannotWrite(t *testing.T) {
	t.Parallel()
	type value struct{ Map map[string]int }
	for _, name := range []string{"map", "missing"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v has no field %s that can be written", reflect.TypeFor[value](), name)
				}
			}()
			Plain[value](name)
		}()
	}
}
