package kolibri

import (
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/providertest"
)

func TestFullCrawl(t *testing.T) {
	t.Parallel()
	u := newUpstream(250)
	c := u.connection(t, func(s *sparki.Settings) { s.Lists[settingOffices] = []string{strings.ToUpper(sampleOffice), " "} })
	var cursors []string
	var refs []sparki.Ref
	for crawl := (providers.Crawl{}); ; {
		page, err := c.Page(t.Context(), crawl)
		if err != nil || page.Total != 250 {
			t.Fatalf("%+v, %v", page, err)
		}
		refs = append(refs, page.Refs...)
		if page.Next == "" {
			break
		}
		crawl.Cursor = page.Next
		cursors = append(cursors, page.Next)
	}
	if !slices.Equal(cursors, []string{"100", "200"}) || len(refs) != 250 {
		t.Errorf("cursors %v, %d objects", cursors, len(refs))
	}
	if want := (sparki.Ref{Type: "object-assignment", ID: objectID(7), ModifiedAt: objectTime(7)}); refs[7] != want {
		t.Errorf("%+v, want %+v", refs[7], want)
	}
	want := assignmentsRequest{
		Skip: 100, Take: 100, Order: "Ascending", OrderBy: "CreationDate", FilterByActive: "ActiveOrInactive", ForSale: true, ForRent: true,
		OfficeIDs: []string{sampleOffice}, FilterByAssignmentTypes: []string{"Object", "ObjectType", "Project"}, IgnoreOldVersions: true, Culture: "nl-NL",
	}
	if !reflect.DeepEqual(u.searches[1], want) {
		t.Errorf("asked %+v\nwant  %+v", u.searches[1], want)
	}
}

func TestIncrementalCrawl(t *testing.T) {
	t.Parallel()
	for since, want := range map[int]int{249: 1, 248: 2, 151: 99, 150: 100, 149: 101, 0: 250, -5: 250} {
		u := newUpstream(250)
		c := u.connection(t)
		var refs []sparki.Ref
		crawl := providers.Crawl{Since: objectTime(since)}
		for {
			page, err := c.Page(t.Context(), crawl)
			if err != nil {
				t.Fatal(err)
			}
			refs = append(refs, page.Refs...)
			if page.Next == "" {
				break
			}
			crawl.Cursor = page.Next
		}
		if len(refs) != want || refs[0].ID != objectID(249) {
			t.Errorf("since %d: %d objects, want %d", since, len(refs), want)
		}
		if r := u.searches[0]; r.Order != "Descending" || r.OrderBy != "ModificationDate" {
			t.Errorf("asked %+v", r)
		}
		if pages := (want + 99) / 100; len(u.searches) > pages+1 {
			t.Errorf("since %d: %d pages read", since, len(u.searches))
		}
	}
	u := newUpstream(3)
	page, err := u.connection(t).Page(t.Context(), providers.Crawl{Since: objectTime(100)})
	if err != nil || len(page.Refs) != 0 || page.Next != "" {
		t.Errorf("nothing new: %+v, %v", page, err)
	}
}

func TestPageFrom(t *testing.T) {
	t.Parallel()
	row := func(id, kind string) string { return fmt.Sprintf(`{"id":%q,"typeOfAssignment":%q}`, id, kind) }
	good := row(objectID(1), "Object")
	tests := map[string]struct {
		answer string
		refs   int
		next   string
		total  int
	}{
		"last page":            {`{"totalResults":11,"results":[` + good + `]}`, 1, "", 11},
		"more to come":         {`{"totalResults":12,"results":[` + good + `]}`, 1, "11", 12},
		"empty page":           {`{"totalResults":500,"results":[]}`, 0, "", 500},
		"no total":             {`{"results":[` + good + `]}`, 1, "11", -1},
		"no total, empty":      {`{"results":[]}`, 0, "", -1},
		"total is null":        {`{"totalResults":null,"results":[` + good + `]}`, 1, "11", -1},
		"total as text":        {`{"totalResults":"12","results":[` + good + `]}`, 1, "11", 12},
		"total is negative":    {`{"totalResults":-1,"results":[` + good + `]}`, 1, "11", -1},
		"total is absurd":      {`{"totalResults":1e30,"results":[` + good + `]}`, 1, "11", maxRows},
		"all kinds":            {`{"totalResults":0,"results":[` + good + `,` + row(objectID(2), "ObjectType") + `,` + row(objectID(3), "Project") + `]}`, 3, "", 0},
		"kinds that are none":  {`{"totalResults":99,"results":[` + row(objectID(2), "Acquisition") + `,` + row(objectID(3), "Generic") + `,` + row(objectID(4), "") + `]}`, 0, "13", 99},
		"rows that are none":   {`{"totalResults":99,"results":[null,1,"x",[],{},` + row("x", "Object") + `,` + good + `]}`, 1, "17", 99},
		"modified, unreadable": {`{"totalResults":1,"results":[{"id":"` + objectID(1) + `","typeOfAssignment":"Object","dateTimeModified":"yesterday"}]}`, 1, "", 1},
	}
	for name, test := range tests {
		page := pageFrom(resultsFrom(gjson.Parse(test.answer)), 10, time.Time{})
		if len(page.Refs) != test.refs || page.Next != test.next || page.Total != test.total {
			t.Errorf("%s: %+v", name, page)
		}
	}
}

