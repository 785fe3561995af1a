package realworks

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/dutch"
	"sparki.app/integrations/providers/providertest"
)

// crawl reads all pages.
func crawl(t *testing.T, c *conn, since time.Time) (refs []sparki.Ref, pages []providers.Page) {
	t.Helper()
	for next := (providers.Crawl{Since: since}); ; {
		page, err := c.Page(t.Context(), next)
		if err != nil {
			t.Fatal(err)
		}
		pages, refs = append(pages, page), append(refs, page.Refs...)
		if next.Cursor = page.Next; page.Next == "" {
			return refs, pages
		}
	}
}

func TestFullCrawl(t *testing.T) {
	t.Parallel()
	u := newUpstream(250) // 200 Wonen, 25 Business, 25 Nieuwbouw
	refs, pages := crawl(t, u.connection(t), time.Time{})
	if len(refs) != 250 || len(pages) != 6 {
		t.Errorf("%d objects on %d pages", len(refs), len(pages))
	}
	for i, page := range pages {
		if page.Total != 250 || len(page.Found) != len(page.Refs) {
			t.Errorf("page %d: total %d, %d objects of %d", i, page.Total, len(page.Found), len(page.Refs))
		}
	}
	want := []string{
		"/wonen/v3/objecten?actief=all&aantal=100", "/bog/v3/objecten?actief=all&aantal=1", "/nieuwbouw/v2/projecten?actief=all&aantal=1",
		"/wonen/v3/objecten?aantal=100&actief=all&vanaf=1123", "/bog/v3/objecten?actief=all&aantal=100", "/nieuwbouw/v2/projecten?actief=all&aantal=10",
		"/nieuwbouw/v2/projecten?aantal=10&actief=all&vanaf=1099", "/nieuwbouw/v2/projecten?aantal=10&actief=all&vanaf=1199",
	}
	if !slices.Equal(u.calls, want) {
		t.Errorf("asked\n%s\nwant\n%s", strings.Join(u.calls, "\n"), strings.Join(want, "\n"))
	}
	first := pages[0].Found[0]
	if first.Ref.Key() != "wonen-object/"+objectID(0) || !first.ModifiedAt.Equal(objectTime(0)) || first.Listing.Title != "Straat 1, Edam" ||
		*first.Provenance.SourceURL != sampleBase+"/wonen/v3/objecten/"+objectID(0) || *first.Provenance.APIVersion != "v3" || first.Provenance.WebhookEvent != nil {
		t.Errorf("first %+v", first)
	}
	// What a list gives is what a read gives, but for the blanks between.
	read, err := u.connection(t).Listing(t.Context(), first.Ref)
	if err != nil || read.Ref != first.Ref || strings.TrimSpace(string(read.Raw)) != string(first.Raw) {
		t.Errorf("read %+v, %v", read, err)
	}
}

func TestIncrementalCrawl(t *testing.T) {
	t.Parallel()
	for since, want := range map[int]int{29: 1, 28: 2, 19: 11, 0: 30, -5: 30, 40: 0} {
		u := newUpstream(30)
		refs, pages := crawl(t, u.connection(t), objectTime(since))
		if len(refs) != want || len(pages) != 3 || pages[0].Total != -1 {
			t.Errorf("since %d: %d objects on %d pages, total %d", since, len(refs), len(pages), pages[0].Total)
		}
		if stamp := objectTime(since).In(dutch.Time).Add(-time.Second).Format("2006-01-02T15:04:05"); u.calls[0] != "/wonen/v3/objecten?actief=all&aantal=100&gewijzigdNa="+stamp {
			t.Errorf("asked %s", u.calls[0])
		}
	}
	// An API that does not know the filter gives everything.
	u := newUpstream(30)
	line, err := New().Connect(liveSettings(), local(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		query.Del("gewijzigdNa")
		r.URL.RawQuery = query.Encode()
		u.ServeHTTP(w, r)
	})))
	if err != nil {
		t.Fatal(err)
	}
	if refs, _ := crawl(t, line.(*conn), objectTime(20)); len(refs) != 10 {
		t.Errorf("without the filter: %d objects", len(refs))
	}
}

