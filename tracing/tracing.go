// Package tracing follows an event through the program: from the request that brought it, over the rows
// in which it waits, to the calls that it causes. It knows OpenTelemetry's API and leaves the rest to
// tracing/export.
//
// Spans are made by the provider of the context's span, so only those who begin a trace are given one.
// Without a provider, and with one that records nothing, all of this costs next to nothing; the ids stand
// in the log all the same, see Log.
//
// A trace goes to an operator's tools: what is noted on a span names objects, kinds and outcomes, never a
// customer, a secret, or what a CRM or a caller wrote.
package tracing

import (
	"context"
	"errors"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"sparki.app/integrations"
)

// scope names who makes our spans.
const scope = "sparki.app/integrations"

// Root begins a trace; a nil provider begins none. End ends it, as any other span.
func Root(ctx context.Context, provider trace.TracerProvider, name string, facts ...slog.Attr) (context.Context, trace.Span) {
	if provider == nil {
		provider = noop.NewTracerProvider()
	}
	return begin(ctx, provider, name, facts, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindConsumer))
}

// Start begins a span below the context's.
func Start(ctx context.Context, name string, facts ...slog.Attr) (context.Context, trace.Span) {
	return begin(ctx, trace.SpanFromContext(ctx).TracerProvider(), name, facts)
}

// Call begins a span below the context's, for a call that leaves the program.
func Call(ctx context.Context, name string, facts ...slog.Attr) (context.Context, trace.Span) {
	return begin(ctx, trace.SpanFromContext(ctx).TracerProvider(), name, facts, trace.WithSpanKind(trace.SpanKindClient))
}

// Continue begins a span below a place that a row kept, see Place, and links it with the context's span.
// Without a place it lies below the context's span.
func Continue(ctx context.Context, place, name string, facts ...slog.Attr) (context.Context, trace.Span) {
	now := trace.SpanFromContext(ctx)
	parent := propagation.TraceContext{}.Extract(ctx, carrier{&place})
	if place == "" || trace.SpanContextFromContext(parent).Equal(now.SpanContext()) {
		return begin(ctx, now.TracerProvider(), name, facts, trace.WithSpanKind(trace.SpanKindConsumer))
	}
	return begin(parent, now.TracerProvider(), name, facts, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(trace.Link{SpanContext: now.SpanContext()}))
}

// Place is where the context is in its trace, as a W3C traceparent: a row keeps it for whoever goes on
// with it. "" for a context without a trace.
func Place(ctx context.Context) string {
	place := ""
	propagation.TraceContext{}.Inject(ctx, carrier{&place})
	return place
}

// carrier holds a traceparent, and nothing else that could be propagated.
type carrier struct{ traceparent *string }

const traceparent = "traceparent"

// Get gives the traceparent.
func (c carrier) Get(key string) string {
	if key == traceparent {
		return *c.traceparent
	}
	return ""
}

// Set keeps the traceparent.
func (c carrier) Set(key, value string) {
	if key == traceparent {
		*c.traceparent = value
	}
}

// Keys names the traceparent.
func (c carrier) Keys() []string { return []string{traceparent} }

func begin(ctx context.Context, provider trace.TracerProvider, name string, facts []slog.Attr, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	ctx, span := provider.Tracer(scope).Start(ctx, name, options...)
	note(span, facts)
	return ctx, span
}

// Note adds facts to the context's span.
func Note(ctx context.Context, facts ...slog.Attr) { note(trace.SpanFromContext(ctx), facts) }

func note(span trace.Span, facts []slog.Attr) {
	if !span.IsRecording() {
		return
	}
	for _, fact := range facts {
		if v := fact.Value.Resolve(); v.Kind() == slog.KindInt64 {
			span.SetAttributes(attribute.Int64(fact.Key, v.Int64()))
		} else {
			span.SetAttributes(attribute.String(fact.Key, v.String()))
		}
	}
}

// End ends a span. Of an error it keeps the kind and not the text, which is for the log.
func End(span trace.Span, err error) {
	switch {
	case errors.Is(err, context.Canceled): // whoever waited for it is gone
		span.SetAttributes(attribute.Bool("cancelled", true))
	case err != nil:
		span.SetStatus(codes.Error, "")
		span.SetAttributes(attribute.String("error.type", string(sparki.KindOf(err))))
	}
	span.End()
}
