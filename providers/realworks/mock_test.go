package realworks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/memstore"
	"sparki.app/integrations/providers/mockkit"
)

// mockRig is a mock behind a real HTTP server.
type mockRig struct {
	*Mock
	t        *testing.T
	server   *httptest.Server
	settings sparki.Settings
}

// newMockRig starts a mock over a store; nil is a new one.
func newMockRig(t *testing.T, store providers.MockStore, webhookURL string) *mockRig {
	t.Helper()
	if store == nil {
		store = memstore.New()
	}
	r := &mockRig{t: t}
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { r.ServeHTTP(w, q) }))
	t.Cleanup(r.server.Close)
	r.Mock = newMock(providers.MockOptions{
		Store: store, BaseURL: r.server.URL + "/mock", WebhookURL: webhookURL, Client: r.server.Client(),
	})
	t.Cleanup(func() { _ = r.Close() })
	s, err := r.Settings(t.Context())
	if err != nil {
		t.Fatalf("settings: %v", err)
	}
	r.settings = s
	return r
}

// do makes a call below /mock, with the token of the API that the path names, and gives status and
// body. A body that is a string is sent as it is.
func (r *mockRig) do(method, path string, body any, change ...func(*http.Request)) (int, []byte) {
	r.t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			r.t.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.server.URL+"/mock"+path, in)
	if err != nil {
		r.t.Fatal(err)
	}
	key := "apiToken"
	if strings.HasPrefix(path, "/agenda") || strings.HasPrefix(path, "/relaties") {
		key = path[1:strings.IndexByte(path[1:]+"/", '/')+1] + "Token"
	}
	req.Header.Set("Authorization", "rwauth "+r.settings.Secret(key).Reveal())
	req.Header.Set("Content-Type", "application/json")
	for _, c := range change {
		c(req)
	}
	client := *r.server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(req)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	return res.StatusCode, text
}

// call is do that wants a status and decodes the answer.
func (r *mockRig) call(status int, method, path string, body any) mockFields {
	r.t.Helper()
	got, text := r.do(method, path, body)
	if got != status {
		r.t.Fatalf("%s %s: status %d, want %d: %.300s", method, path, got, status, text)
	}
	return mockDecode(r.t, text)
}

func (r *mockRig) get(path string) mockFields {
	r.t.Helper()
	return r.call(http.StatusOK, "GET", path, nil)
}

func mockDecode(t *testing.T, text []byte) (f mockFields) {
	t.Helper()
	if err := mockkit.Unmarshal(text, &f); err != nil {
		t.Fatalf("not JSON: %v: %.200q", err, text)
	}
	return f
}

// rows are the elements of a list's answer.
func (r *mockRig) rows(path string) (rows []mockFields) {
	r.t.Helper()
	for _, row := range r.get(path)["resultaten"].([]any) {
		rows = append(rows, row.(mockFields))
	}
	return rows
}

// crawl follows a list to its end and gives the ids, page by page.
func (r *mockRig) crawl(path, id string) (pages [][]int64) {
	r.t.Helper()
	for path != "" {
		answer := r.get(path)
		page := []int64{}
		for _, row := range answer["resultaten"].([]any) {
			page = append(page, mockNumber(row.(mockFields), id))
		}
		pages = append(pages, page)
		next := mockText(answer, "paginering.volgende")
		rest, ours := strings.CutPrefix(next, r.server.URL+"/mock")
		if next != "" && !ours {
			r.t.Fatalf("volgende leads elsewhere: %s", next)
		}
		path = rest
	}
	return pages
}