func TestLocalTime(t *testing.T) {
	t.Parallel()
	for moment, want := range map[string]string{
		"2026-01-15T12:00:00Z": "2026-01-15T12:59:59", "2026-07-15T12:00:00Z": "2026-07-15T13:59:59",
		// 25 October 2026, 3:00 summer time is 2:00 winter time: 2:30 comes twice.
		"2026-10-25T00:30:00Z": "2026-10-25T01:29:59", "2026-10-25T01:30:00Z": "2026-10-25T02:29:59", "2026-10-25T02:30:00Z": "2026-10-25T03:29:59",
		// 29 March 2026: 2:30 does not come.
		"2026-03-29T01:00:00Z": "2026-03-29T01:59:59", "2026-03-29T01:30:00Z": "2026-03-29T03:29:59",
	} {
		at, err := time.Parse(time.RFC3339, moment)
		if err != nil {
			t.Fatal(err)
		}
		if got := localTime(at); got != want {
			t.Errorf("%s: %s, want %s", moment, got, want)
		}
	}
}

func TestCrawlOfSomeAPIs(t *testing.T) {
	t.Parallel()
	for without, want := range map[string]int{"": 50, "wonen": 10, "bog": 45, "nieuwbouw": 45, "wonen bog": 5, "bog nieuwbouw": 40} {
		for _, since := range []time.Time{{}, objectTime(-1)} {
			u := newUpstream(50)
			for _, segment := range strings.Fields(without) {
				u.without[segment] = true
			}
			c := u.connection(t)
			if err := c.Check(t.Context()); err != nil {
				t.Errorf("without %s: %v", without, err)
			}
			refs, pages := crawl(t, c, since)
			if len(refs) != want || since.IsZero() && pages[0].Total != want {
				t.Errorf("without %s: %d objects, total %d", without, len(refs), pages[0].Total)
			}
		}
	}
	u := newUpstream(50)
	u.without = map[string]bool{"wonen": true, "bog": true, "nieuwbouw": true}
	c := u.connection(t)
	if err := c.Check(t.Context()); sparki.KindOf(err) != sparki.Misconfigured || !strings.Contains(sparki.TextOf(err), "none of the APIs") {
		t.Errorf("check: %v", err)
	}
	if _, err := c.Page(t.Context(), providers.Crawl{}); sparki.KindOf(err) != sparki.Misconfigured {
		t.Errorf("page: %v", err)
	}
	_, err := c.Listing(t.Context(), sparki.Ref{Type: "business-object", ID: objectID(8)})
	if sparki.KindOf(err) != sparki.Rejected || !strings.Contains(sparki.TextOf(err), "not for the API Business") {
		t.Errorf("an object of an API that the token is not for: %v", err) // not the end of the connection: anybody can hint at it
	}
}

func TestOlderVersions(t *testing.T) {
	t.Parallel()
	u := newUpstream(30)
	u.versions = map[string]bool{"v2": true}
	c := u.connection(t)
	refs, _ := crawl(t, c, time.Time{})
	if len(refs) != 30 || hintFrom(refs[0].Note).Version != "v2" {
		t.Errorf("%d objects, %+v", len(refs), refs[0])
	}
	for _, ref := range []sparki.Ref{refs[0], {Type: "wonen-object", ID: objectID(0)}} {
		if found, err := c.Listing(t.Context(), ref); err != nil || *found.Provenance.APIVersion != "v2" {
			t.Errorf("%+v: %v", ref, err)
		}
	}
	u.versions = map[string]bool{"v4": true}
	for _, call := range []func() error{
		func() error { return c.Check(t.Context()) },
		func() error { _, err := c.Page(t.Context(), providers.Crawl{}); return err },
	} {
		if err := call(); sparki.KindOf(err) != sparki.Misconfigured {
			t.Errorf("no version at all: %v", err)
		}
	}
	if _, err := c.Listing(t.Context(), refs[0]); sparki.KindOf(err) != sparki.Rejected {
		t.Errorf("no version at all: %v", err)
	}
}

