package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"sparki.app/integrations/providers/kolibri"
	"sparki.app/integrations/providers/mockkit"
)

// scrape gives what Prometheus is told.
func (b *bundle) scrape(t *testing.T) string {
	t.Helper()
	answer := httptest.NewRecorder()
	b.metrics.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Errorf("/metrics answers %d", answer.Code)
	}
	return answer.Body.String()
}

// value is the value of a series, -1 when there is none. Labels come in the order of their names.
func value(scraped, name, labels string) float64 {
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name+"{"+labels+"}") + ` (.*)$`).FindStringSubmatch(scraped)
	if found == nil {
		return -1
	}
	n, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		return -1
	}
	return n
}

// A webhook, its fetch and the API leave their marks, in series that name no customer, and every metric
// stands in the operator's table.
func TestMetrics(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	h.office.respells(lindelaan, func(entity map[string]any) {
		entity["modificationDate"] = "2027-01-01T00:00:00Z"
		entity["listingType"] = "Ruimteschip" // so that there is a mapping gap
	})
	h.settled(t, h.accepted(t, kolibri.Envelope(update("", lindelaan))))
	h.deliver(t, h.integration, "another secret of some length", kolibri.Envelope(update("", lindelaan)))
	h.ask(t, h.token, `{ viewer { name } }`, nil)
	h.ask(t, h.token, `{ nothing }`, nil)
	open := subscribe(t, h.url, h.token, `subscription ($id: ID) { syncStatusChanged(integrationId: $id) { state } }`, map[string]any{"id": h.integration})
	open.next(t, "next")

	integration := fmt.Sprintf(`integration="%s",outcome="2xx",provider="kolibri"`, h.integration)
	var scraped string
	eventually(t, "everything to be told", func() bool {
		scraped = h.scrape(t)
		for _, series := range [][2]string{
			{"sparki_webhook_deliveries_total", `answer="accepted",provider="kolibri"`},
			{"sparki_webhook_deliveries_total", `answer="unverified",provider="kolibri"`},
			{"sparki_http_request_duration_seconds_count", `code="202",method="post",route="/webhooks/kolibri/v1/{id}"`},
			{"sparki_http_request_duration_seconds_count", `code="401",method="post",route="/webhooks/kolibri/v1/{id}"`},
			{"sparki_http_request_duration_seconds_count", `code="200",method="post",route="/graphql"`},
			{"sparki_graphql_operation_duration_seconds_count", `kind="query",outcome="OK"`},
			{"sparki_graphql_operation_duration_seconds_count", `kind="",outcome="BAD_USER_INPUT"`},
			{"sparki_graphql_operation_duration_seconds_count", `kind="subscription",outcome="OK"`},
			{"sparki_job_duration_seconds_count", `job="inbox:read",outcome="done"`},
			{"sparki_job_duration_seconds_count", `job="items:fetch",outcome="done"`},
			{"sparki_job_duration_seconds_count", `job="run:continue",outcome="done"`},
			{"sparki_crm_call_duration_seconds_count", `outcome="2xx",provider="kolibri"`},
			{"sparki_crm_integration_call_seconds_count", integration},
			{"sparki_db_connections", `state="max"`},
		} {
			if value(scraped, series[0], series[1]) < 1 {
				return false
			}
		}
		return strings.Contains(scraped, "\nsparki_open_streams 1\n")
	})
	for series, want := range map[[2]string]float64{
		{"sparki_crm_breaker_state", fmt.Sprintf(`integration="%s",provider="kolibri"`, h.integration)}: 0,
		{"sparki_work_waiting", `work="messages"`}:                                                      0,
		{"sparki_work_lag_seconds", `work="fetches"`}:                                                   0,
		{"sparki_work_stuck", `work="fetches"`}:                                                         0,
		{"sparki_queue_tasks", `queue="items",state="archived"`}:                                        0,
	} {
		if got := value(scraped, series[0], series[1]); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	for _, canary := range []string{h.portal.Name, h.secret, h.token, lindelaan, "Lindelaan", "Ruimteschip", "Jansen", h.office.url} {
		if strings.Contains(strings.ToLower(scraped), strings.ToLower(canary)) {
			t.Errorf("the metrics show %q", canary)
		}
	}
	h.exec(t, `insert into fetches (portal_id, id, integration_id, source_type, external_id, note, cause, state)
		select portal_id, gen_random_uuid(), id, 'object-assignment', 'stuck', '', 'WEBHOOK', 'FAILED' from integrations`)
	if got := value(h.scrape(t), "sparki_work_stuck", `work="fetches"`); got != 1 {
		t.Errorf("%v fetches are stuck", got)
	}

	manual, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	names := func(text string, pattern string) []string {
		var all []string
		for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			all = append(all, found[1])
		}
		slices.Sort(all)
		return slices.Compact(all)
	}
	if written, shown := names(string(manual), "(?m)^\\| `(sparki_[a-z_]+)"), names(scraped, `(?m)^# TYPE (sparki_[a-z_]+)`); !slices.Equal(written, shown) {
		t.Errorf("docs/operations.md lists\n%q\nand /metrics\n%q", written, shown)
	}
}

// A CRM that fails is told of as such, and so is that it is left alone.
func TestBreakerMetrics(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	h.office.faults.Add(mockkit.Fault{Kind: mockkit.FaultStatus, Status: http.StatusServiceUnavailable, Times: -1})
	for range crmFailures + 1 {
		h.ask(t, h.token, `mutation ($id: ID!) { checkConnection(integrationId: $id) { integration { connection { state } } } }`, map[string]any{"id": h.integration})
	}
	scraped := h.scrape(t)
	if got := value(scraped, "sparki_crm_breaker_state", fmt.Sprintf(`integration="%s",provider="kolibri"`, h.integration)); got != 2 {
		t.Errorf("the breaker is %v", got)
	}
	for _, outcome := range []string{"5xx", "open"} {
		if value(scraped, "sparki_crm_call_duration_seconds_count", fmt.Sprintf(`outcome="%s",provider="kolibri"`, outcome)) < 1 {
			t.Errorf("no call ended as %s", outcome)
		}
	}
}

// Prometheus is told how much a mapping does not know, and never what: a name may be a customer's.
func TestMappingGapMetrics(t *testing.T) {
	t.Parallel()
	forKinds(t, testMappingGapMetrics)
}

func testMappingGapMetrics(t *testing.T, k kind) {
	h := newHookOf(t, k)
	read := func() (names, objects string) {
		body := h.scrape(t)
		for _, canary := range []string{"ruimteschip", "dwaalgast", h.secret, h.portal.Name} {
			if canary != "" && strings.Contains(strings.ToLower(body), strings.ToLower(canary)) {
				t.Errorf("the metrics show %q", canary)
			}
		}
		total := func(name string) string {
			found := regexp.MustCompile(fmt.Sprintf(`(?m)^%s\{integration="%s",kind="VALUE",provider="%s"\} (.*)$`, name, h.integration, k.key)).FindStringSubmatch(body)
			if found == nil {
				return ""
			}
			return found[1]
		}
		return total("sparki_mapping_gaps"), total("sparki_mapping_gap_objects")
	}
	before, _ := read()
	says := speakers[k.key]
	h.office.respells(k.house, func(entity map[string]any) {
		says.changed(entity)
		says.unknown(entity)
		entity["dwaalgast"] = "Jansen"
	})
	h.refreshed(t, k.house)
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
		if got := readiness(t, "http://"+taken); got.status != http.StatusOK || got.Redis != "ok" {
			t.Errorf("%s is %+v", command, got)
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
