package realworks

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/providertest"
)

// Everybody and everything in testdata is invented; the samples of the contract are there under their
// own names.
const sampleAfdeling = "935001"

var sampleAccount = account{baseURL: "https://api.realworks.nl", token: sampleToken, agendaToken: sampleToken, relatiesToken: sampleToken}

// objectSamples are the names of the samples of objects, of all three kinds.
func objectSamples(t testing.TB) (names []string) {
	for _, prefix := range []string{"wonen_v3_object", "wonen_v2_object", "bog_v3_object", "bog_v2_object", "nieuwbouw_v2_project"} {
		names = append(names, providertest.Samples(t, prefix)...)
	}
	return names
}

// goldenFound is a sparki.Found in a golden file: all but the raw answer.
type goldenFound struct {
	Ref          string                `json:"ref"`
	ModifiedAt   time.Time             `json:"modifiedAt"`
	Inactive     sparki.InactiveReason `json:"inactive,omitempty"`
	ObjectCode   string                `json:"objectCode"`
	AfdelingCode string                `json:"afdelingCode"`
	Unknown      []string              `json:"unknown,omitempty"`
	Listing      *sparki.Listing       `json:"listing"`
}

// apiOfSample tells from a sample's name which API it is of.
func apiOfSample(t testing.TB, name string) *objectAPI {
	t.Helper()
	segment, _, _ := strings.Cut(name, "_")
	api := findAPI(func(api *objectAPI) bool { return api.segments[0] == segment })
	if api == nil {
		t.Fatalf("no API of %s", name)
	}
	return api
}

// foundIn maps a sample.
func foundIn(t testing.TB, name string, body []byte) *sparki.Found {
	t.Helper()
	o := objectFrom(apiOfSample(t, name), gjson.ParseBytes(body))
	d, ok := o.detail()
	if !ok {
		t.Fatalf("%s has no codes", name)
	}
	found, err := sampleAccount.mapped(d, body)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return found
}

func TestGoldenListings(t *testing.T) {
	t.Parallel()
	for _, name := range objectSamples(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := providertest.Sample(t, name)
			f := foundIn(t, name, body)
			if !bytes.Equal(f.Raw, body) {
				t.Error("Raw is not the answer as it came")
			}
			if f.Ref.ModifiedAt != f.ModifiedAt {
				t.Error("the reference has another modification time")
			}
			providertest.Golden(t, name, goldenFound{f.Ref.Key(), f.ModifiedAt, f.Inactive, f.ObjectCode, f.AfdelingCode, f.Unknown, f.Listing})
		})
	}
}