// A 404 that could mean the path is looked into: the object is gone where its list is there.
func TestGone(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]sparki.Kind{
		`{"foutmeldingen":["Object niet gevonden"]}`: sparki.NotFound,
		`{"error":"Resource not found"}`:             sparki.NotFound,
		`{}`:                                         sparki.NotFound,
		``:                                           sparki.NotFound,
		`<html>nginx</html>`:                         sparki.Misconfigured,
	} {
		u := newUpstream(1)
		line, err := New().Connect(liveSettings(), local(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/LM100000") {
				w.WriteHeader(http.StatusNotFound)
				_, _ = io.WriteString(w, body)
				return
			}
			u.ServeHTTP(w, r)
		})))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := line.Listing(t.Context(), sparki.Ref{Type: "wonen-object", ID: objectID(0)}); sparki.KindOf(err) != want {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestPagesThatAreNotFollowed(t *testing.T) {
	t.Parallel()
	c := newConn(sampleAccount, nil)
	const query = "actief=all&aantal=100&vanaf=5"
	for next, want := range map[string]string{
		sampleBase + "/wonen/v3/objecten?vanaf=9&types=a,b&op=2026-01-01+10:00:00": "7 /wonen/v3/objecten?vanaf=9&types=a,b&op=2026-01-01+10:00:00",
		"": "7 bog",
		// Elsewhere, or no page of this list.
		"https://evil.example/wonen/v3/objecten?vanaf=9": "", "http://api.realworks.nl/wonen/v3/objecten?vanaf=9": "", sampleBase + ":8443/wonen/v3/objecten?vanaf=9": "",
		"/wonen/v3/objecten?vanaf=9": "", sampleBase + "/bog/v3/objecten?vanaf=9": "", sampleBase + "/wonen/v2/objecten?vanaf=9": "", sampleBase + "/wonen/v3/objecten": "",
		sampleBase + "/makelaars/v1?vanaf=9": "", sampleBase + "/wonen/v3/objecten/../x?vanaf=9": "",
		// The same page again.
		sampleBase + "/wonen/v3/objecten?" + query: "",
	} {
		said := gjson.Parse(fmt.Sprintf(`{"resultaten":[],"paginering":{"volgende":%q,"totaalAantal":3}}`, next))
		page, err := c.pageFrom(said, position{api: &objectAPIs[0], version: "v3", query: query, total: 7}, time.Time{})
		if want == "" && sparki.KindOf(err) != sparki.Rejected || want != "" && (err != nil || page.Next != want) {
			t.Errorf("%s: %q, %v", next, page.Next, err)
		}
	}
}

func TestRowsThatAreNone(t *testing.T) {
	t.Parallel()
	good := `{"id":1,"diversen":{"diversen":{"objectcode":"LM000001","afdelingscode":935001}}}`
	c := newConn(sampleAccount, nil)
	c.account.afdelingen = []string{"935001"}
	for rows, want := range map[string]int{
		good: 1, `null,1,"x",[],{},` + good: 1, `{"id":2},` + good: 1,
		`{"id":3,"diversen":{"diversen":{"objectcode":"LM000002","afdelingscode":"935002"}}}`: 0,
		`{"id":4,"diversen":{"diversen":{"objectcode":"../x","afdelingscode":"935001"}}}`:     -1,
		`{"id":5},{"id":6,"diversen":null}`:                                                   -1,
	} {
		page, err := c.pageFrom(gjson.Parse(`{"resultaten":[`+rows+`]}`), position{api: &objectAPIs[0], version: "v3"}, time.Time{})
		if want < 0 && sparki.KindOf(err) != sparki.Misconfigured || want >= 0 && (err != nil || len(page.Refs) != want) {
			t.Errorf("%s: %+v, %v", rows, page, err)
		}
	}
}

// A notification about a home or a type finds the project (contract §3.2).
func TestHomesLeadToTheirProject(t *testing.T) {
	t.Parallel()
	body := providertest.Sample(t, "nieuwbouw_v2_project")
	c := newConn(sampleAccount, answering(200, string(body)))
	for _, code := range []string{"N100012", "O100041", "LM100301", "lm100302"} {
		found, err := c.Listing(t.Context(), sparki.Ref{Type: "nieuwbouw-object", ID: "935001/" + code})
		if err != nil || found.Ref.Key() != "nieuwbouw-object/935001/N100012" || string(found.Raw) != string(body) ||
			*found.Provenance.SourceURL != sampleBase+"/nieuwbouw/v2/projecten/935001/"+strings.ToUpper(code) {
			t.Errorf("%s: %+v, %v", code, found, err)
		}
	}
	if _, err := c.Listing(t.Context(), sparki.Ref{Type: "nieuwbouw-object", ID: "935001/LM999999"}); sparki.KindOf(err) != sparki.Unavailable {
		t.Errorf("a home of another project: %v", err)
	}
}

func TestListingRefusesOtherReferences(t *testing.T) {
	t.Parallel()
	c := newConn(sampleAccount, local(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("something was asked") })))
	for _, ref := range []sparki.Ref{
		{}, {Type: "wonen-object"}, {Type: "wonen-object", ID: "935001"}, {Type: "wonen-object", ID: "935001/"}, {Type: "wonen-object", ID: "/LM100231"},
		{Type: "wonen-object", ID: "935001/../x"}, {Type: "wonen-object", ID: "x/LM100231"}, {Type: "object-assignment", ID: "935001/LM100231"},
	} {
		if _, err := c.Listing(t.Context(), ref); sparki.KindOf(err) != sparki.Invalid {
			t.Errorf("%+v: %v", ref, err)
		}
	}
}