func TestMockSeed(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	statuses := map[string]bool{}
	objects := 0
	for path, list := range map[string][]mockFields{
		"financieel.overdracht.status": r.rows("/wonen/v3/objecten"),
		"status":                       r.rows("/bog/v3/objecten"),
		"project.algemeen.status":      r.rows("/nieuwbouw/v2/projecten"),
	} {
		for _, o := range list {
			objects++
			statuses[mockText(o, path)] = true
		}
	}
	if o := r.get("/wonen/v3/objecten/935001/LM100225"); o["actief"] != false || mockAt(o, "financieel.overdracht.status") != "INGETROKKEN" {
		t.Errorf("withdrawn object: %v", o)
	} else {
		objects++
		statuses["INGETROKKEN"] = true
	}
	if objects < 25 {
		t.Errorf("only %d objects", objects)
	}
	for _, status := range mockStatuses {
		if !statuses[status] {
			t.Errorf("no object is %s", status)
		}
	}
}

func TestMockViews(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	cases := []struct {
		path, at string
		want     any
	}{
		{"/wonen/v3/objecten/935001/LM100231", "adres.huisnummer.hoofdnummer", "12"},
		{"/wonen/v3/objecten/935001/lm100231", "adres.huisnummer.toevoeging", "A"},
		{"/wonen/v2/objecten/935001/LM100231", "adres.huisnummer", "12"},
		{"/wonen/v2/objecten/935001/LM100231", "adres.huisnummertoevoeging", "A"},
		{"/wonen/v2/objecten/935001/LM100231", "financieel.overdracht.huurprijs", nil},
		{"/wonen/v1/objecten/935001/LM100231", "financieel.overdracht.huurprijs", json.Number("0")},
		{"/wonen/v3/objecten/935001/LM100198", "adres.huisnummer.toevoeging", "ong"},
		{"/wonen/v3/objecten/935001/LM100252", "adres.huisnummer.hoofdnummer", json.Number("410")},
		{"/wonen/v3/objecten/935001/LM100252", "financieel.overdracht.huurprijsvoorvoegsel", "PRIJS_OP_AANVRAAG"},
		{"/wonen/v3/objecten/935001/LM100244", "financieel.overdracht.servicekosten", json.Number("68.5")},
		{"/wonen/v3/objecten/935001/LM100222", "financieel.overdracht.koopconditie", "VRIJ_OP_NAAM"},
		{"/wonen/v3/objecten/935001/LM100242", "algemeen.liggingen", nil},
		{"/wonen/v3/objecten/935001/LM100238", "teksten", nil},
		{"/bog/v3/objecten/935001/B100047", "adres.straat", "Spoorlaan"},
		{"/bog/v3/objecten/935001/B100047", "straat", nil},
		{"/bog/v2/objecten/935001/B100047", "straat", "Spoorlaan"},
		{"/bog/v1/objecten/935001/B100047", "huisnummer", "41"},
		{"/bog/v2/objecten/935001/B100047", "adres", nil},
		{"/bog/v3/objecten/935001/B100047", "financieel.overdracht.koopEnOfHuur.koopprijs", json.Number("0")},
		{"/bog/v3/objecten/935001/B100052", "financieel.overdracht.koopEnOfHuur.koopprijs", json.Number("1")},
		{"/bog/v3/objecten/935001/B100052", "marketing.publicatie.prijsvermelding", false},
		{"/bog/v3/objecten/935001/B100064", "marketing.publicatie.adresvermelding", false},
		{"/nieuwbouw/v2/projecten/935001/N100012", "project.algemeen.omschrijving", "Rietpark fase 1"},
		{"/nieuwbouw/v2/projecten/935001/N100012", "id", nil},
		{"/nieuwbouw/v2/projecten/935001/O100042", "project.id", json.Number("41200")},
		{"/nieuwbouw/v2/projecten/935001/LM100302", "project.id", json.Number("41200")},
	}
	for _, c := range cases {
		if got := mockAt(r.get(c.path), c.at); got != c.want {
			t.Errorf("%s: %s is %v, want %v", c.path, c.at, got, c.want)
		}
	}
	project := r.get("/nieuwbouw/v2/projecten/935001/N100012")
	buildingType := project["bouwtypen"].([]any)[0].(mockFields)
	unit := buildingType["bouwnummers"].([]any)[2].(mockFields)
	if mockAt(unit, "adres.huisnummer") != "6" || mockAt(unit, "adres.huisnummertoevoeging") != "A" ||
		mockAt(unit, "diversen.diversen.objectcodeBouwtype") != "O100041" || mockAt(unit, "financieel.overdracht.status") != "VERKOCHT" {
		t.Errorf("unit: %v", unit)
	}
	// The list gives the same as the detail.
	for _, o := range r.rows("/bog/v2/objecten") {
		if one := r.get("/bog/v2/objecten/" + mockText(o, "diversen.diversen.afdelingscode") + "/" + mockText(o, "diversen.diversen.objectcode")); fmt.Sprint(one) != fmt.Sprint(o) {
			t.Errorf("list and detail differ: %v and %v", o, one)
		}
	}
}

