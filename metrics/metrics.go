// Package metrics tells Prometheus how the program is doing. What it tells names integrations, kinds
// and outcomes: never a customer, a secret or what stands in a listing. A label has few values.
package metrics

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	readWithin    = 5 * time.Second // all that one gauge may take
	headerTimeout = 5 * time.Second
	stopWithin    = 2 * time.Second
	atOnce        = 4 // scrapes
)

// Metrics are the program's metrics. Safe for concurrent use.
type Metrics struct {
	// Ready answers GET /readyz, beside the metrics.
	Ready http.Handler

	registry *prometheus.Registry
	log      *slog.Logger
	instruments
}

// New makes metrics that tell of this process: memory, descriptors, goroutines, garbage collection.
func New(log *slog.Logger) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), log: log, Ready: http.NotFoundHandler()}
	m.instruments = newInstruments(m.registry)
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Gauge names a value that rises and falls: sparki_ in front, its unit at the end.
type Gauge struct{ Name, Help string }

// Row is one value of each gauge that is read together, and the values of their labels.
type Row struct {
	Labels []string
	Values []float64
}

// Read adds gauges with common labels whose values are read together when Prometheus asks. Those of the
// whole system are told by every process alike: take the max over processes, not the sum. While they cannot
// be read they are left out, and all others are told.
func (m *Metrics) Read(labels []string, read func(context.Context) ([]Row, error), gauges ...Gauge) {
	r := &reader{read: read}
	for _, g := range gauges {
		r.gauges = append(r.gauges, prometheus.NewDesc(g.Name, g.Help, labels, nil))
	}
	m.registry.MustRegister(r)
}

// reader is a collector of gauges that are read together.
type reader struct {
	gauges []*prometheus.Desc
	read   func(context.Context) ([]Row, error)
}

// Describe names the gauges.
func (r *reader) Describe(found chan<- *prometheus.Desc) {
	for _, gauge := range r.gauges {
		found <- gauge
	}
}

// Collect reads the gauges.
func (r *reader) Collect(found chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readWithin)
	defer cancel()
	rows, err := r.read(ctx)
	if err != nil {
		found <- prometheus.NewInvalidMetric(r.gauges[0], err)
		return
	}
	for _, row := range rows {
		for n, gauge := range r.gauges {
			found <- prometheus.MustNewConstMetric(gauge, prometheus.GaugeValue, row.Values[n], row.Labels...)
		}
	}
}

// Handler answers GET /metrics, GET /healthz (alive) and GET /readyz: a worker has no other port to ask.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
		Registry: m.registry, MaxRequestsInFlight: atOnce,
	}))
	mux.Handle("GET /readyz", m.Ready)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("alive\n")) })
	return mux
}

// Serve answers on a listener of its own until the context ends.
func (m *Metrics) Serve(ctx context.Context, listener net.Listener) error {
	srv := &http.Server{Handler: m.Handler(), ReadHeaderTimeout: headerTimeout, ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelDebug)}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(listener) }()
	m.log.Info("metrics are served", slog.String("metrics", listener.Addr().String()))
	select {
	case err := <-failed:
		return fmt.Errorf("serve metrics: %w", err)
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	return srv.Shutdown(ctx)
}
