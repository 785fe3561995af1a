package kolibri

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
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
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range change {
		c(req)
	}
	res, err := r.server.Client().Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode, b.String()
}

func (r *mockRig) page(path string) string {
	r.t.Helper()
	status, body := r.do("GET", path, nil)
	if status != 200 {
		r.t.Fatalf("%s: %d %s", path, status, body)
	}
	return string(body)
}

// card is what the page shows of one object.
func mockCard(t *testing.T, page, id string) string {
	t.Helper()
	_, rest, found := strings.Cut(page, `<li id="o-`+id+`"`)
	if !found {
		t.Fatalf("%s is not on the page", id)
	}
	card, _, _ := strings.Cut(rest, "</li>")
	return card
}

func TestMockPageForms(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	lindelaan := func() string { return mockCard(t, r.page("/?q=lindelaan"), mockLindelaan) }
	if card := lindelaan(); !strings.Contains(card, "€ 585.000") || !strings.Contains(card, "Gezinswoning met diepe tuin") {
		t.Errorf("card: %s", card)
	}
	steps := []struct {
		field, value string
		want         string
	}{
		{"price", "612.500", "€ 612.500"},
		{"price", "€ 599000,50", "€ 599.000,50"},
		{"availability", "UnderOption", `class="state">UnderOption`},
		{"availability", "Sold", `class="state">Sold`},
		{"availability", "Withdrawn", `class="state">Withdrawn`},
		{"availability", "Available", `class="state">Available`},
		{"archived", "true", `class="state">archived`},
		{"archived", "false", `class="state">Available`},
		{"title", `<b>"Nieuw" & beter</b>`, "&lt;b&gt;&#34;Nieuw&#34; &amp; beter&lt;/b&gt;"},
		{"deleted", "true", `class="state">deleted`},
		{"deleted", "false", `class="state">Available`},
	}
	for _, step := range steps {
		status, page := r.form("/objects/"+mockLindelaan, url.Values{step.field: {step.value}, "back": {"?q=lindelaan&page=0"}})
		if status != 200 || !strings.Contains(mockCard(t, page, mockLindelaan), step.want) {
			t.Errorf("%s=%s: %d, want %s in %s", step.field, step.value, status, step.want, mockCard(t, page, mockLindelaan))
		}
	}
	if _, page := r.form("/objects/"+mockLindelaan, url.Values{"price": {"duur"}, "back": {"?q=lindelaan"}}); !strings.Contains(page, `role="alert">A price has`) {
		t.Error("a bad price shows no message")
	}
	_, page := r.form("/objects", url.Values{"title": {"Nieuw pand"}, "listingType": {"Office"}, "town": {"Delft"}, "price": {"1250,50"}, "rent": {"true"}, "back": {"?q=nieuw+pand"}})
	if !strings.Contains(page, "Nieuw pand") || !strings.Contains(page, "€ 1.250,50 rent") || !strings.Contains(page, "DELFT") {
		t.Errorf("the new object is not there: %s", page)
	}
	// The way back stays on the page, whatever the form says.
	client := *r.server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, bad := range []string{"//evil.example/", "?q=%zz", "https://evil.example", "?q=\r\nLocation: https://evil.example"} {
		res, err := client.PostForm(r.server.URL+"/mock/objects/"+mockLindelaan, url.Values{"price": {"1"}, "back": {bad}})
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if to := res.Header.Get("Location"); res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, "/mock/?") {
			t.Errorf("back=%s: %d %s", bad, res.StatusCode, to)
		}
	}
}

func TestMockPageIsPlain(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	if err := SeedObjects(t.Context(), store, 60, 0); err != nil {
		t.Fatal(err)
	}
	r := newMockRig(t, store, "")
	r.saved(mockFields{"description": "Klant: <script>alert(1)</script>"})
	for _, path := range []string{"/", "/?page=1", "/?state=archived", "/?q=zzz&state=Sold&page=99", "/?page=-3", "/agenda", "/webhooks"} {
		page := r.page(path)
		for _, bad := range []string{"<script", "style=", "onclick", "javascript:", "{{", "ZgotmplZ", "<no value>"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s has %s", path, bad)
			}
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", r.server.URL+"/mock/", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := r.server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %s", csp)
	}
	first := r.page("/")
	if n := strings.Count(first, `<li id="o-`); n != mockPerPage || !strings.Contains(first, "Later →") {
		t.Errorf("%d objects on the first page", n)
	}
	if n := strings.Count(r.page("/?state=archived"), `<li id="o-`); n != 2 {
		t.Errorf("%d archived", n)
	}
	if agenda := r.page("/agenda"); !strings.Contains(agenda, "Teamoverleg") || !strings.Contains(agenda, "(private)") || strings.Contains(agenda, "Privé") {
		t.Errorf("agenda: %s", agenda)
	}
	for path, want := range map[string]string{"/page.css": "text/css"} {
		if status, body := r.do("GET", path, nil); status != 200 || len(body) < 500 {
			t.Errorf("%s: %d, want %s", path, status, want)
		}
	}
	photo := regexp.MustCompile(`<img src="(media/[^"]+)"`).FindStringSubmatch(first)
	if photo == nil {
		t.Fatal("no pictures")
	}
	if status, _ := r.do("GET", "/"+photo[1], nil); status != 200 {
		t.Errorf("picture %s: %d", photo[1], status)
	}
}

