package kolibri

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sparki.app/integrations"
)

// upstream is a small fake of Kolibri whose every answer a test can foresee. The mock CRM is a
// whole one; the client reads it in crm_test.go.
type upstream struct {
	// objects is how many there are, one modified an hour after the other.
	objects int
	// agencies gave consent to the client.
	agencies []string
	// lifetime is the expires_in of a token, as JSON; "" says nothing.
	lifetime string

	mu       sync.Mutex
	signIns  int
	refused  map[string]bool // access tokens that count no more
	searches []assignmentsRequest
}

const (
	sampleClientID     = "sparki-test"
	sampleClientSecret = "canary-client-secret"
	tokenPrefix        = "canary-access-token-"
)

// liveSettings are good for an upstream.
func liveSettings() sparki.Settings {
	return sparki.Settings{
		Text: map[string]string{
			settingBaseURL: "https://sandbox-api.kolibri24.com", settingAgency: sampleAgency, settingClientID: sampleClientID,
		},
		Lists: map[string][]string{},
		Secrets: map[string][]sparki.Secret{
			settingClientSecret: {sampleClientSecret}, settingWebhookSecret: {sampleSecret},
		},
	}
}

func newUpstream(objects int) *upstream {
	return &upstream{objects: objects, agencies: []string{sampleOffice, strings.ToUpper(sampleAgency)}, refused: map[string]bool{}}
}

// connection is a line to u.
func (u *upstream) connection(t *testing.T, change ...func(*sparki.Settings)) *conn {
	t.Helper()
	s := liveSettings()
	for _, c := range change {
		c(&s)
	}
	line, err := New().Connect(s, local(u))
	if err != nil {
		t.Fatal(err)
	}
	return line.(*conn)
}

func objectID(i int) string { return fmt.Sprintf("0b1ec700-0000-4a00-8000-%012d", i) }

func objectTime(i int) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Hour)
}

func isSignIn(r *http.Request) bool { return r.URL.Path == "/connect/token" }

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if isSignIn(r) {
		u.token(w, r)
		return
	}
	if !u.accepts(r.Header.Get("Authorization")) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	const v3 = "/v3/" + sampleAgency
	switch r.Method + " " + r.URL.Path {
	case "POST /v3/RealEstateAgencies/Search":
		u.searchAgencies(w, r)
	case "POST " + v3 + "/Assignments/Search":
		u.search(w, r)
	case "GET " + v3 + "/ObjectAssignments":
		u.read(w, r)
	default:
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprint(w, `{"message":"No HTTP resource was found that matches the request URI."}`)
	}
}

func (u *upstream) token(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.FormValue("grant_type") != "client_credentials" ||
		r.PostFormValue("client_id") != sampleClientID || r.PostFormValue("client_secret") != sampleClientSecret {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `{"error":"invalid_client","error_description":"secret `+sampleClientSecret+` is wrong"}`)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.signIns++
	lifetime := ""
	if u.lifetime != "" {
		lifetime = `,"expires_in":` + u.lifetime
	}
	_, _ = fmt.Fprintf(w, `{"access_token":"%s%d","token_type":"Bearer"%s}`, tokenPrefix, u.signIns, lifetime)
}

// accepts says whether a token was handed out and still counts.
func (u *upstream) accepts(authorization string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	token, ok := strings.CutPrefix(authorization, "Bearer "+tokenPrefix)
	return ok && token != "" && !u.refused[tokenPrefix+token]
}

// refuse lets no token that was handed out so far count any more.
func (u *upstream) refuse() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := range u.signIns {
		u.refused[fmt.Sprint(tokenPrefix, i+1)] = true
	}
}

func (u *upstream) searchAgencies(w http.ResponseWriter, r *http.Request) {
	var request agenciesRequest
	_ = json.NewDecoder(r.Body).Decode(&request)
	rows := []map[string]string{}
	for _, id := range page(u.agencies, request.Skip, request.Take) {
		rows = append(rows, map[string]string{"id": id, "name": "Agency " + id})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"resultCount": len(rows), "totalResults": len(u.agencies), "results": rows})
}

func (u *upstream) search(w http.ResponseWriter, r *http.Request) {
	var request assignmentsRequest
	_ = json.NewDecoder(r.Body).Decode(&request)
	u.mu.Lock()
	u.searches = append(u.searches, request)
	u.mu.Unlock()
	all := []map[string]any{}
	for i := range u.objects {
		all = append(all, map[string]any{
			"id": strings.ToUpper(objectID(i)), "typeOfAssignment": "Object", "dateTimeModified": objectTime(i).Format(time.RFC3339),
		})
	}
	if request.Order == "Descending" {
		slices.Reverse(all)
	}
	rows := page(all, request.Skip, request.Take)
	_ = json.NewEncoder(w).Encode(map[string]any{"resultCount": len(rows), "totalResults": len(all), "results": rows})
}

// page cuts a page out of a list, of a hundred at most, whatever was asked for (contract §2).
func page[T any](all []T, skip, take int) []T {
	skip = min(skip, len(all))
	return all[skip:min(skip+min(take, 100), len(all))]
}

func (u *upstream) read(w http.ResponseWriter, r *http.Request) {
	for i := range u.objects {
		if objectID(i) == r.URL.Query().Get("id") {
			_, _ = fmt.Fprintf(w, `{"objectAssignment":{"id":%q,"realEstateAgencyId":%q,"isActive":true,"displayName":"Straat %d, EDAM",
				"listingType":"House","assignmentPhase":"Initiated","availabilityStatus":"Available","forSale":true,
				"dateTimeModified":%q,"linkedOffice":{"id":%q}}}`, objectID(i), sampleAgency, i, objectTime(i).Format(time.RFC3339), sampleOffice)
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
	_, _ = fmt.Fprint(w, `{"message":"ObjectAssignment not found."}`)
}
