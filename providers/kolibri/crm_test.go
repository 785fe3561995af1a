package kolibri

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/memstore"
	"sparki.app/integrations/providers/providertest"
)

// TestMockThroughTheClient reads the whole mock CRM with the real client: what the one sends, the
// other understands.
func TestMockThroughTheClient(t *testing.T) {
	t.Parallel()
	crm := New().Mock(providers.MockOptions{Store: memstore.New(), BaseURL: "https://mock.example/kolibri"})
	s, err := crm.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	line, err := New().Connect(s, local(crm))
	if err != nil {
		t.Fatal(err)
	}
	if err := line.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	kinds, inactive := map[string]int{}, map[sparki.InactiveReason]int{}
	refs := 0
	for crawl := (providers.Crawl{}); ; {
		page, err := line.Page(t.Context(), crawl)
		if err != nil {
			t.Fatal(err)
		}
		for _, ref := range page.Refs {
			refs++
			kinds[ref.Type]++
			found, err := line.Listing(t.Context(), ref)
			if err != nil {
				t.Fatalf("%s: %v", ref.Key(), err)
			}
			if !found.ModifiedAt.Equal(ref.ModifiedAt) || found.Ref.Key() != ref.Key() || found.AgencyID == "" || found.OfficeID == "" {
				t.Errorf("%s: %+v", ref.Key(), found)
			}
			inactive[found.Inactive]++
			checkListing(t, found)
		}
		if page.Next == "" {
			if page.Total != refs {
				t.Errorf("%d objects of %d", refs, page.Total)
			}
			break
		}
		crawl.Cursor = page.Next
	}
	for _, kind := range assignmentKinds {
		if kinds[kind.source] == 0 {
			t.Errorf("the mock has no %s", kind.source)
		}
	}
	if inactive[""] == 0 || inactive[sparki.ReasonWithdrawn] == 0 {
		t.Errorf("states: %v", inactive)
	}

	_, err = line.Listing(t.Context(), sparki.Ref{Type: "object-assignment", ID: objectID(1)})
	if sparki.KindOf(err) != sparki.NotFound {
		t.Errorf("an object that is not there: %v", err)
	}
}

// TestMockRefusesAsTheClientSays spoils the settings of the mock one by one.
func TestMockRefusesAsTheClientSays(t *testing.T) {
	t.Parallel()
	crm := New().Mock(providers.MockOptions{Store: memstore.New(), BaseURL: "https://mock.example/kolibri"})
	tests := map[string]struct {
		spoil func(*sparki.Settings)
		kind  sparki.Kind
		words string
	}{
		"secret":    {func(s *sparki.Settings) { s.Secrets[settingClientSecret] = []sparki.Secret{"wrong"} }, sparki.Unauthorized, "client secret"},
		"agency":    {func(s *sparki.Settings) { s.Text[settingAgency] = objectID(1) }, sparki.Misconfigured, "has not given consent"},
		"scope":     {func(s *sparki.Settings) { s.Text[settingScope] = "kolibri_api_mars" }, sparki.Misconfigured, "scope"},
		"path":      {func(s *sparki.Settings) { s.Text[settingBaseURL] += "/v3/v3" }, sparki.Misconfigured, "API base URL"},
		"token URL": {func(s *sparki.Settings) { s.Text[settingTokenURL] += "s" }, sparki.Misconfigured, "token URL"},
		"token": {func(s *sparki.Settings) {
			delete(s.Secrets, settingClientSecret)
			s.Secrets[settingToken] = []sparki.Secret{"stale"}
		}, sparki.Unauthorized, "authorization token"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := crm.Settings(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			test.spoil(&s)
			line, err := New().Connect(s, local(crm))
			if err != nil {
				t.Fatal(err)
			}
			err = line.Check(t.Context())
			if sparki.KindOf(err) != test.kind || !strings.Contains(sparki.TextOf(err), test.words) {
				t.Errorf("%s: %v", sparki.KindOf(err), err)
			}
		})
	}
}

// BenchmarkClient reads one object after another over the in-process line: token, call, checks of
// the answer, mapping.
func BenchmarkClient(b *testing.B) {
	body := providertest.Sample(b, "object-assignment-sale-house")
	_, ref := kindOfSample(b, body)
	c := newConn(staticAccount(), local(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Listing(b.Context(), ref); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkListingStored adds what the store does with every listing: writing it as JSON.
func BenchmarkListingStored(b *testing.B) {
	body := providertest.Sample(b, "object-assignment-sale-house")
	kind, ref := kindOfSample(b, body)
	for b.Loop() {
		found, err := sampleAccount.found(kind, ref, body)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := json.Marshal(found.Listing); err != nil {
			b.Fatal(err)
		}
	}
}