func TestMockPaging(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	all := r.crawl("/wonen/v3/objecten?actief=true", "id")
	if len(all) != 1 || len(all[0]) != 21 {
		t.Fatalf("all: %v", all)
	}
	pages := r.crawl("/wonen/v3/objecten?actief=true&aantal=4&gewijzigdNa=2020-01-01T00:00:00&status=BESCHIKBAAR&status=VERKOCHT", "id")
	found := slices.Concat(pages...)
	if len(pages) != 3 || len(found) != 9 {
		t.Fatalf("pages: %v", pages)
	}
	sorted := true
	for i, page := range pages {
		sorted = sorted && slices.IsSorted(page)
		if i > 0 && slices.Max(pages[i-1]) >= slices.Min(page) {
			t.Errorf("pages overlap: %v", pages)
		}
	}
	if sorted {
		t.Errorf("no page is shuffled: %v", pages)
	}
	first := r.get("/wonen/v3/objecten?aantal=2&gewijzigdNa=2020-01-01T00:00:00")
	if next := mockText(first, "paginering.volgende"); !strings.Contains(next, "/mock/wonen/v3/objecten?aantal=2&gewijzigdNa=2020-01-01T00:00:00&vanaf=") {
		t.Errorf("volgende: %s", next)
	}
	if total := mockNumber(first, "paginering.totaalAantal"); total != 21 {
		t.Errorf("total %d", total)
	}
	if last := r.get("/bog/v3/objecten?aantal=100"); mockAt(last, "paginering.volgende") != nil {
		t.Errorf("the last page has a next one: %v", last["paginering"])
	}
	for query, want := range map[string]int{
		"actief=false": 0, "actief=all": 21, "bedrijfscode=934001": 21, "bedrijfscode=1": 0, "status=GEVEILD": 1,
		"gewijzigdNa=2026-03-02T14:31:06": 2, "gewijzigdNa=2026-03-02T14:31:07": 1, "pagina=9": 21, "vanaf=10866001": 1,
	} {
		if got := r.rows("/wonen/v3/objecten?" + query); len(got) != want {
			t.Errorf("%s: %d objects, want %d", query, len(got), want)
		}
	}
	for query, want := range map[string]string{
		"status=FOO": "Ongeldige waarde FOO voor parameter status. Toegestaan: PROSPECT, IN_AANMELDING",
		"aantal=x":   "aantal", "aantal=0": "aantal", "vanaf=x": "vanaf", "actief=ja": "actief",
		"gewijzigdNa=gister": "gewijzigdNa",
	} {
		status, body := r.do("GET", "/wonen/v3/objecten?"+query, nil)
		if status != 400 || !strings.Contains(string(body), want) || !strings.HasPrefix(string(body), `{"foutmeldingen":[`) {
			t.Errorf("%s: %d %s", query, status, body)
		}
	}
}

