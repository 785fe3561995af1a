package tracing

import (
	"context"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Handler begins a trace with each request to an http.ServeMux, whose patterns name the spans; a nil provider
// begins none. A caller never chooses the trace's id: the one that a traceparent header names is only linked
// with ours. Of the request the span has the method and the route, of the answer the status: neither path,
// query, address nor header.
func Handler(provider trace.TracerProvider, next http.Handler) http.Handler {
	if provider == nil {
		return next
	}
	tracer := provider.Tracer(scope)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if untraced(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		method := methodOf(r)
		ctx, span := tracer.Start(r.Context(), method, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer))
		r = r.WithContext(ctx)
		if !span.IsRecording() {
			next.ServeHTTP(w, r)
			return
		}
		answer := &answer{ResponseWriter: w}
		defer func() { // also when the handler panics, which net/http answers
			route := r.Pattern[strings.Index(r.Pattern, "/")+1:]
			span.SetName(method + " /" + route)
			span.SetAttributes(attribute.String("http.request.method", method), attribute.String("http.route", "/"+route))
			if answer.status != 0 {
				span.SetAttributes(attribute.Int("http.response.status_code", answer.status))
			}
			if answer.status >= http.StatusInternalServerError {
				span.SetStatus(codes.Error, "")
			}
			span.End()
		}()
		linkCaller(span, r.Header)
		next.ServeHTTP(answer, r)
	})
}

// untraced are the probes that come every second, and a page's files.
func untraced(path string) bool {
	return path == "/healthz" || path == "/readyz" || strings.HasPrefix(path, "/static/")
}

// methodOf is a request's method; "_OTHER" for one that nobody knows (OpenTelemetry's semantic conventions for HTTP).
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "_OTHER"
}

// linkCaller links the span with the caller's, if the caller says which that is. Its tracestate is dropped: it may be any text.
func linkCaller(span trace.Span, header http.Header) {
	caller := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), propagation.HeaderCarrier(header)))
	if caller.IsValid() {
		span.AddLink(trace.Link{SpanContext: caller.WithTraceState(trace.TraceState{})})
	}
}

// answer remembers the status. Whoever needs more of the writer asks http.ResponseController.
type answer struct {
	http.ResponseWriter
	status int // 0: nothing was answered, or the connection was taken over
}

// Unwrap gives the writer below.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader sends the status.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK { // 1xx announces the answer
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write sends a part of the body.
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(p)
}
