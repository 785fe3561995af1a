package realworks

import (
	"net/url"
	"strings"
	"testing"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/memstore"
)

// TestMockThroughTheClient reads the whole mock CRM with the real client: what the one sends, the
// other understands.
func TestMockThroughTheClient(t *testing.T) {
	t.Parallel()
	crm := New().Mock(providers.MockOptions{Store: memstore.New(), BaseURL: "https://mock.example/realworks"})
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
		for i, ref := range page.Refs {
			refs++
			kinds[ref.Type]++
			listed := page.Found[i]
			found, err := line.Listing(t.Context(), ref)
			if err != nil {
				t.Fatalf("%s: %v", ref.Key(), err)
			}
			if !found.ModifiedAt.Equal(ref.ModifiedAt) || found.Ref.Key() != ref.Key() || found.ObjectCode == "" || found.AfdelingCode == "" {
				t.Errorf("%s: %+v", ref.Key(), found)
			}
			if listed.Ref.Key() != ref.Key() || listed.Listing.Title != found.Listing.Title || len(listed.Listing.Images) != len(found.Listing.Images) ||
				*listed.Provenance.SourceURL != *found.Provenance.SourceURL {
				t.Errorf("%s is listed as %+v", ref.Key(), listed)
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
	for _, api := range objectAPIs {
		if kinds[api.source] == 0 {
			t.Errorf("the mock has no %s", api.source)
		}
	}
	if inactive[""] < 20 || inactive[sparki.ReasonWithdrawn] == 0 {
		t.Errorf("states: %v", inactive)
	}

	_, err = line.Listing(t.Context(), sparki.Ref{Type: "wonen-object", ID: sampleAfdeling + "/ZZ000001"})
	if sparki.KindOf(err) != sparki.NotFound {
		t.Errorf("an object that is not there: %v", err)
	}
}

// checkListing checks what holds for every listing.
func checkListing(t *testing.T, f *sparki.Found) {
	t.Helper()
	l := f.Listing
	if l.Title == "" || l.Status == "" || l.Category == "" || !l.Address.Physical || len(f.Unknown) > 0 {
		t.Errorf("%s: %+v, unknown %v", f.Ref.Key(), l, f.Unknown)
	}
	for _, text := range []*string{l.Description, l.LongDescription, l.LongDescriptionHeading} {
		if text != nil && (*text == "" || strings.ContainsAny(*text, "<>") || strings.Contains(*text, "**") || strings.TrimSpace(*text) != *text) {
			t.Errorf("%s: text %q", f.Ref.Key(), *text)
		}
	}
	for _, media := range [][]sparki.ListingMedia{l.Images, l.FloorPlans, l.OtherMedia} {
		for i, m := range media {
			if u, err := url.Parse(m.URL); err != nil || m.ExternalID == "" || m.Position != i || strings.Contains(m.ExternalID, "check") || !u.IsAbs() {
				t.Errorf("%s: medium %+v", f.Ref.Key(), m)
			}
		}
	}
	for _, row := range l.Details {
		if row.Value == "" || row.Label == "" || strings.Contains(row.Value, "_") {
			t.Errorf("%s: row %+v", f.Ref.Key(), row)
		}
	}
}

// TestMockRefusesAsTheClientSays spoils the settings of the mock one by one.
func TestMockRefusesAsTheClientSays(t *testing.T) {
	t.Parallel()
	crm := New().Mock(providers.MockOptions{Store: memstore.New(), BaseURL: "https://mock.example/realworks"})
	secret := func(key string, value sparki.Secret) func(*sparki.Settings) {
		return func(s *sparki.Settings) { s.Secrets[key] = []sparki.Secret{value} }
	}
	tests := map[string]struct {
		spoil func(*sparki.Settings)
		kind  sparki.Kind
		words string
	}{
		"token":          {secret(settingToken, "wrong"), sparki.Unauthorized, "API token"},
		"relaties token": {secret(settingRelatiesToken, "wrong"), sparki.Misconfigured, "API Relaties"},
		"agenda token":   {secret(settingAgendaToken, "wrong"), sparki.Misconfigured, "API Agenda"},
		"path":           {func(s *sparki.Settings) { s.Text[settingBaseURL] += "/v3" }, sparki.Misconfigured, "API base URL"},
		"other API": {func(s *sparki.Settings) { s.Secrets[settingToken] = s.Secrets[settingAgendaToken] },
			sparki.Misconfigured, "for none of the APIs"},
		"afdeling": {func(s *sparki.Settings) { s.Lists[settingAfdelingen] = []string{"1"} }, sparki.Misconfigured, "afdeling codes"},
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