func TestMockRefuses(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	api, agenda, relaties := r.settings.Secret("apiToken").Reveal(), r.settings.Secret("agendaToken").Reveal(), r.settings.Secret("relatiesToken").Reveal()
	cases := []struct {
		method, path, authorization string
		status                      int
		body                        string
	}{
		{"GET", "/wonen/v3/objecten", "", 401, `{"error":"Het opgegeven token is niet geldig."}`},
		{"GET", "/wonen/v3/objecten", "Bearer " + api, 401, "token"},
		{"GET", "/wonen/v3/objecten", "rwauth" + api, 401, "token"},
		{"GET", "/wonen/v3/objecten", "rwauth  " + api, 401, "token"},
		{"GET", "/wonen/v3/objecten", "rwauth x", 401, "token"},
		{"GET", "/wonen/v3/objecten", "rwauth " + agenda, 401, "token"},
		{"GET", "/agenda/v3/afdeling/935001", "rwauth " + api, 401, "token"},
		{"GET", "/relaties/v1/medewerker", "rwauth " + agenda, 401, "token"},
		{"GET", "/makelaars/v1", "rwauth " + relaties, 200, "Waterstad"},
		{"GET", "/relaties/v1/medewerker", "rwauth " + relaties, 200, "39220031"},
		{"GET", "/geheim/v3/objecten", "rwauth " + api, 403, `{"message":"Forbidden"}`},
		{"GET", "/geheim", "", 403, `{"message":"Forbidden"}`},
		{"GET", "/wonen/v3/objecten/10840231", "rwauth " + api, 404, `{"error":"Resource not found"}`},
		{"GET", "/wonen/v3/objecten/935001/10840231", "rwauth " + api, 404, "foutmeldingen"},
		{"GET", "/wonen/v3/objecten/935002/LM100231", "rwauth " + api, 404, "foutmeldingen"},
		{"GET", "/bog/v3/objecten/935001/LM100231", "rwauth " + api, 404, "foutmeldingen"},
		{"GET", "/wonen/v4/objecten", "rwauth " + api, 404, `{"error":"Resource not found"}`},
		{"GET", "/agenda/v3/afspraken", "rwauth " + agenda, 404, `{"error":"Resource not found"}`},
		{"GET", "/agenda/v1", "rwauth " + agenda, 404, `{"error":"Resource not found"}`},
		{"DELETE", "/agenda/v3/241870001", "rwauth " + agenda, 404, `{"error":"Resource not found"}`},
		{"POST", "/wonen/v3/objecten", "rwauth " + api, 404, `{"error":"Resource not found"}`},
		{"GET", "/relaties/v1/39220031", "rwauth " + relaties, 400, "bedrijfscode"},
		{"GET", "/relaties/v1/x?bedrijfscode=934001", "rwauth " + relaties, 400, "relatieId"},
		{"GET", "/relaties/v1/1?bedrijfscode=934001", "rwauth " + relaties, 404, "niet gevonden"},
		{"GET", "/relaties/v1/39220031?bedrijfscode=934001", "rwauth " + relaties, 200, `"achternaam":"Veen"`},
	}
	for _, c := range cases {
		status, body := r.do(c.method, c.path, nil, func(q *http.Request) { q.Header.Set("Authorization", c.authorization) })
		if status != c.status || !strings.Contains(string(body), c.body) {
			t.Errorf("%s %s with %.12q: %d %.200s", c.method, c.path, c.authorization, status, body)
		}
	}
}

// TestMockStoresAreShared: two mocks over one store are one CRM, also while both write.
func TestMockStoresAreShared(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	one := newMockRig(t, store, "")
	two := newMockRig(t, store, "")
	if one.settings.Secret("apiToken") != two.settings.Secret("apiToken") {
		t.Error("two tokens for one store")
	}
	one.call(200, "POST", "/admin/objects/LM100231", mockFields{"price": 500001})
	if price := mockAt(two.get("/wonen/v3/objecten/935001/LM100231"), "financieel.overdracht.koopprijs"); price != json.Number("500001") {
		t.Errorf("the other mock shows %v", price)
	}
	var wg sync.WaitGroup
	codes := []string{"LM100231", "LM100244", "B100047", "LM100220"}
	for i, code := range codes {
		rig := []*mockRig{one, two}[i%2]
		wg.Go(func() {
			for n := range 20 {
				if status, body := rig.do("POST", "/admin/objects/"+code, mockFields{"price": 600000 + n}); status != 200 {
					t.Errorf("%s: %d %s", code, status, body)
				}
				rig.do("GET", "/wonen/v3/objecten?aantal=5", nil)
			}
		})
	}
	wg.Wait()
	for _, rig := range []*mockRig{one, two} {
		_, body := rig.do("GET", "/admin/objects", nil)
		var list []mockSummary
		if err := json.Unmarshal(body, &list); err != nil {
			t.Fatal(err)
		}
		for _, v := range list {
			if slices.Contains(codes, v.Code) && v.Price.String() != "600019" {
				t.Errorf("%s costs %s", v.Code, v.Price)
			}
		}
	}
}