func TestMockPageRefusesOtherSites(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	own, err := url.Parse(r.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, origin, site string
		refused            bool
	}{
		{"own page", r.server.URL, "same-origin", false},
		{"typed", "", "none", false},
		{"curl", "", "", false},
		{"old browser, own page", "http://" + own.Host, "", false},
		{"another site", "https://evil.example", "cross-site", true},
		{"another port", "http://127.0.0.1:1", "same-site", true},
		{"old browser, another site", "https://evil.example", "", true},
		{"sandboxed frame", "null", "", true},
	}
	for _, c := range cases {
		for path, body := range map[string]string{"/objects/" + mockLindelaan: "price=1", "/admin/objects/" + mockLindelaan: `{"price":1}`, "/objects": "price=1", "/admin/objects": `{}`} {
			status, _ := r.do("POST", path, body, func(q *http.Request) {
				q.Header.Del("Authorization")
				if strings.HasPrefix(path, "/objects") {
					q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				}
				if c.origin != "" {
					q.Header.Set("Origin", c.origin)
				}
				if c.site != "" {
					q.Header.Set("Sec-Fetch-Site", c.site)
				}
			})
			if refused := status == http.StatusForbidden; refused != c.refused {
				t.Errorf("%s on %s: %d", c.name, path, status)
			}
		}
	}
}

func TestMockAdmin(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	post := func(status int, path string, body any) mockFields {
		t.Helper()
		got, text := r.do("POST", path, body, func(q *http.Request) { q.Header.Del("Authorization") })
		if got != status {
			t.Fatalf("%s: %d %s", path, got, text)
		}
		return mockDecode(t, text)
	}
	path := "/admin/objects/" + mockLindelaan
	steps := []struct {
		wish mockFields
		want mockFields
	}{
		{mockFields{"price": 600000.5}, mockFields{"price": json.Number("600000.5"), "state": "Available"}},
		{mockFields{"availability": "underoption"}, mockFields{"state": "UnderOption"}},
		{mockFields{"archived": true}, mockFields{"state": "archived", "archived": true}},
		{mockFields{"archived": false, "title": " Mooi "}, mockFields{"state": "UnderOption", "title": "Mooi"}},
		{mockFields{"deleted": true}, mockFields{"state": "deleted", "deleted": true}},
		{mockFields{"deleted": false}, mockFields{"state": "UnderOption", "deleted": false}},
	}
	last := ""
	for _, step := range steps {
		got := post(200, path, step.wish)
		for key, want := range step.want {
			if got[key] != want {
				t.Errorf("%v: %s is %v, want %v", step.wish, key, got[key], want)
			}
		}
		if got["modified"].(string) <= last {
			t.Errorf("%v: modified %v after %s", step.wish, got["modified"], last)
		}
		last = got["modified"].(string)
	}
	o := r.call(200, "GET", "ObjectAssignments?id="+mockLindelaan, nil)["objectAssignment"].(mockFields)
	offer := o["saleOffer"].(mockFields)
	history := offer["priceHistory"].([]any)
	if change := history[len(history)-1].(mockFields); offer["salePrice"] != json.Number("600000.5") || change["oldPrice"] != json.Number("585000.0") || change["event"] != "Changed" {
		t.Errorf("offer: %v", offer)
	}
	titles := o["titleText"].([]any)
	if len(titles) != 2 || titles[0].(mockFields)["text"] != "Mooi" || titles[1].(mockFields)["language"] != "English" {
		t.Errorf("titles: %v", titles)
	}
	// The price of what is only for rent is its rent.
	rental := mockMadeID("DWM-H-0102")
	if got := post(200, "/admin/objects/"+rental, mockFields{"price": 1010}); got["rent"] != true || got["price"] != json.Number("1010") {
		t.Errorf("rental: %v", got)
	}
	for _, bad := range []mockFields{
		{"price": "600000"}, {"price": -1}, {"price": 1e15}, {"availability": "Gone"}, {"title": "  "}, {"title": strings.Repeat("x", 201)}, {"archived": "yes"},
	} {
		post(400, path, bad)
	}
	post(404, "/admin/objects/"+mockMadeID("none"), mockFields{"price": 1})
	post(404, "/admin/objects/7", mockFields{"price": 1})

	added := post(200, "/admin/objects", mockFields{"title": "Nieuw kantoor", "price": 1500, "rent": true, "listingType": "Office", "availability": "UnderOption", "town": "Zwolle"})
	if added["title"] != "Nieuw kantoor" || added["rent"] != true || added["state"] != "UnderOption" || !strings.HasSuffix(added["place"].(string), "ZWOLLE") {
		t.Errorf("added: %v", added)
	}
	if plain := post(200, "/admin/objects", nil); plain["state"] != "Available" {
		t.Errorf("added without wishes: %v", plain)
	}
	facts := readMockFacts(t)
	full := r.call(200, "GET", "ObjectAssignments?id="+added["id"].(string), nil)
	if wrong := facts.check("ObjectAssignmentsSingleItemResponse", "added", full); len(wrong) > 0 {
		t.Error(wrong)
	}
	_, body := r.do("GET", "/admin/objects?q=nieuw+kantoor", nil)
	var list []mockFields
	if err := json.Unmarshal(body, &list); err != nil || len(list) != 1 || list[0]["id"] != added["id"] {
		t.Errorf("list: %v %s", err, body)
	}
}

