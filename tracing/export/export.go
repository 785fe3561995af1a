// Package export sends traces to an OpenTelemetry collector. What goes into them is decided in tracing.
package export

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

const (
	sendWithin  = 10 * time.Second // one batch, with its repetitions
	flushWithin = 3 * time.Second  // all that is left, at the end
	quietFor    = time.Minute      // between two lines of log about a collector that is away
)

// Options are what traces are sent with.
type Options struct {
	// Endpoint is the base URL of a collector that takes OTLP over HTTP; /v1/traces is appended. "" sends
	// nothing: spans then have ids and record nothing.
	Endpoint string
	// Exporter takes the place of Endpoint; for tests.
	Exporter trace.SpanExporter
	// Service is the name of the process among others.
	Service string
	Log     *slog.Logger
}

// Provider makes the spans and sends them, from a bounded queue and in the background: while the collector
// is away or slow they are dropped, and nobody waits.
type Provider struct {
	*trace.TracerProvider
	reporter *reporter
}

// Check says what is wrong with an endpoint.
func Check(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("want the http(s) URL of a collector, without credentials, query or fragment")
	}
	return nil
}

// New makes a provider. It connects to nothing yet. OpenTelemetry's own variables count as well, such as
// OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER and OTEL_EXPORTER_OTLP_HEADERS.
func New(ctx context.Context, o Options) (*Provider, error) {
	r := &reporter{log: o.Log}
	exporter := o.Exporter
	if exporter == nil && o.Endpoint == "" {
		return &Provider{trace.NewTracerProvider(trace.WithSampler(trace.NeverSample()), trace.WithResource(resource.Empty())), r}, nil
	}
	if exporter == nil {
		u, err := url.Parse(o.Endpoint)
		if err != nil {
			return nil, err // see Check
		}
		if exporter, err = otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(u.JoinPath("v1/traces").String())); err != nil {
			return nil, fmt.Errorf("export traces: %w", err)
		}
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(attribute.String("service.name", o.Service)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("export traces: %w", err)
	}
	otel.SetErrorHandler(r) // for what the SDK complains of by itself
	return &Provider{trace.NewTracerProvider(trace.WithResource(about),
		trace.WithBatcher(&reporting{exporter, r}, trace.WithExportTimeout(sendWithin))), r}, nil
}

// Close sends what is left, for a few seconds at most. No span begins after it.
func (p *Provider) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), flushWithin)
	defer cancel()
	if err := p.Shutdown(ctx); err != nil {
		p.reporter.Handle(err)
	}
}

// reporting is an exporter whose failures are reported and then over: there is nobody else to tell.
type reporting struct {
	trace.SpanExporter
	to *reporter
}

// ExportSpans sends spans.
func (r *reporting) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	if err := r.SpanExporter.ExportSpans(ctx, spans); err != nil {
		r.to.Handle(err)
	}
	return nil
}

// reporter logs failures, once in a while.
type reporter struct {
	log    *slog.Logger
	mu     sync.Mutex
	quiet  time.Time // until then
	hidden int       // failures since the last line
}

// Handle logs a failure unless one was logged a moment ago.
func (r *reporter) Handle(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Now().Before(r.quiet) {
		r.hidden++
		return
	}
	r.log.Warn("traces are not sent", slog.Any("error", err), slog.Int("before", r.hidden))
	r.quiet, r.hidden = time.Now().Add(quietFor), 0
}