func TestMockSettings(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	if got := r.settings.Text["apiBaseUrl"]; got != r.server.URL+"/mock" {
		t.Errorf("base URL %s", got)
	}
	for _, key := range []string{"apiToken", "agendaToken", "relatiesToken"} {
		if token := r.settings.Secret(key).Reveal(); len(token) != 36 {
			t.Errorf("%s is %q", key, token)
		}
	}
	labels := func(what, key string) (list []string) {
		_, body := r.do("GET", "/agenda/v3/"+what+"/935001", nil)
		var answer []mockFields
		if err := mockkit.Unmarshal(body, &answer); err != nil {
			t.Fatal(err)
		}
		for _, label := range answer {
			list = append(list, mockText(label, key))
		}
		return list
	}
	if !slices.Contains(labels("types", "type"), r.settings.Text["agendaType"]) {
		t.Error("the agenda type is none of the office's")
	}
	for _, key := range []string{"agendaStatus", "agendaCancelledStatus"} {
		if !slices.Contains(labels("statussen", "status"), r.settings.Text[key]) {
			t.Errorf("%s is none of the office's", key)
		}
	}
}

func TestMockMedia(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	kinds := map[string]bool{}
	check := func(link, mime string) {
		t.Helper()
		rest, ours := strings.CutPrefix(link, r.server.URL+"/mock")
		if !ours {
			t.Fatalf("link %s", link)
		}
		bytesOf := func(path string) int {
			status, body := r.do("GET", path, nil, func(q *http.Request) { q.Header.Del("Authorization") })
			if status != 200 || mime == "image/jpeg" && http.DetectContentType(body) != mime || mime == "application/pdf" && !bytes.HasPrefix(body, []byte("%PDF-")) {
				t.Errorf("%s: %d, %s", path, status, http.DetectContentType(body))
			}
			return len(body)
		}
		small, large, boxed := bytesOf(rest), bytesOf(rest+"&resize=4"), bytesOf(rest+"&width=640&height=640")
		if strings.HasPrefix(mime, "image/") && (small >= boxed || boxed >= large) {
			t.Errorf("%s: %d, %d and %d bytes", link, small, boxed, large)
		}
		u, err := url.Parse(rest)
		if err != nil {
			t.Fatal(err)
		}
		for _, broken := range []string{"", "api_sha256:" + strings.Repeat("0", 64)} {
			q := u.Query()
			q.Set("check", broken)
			if status, _ := r.do("GET", u.Path+"?"+q.Encode(), nil); status != 403 {
				t.Errorf("check %q: %d", broken, status)
			}
		}
	}
	for _, element := range r.get("/wonen/v3/objecten/935001/LM100231")["media"].([]any) {
		medium := element.(mockFields)
		kinds[mockText(medium, "soort")] = true
		if mockText(medium, "soort") == "CONNECTED_PARTNER" {
			continue
		}
		if key := mockText(medium, "soort") + mockText(medium, "mimetype"); !kinds[key] {
			kinds[key] = true
			check(mockText(medium, "link"), mockText(medium, "mimetype"))
		}
	}
	for _, kind := range []string{"HOOFDFOTO", "FOTO", "PLATTEGROND", "DOCUMENT", "VIDEO", "CONNECTED_PARTNER", "PLATTEGRONDapplication/pdf", "PLATTEGRONDimage/png"} {
		if !kinds[kind] {
			t.Errorf("no %s", kind)
		}
	}
}
