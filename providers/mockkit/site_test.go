package mockkit_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"sparki.app/integrations/providers/mockkit"
)

func TestSiteInner(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		base, path, want string
		status           int
	}{
		{"http://x/mock/a", "/mock/a/v3?q=1", "/v3?q=1", 200},
		{"http://x/mock/a", "/v3", "/v3", 200},
		{"http://x/mock/a", "/mock/ab", "/mock/ab", 200},
		{"http://x/mock/a", "/mock/a", "", http.StatusPermanentRedirect},
		{"http://x", "/v3", "/v3", 200},
		{"", "/v3", "/v3", 200},
	} {
		w := httptest.NewRecorder()
		inner := mockkit.NewSite(c.base).Inner(w, httptest.NewRequest("GET", c.path, nil))
		if w.Code != c.status || inner != nil && inner.URL.String() != c.want || (inner == nil) != (c.want == "") {
			t.Errorf("%s at %s: %v %d", c.path, c.base, inner, w.Code)
		}
	}
}

func TestFormPrice(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]json.Number{
		"585000": "585000", "585.000": "585000", "€ 1.250,50": "1250.50", "1250.50": "1250.50", "duur": "duur",
	} {
		if got := (mockkit.Form{"price": {text}}).Price("price"); got == nil || *got != want {
			t.Errorf("%s is %v", text, got)
		}
	}
	if got := (mockkit.Form{"price": {"  "}}).Price("price"); got != nil {
		t.Errorf("nothing is %v", *got)
	}
	for amount, want := range map[json.Number]string{"585000": "€ 585.000", "1": "€ 1", "1250.5": "€ 1.250,50", "1000.00": "€ 1.000"} {
		if got := mockkit.Euro(&amount); got != want {
			t.Errorf("%s is %s", amount, got)
		}
	}
}
