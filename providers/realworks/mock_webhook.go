package realworks

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/mockkit"
)

// WebhookMessage is one webhook v2 (contract §5; the shape is assumed there). What is left empty is
// filled in.
type WebhookMessage struct {
	// API is wonen, bog or nieuwbouw; it names the webhook and stands in the URLs.
	API      string
	Afdeling string
	Object   string
	// Name is that of the webhook, "sparki-wonen".
	Name string
	// Event is OBJECT_UPDATE, and UserAccess ACTIVE, unless told otherwise.
	Event      string
	UserAccess string
	At         time.Time
	// Base is what the URLs begin with; the mock's.
	Base string
}

// WebhookQuirks varies deliveries within contract §5. The zero value is the plain form.
type WebhookQuirks struct {
	// Duplicate sends every delivery twice.
	Duplicate bool
	// Swap holds the first of each two deliveries back and sends it after the second.
	Swap bool
	// ListParameters writes the parameters as a list of names and values.
	ListParameters bool
	// Numbers writes the afdeling as a number.
	Numbers bool
	// Templates leaves {AFDELING} and {OBJECT} in the URLs.
	Templates bool
	// Lower writes event, access and statuses in lower case.
	Lower bool
}

// Webhook is the body of a webhook in the plain form.
func Webhook(m WebhookMessage) []byte { return WebhookQuirks{}.Webhook(m) }

// Webhook is the body of a webhook.
func (q WebhookQuirks) Webhook(m WebhookMessage) []byte {
	word := func(s string) string {
		if q.Lower {
			return strings.ToLower(s)
		}
		return s
	}
	body, _ := mockkit.Marshal(mockFields{
		"name": cmp.Or(m.Name, "sparki-"+m.API), "event": word(cmp.Or(m.Event, "OBJECT_UPDATE")),
		"timestamp": m.At.In(mockkit.Amsterdam()).Format(mockStampLayout), "userAccess": word(cmp.Or(m.UserAccess, "ACTIVE")),
		"parameters": q.parameters(m), "endpoints": q.endpoints(m, word),
	})
	return body
}

func (q WebhookQuirks) parameters(m WebhookMessage) any {
	afdeling := any(m.Afdeling)
	if n, err := strconv.Atoi(m.Afdeling); q.Numbers && err == nil {
		afdeling = n
	}
	if q.ListParameters {
		return []mockFields{{"name": "AFDELING", "value": afdeling}, {"name": "OBJECT", "value": m.Object}}
	}
	return mockFields{"AFDELING": afdeling, "OBJECT": m.Object}
}

// endpoints are the URLs of the object: the newest version recommended and active, older ones
// active, the first one deprecated. Nieuwbouw has one (contract §5).
func (q WebhookQuirks) endpoints(m WebhookMessage, word func(string) string) []mockFields {
	rest := "/" + m.Afdeling + "/" + m.Object
	if q.Templates {
		rest = "/{AFDELING}/{OBJECT}"
	}
	list := []mockFields{}
	add := func(version, status, resource string) {
		list = append(list, mockFields{
			"version": version, "status": word(status), "url": m.Base + "/" + m.API + "/" + version + "/" + resource + rest,
		})
	}
	if m.API == mockNieuwbouwKind {
		add("v2", "ACTIVE", "projecten")
		return list
	}
	add("v3", "RECOMMENDED", "objecten")
	add("v3", "ACTIVE", "objecten")
	add("v2", "ACTIVE", "objecten")
	add("v1", "DEPRECATED", "objecten")
	return list
}

// describe is what the webhook log says of a message.
func (m WebhookMessage) describe() mockkit.DeliveryEvent {
	return mockkit.DeliveryEvent{EntityType: m.API, EntityID: m.Afdeling + "/" + m.Object, Event: cmp.Or(m.Event, "OBJECT_UPDATE")}
}

// event is the webhook about an object that changed now.
func (m *Mock) event(o *mockObject) WebhookMessage {
	return WebhookMessage{API: o.api.kind, Afdeling: o.afdeling, Object: o.code, At: m.now(), Base: m.site.URL}
}

// mockMaxFailures is after how many failed deliveries Realworks switches a webhook off (contract §5).
const mockMaxFailures = 25

// mockSwitch is whether webhooks are sent. One switch serves all three kinds of objects.
type mockSwitch struct {
	// Failures counts the failed attempts since the last good one; in a row is assumed.
	Failures int `json:"failures"`
}

func (h mockSwitch) off() bool { return h.Failures >= mockMaxFailures }

// count counts an attempt, and says whether the webhook is still on.
func (m *Mock) count(ctx context.Context, delivered bool) (on bool) {
	err := m.change(ctx, func(s *mockState) (c mockChange, err error) {
		failures := s.hook.Failures + 1
		if delivered {
			failures = 0
		}
		on = failures < mockMaxFailures
		if failures == s.hook.Failures {
			return c, nil
		}
		return mockSwitched(mockSwitch{Failures: failures})
	})
	return on || err != nil
}

// switchOn lets webhooks be sent again. What changed meanwhile is not told.
func (m *Mock) switchOn(ctx context.Context) error {
	return m.change(ctx, func(*mockState) (mockChange, error) { return mockSwitched(mockSwitch{}) })
}

func mockSwitched(hook mockSwitch) (mockChange, error) {
	doc, err := mockDoc(mockSwitchKind, mockSwitchKind, hook)
	return mockChange{docs: []providers.MockDoc{doc}}, err
}

// queue hands messages to the sender, in the order of the changes or as the quirks have it. The caller holds
// the mirror.
func (m *Mock) queue(messages []WebhookMessage) {
	if !m.Quirks.Swap {
		m.sender.Queue(messages)
		return
	}
	for _, message := range messages {
		if m.held == nil {
			m.held = &message
			continue
		}
		m.sender.Queue([]WebhookMessage{message, *m.held})
		m.held = nil
	}
}

// deliveries are the bodies that carry a batch, which is one message.
func (m *Mock) deliveries(batch []WebhookMessage) (bodies [][]byte) {
	for _, message := range batch {
		body := m.Quirks.Webhook(message)
		bodies = append(bodies, body)
		if m.Quirks.Duplicate {
			bodies = append(bodies, body)
		}
	}
	return bodies
}

// logDelivery writes the log. One that cannot be written holds up no webhook.
func (m *Mock) logDelivery(ctx context.Context, d mockkit.Delivery) {
	if doc, err := mockDoc(mockWebhookKind, d.ID, d); err == nil {
		_ = m.mirror.Log(ctx, doc, mockkit.LogLength)
	}
}
