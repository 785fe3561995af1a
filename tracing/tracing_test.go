package tracing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"sparki.app/integrations"
)

func recorder() (*sdk.TracerProvider, *tracetest.InMemoryExporter) {
	exporter := tracetest.NewInMemoryExporter()
	return sdk.NewTracerProvider(sdk.WithSyncer(exporter)), exporter
}

// Who goes on with a row belongs to the trace of who wrote it, and is linked with its own job.
func TestContinue(t *testing.T) {
	t.Parallel()
	provider, exporter := recorder()
	writing, writer := Root(t.Context(), provider, "write")
	place := Place(writing)
	writer.End()
	working, job := Root(t.Context(), provider, "job")
	reading, reader := Continue(working, place, "read", slog.String("integration", "integration_1"), slog.Int("attempt", 2))
	_, call := Call(reading, "GET /things")
	End(call, sparki.Errorf(sparki.Unavailable, "the CRM is away, says Jansen"))
	End(reader, fmt.Errorf("read: %w", context.Canceled))
	End(job, nil)

	spans := map[string]tracetest.SpanStub{}
	for _, s := range exporter.GetSpans() {
		spans[s.Name] = s
	}
	read, get := spans["read"], spans["GET /things"]
	if read.Parent.SpanID() != writer.SpanContext().SpanID() || read.SpanContext.TraceID() != writer.SpanContext().TraceID() {
		t.Errorf("it goes on below %s of trace %s", read.Parent.SpanID(), read.SpanContext.TraceID())
	}
	if len(read.Links) != 1 || !read.Links[0].SpanContext.Equal(job.SpanContext()) {
		t.Errorf("it is linked with %v", read.Links)
	}
	if got := fmt.Sprint(read.Attributes); !strings.Contains(got, "integration_1") || !strings.Contains(got, "attempt") || read.Status.Code == codes.Error {
		t.Errorf("cancelled, it says %s, %v", got, read.Status)
	}
	if got := fmt.Sprint(get.Attributes, get.Status, get.Events); get.Status.Code != codes.Error || !strings.Contains(got, "UNAVAILABLE") || strings.Contains(got, "Jansen") {
		t.Errorf("the call that failed says %s", got)
	}
	if get.SpanKind != trace.SpanKindClient || get.Parent.SpanID() != read.SpanContext.SpanID() {
		t.Errorf("the call is a %s below %s", get.SpanKind, get.Parent.SpanID())
	}
}

// A row that knows no trace, or something else, is worked on in the worker's own.
func TestContinueWithoutPlace(t *testing.T) {
	t.Parallel()
	provider, _ := recorder()
	working, job := Root(t.Context(), provider, "job")
	for _, place := range []string{"", "nonsense", "00-00000000000000000000000000000000-0000000000000000-00"} {
		ctx, span := Continue(working, place, "read")
		if span.SpanContext().TraceID() != job.SpanContext().TraceID() || !span.IsRecording() {
			t.Errorf("%q: the span is in trace %s", place, Place(ctx))
		}
	}
}

// Without a provider nothing is made, and a place is handed on all the same: the ids of a trace that others made stay in
// the log.
func TestNoProvider(t *testing.T) {
	t.Parallel()
	const place = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	ctx, span := Root(t.Context(), nil, "job")
	if got := Place(ctx); got != "" || span.IsRecording() {
		t.Errorf("a job without a provider is at %q", got)
	}
	ctx, span = Continue(ctx, place, "read")
	ctx, _ = Start(ctx, "store")
	End(span, errors.New("x"))
	if got := Place(ctx); got != place {
		t.Errorf("it goes on at %q", got)
	}
	if Handler(nil, http.NotFoundHandler()) == nil {
		t.Error("no handler")
	}
}

// The log names the trace of the context, also where attributes and groups were added.
func TestLog(t *testing.T) {
	t.Parallel()
	provider, _ := recorder()
	ctx, span := Root(t.Context(), provider, "job")
	var out bytes.Buffer
	log := slog.New(Log(slog.NewTextHandler(&out, nil)))
	for _, l := range []*slog.Logger{log, log.With("job", "x"), log.WithGroup("g")} {
		out.Reset()
		l.InfoContext(ctx, "done")
		if want := "trace=" + span.SpanContext().TraceID().String(); !strings.Contains(out.String(), want) {
			t.Errorf("%q lacks %s", out.String(), want)
		}
		out.Reset()
		l.InfoContext(t.Context(), "done")
		if strings.Contains(out.String(), "trace") {
			t.Errorf("%q names a trace", out.String())
		}
	}
}

// A request begins a trace of its own, which says what was asked by the route, and nothing that the caller wrote.
func TestHandler(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	var seen string
	mux.HandleFunc("POST /webhooks/{id}", func(w http.ResponseWriter, r *http.Request) {
		seen = Place(r.Context())
		if http.NewResponseController(w).Flush() != nil {
			t.Error("the writer below is not reached")
		}
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	mux.HandleFunc("/pages/", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")) })
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for _, test := range []struct{ method, path, name, says string }{
		{"POST", "/webhooks/canary?canary=1", "POST /webhooks/{id}", "{\"http.request.method\":\"POST\"} {\"http.route\":\"/webhooks/{id}\"} {\"http.response.status_code\":503}"},
		{"CANARY", "/pages/canary", "_OTHER /pages/", "{\"http.request.method\":\"_OTHER\"} {\"http.route\":\"/pages/\"} {\"http.response.status_code\":200}"},
		{"GET", "/canary", "GET /", "{\"http.request.method\":\"GET\"} {\"http.route\":\"/\"} {\"http.response.status_code\":404}"},
		{"GET", "/panic", "GET /panic", "{\"http.request.method\":\"GET\"} {\"http.route\":\"/panic\"}"},
		{"GET", "/healthz", "", ""},
	} {
		provider, exporter := recorder()
		r := httptest.NewRequest(test.method, test.path, strings.NewReader("canary"))
		r.Header = http.Header{"Traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, "Tracestate": {"canary=1"}, "User-Agent": {"canary"}}
		func() {
			defer func() { _ = recover() }()
			Handler(provider, mux).ServeHTTP(httptest.NewRecorder(), r)
		}()
		spans := exporter.GetSpans()
		if test.name == "" {
			if len(spans) > 0 {
				t.Errorf("%s makes the span %s", test.path, spans[0].Name)
			}
			continue
		}
		if len(spans) != 1 {
			t.Fatalf("%s makes %d spans", test.path, len(spans))
		}
		s := spans[0]
		if got := strings.Trim(fmt.Sprint(s.Attributes), "[]"); s.Name != test.name || got != test.says {
			t.Errorf("%s %s: %s says %s, want %s", test.method, test.path, s.Name, got, test.says)
		}
		if s.Parent.IsValid() || s.SpanKind != trace.SpanKindServer || (s.Status.Code == codes.Error) != strings.Contains(test.says, "503") {
			t.Errorf("%s is a %s below %v with status %v", s.Name, s.SpanKind, s.Parent, s.Status)
		}
		if len(s.Links) != 1 || s.Links[0].SpanContext.SpanID().String() != "00f067aa0ba902b7" || s.Links[0].SpanContext.TraceState().Len() > 0 {
			t.Errorf("%s is linked with %v", s.Name, s.Links)
		}
		if test.method == "POST" && !strings.Contains(seen, s.SpanContext.TraceID().String()) {
			t.Errorf("the handler works at %s", seen)
		}
	}
}
