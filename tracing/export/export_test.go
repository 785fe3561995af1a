package export

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"sparki.app/integrations/tracing"
)

// What has ended is at the collector when the program ends.
func TestExport(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &request)
		}
		if err != nil || r.URL.Path != "/base/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, resource := range request.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				for _, span := range scope.Spans {
					got = append(got, span.Name+" of "+fmt.Sprint(resource.Resource.Attributes))
				}
			}
		}
	}))
	defer server.Close()
	p, err := New(t.Context(), Options{Endpoint: server.URL + "/base/", Service: "sparki-test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tracing.Root(t.Context(), p, "job")
	span.End()
	p.Close()
	mu.Lock()
	defer mu.Unlock()
	if len(got) != 1 || !strings.HasPrefix(got[0], "job of ") || !strings.Contains(got[0], "sparki-test") {
		t.Errorf("the collector got %q", got)
	}
}

// A collector that never answers slows nobody, holds the end up for a few seconds and not longer, and fills no log.
func TestCollectorAway(t *testing.T) {
	t.Parallel()
	arrived, done := make(chan struct{}, 100), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-done
	}))
	defer server.Close()
	defer close(done)
	log := &buffer{}
	p, err := New(t.Context(), Options{Endpoint: server.URL, Service: "sparki-test", Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range 10_000 { // many times the queue
		_, span := tracing.Root(t.Context(), p, "job")
		span.End()
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("10,000 spans took %v", took)
	}
	<-arrived
	began = time.Now()
	p.Close()
	if took := time.Since(began); took > 3*flushWithin {
		t.Errorf("the end took %v", took)
	}
	if lines := strings.Count(log.String(), "\n"); lines != 1 {
		t.Errorf("%d lines of log: %s", lines, log)
	}
}

// Failures are told of once in a while, and counted meanwhile.
func TestReporter(t *testing.T) {
	t.Parallel()
	log := &buffer{}
	r := &reporter{log: slog.New(slog.NewTextHandler(log, nil))}
	for range 100 {
		r.Handle(io.ErrUnexpectedEOF)
	}
	r.quiet = time.Now()
	r.Handle(io.ErrUnexpectedEOF)
	if got := log.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "before=99") {
		t.Errorf("the log says %s", got)
	}
}

// A failure of the exporter is reported, and nobody else hears of it.
func TestReporting(t *testing.T) {
	t.Parallel()
	log := &buffer{}
	failing := failingExporter{tracetest.NewInMemoryExporter()}
	p, err := New(t.Context(), Options{Exporter: failing, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	_, span := tracing.Root(t.Context(), p, "job")
	span.End()
	p.Close()
	if got := log.String(); strings.Count(got, "traces are not sent") != 1 || !strings.Contains(got, "unexpected EOF") {
		t.Errorf("the log says %s", got)
	}
}

// Without an endpoint spans have ids for the log, and nothing is recorded.
func TestNoEndpoint(t *testing.T) {
	t.Parallel()
	p, err := New(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx, span := tracing.Root(t.Context(), p, "job")
	if tracing.Place(ctx) == "" || span.IsRecording() {
		t.Errorf("it is at %q, and recording: %v", tracing.Place(ctx), span.IsRecording())
	}
	child, _ := tracing.Start(ctx, "part")
	if got, want := tracing.Place(child)[:36], tracing.Place(ctx)[:36]; got != want {
		t.Errorf("a part is at %s, want the trace of %s", got, want)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for endpoint, good := range map[string]bool{
		"http://127.0.0.1:4318": true, "https://otel.example/base": true,
		"127.0.0.1:4318": false, "grpc://otel.example": false, "http://": false, "https://user:secret@otel.example": false, "https://otel.example?x": false, "%": false,
	} {
		if err := Check(endpoint); (err == nil) != good {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

// BenchmarkNoEndpoint is what a span costs when traces go nowhere.
func BenchmarkNoEndpoint(b *testing.B) {
	p, err := New(b.Context(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		_, span := tracing.Root(b.Context(), p, "job")
		span.End()
	}
}

type failingExporter struct{ *tracetest.InMemoryExporter }

func (failingExporter) ExportSpans(context.Context, []trace.ReadOnlySpan) error {
	return io.ErrUnexpectedEOF
}

// buffer collects a log.
type buffer struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}
