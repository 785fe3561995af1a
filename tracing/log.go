package tracing

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel/trace"
)

// Log adds the id of the context's trace to whatever is logged with a context, as the attribute trace.
func Log(next slog.Handler) slog.Handler { return &handler{next} }

type handler struct{ slog.Handler }

// Handle logs a record with the trace's id.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if id := trace.SpanContextFromContext(ctx).TraceID(); id.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace", id.String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs is a handler with attributes.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.Handler.WithAttrs(attrs)}
}

// WithGroup is a handler with a group.
func (h *handler) WithGroup(name string) slog.Handler { return &handler{h.Handler.WithGroup(name)} }
