package kolibri

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

// The account of the samples. Everybody and everything in testdata is invented; the samples of the
// contract are there under their own names.
const (
	sampleAgency = "5b0c9a2e-7d41-4c36-9f58-1e2a6c3d4b70"
	sampleOffice = "c1a7e6b4-3f52-4d0e-8b19-0a6d5e7f9c21"
	sampleSecret = "kolibri-test-psk-0001"
)

var sampleAccount = account{baseURL: "https://sandbox-api.kolibri24.com/v3", agencyID: sampleAgency}

// goldenFound is a sparki.Found in a golden file: all but the raw answer.
type goldenFound struct {
	Ref         string                `json:"ref"`
	ModifiedAt  time.Time             `json:"modifiedAt"`
	Inactive    sparki.InactiveReason `json:"inactive,omitempty"`
	ObjectCode  string                `json:"objectCode"`
	AgencyID    string                `json:"agencyId"`
	OfficeID    string                `json:"officeId"`
	EmployeeIDs []string              `json:"employeeIds"`
	Unknown     []string              `json:"unknown,omitempty"`
	Listing     *sparki.Listing       `json:"listing"`
}

// kindOfSample tells from the key around an entity what kind it is, and its id.
func kindOfSample(t testing.TB, body []byte) (*assignmentKind, sparki.Ref) {
	t.Helper()
	if kind := findKind(func(k *assignmentKind) bool { return gjson.GetBytes(body, k.wrapper).Exists() }); kind != nil {
		return kind, sparki.Ref{Type: kind.source, ID: gjson.GetBytes(body, kind.wrapper+".id").Str}
	}
	t.Fatalf("no assignment: %.60s", body)
	return nil, sparki.Ref{}
}

func TestGoldenListings(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"object-", "project-"} {
		for _, name := range providertest.Samples(t, prefix) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				body := providertest.Sample(t, name)
				kind, ref := kindOfSample(t, body)
				f, err := sampleAccount.found(kind, ref, body)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(f.Raw, body) {
					t.Error("Raw is not the answer as it came")
				}
				if f.Ref.ModifiedAt != f.ModifiedAt {
					t.Error("the reference has another modification time")
				}
				providertest.Golden(t, name, goldenFound{
					f.Ref.Key(), f.ModifiedAt, f.Inactive, f.ObjectCode, f.AgencyID, f.OfficeID, f.EmployeeIDs, f.Unknown, f.Listing,
				})
			})
		}
	}
}

func TestGoldenSearch(t *testing.T) {
	t.Parallel()
	for _, name := range providertest.Samples(t, "assignments-search") {
		providertest.Golden(t, name, pageFrom(resultsFrom(gjson.ParseBytes(providertest.Sample(t, name))), 0, time.Time{}))
	}
}

func TestGoldenWebhooks(t *testing.T) {
	t.Parallel()
	for _, name := range providertest.Samples(t, "webhook-") {
		body := providertest.Sample(t, name)
		messages, err := New().Changes(sampleSettings(), signed(body), body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		providertest.Golden(t, name, messages)
	}
}

func TestGoldenRefusals(t *testing.T) {
	t.Parallel()
	for _, name := range providertest.Samples(t, "error-") {
		status, err := strconv.Atoi(strings.Split(name, "-")[1])
		if err != nil {
			t.Fatal(err)
		}
		c := newConn(staticAccount(), answering(status, string(providertest.Sample(t, name))))
		_, err = c.Listing(t.Context(), firstObject)
		e, ok := errors.AsType[*sparki.Error](err)
		if !ok {
			t.Fatalf("%s: %v", name, err)
		}
		providertest.Golden(t, name, map[string]string{"kind": string(e.Kind), "text": e.Text})
	}
}

var (
	_ providers.Conn   = (*conn)(nil)
	_ providers.Agenda = (*conn)(nil)
)
