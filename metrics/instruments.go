package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// seconds are the buckets of what somebody waits for, slow those of work in the background.
var (
	seconds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	slow    = []float64{.005, .025, .1, .5, 1, 2.5, 5, 15, 60, 300, 1200}
)

// instruments count what this process does. Their labels have few values, but for CRM calls: those have
// a handful for each integration that the process has called since it started.
type instruments struct {
	requests   *prometheus.HistogramVec
	operations *prometheus.HistogramVec
	deliveries *prometheus.CounterVec
	jobs       *prometheus.HistogramVec
	calls      *prometheus.HistogramVec
	byOffice   *prometheus.SummaryVec
}

func newInstruments(registry *prometheus.Registry) instruments {
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
		registry.MustRegister(h)
		return h
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		registry.MustRegister(c)
		return c
	}
	summary := func(name, help string, labels ...string) *prometheus.SummaryVec {
		s := prometheus.NewSummaryVec(prometheus.SummaryOpts{Name: name, Help: help}, labels)
		registry.MustRegister(s)
		return s
	}
	return instruments{
		requests: histogram("sparki_http_request_duration_seconds",
			"Time until the answer's header was written. Handshakes of websockets that succeed are not in it, event streams only with their beginning.", seconds, "route", "method", "code"),
		operations: histogram("sparki_graphql_operation_duration_seconds",
			"Time until the answer was made; until the first one, of a subscription. The outcome is OK or the first error's code.", seconds, "kind", "outcome"),
		jobs: histogram("sparki_job_duration_seconds",
			"Time that a worker took for all the work behind one bell.", slow, "job", "outcome"),
		calls: histogram("sparki_crm_call_duration_seconds",
			"Time until the answer of a live CRM was read, with the wait for the call's turn.", slow, "provider", "outcome"),
		byOffice: summary("sparki_crm_integration_call_seconds",
			"The same for each integration, without buckets.", "provider", "integration", "outcome"),
		deliveries: counter("sparki_webhook_deliveries_total",
			"Webhook deliveries whose body was read, by what became of them.", "provider", "answer"),
	}
}

// Requests measures what a handler answers. The handler, or one inside it, is a http.ServeMux: its patterns
// are the routes.
func (m *Metrics) Requests(next http.Handler) http.Handler {
	return promhttp.InstrumentHandlerTimeToWriteHeader(m.requests, next, promhttp.WithLabelFromRequest("route", func(r *http.Request) string { return r.Pattern }))
}

// Operation counts a GraphQL operation: its kind, "" when it was refused before anybody knew, and the code
// of its first error, "" for none.
func (m *Metrics) Operation(kind, code string, took time.Duration) {
	if code == "" {
		code = "OK"
	}
	m.operations.WithLabelValues(kind, code).Observe(took.Seconds())
}

// Delivery counts a webhook delivery.
func (m *Metrics) Delivery(provider, answer string) {
	m.deliveries.WithLabelValues(provider, answer).Inc()
}

// Job counts a job that ended.
func (m *Metrics) Job(job, outcome string, took time.Duration) {
	m.jobs.WithLabelValues(job, outcome).Observe(took.Seconds())
}

// Calls counts the calls to the live CRM of an integration.
func (m *Metrics) Calls(provider, integration string) func(outcome string, took time.Duration) {
	calls := m.calls.MustCurryWith(prometheus.Labels{"provider": provider})
	byOffice := m.byOffice.MustCurryWith(prometheus.Labels{"provider": provider, "integration": integration})
	return func(outcome string, took time.Duration) {
		calls.WithLabelValues(outcome).Observe(took.Seconds())
		byOffice.WithLabelValues(outcome).Observe(took.Seconds())
	}
}

// Now adds a gauge of this process whose value is asked for when Prometheus asks.
func (m *Metrics) Now(g Gauge, value func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: g.Name, Help: g.Help}, value))
}
