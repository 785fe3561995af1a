package kolibri

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/mockkit"
)

// mockMaxBatch is how many messages one delivery may hold (contract §8.3), and mockMaxItem how many
// one item of it; the latter is assumed.
const (
	mockMaxBatch = 1000
	mockMaxItem  = 10
)

// deliveries are the bodies that carry a batch.
func (m *Mock) deliveries(batch []WebhookMessage) [][]byte {
	body := m.Quirks.Envelope(batch...)
	if m.Quirks.Duplicate {
		return [][]byte{body, m.Quirks.Envelope(batch...)}
	}
	return [][]byte{body}
}

// sign gives the headers of a delivery.
func (m *Mock) sign(ctx context.Context, body []byte) (http.Header, error) {
	s, err := m.load(ctx)
	if err != nil {
		return nil, err
	}
	return http.Header{"Signature": {SignBody(s.configs[0].WebhookSecret, body)}}, nil
}

// SignBody is the Signature header of a webhook: base64 of the HMAC-SHA256 over the exact bytes of
// the body (contract §8.2).
func SignBody(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// WebhookMessage is one message of a webhook (contract §8.1). What is left empty is filled in.
type WebhookMessage struct {
	// ID is the id inside the message's JSON, which receivers use against duplicates.
	ID string
	// AgencyID is the agency that it is about; the mock's.
	AgencyID string
	// Category is Entity unless told otherwise. Category Authorization takes EntityType as its
	// entity and Event as its action, for example Consent and Deleted.
	Category   string
	EntityType string
	EntityID   string
	Event      string
	// ParentID is the parenEntityId, spelled so on the wire.
	ParentID   string
	ParentType string
	// Created and Modified are the entity's dates.
	Created, Modified string
	At                time.Time
	// Text replaces the message's JSON, to send what no Kolibri would.
	Text string
}

func (m WebhookMessage) complete(now time.Time) WebhookMessage {
	if m.ID == "" {
		m.ID = uuid.NewString()
	}
	if m.At.IsZero() {
		m.At = now
	}
	if m.AgencyID == "" {
		m.AgencyID = mockAgencyID
	}
	if m.Category == "" {
		m.Category = "Entity"
	}
	stamp := m.At.UTC().Format(mockStampLayout)
	for _, empty := range []*string{&m.Created, &m.Modified} {
		if *empty == "" {
			*empty = stamp
		}
	}
	return m
}

// json is the message as it stands in the envelope's data.
func (m WebhookMessage) json() string {
	if m.Text != "" {
		return m.Text
	}
	parent, parentType := any(nil), "Unknown"
	if m.ParentID != "" {
		parent, parentType = m.ParentID, m.ParentType
	}
	message := mockFields{
		"id": m.ID, "timeStamp": m.At.UTC().Format(mockStampLayout), "realEstateAgencyId": m.AgencyID, "personId": nil,
		"mailAccountId": nil, "appClientKey": "sparki-mock", "category": m.Category, "entityDetails": nil,
		"notificationDetails": nil, "emailChangeDetails": nil, "eventCenterChangeDetails": nil, "voipDetails": nil,
		"authorizationDetails": nil,
	}
	switch m.Category {
	case "Authorization":
		message["authorizationDetails"] = mockFields{
			"companyId": m.AgencyID, "employeeId": nil, "entity": m.EntityType, "action": m.Event, "appClientKey": "sparki-mock",
		}
	case "Entity":
		message["entityDetails"] = mockFields{
			"entityType": m.EntityType, "entityId": m.EntityID, "event": m.Event, "dateTimeCreated": m.Created,
			"createdBy": mockMaritID, "dateTimeModified": m.Modified, "modifiedBy": mockMaritID,
			"parenEntityId": parent, "parentEntityType": parentType,
		}
	}
	text, _ := mockkit.Marshal(message)
	return string(text)
}

// WebhookQuirks varies deliveries within what contract §8.4 tells receivers to bear. The zero value
// is the plain form.
type WebhookQuirks struct {
	// Duplicate sends every delivery twice.
	Duplicate bool
	// Reverse puts the newest message first.
	Reverse bool
	// Encoding of the messages' data: "" a plain string, "json", "json/utf-8/base64", "utf-8/base64";
	// or "object" for JSON that is no string.
	Encoding string
	// Noise adds presence and lifecycle items and keys that nobody knows.
	Noise bool
	// QueueID names the source in old envelopes' way.
	QueueID bool
}

// Envelope is the body of one delivery with these messages, in the plain form (contract §8.1). It
// ends with a newline, which is signed like every other byte.
func Envelope(messages ...WebhookMessage) []byte { return WebhookQuirks{}.Envelope(messages...) }

// Envelope is the body of one delivery with these messages.
func (q WebhookQuirks) Envelope(messages ...WebhookMessage) []byte {
	messages = slices.Clone(messages)
	if q.Reverse {
		slices.Reverse(messages)
	}
	connection := strings.ToLower(rand.Text()[:10])
	channel := "kolibri:webhook:" + mockAgencyID
	serial := 0
	item := func(source, name string, at int64, data mockFields) mockFields {
		serial++
		i := mockFields{
			"webhookId": "k3PzQw", "source": source, "serial": fmt.Sprintf("%s:%d", connection, serial),
			"timestamp": at, "name": name, "data": data,
		}
		if q.QueueID {
			delete(i, "source")
			i["queueId"] = source
		}
		return i
	}
	items := []mockFields{}
	index := 0
	for part := range slices.Chunk(messages, mockMaxItem) {
		list := make([]mockFields, 0, len(part))
		var at int64
		for _, m := range part {
			m = m.complete(time.Now())
			at = max(at, m.At.UnixMilli())
			index++
			entry := mockFields{
				"id": fmt.Sprintf("%s:%d:0", connection, index), "name": "announcement", "connectionId": connection,
				"timestamp": m.At.UnixMilli(), "data": m.json(),
			}
			q.encode(entry)
			list = append(list, entry)
		}
		items = append(items, item("channel.message", "channel.message", at+20,
			mockFields{"channelId": channel, "site": "eu-central-1-A", "messages": list}))
		if q.Noise {
			items = append(items,
				item("channel.presence", "presence.message", at+30, mockFields{"channelId": channel, "site": "eu-central-1-A", "presence": []mockFields{
					{"clientId": "x", "connectionId": connection, "timestamp": at, "action": 4, "data": "status"},
				}}),
				item("channel.lifecycle", "channel.opened", at+40, mockFields{"channelId": channel, "name": channel, "status": mockFields{"isActive": true}}))
		}
	}
	body, _ := mockkit.Marshal(mockFields{"items": items})
	return append(body, '\n')
}

func (q WebhookQuirks) encode(entry mockFields) {
	text := entry["data"].(string)
	switch q.Encoding {
	case "":
	case "object":
		if json.Valid([]byte(text)) {
			entry["data"] = json.RawMessage(text)
		}
	default:
		entry["encoding"] = q.Encoding
		if strings.HasSuffix(q.Encoding, "base64") {
			entry["data"] = base64.StdEncoding.EncodeToString([]byte(text))
		}
	}
	if q.Noise {
		entry["clientId"], entry["action"], entry["serial"] = "*", 0, "01-"+fmt.Sprint(entry["id"])
		entry["extras"] = mockFields{"headers": mockFields{"unknown": "yes"}}
	}
}

// describe is what the webhook log says of a message.
func (m WebhookMessage) describe() mockkit.DeliveryEvent {
	return mockkit.DeliveryEvent{EntityType: m.EntityType, EntityID: m.EntityID, Event: m.Event}
}

// logDelivery writes the log. One that cannot be written holds up no webhook.
func (m *Mock) logDelivery(ctx context.Context, d mockkit.Delivery) {
	if text, err := mockkit.Marshal(d); err == nil {
		_ = m.mirror.Log(ctx, providers.MockDoc{Kind: mockWebhookKind, ID: d.ID, JSON: text}, mockkit.LogLength)
	}
}