// TestContractsGoldenFile compares the mapping with the contract's own golden file (contract §7).
func TestContractsGoldenFile(t *testing.T) {
	t.Parallel()
	f := foundIn(t, "wonen_v3_object_house_for_sale", providertest.Sample(t, "wonen_v3_object_house_for_sale"))
	want := gjson.ParseBytes(providertest.Sample(t, "normalised_house_for_sale"))
	l := f.Listing
	value := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	categories := map[string]sparki.ProjectCategory{"house": sparki.CategoryHouse}
	statuses := map[string]sparki.ProjectStatus{"available": sparki.StatusAvailable}
	for path, got := range map[string]string{
		"bron.objectType": f.Ref.Type, "bron.objectCode": f.ObjectCode, "bron.afdelingscode": f.AfdelingCode,
		"titel": l.Title, "beschrijving": value(l.Description), "langeBeschrijvingKop": value(l.LongDescriptionHeading),
		"prijs.weergave": l.Price.Label, "locatie": l.Address.Label,
		"adres.straat": value(l.Address.Street), "adres.huisnummer": value(l.Address.HouseNumber), "adres.toevoeging": value(l.Address.HouseNumberAddition),
		"adres.postcode": value(l.Address.PostalCode), "adres.plaats": value(l.Address.City), "adres.provincie": value(l.Address.StateOrProvince),
		"medias.thumbnailUrl": value(l.ThumbnailURL),
	} {
		if got != want.Get(path).String() {
			t.Errorf("%s is %q, want %q", path, got, want.Get(path))
		}
	}
	if at, err := time.Parse(time.RFC3339, want.Get("bron.gewijzigdOp").Str); err != nil || !f.ModifiedAt.Equal(at) {
		t.Errorf("modified at %v, want %v", f.ModifiedAt, at)
	}
	if string(*l.Price.Amount) != want.Get("prijs.bedrag").Raw+".00" || *l.TransactionType != sparki.Sale ||
		l.Category != categories[want.Get("categorie").Str] || l.Status != statuses[want.Get("status").Str] ||
		!l.Address.Physical || value(l.Address.Country) != "NL" || l.Coordinates != nil {
		t.Errorf("%+v", l)
	}
	details := want.Get("details")
	rows := []string{"Slaapkamers " + details.Get("slaapkamers").Raw, "Badkamers " + details.Get("badkamers").Raw, "Woonoppervlakte " + details.Get("oppervlakte").Raw + " m²"}
	for _, row := range want.Get("extraDetails").Array() {
		rows = append(rows, row.Get("naam").Str+" "+row.Get("waarde").Str)
	}
	var got []string
	for _, row := range l.Details {
		got = append(got, strings.TrimSpace(row.Label+" "+row.Value+" "+value(row.Unit)))
	}
	if strings.Join(got, "; ") != strings.Join(rows, "; ") {
		t.Errorf("details\n%v, want\n%v", got, rows)
	}
	for list, media := range map[string][]sparki.ListingMedia{"images": l.Images, "floorPlans": l.FloorPlans} {
		wanted := want.Get("medias." + list).Array()
		if len(media) != len(wanted) {
			t.Fatalf("%d %s, want %d", len(media), list, len(wanted))
		}
		for i, w := range wanted {
			if m := media[i]; m.ExternalID != w.Get("key").Str || m.URL != w.Get("url").Str || value(m.MimeType) != w.Get("mimetype").Str ||
				value(m.Title) != w.Get("omschrijving").Str || m.Position != i {
				t.Errorf("%s %d is %+v, want %s", list, i, m, w)
			}
		}
	}
}

func TestGoldenLists(t *testing.T) {
	t.Parallel()
	for _, name := range providertest.Samples(t, "wonen_v3_list") {
		said, err := listFrom(providertest.Sample(t, name))
		if err != nil {
			t.Fatal(err)
		}
		page, err := newConn(sampleAccount, nil).pageFrom(said, position{api: &objectAPIs[0], version: "v3", total: 7}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Found) != len(page.Refs) {
			t.Errorf("%d of %d objects", len(page.Found), len(page.Refs))
		}
		page.Found = nil
		providertest.Golden(t, name, page)
	}
}

func TestGoldenWebhooks(t *testing.T) {
	t.Parallel()
	for _, name := range providertest.Samples(t, "webhook_") {
		messages, err := New().Changes(liveSettings(), nil, providertest.Sample(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		providertest.Golden(t, name, messages)
	}
}

func TestGoldenRefusals(t *testing.T) {
	t.Parallel()
	for _, name := range providertest.Samples(t, "error_") {
		status, err := strconv.Atoi(strings.Split(name, "_")[1])
		if err != nil {
			t.Fatal(err)
		}
		c := newConn(sampleAccount, answering(status, string(providertest.Sample(t, name))))
		_, err = c.Listing(t.Context(), sparki.Ref{Type: "wonen-object", ID: "935001/LM100231"})
		e, ok := errors.AsType[*sparki.Error](err)
		if !ok {
			t.Fatalf("%s: %v", name, err)
		}
		providertest.Golden(t, name, map[string]string{"kind": string(e.Kind), "text": e.Text})
	}
}

var _ providers.Conn = (*conn)(nil)

// canary stands where nobody looks.
const canary = "CANARY"
