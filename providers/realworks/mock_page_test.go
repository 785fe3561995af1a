package realworks

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"sparki.app/integrations/providers/memstore"
)

// form posts a form of the page and follows the way back.
func (r *mockRig) form(path string, values url.Values, change ...func(*http.Request)) (int, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), "POST", r.server.URL+"/mock"+path, strings.NewReader(values.Encode()))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", r.server.URL)
	for _, c := range change {
		c(req)
	}
	res, err := r.server.Client().Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func (r *mockRig) page(path string) string { return string(r.text(200, "GET", path, nil)) }

// mockCard is what the page shows of one object.
func mockCard(t *testing.T, page, code string) string {
	t.Helper()
	_, rest, found := strings.Cut(page, `<li id="o-`+code+`"`)
	if !found {
		t.Fatalf("%s is not on the page", code)
	}
	card, _, _ := strings.Cut(rest, "</li>")
	return card
}

func TestMockPageForms(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	if card := mockCard(t, r.page("/?q=lindehof"), "LM100231"); !strings.Contains(card, "€ 489.000") || !strings.Contains(card, "Lindehof 12 A, BOSVELD") {
		t.Errorf("card: %s", card)
	}
	steps := []struct {
		values url.Values
		want   string
	}{
		{url.Values{"price": {"512.500"}}, "€ 512.500"},
		{url.Values{"price": {"€ 499000"}}, "€ 499.000"},
		{url.Values{"status": {"ONDER_BOD"}}, `class="state">ONDER_BOD`},
		{url.Values{"status": {"INGETROKKEN"}, "active": {"false"}}, `class="state">inactive</span> (INGETROKKEN)`},
		{url.Values{"active": {"true"}}, `class="state">INGETROKKEN`},
		{url.Values{"status": {"BESCHIKBAAR"}, "confidential": {"true"}}, `class="state">confidential`},
		{url.Values{"confidential": {"false"}}, `class="state">BESCHIKBAAR`},
		{url.Values{"deleted": {"true"}}, `class="state">deleted`},
		{url.Values{"deleted": {"false"}}, `class="state">BESCHIKBAAR`},
	}
	for _, step := range steps {
		step.values.Set("back", "?q=lindehof&page=0")
		status, page := r.form("/objects/LM100231", step.values)
		if card := mockCard(t, page, "LM100231"); status != 200 || !strings.Contains(card, step.want) {
			t.Errorf("%v: %d, want %s in %s", step.values, status, step.want, card)
		}
	}
	media := func() int { return len(r.get("/wonen/v3/objecten/935001/LM100231")["media"].([]any)) }
	before := media()
	r.form("/objects/LM100231", url.Values{"photos": {"1"}})
	r.form("/objects/LM100231", url.Values{"photos": {"1"}})
	if media() != before+2 {
		t.Errorf("%d media, want %d", media(), before+2)
	}
	r.form("/objects/LM100231", url.Values{"photos": {"-1"}})
	if media() != before+1 {
		t.Errorf("%d media, want %d", media(), before+1)
	}
	if _, page := r.form("/objects/LM100231", url.Values{"price": {"duur"}}); !strings.Contains(page, `role="alert">price: a whole number`) {
		t.Error("a bad price shows no message")
	}
	if _, page := r.form("/objects", url.Values{"api": {"bog"}, "town": {"Terpsum"}, "price": {"1.250"}, "rent": {"true"}, "back": {"?q=terpsum"}}); !strings.Contains(page, "TERPSUM") || !strings.Contains(page, "€ 1.250 rent") {
		t.Error("the new object is not there")
	}
	// The way back stays on the page, whatever the form says.
	client := *r.server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, bad := range []string{"//evil.example/", "?q=%zz", "https://evil.example", "?q=\r\nLocation: https://evil.example"} {
		res, err := client.PostForm(r.server.URL+"/mock/objects/LM100231", url.Values{"price": {"1"}, "back": {bad}})
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if to := res.Header.Get("Location"); res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, "/mock/?") {
			t.Errorf("back=%s: %d %s", bad, res.StatusCode, to)
		}
	}
}