func TestMockMedia(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	rows, _ := r.search(mockFields{"filterByAssignmentTypes": []string{"Object", "Project", "ObjectType"}, "take": 6})
	resources := map[string]string{"Object": "ObjectAssignments", "ObjectType": "ObjectTypeAssignments", "Project": "ProjectAssignments"}
	get := func(url string) (int, http.Header, []byte) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := r.server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var b bytes.Buffer
		if _, err := b.ReadFrom(res.Body); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, res.Header, b.Bytes()
	}
	seen := map[string]bool{}
	pdfs := 0
	for _, row := range rows {
		for _, entity := range r.call(200, "GET", resources[row["typeOfAssignment"].(string)]+"?id="+row["id"].(string), nil) {
			for _, kind := range []string{"photos", "maps", "brochures"} {
				list, _ := entity.(mockFields)[kind].([]any)
				for i, m := range list {
					blob := m.(mockFields)
					if blob["contentType"] == nil {
						continue
					}
					original := blob["urlOriginal"].(string)
					if !strings.HasPrefix(original, r.server.URL+"/mock/media/"+blob["fileDataId"].(string)) {
						t.Errorf("address %s", original)
					}
					if i > 0 {
						continue // one of each is enough
					}
					status, header, body := get(original)
					if status != 200 || header.Get("Content-Type") != blob["contentType"] || !strings.Contains(header.Get("Cache-Control"), "immutable") {
						t.Fatalf("%s: %d %v", original, status, header)
					}
					if seen[string(body)] {
						t.Errorf("%s looks like another one", original)
					}
					seen[string(body)] = true
					if kind == "brochures" {
						pdfs++
						if !bytes.HasPrefix(body, []byte("%PDF-1.4\n")) || !bytes.HasSuffix(body, []byte("%%EOF\n")) {
							t.Errorf("%s is no PDF", original)
						}
						continue
					}
					c, _, err := image.DecodeConfig(bytes.NewReader(body))
					if err != nil || fmt.Sprint(c.Width) != fmt.Sprint(blob["width"]) || fmt.Sprint(c.Height) != fmt.Sprint(blob["height"]) {
						t.Errorf("%s: %v, %d × %d, want %v × %v", original, err, c.Width, c.Height, blob["width"], blob["height"])
					}
					if len(body) > 200_000 {
						t.Errorf("%s has %d bytes", original, len(body))
					}
					last := c.Width * c.Height
					for _, size := range []string{"urlBig", "urlMedium", "urlPreview"} {
						status, _, body := get(blob[size].(string))
						c, _, err := image.DecodeConfig(bytes.NewReader(body))
						if status != 200 || err != nil || c.Width*c.Height >= last {
							t.Errorf("%s: %d %v, %d × %d", size, status, err, c.Width, c.Height)
						}
						last = c.Width * c.Height
					}
					if _, _, again := get(original); !bytes.Equal(again, body) {
						t.Errorf("%s is not the same twice", original)
					}
				}
			}
		}
	}
	if len(seen) < 10 || pdfs == 0 {
		t.Errorf("only %d media, %d brochures", len(seen), pdfs)
	}
	id := mockMadeID("picture")
	for path, want := range map[string]int{
		"/media/" + id + "/original/huis.jpg":   200,
		"/media/" + id + "/preview/huis.png":    200,
		"/media/" + id + "/huge/huis.jpg":       404,
		"/media/7/original/huis.jpg":            404,
		"/media/" + id + "/original/huis.exe":   404,
		"/media/" + id + "/original/huis":       404,
		"/media/" + id + "/medium/brochure.pdf": 404,
	} {
		if status, _, _ := get(r.server.URL + "/mock" + path); status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
	}
	_, header, _ := get(r.server.URL + "/mock/media/" + id + "/original/huis.jpg")
	status, _ := r.do("GET", "/media/"+id+"/original/huis.jpg", nil, func(q *http.Request) { q.Header.Set("If-None-Match", header.Get("ETag")) })
	if status != http.StatusNotModified {
		t.Errorf("unchanged: %d", status)
	}
}