// Without its codes an object is what was asked for; without an id it is none (contract §2.2).
func TestSectionsThatAreNotReleased(t *testing.T) {
	t.Parallel()
	ref := sparki.Ref{Type: "wonen-object", ID: "935001/LM100231", Note: "broken"}
	for body, want := range map[string]sparki.Kind{
		`{"id":17}`: "", `{"id":"17","adres":null,"media":null,"detail":[]}`: "", `{"id":0}`: sparki.Unavailable, `{"id":null}`: sparki.Unavailable,
		`{"id":17,"diversen":{"diversen":{"objectcode":"LM100232","afdelingscode":"935001"}}}`: sparki.Unavailable,
		`{"id":17,"diversen":{"diversen":{"objectcode":"LM100231","afdelingscode":"935002"}}}`: sparki.Unavailable,
	} {
		found, err := newConn(sampleAccount, answering(200, body)).Listing(t.Context(), ref)
		if sparki.KindOf(err) != want || want == "" && (found.Ref.Key() != ref.Key() || found.Listing.Title != "LM100231" || found.Listing.Address.Physical) {
			t.Errorf("%s: %+v, %v", body, found, err)
		}
	}
}

func TestWhereItCameFrom(t *testing.T) {
	t.Parallel()
	m := read(t, liveSettings(), told(nil))
	body := providertest.Sample(t, "wonen_v3_object_house_for_sale")
	found, err := newConn(sampleAccount, answering(200, string(body))).Listing(t.Context(), m.Ref)
	if err != nil {
		t.Fatal(err)
	}
	p := found.Provenance
	if *p.SourceURL != sampleBase+"/wonen/v3/objecten/935001/LM100231" || *p.APIVersion != "v3" || *p.WebhookName != "sparki-wonen" ||
		*p.WebhookEvent != "OBJECT_UPDATE" || !p.WebhookTimestamp.Equal(time.Date(2026, 3, 2, 13, 31, 9, 0, time.UTC)) {
		t.Errorf("%+v", p)
	}
	again, err := newConn(sampleAccount, nil).Map(found.Ref, found.Raw)
	if err != nil || again.Provenance != nil || again.Listing.Title != found.Listing.Title || again.Ref.Key() != found.Ref.Key() {
		t.Errorf("mapped again: %+v, %v", again, err)
	}
}
