package kolibri

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
)

var update = flag.Bool("update", false, "write the golden files")

// The account of the samples. Everybody and everything in testdata is invented; the samples of the
// contract are there under their own names.
const (
	sampleAgency = "5b0c9a2e-7d41-4c36-9f58-1e2a6c3d4b70"
	sampleOffice = "c1a7e6b4-3f52-4d0e-8b19-0a6d5e7f9c21"
	sampleSecret = "kolibri-test-psk-0001"
)

var sampleAccount = account{baseURL: "https://sandbox-api.kolibri24.com/v3", agencyID: sampleAgency}

// samples are the names of the files in testdata that begin with prefix, without extensions.
func samples(t testing.TB, prefix string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", prefix+"*.json"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".json"); !strings.HasSuffix(name, ".golden") {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		t.Fatalf("no sample begins with %q", prefix)
	}
	return names
}

func sample(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// golden compares what became of a sample with its golden file.
func golden(t *testing.T, name string, got any) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(got); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name+".golden.json")
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%s is not what it was; look at the difference after go test -update.\ngot:\n%s", file, b.Bytes())
	}
}

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
		for _, name := range samples(t, prefix) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				body := sample(t, name)
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
				golden(t, name, goldenFound{
					f.Ref.Key(), f.ModifiedAt, f.Inactive, f.ObjectCode, f.AgencyID, f.OfficeID, f.EmployeeIDs, f.Unknown, f.Listing,
				})
			})
		}
	}
}

func TestGoldenSearch(t *testing.T) {
	t.Parallel()
	for _, name := range samples(t, "assignments-search") {
		golden(t, name, pageFrom(resultsFrom(gjson.ParseBytes(sample(t, name))), 0, time.Time{}))
	}
}

func TestGoldenWebhooks(t *testing.T) {
	t.Parallel()
	for _, name := range samples(t, "webhook-") {
		body := sample(t, name)
		messages, err := New().Changes(sampleSettings(), signed(body), body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		golden(t, name, messages)
	}
}

func TestGoldenRefusals(t *testing.T) {
	t.Parallel()
	for _, name := range samples(t, "error-") {
		status, err := strconv.Atoi(strings.Split(name, "-")[1])
		if err != nil {
			t.Fatal(err)
		}
		c := newConn(staticAccount(), answering(status, string(sample(t, name))))
		_, err = c.Listing(t.Context(), firstObject)
		e, ok := errors.AsType[*sparki.Error](err)
		if !ok {
			t.Fatalf("%s: %v", name, err)
		}
		golden(t, name, map[string]string{"kind": string(e.Kind), "text": e.Text})
	}
}

var (
	_ providers.Conn   = (*conn)(nil)
	_ providers.Agenda = (*conn)(nil)
)