func TestEndlessList(t *testing.T) {
	t.Parallel()
	// No total, and every page is full: the crawl ends in an error, not in a partial success.
	c := newConn(staticAccount(), answering(200, `{"results":[`+strings.Repeat(`{},`, 99)+`{}]}`))
	page, err := c.Page(t.Context(), providers.Crawl{Cursor: "99900"})
	if err != nil || page.Next != "100000" {
		t.Fatalf("%+v, %v", page, err)
	}
	if _, err := c.Page(t.Context(), providers.Crawl{Cursor: page.Next}); sparki.KindOf(err) != sparki.Rejected {
		t.Errorf("endless: %v", err)
	}
}

func TestListingAsksByKind(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"object-assignment-sale-house", "object-type-assignment", "project-assignment"} {
		body := providertest.Sample(t, name)
		kind, ref := kindOfSample(t, body)
		asked := ""
		c := newConn(staticAccount(), local(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = r.Method + " " + r.URL.Path + "?" + r.URL.RawQuery
			_, _ = w.Write(body)
		})))
		ref.ID = strings.ToUpper(ref.ID)
		ref.Note = "kept"
		found, err := c.Listing(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if want := "GET /v3/" + sampleAgency + "/" + kind.resource + "?id=" + strings.ToLower(ref.ID); asked != want {
			t.Errorf("asked %s, want %s", asked, want)
		}
		if found.Ref.Key() != ref.Key() || found.Ref.Note != "kept" || string(found.Raw) != string(body) {
			t.Errorf("found %+v", found.Ref)
		}
	}
}

func TestListingRefusesOtherReferences(t *testing.T) {
	t.Parallel()
	c := newConn(staticAccount(), local(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("something was asked") })))
	for _, ref := range []sparki.Ref{{}, {Type: "object-assignment"}, {Type: "object-assignment", ID: "../x"}, {Type: "wonen-object", ID: objectID(1)}} {
		if _, err := c.Listing(t.Context(), ref); sparki.KindOf(err) != sparki.Invalid {
			t.Errorf("%+v: %v", ref, err)
		}
	}
}

func TestInactive(t *testing.T) {
	t.Parallel()
	otherAgency, office := objectID(1), `"linkedOffice":{"id":"`+sampleOffice+`"}`
	tests := map[string]struct {
		fields  string
		offices []string
		want    sparki.InactiveReason
	}{
		"plain":                     {``, nil, ""},
		"archived":                  {`"isActive":false`, nil, sparki.ReasonWithdrawn},
		"archived is null":          {`"isActive":null`, nil, ""},
		"withdrawn":                 {`"availabilityStatus":"Withdrawn"`, nil, sparki.ReasonWithdrawn},
		"withdrawn, calculated":     {`"availabilityStatus":null,"calculatedAvailabilityStatus":"Withdrawn"`, nil, sparki.ReasonWithdrawn},
		"withdrawn at other office": {`"availabilityStatus":"Withdrawn",` + office, []string{otherAgency}, sparki.ReasonWithdrawn},
		"sold is still shown":       {`"availabilityStatus":"Sold","assignmentPhase":"Completed"`, nil, ""},
		"other agency":              {`"realEstateAgencyId":"` + otherAgency + `"`, nil, sparki.ReasonFilteredOut},
		"other agency, concept":     {`"assignmentPhase":"Concept","realEstateAgencyId":"` + otherAgency + `"`, nil, sparki.ReasonFilteredOut},
		"same agency, upper case":   {`"realEstateAgencyId":"` + strings.ToUpper(sampleAgency) + `"`, nil, ""},
		"office in the filter":      {office, []string{otherAgency, sampleOffice}, ""},
		"office by its other name":  {`"officeID":"` + strings.ToUpper(sampleOffice) + `"`, []string{sampleOffice}, ""},
		"other office":              {office, []string{otherAgency}, sparki.ReasonFilteredOut},
		"no office":                 {``, []string{sampleOffice}, sparki.ReasonFilteredOut},
		"concept":                   {`"assignmentPhase":"Concept"`, nil, sparki.ReasonNotAvailable},
		"confidential":              {`"isConfidential":true`, nil, sparki.ReasonNotAvailable},
		"private":                   {`"isPrivate":true`, nil, sparki.ReasonNotAvailable},
		"public":                    {`"confidentialityLevel":"Public","isConfidential":false,"isPrivate":false`, nil, ""},
		"limited audience":          {`"confidentialityLevel":"LimitedAudience"`, nil, sparki.ReasonNotAvailable},
		"a level of tomorrow":       {`"confidentialityLevel":"Neighbours"`, nil, sparki.ReasonNotAvailable},
		"no level":                  {`"confidentialityLevel":null`, nil, ""},
		"older version":             {`"isOlderVersion":true`, nil, sparki.ReasonNotAvailable},
	}
	for name, test := range tests {
		a := sampleAccount
		a.officeIDs = test.offices
		native, _ := assignmentFrom(gjson.Parse("{" + test.fields + "}"))
		if got := a.inactive(native); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestHalfAPageIsNone(t *testing.T) {
	t.Parallel()
	// A page of the list that breaks off in the middle is no page.
	whole := string(providertest.Sample(t, "assignments-search-response"))
	c := newConn(staticAccount(), local(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(whole)))
		_, _ = io.WriteString(w, whole[:len(whole)/2])
	})))
	if page, err := c.Page(t.Context(), providers.Crawl{}); sparki.KindOf(err) != sparki.Unavailable || page.Refs != nil {
		t.Errorf("%+v, %v", page, err)
	}
}
