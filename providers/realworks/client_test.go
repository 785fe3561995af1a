package realworks

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sparki.app/integrations"
)

// TestCheckSaysWhatIsWrong is what an office reads when it saves settings that do not work.
func TestCheckSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	const (
		badToken = `{"error":"Het opgegeven token is niet geldig."}`
		badIP    = `{"error":"Voor dit token is een IP bereik opgegeven; 203.0.113.9 valt daar niet in."}`
	)
	all := func(s *sparki.Settings) {
		s.Lists[settingAfdelingen] = []string{sampleAfdeling}
		s.Secrets[settingRelatiesToken] = []sparki.Secret{"canary-relaties"}
		s.Secrets[settingAgendaToken] = []sparki.Secret{"canary-agenda"}
	}
	for name, test := range map[string]struct {
		path, body string
		status     int
		kind       sparki.Kind
		words      string
	}{
		"token":             {"/", badToken, 401, sparki.Unauthorized, "does not accept the API token"},
		"one API":           {"/bog/", badToken, 401, "", ""},
		"IP range":          {"/", badIP, 403, sparki.Misconfigured, "IP addresses"},
		"IP range, one API": {"/bog/", badIP, 403, sparki.Misconfigured, "IP addresses"},
		"gateway":           {"/wonen", `{"message":"Forbidden"}`, 403, sparki.Misconfigured, "no Realworks API at the API base URL"},
		"other 403":         {"/wonen", `{"error":"Geen toegang"}`, 403, sparki.Misconfigured, "access to the API Wonen"},
		"no page":           {"/", `<html>`, 404, sparki.Misconfigured, "API base URL"},
		"nothing released":  {"/", `{"resultaten":[],"paginering":{"totaalAantal":0}}`, 200, sparki.Misconfigured, "release level"},
		"one not released":  {"/bog/", `{"resultaten":[],"paginering":{"totaalAantal":0}}`, 200, "", ""},
		"away":              {"/nieuwbouw/", ``, 503, sparki.Unavailable, "at the moment"},
		"relaties token":    {"/relaties/", badToken, 401, sparki.Misconfigured, "the token for the API Relaties"},
		"relaties IP":       {"/relaties/", badIP, 403, sparki.Misconfigured, "IP addresses"},
		"agenda token":      {"/agenda/", badToken, 401, sparki.Misconfigured, "the token for the API Agenda"},
		"no such afdeling":  {"/agenda/", `{"foutmeldingen":["x"]}`, 404, sparki.Misconfigured, "check the afdeling codes"},
		"agenda away":       {"/agenda/", ``, 429, sparki.Unavailable, "fewer calls"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUpstream(30)
			s := liveSettings()
			all(&s)
			line, err := New().Connect(s, local(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.HasPrefix(r.URL.Path, test.path):
					w.WriteHeader(test.status)
					_, _ = io.WriteString(w, test.body)
				case r.Header.Get("Authorization") == "rwauth canary-relaties" && r.URL.Path == "/relaties/v1/medewerker",
					r.Header.Get("Authorization") == "rwauth canary-agenda" && r.URL.Path == "/agenda/v3/types/935001":
					_, _ = io.WriteString(w, "[]")
				default:
					u.ServeHTTP(w, r)
				}
			})))
			if err != nil {
				t.Fatal(err)
			}
			err = line.Check(t.Context())
			if sparki.KindOf(err) != test.kind || !strings.Contains(sparki.TextOf(err), test.words) || err != nil && strings.Contains(err.Error(), "203.0.113.9") {
				t.Errorf("%s: %v", sparki.KindOf(err), err)
			}
		})
	}
}

func TestTwoCallsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		u := newUpstream(10)
		line, err := New().Connect(liveSettings(), local(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			most.Store(max(most.Load(), now.Add(1)))
			<-time.After(time.Second)
			now.Add(-1)
			u.ServeHTTP(w, r)
		})))
		if err != nil {
			t.Fatal(err)
		}
		start, done := time.Now(), make(chan error)
		for range 8 {
			go func() {
				_, err := line.Listing(t.Context(), sparki.Ref{Type: "wonen-object", ID: objectID(0)})
				done <- err
			}()
		}
		for range 8 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if most.Load() != 2 || time.Since(start) != 4*time.Second {
			t.Errorf("%d at once, %v", most.Load(), time.Since(start))
		}
	})
}
