package realworks

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/dutch"
	"sparki.app/integrations/providers/rest"
)

func local(h http.Handler) http.RoundTripper { return rest.Local(h) }

// answering is a Realworks that always says the same.
func answering(status int, body string) http.RoundTripper {
	return local(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
}

const (
	sampleToken = "canary-a2b1c6f4-9d3e-4b57-8f21-5c7e1d9a0b36"
	sampleBase  = "https://api.realworks.nl"
)

// liveSettings are good for an upstream.
func liveSettings() sparki.Settings {
	return sparki.Settings{
		Text:    map[string]string{settingBaseURL: sampleBase},
		Lists:   map[string][]string{},
		Toggles: map[string]bool{},
		Secrets: map[string][]sparki.Secret{settingToken: {sampleToken}},
	}
}

// upstream is a small fake of Realworks whose every answer a test can foresee. The mock CRM is a
// whole one; the client reads it in crm_test.go.
type upstream struct {
	// objects is how many there are, one modified an hour after the other. Of ten, eight are Wonen, one
	// is Business and one Nieuwbouw.
	objects int
	// without are the segments of the APIs that the token is not for.
	without map[string]bool
	// versions are those that are there; nil for all.
	versions map[string]bool

	mu    sync.Mutex
	calls []string // paths with their queries
}

func newUpstream(objects int) *upstream {
	return &upstream{objects: objects, without: map[string]bool{}}
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

func segmentOf(i int) string {
	switch i % 10 {
	case 8:
		return "bog"
	case 9:
		return "nieuwbouw"
	default:
		return "wonen"
	}
}

func objectID(i int) string { return fmt.Sprintf("%s/LM%06d", sampleAfdeling, 100000+i) }

func objectTime(i int) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Hour)
}

// nativeObject is object i as Realworks sends it.
func nativeObject(i int) map[string]any {
	codes := map[string]any{"objectcode": fmt.Sprintf("LM%06d", 100000+i), "afdelingscode": sampleAfdeling}
	o := map[string]any{
		"diversen":                 map[string]any{"diversen": codes},
		"tijdstipLaatsteWijziging": objectTime(i).In(dutch.Time).Format(time.DateTime),
	}
	if segmentOf(i) == "nieuwbouw" {
		o["project"] = map[string]any{
			"id": 1000 + i, "algemeen": map[string]any{"omschrijving": fmt.Sprintf("Project %d", i), "status": "BESCHIKBAAR", "plaats": "Edam"},
			"diversen": map[string]any{"diversen": codes},
		}
		delete(o, "diversen")
		return o
	}
	o["id"], o["actief"], o["status"] = 1000+i, true, "BESCHIKBAAR"
	o["adres"] = map[string]any{"straat": "Straat", "huisnummer": map[string]any{"hoofdnummer": fmt.Sprint(i + 1)}, "plaats": "EDAM"}
	o["financieel"] = map[string]any{"overdracht": map[string]any{"status": "BESCHIKBAAR", "koopprijs": 300_000 + i}}
	return o
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	u.calls = append(u.calls, r.URL.RequestURI())
	u.mu.Unlock()
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	refuse := func(status int, body string) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
	steps := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case r.Header.Get("Authorization") != "rwauth "+sampleToken:
		refuse(401, `{"error":"Het token `+r.Header.Get("Authorization")+` is niet geldig."}`)
	case r.URL.Path == "/makelaars/v1":
		_, _ = io.WriteString(w, `{"resultaten":[]}`)
	case steps[0] != "wonen" && steps[0] != "bog" && steps[0] != "nieuwbouw":
		refuse(403, `{"message":"Forbidden"}`)
	case u.without[steps[0]]:
		refuse(401, `{"error":"Het token is niet geldig."}`)
	case len(steps) == 3 && (u.versions == nil || u.versions[steps[1]]):
		u.list(w, r, steps[0])
	case len(steps) == 5 && (u.versions == nil || u.versions[steps[1]]):
		for i := range u.objects {
			if segmentOf(i) == steps[0] && objectID(i) == steps[3]+"/"+steps[4] {
				_ = json.NewEncoder(w).Encode(nativeObject(i))
				return
			}
		}
		refuse(404, `{"foutmeldingen":["Object niet gevonden"]}`)
	default:
		refuse(404, `{"error":"Resource not found"}`)
	}
}

func (u *upstream) list(w http.ResponseWriter, r *http.Request, segment string) {
	query := r.URL.Query()
	size, _ := strconv.Atoi(query.Get("aantal"))
	after, _ := strconv.Atoi(query.Get("vanaf"))
	rows, total, last, more := []map[string]any{}, 0, 0, false
	for i := range u.objects {
		if segmentOf(i) != segment || query.Has("gewijzigdNa") && objectTime(i).In(dutch.Time).Format("2006-01-02T15:04:05") <= query.Get("gewijzigdNa") {
			continue
		}
		total++
		switch {
		case 1000+i <= after:
		case len(rows) < size:
			rows, last = append(rows, nativeObject(i)), 1000+i
		default:
			more = true
		}
	}
	paging := map[string]any{"totaalAantal": total}
	if more {
		query.Set("vanaf", fmt.Sprint(last))
		paging["volgende"] = sampleBase + r.URL.Path + "?" + query.Encode()
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"resultaten": rows, "paginering": paging})
}