func TestMockPagesOfAgendaAndFaults(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	if _, page := r.form("/appointments/241870001", url.Values{"deleted": {"true"}}); !strings.Contains(page, `class="state">deleted`) {
		t.Error("the item is not lost")
	}
	r.text(404, "PUT", "/agenda/v3/241870001", mockAppointment(nil))
	r.form("/appointments/241870001", url.Values{"deleted": {"false"}})
	r.text(200, "PUT", "/agenda/v3/241870001", mockAppointment(nil))

	if _, page := r.form("/faults", url.Values{"do": {"arm"}, "fault": {"ip"}, "path": {"/bog"}, "times": {"-1"}}); !strings.Contains(page, "<td>ip</td>") {
		t.Error("the fault is not shown")
	}
	r.text(403, "GET", "/bog/v3/objecten", nil)
	r.form("/faults", url.Values{"do": {"disarm"}})
	r.text(200, "GET", "/bog/v3/objecten", nil)
	r.form("/faults", url.Values{"do": {"release"}, "closed": {"bog", "wonen"}, "archive": {"true"}})
	if len(r.rows("/bog/v3/objecten")) != 0 {
		t.Error("bog is still released")
	}
	if page := r.page("/faults"); strings.Count(page, " checked") != 3 {
		t.Errorf("release: %s", page)
	}
	if _, page := r.form("/faults", url.Values{"do": {"arm"}, "fault": {"fire"}}); !strings.Contains(page, `role="alert">fault: one of`) {
		t.Error("a bad fault shows no message")
	}
}

func TestMockPageIsPlain(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	if err := SeedObjects(t.Context(), store, 60, 0); err != nil {
		t.Fatal(err)
	}
	r := newMockRig(t, store, "")
	r.text(200, "POST", "/agenda/v3", mockAppointment(mockFields{"extraInfo": "Klant: <script>alert(1)</script>"}))
	for _, path := range []string{"/", "/?page=1", "/?state=deleted", "/?q=zzz&state=VERKOCHT&page=99", "/?page=-3", "/agenda", "/webhooks", "/faults"} {
		page := r.page(path)
		for _, bad := range []string{"<script", "style=", "onclick", "javascript:", "{{", "ZgotmplZ", "<no value>"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s has %s", path, bad)
			}
		}
	}
	first := r.page("/")
	if n := strings.Count(first, `<li id="o-`); n != mockPerPage || !strings.Contains(first, "Later →") {
		t.Errorf("%d objects on the first page", n)
	}
	for _, picture := range regexp.MustCompile(`<img src="([^"]+)"`).FindAllStringSubmatch(r.page("/?q=wonen"), 5) {
		r.text(200, "GET", "/"+strings.ReplaceAll(picture[1], "&amp;", "&"), nil)
	}
	if status, body := r.do("GET", "/page.css", nil); status != 200 || len(body) == 0 {
		t.Errorf("style: %d", status)
	}
	if status, _ := r.do("GET", "", nil); status != http.StatusPermanentRedirect {
		t.Errorf("without the slash: %d", status)
	}
}

// TestMockRefusesOtherSites: another site cannot make a browser change anything.
func TestMockRefusesOtherSites(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	for _, path := range []string{"/objects", "/objects/LM100231", "/appointments/241870001", "/faults", "/webhooks", "/admin/webhooks", "/admin/objects", "/admin/objects/LM100231", "/admin/faults", "/admin/release", "/admin/agenda/241870001"} {
		status, _ := r.form(path, url.Values{"price": {"1"}}, func(q *http.Request) {
			q.Header.Set("Origin", "https://evil.example")
			q.Header.Set("Sec-Fetch-Site", "cross-site")
		})
		if status != http.StatusForbidden {
			t.Errorf("%s: %d", path, status)
		}
	}
}

func TestMockAdminChecks(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	for _, body := range []any{
		mockFields{"price": -1}, mockFields{"price": 1.5}, mockFields{"price": "x"}, mockFields{"status": "WEG"}, mockFields{"prijs": 1},
		mockFields{"text": strings.Repeat("x", mockMaxText+1)}, mockFields{"text": "a\x00"}, mockFields{"api": "nieuwbouw"}, "{", "[]",
	} {
		r.text(400, "POST", "/admin/objects/LM100231", body)
	}
	r.text(400, "POST", "/admin/objects/N100012", mockFields{"confidential": true})
	r.text(404, "POST", "/admin/objects/XX999999", mockFields{"price": 1})
	r.text(404, "POST", "/admin/agenda/1", mockFields{"deleted": true})
	if list := string(r.text(200, "GET", "/admin/objects?q=LM100302", nil)); !strings.Contains(list, `"code":"N100012"`) {
		t.Errorf("found by the code of a unit: %s", list)
	}
}
