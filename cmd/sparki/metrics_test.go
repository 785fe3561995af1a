package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"sparki.app/integrations/providers/kolibri"
)

// Prometheus is told how much a mapping does not know, and never what: a name may be a customer's.
func TestMappingGapMetrics(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	read := func() (names, objects string) {
		answer := httptest.NewRecorder()
		h.metrics().Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		body := answer.Body.String()
		for _, canary := range []string{"ruimteschip", "dwaalgast", h.secret, h.portal.Name} {
			if strings.Contains(strings.ToLower(body), strings.ToLower(canary)) {
				t.Errorf("the metrics show %q", canary)
			}
		}
		value := func(name string) string {
			found := regexp.MustCompile(fmt.Sprintf(`(?m)^%s\{integration="%s",kind="VALUE",provider="kolibri"\} (.*)$`, name, h.integration)).FindStringSubmatch(body)
			if answer.Code != http.StatusOK || found == nil {
				return ""
			}
			return found[1]
		}
		return value("sparki_mapping_gaps"), value("sparki_mapping_gap_objects")
	}
	before, _ := read()
	h.office.respells(lindelaan, func(entity map[string]any) {
		entity["modificationDate"] = "2027-01-01T00:00:00Z"
		entity["listingType"], entity["dwaalgast"] = "Ruimteschip", "Jansen"
	})
	h.settled(t, h.accepted(t, kolibri.Envelope(update("", lindelaan))))
	names, objects := read()
	if names == "" || names == before || objects == "" {
		t.Errorf("%q values are not known, of %q objects; before it were %q", names, objects, before)
	}
	resp, err := http.Get(h.url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("the API's own port answers /metrics with %d", resp.StatusCode)
	}
}

// Each process that works tells its metrics at METRICS_ADDR, and a port that is taken stops its start.
func testMetrics(t *testing.T, p *program) {
	p.must(t, "migrate")
	taken := ""
	for _, command := range []string{"serve", "worker"} {
		s := p.with(map[string]string{"METRICS_ADDR": "127.0.0.1:0"}).start(t, command)
		taken = s.logged(t, "metrics")
		resp, err := http.Get("http://" + taken + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s answers %d", command, resp.StatusCode)
		}
		if command == "serve" {
			if code := s.stop(t, syscall.SIGTERM); code != 0 {
				t.Errorf("%s ended with %d", command, code)
			}
		}
	}
	r := p.with(map[string]string{"METRICS_ADDR": taken}).run(t, "serve")
	if r.code != 1 || !strings.Contains(r.stderr, "METRICS_ADDR") {
		t.Errorf("on a port that is taken: exit %d, %s", r.code, r.stderr)
	}
}
