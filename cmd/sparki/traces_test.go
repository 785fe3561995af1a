package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/kolibri"
	"sparki.app/integrations/providers/mockkit"
)

// spans gives the spans that have ended.
func (b *bundle) spans(t *testing.T, exporter *tracetest.InMemoryExporter) tracetest.SpanStubs {
	t.Helper()
	if err := b.traces.ForceFlush(t.Context()); err != nil {
		t.Fatal(err)
	}
	return exporter.GetSpans()
}

// spansDump writes all that spans say.
func spansDump(spans tracetest.SpanStubs) string {
	var out strings.Builder
	for _, s := range spans {
		fmt.Fprintln(&out, s.Name, s.Attributes, s.Events, s.Status, s.Resource.Attributes())
		for _, link := range s.Links {
			fmt.Fprintln(&out, link.SpanContext.TraceState(), link.Attributes)
		}
	}
	return out.String()
}

// fact is what a span says about something; "" for nothing.
func fact(s tracetest.SpanStub, key string) string {
	for _, a := range s.Attributes {
		if a.Key == attribute.Key(key) {
			return a.Value.String()
		}
	}
	return ""
}

// path waits for a span of this name that holds, and gives the names of it and of all spans above it, the lowest first.
func (b *bundle) path(t *testing.T, exporter *tracetest.InMemoryExporter, name string, holds func(tracetest.SpanStub) bool) (names []string, id trace.TraceID) {
	t.Helper()
	eventually(t, "the span "+name+" and those above it", func() bool {
		byID := map[trace.SpanID]tracetest.SpanStub{}
		var found *tracetest.SpanStub
		for _, s := range b.spans(t, exporter) {
			byID[s.SpanContext.SpanID()] = s
			if s.Name == name && holds(s) {
				found = &s
			}
		}
		if found == nil {
			return false
		}
		names, id = nil, found.SpanContext.TraceID()
		for at, ended := *found, true; ended; at, ended = byID[at.Parent.SpanID()] {
			if at.SpanContext.TraceID() != id {
				t.Fatalf("%s lies above %s in another trace", at.Name, names)
			}
			if names = append(names, at.Name); !at.Parent.IsValid() {
				return true
			}
		}
		return false
	})
	return names, id
}

// logged waits until the log has a line with all of these parts.
func (b *bundle) logged(t *testing.T, parts ...string) {
	t.Helper()
	eventually(t, "a line of log with "+strings.Join(parts, ", "), func() bool {
	lines:
		for line := range strings.Lines(b.logs.String()) {
			for _, part := range parts {
				if !strings.Contains(line, part) {
					continue lines
				}
			}
			return true
		}
		return false
	})
}

// A trace follows an event from the request that brought it, over the rows in which it waits, to the call of the CRM and
// what is stored of it; and its id stands in the log all along.
func TestTraces(t *testing.T) {
	t.Parallel()
	exporter := tracetest.NewInMemoryExporter()
	h := newHook(t, func(c *config) { c.exporter = exporter })
	const hook, stranger = "POST /webhooks/kolibri/v1/{id}", "4bf92f3577b34da6a3ce929d0e0e4736"
	deliver := func() (delivery string, of func(tracetest.SpanStub) bool) {
		body := kolibri.Envelope(update("", lindelaan))
		header := jsonHeader(kolibri.SignBody(h.secret, body))
		header.Set("Traceparent", "00-"+stranger+"-00f067aa0ba902b7-01")
		header.Set("Tracestate", "canary=tracestate")
		delivery = deliveryID(t, h.send(t, http.MethodPost, hookPath(h.integration), bytes.NewReader(body), header))
		public := sparki.DeliveryNode.ID(uuid.MustParse(delivery))
		return delivery, func(s tracetest.SpanStub) bool { return fact(s, "delivery") == public }
	}

	t.Run("Webhook", func(t *testing.T) {
		delivery, ours := deliver()
		h.settled(t, delivery)
		_, id := h.path(t, exporter, hook, ours)
		inTrace := func(s tracetest.SpanStub) bool { return s.SpanContext.TraceID() == id }
		names, _ := h.path(t, exporter, "store item", inTrace)
		if got, want := strings.Join(names, " < "), "store item < fetch item < read delivery < "+hook; got != want {
			t.Errorf("the item was stored at %s, want %s", got, want)
		}
		calls := 0
		for _, s := range h.spans(t, exporter) {
			if inTrace(s) && s.SpanKind == trace.SpanKindClient && fact(s, "http.response.status_code") == "200" {
				calls++
				if strings.ContainsAny(s.Name, "?0123456789") || fact(s, "crm") != "Kolibri" {
					t.Errorf("the call is %s of %s", s.Name, fact(s, "crm"))
				}
			}
			if ours(s) && s.Name == hook && (len(s.Links) != 1 || s.Links[0].SpanContext.TraceID().String() != stranger || s.Links[0].SpanContext.TraceState().Len() > 0) {
				t.Errorf("the webhook is linked with %+v", s.Links)
			}
		}
		if calls == 0 {
			t.Error("no call of the CRM is part of the trace")
		}
		if id.String() == stranger {
			t.Error("a stranger chose the trace's id")
		}
		for _, line := range []string{"webhook accepted", "delivery read", "fetch done"} {
			h.logged(t, line, "trace="+id.String())
		}
		if n := h.count(t, "deliveries where id = $1 and trace like '00-' || $2 || '-%'", delivery, id.String()); n != 1 {
			t.Error("the delivery's row does not know its trace")
		}
	})

	t.Run("Failure", func(t *testing.T) {
		h.office.faults.Add(mockkit.Fault{Status: http.StatusInternalServerError})
		_, ours := deliver()
		_, id := h.path(t, exporter, hook, ours)
		h.logged(t, "fetch did not succeed", "status 500", "trace="+id.String())
		h.path(t, exporter, "fetch item", func(s tracetest.SpanStub) bool {
			return s.SpanContext.TraceID() == id && fact(s, "error.type") == "UNAVAILABLE"
		})
		h.office.faults.Clear()
	})

	t.Run("Appointment", func(t *testing.T) {
		h.keepDiary(t, h.integration, "")
		_, id := h.path(t, exporter, "POST /graphql", func(s tracetest.SpanStub) bool { return fact(s, "operation") == "mutation createAppointment" })
		names, _ := h.path(t, exporter, "POST /{id}/AgendaItems", func(s tracetest.SpanStub) bool { return s.SpanContext.TraceID() == id })
		if got, want := strings.Join(names, " < "), "POST /{id}/AgendaItems < write back < POST /graphql"; got != want {
			t.Errorf("the agenda was written at %s, want %s", got, want)
		}
		h.logged(t, "appointment changed", "trace="+id.String())
		h.logged(t, "written back", "action=CREATE", "trace="+id.String())
	})

	t.Run("Crawl", func(t *testing.T) {
		names, id := h.path(t, exporter, "crawl", func(s tracetest.SpanStub) bool { return s.Parent.IsRemote() })
		if got, want := strings.Join(names, " < "), "crawl < POST /graphql"; got != want {
			t.Errorf("a crawl ran at %s, want %s", got, want)
		}
		h.logged(t, "run ended", "trace="+id.String())
	})

	dump := spansDump(h.spans(t, exporter))
	for _, canary := range []string{"Beekman", "noor@", "5550", h.secret, h.token, h.office.url, "Lindelaan", "tracestate", "127.0.0.1", "?"} {
		if at := strings.Index(dump, canary); at >= 0 {
			t.Errorf("%q stands in a span: …%q", canary, dump[max(0, at-80):at])
		}
	}
}
