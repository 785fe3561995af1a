package kolibri

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"sparki.app/integrations/providers"
)

// WebhookPace says when webhooks are sent (contract §8.3).
type WebhookPace struct {
	// Every is the least time between two deliveries.
	Every time.Duration
	// Timeout is how long one attempt may take.
	Timeout time.Duration
	// RetryBase is the wait after the first failure; each further wait is √2 as long, up to RetryCap.
	RetryBase time.Duration
	RetryCap  time.Duration
	// GiveUp is how long after the first attempt a delivery is dropped.
	GiveUp time.Duration
}

// DefaultWebhookPace is what contract §8.3 says.
var DefaultWebhookPace = WebhookPace{
	Every: time.Second, Timeout: 15 * time.Second, RetryBase: time.Second, RetryCap: time.Minute, GiveUp: 5 * time.Minute,
}

// retry is the wait after failure number n, counted from 1.
func (p WebhookPace) retry(n int) time.Duration {
	wait := float64(p.RetryBase) * math.Pow(math.Sqrt2, float64(n-1))
	return time.Duration(min(wait, float64(p.RetryCap)))
}

// mockMaxBatch is how many messages one delivery may hold (contract §8.3), and mockMaxItem how many
// one item of it; the latter is assumed.
const (
	mockMaxBatch = 1000
	mockMaxItem  = 10
)

// mockSender sends webhooks in the order in which they were queued. Its goroutine exists only while
// there is something to send.
type mockSender struct {
	mock   *Mock
	url    string
	client *http.Client
	ctx    context.Context // ends with close
	stop   context.CancelFunc

	mu      sync.Mutex
	waiting []WebhookMessage
	running bool
	closed  bool
	last    time.Time // of the last delivery
	done    sync.WaitGroup
}

func newMockSender(m *Mock, url string, client *http.Client) *mockSender {
	if client == nil {
		client = http.DefaultClient
	}
	ctx, stop := context.WithCancel(context.Background())
	return &mockSender{mock: m, url: url, client: client, ctx: ctx, stop: stop}
}

func (s *mockSender) close() {
	s.mu.Lock()
	s.closed = true
	s.waiting = nil
	s.mu.Unlock()
	s.stop()
	s.done.Wait()
}

// queue gives the messages their ids and hands them to the goroutine.
func (s *mockSender) queue(messages []WebhookMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.url == "" || s.closed || len(messages) == 0 {
		return
	}
	for _, m := range messages {
		s.waiting = append(s.waiting, m.complete(s.mock.now()))
	}
	if !s.running {
		s.running = true
		s.done.Go(s.run)
	}
}

// idle says whether nothing waits, and then lets the next message start a new goroutine.
func (s *mockSender) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = len(s.waiting) > 0
	return !s.running
}

// take takes the next batch.
func (s *mockSender) take() []WebhookMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.waiting), mockMaxBatch)
	batch := slices.Clone(s.waiting[:n])
	s.waiting = s.waiting[n:]
	return batch
}

// pending is how many messages wait for their first attempt.
func (s *mockSender) pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting)
}

func (s *mockSender) run() {
	for !s.idle() {
		if !s.last.IsZero() { // what is queued meanwhile joins the batch
			s.wait(s.mock.Pace.Every - time.Since(s.last))
		}
		batch := s.take()
		s.deliver(batch)
		if s.mock.Quirks.Duplicate {
			s.deliver(batch)
		}
		s.last = time.Now()
	}
}

// wait waits, or returns early when the mock is closed.
func (s *mockSender) wait(d time.Duration) {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ctx.Done():
	}
}

// deliver sends one batch, again and again until it is taken or too old.
func (s *mockSender) deliver(batch []WebhookMessage) {
	body := s.mock.Quirks.Envelope(batch...)
	d := newMockDelivery(batch, s.mock.now())
	first := time.Now()
	for s.ctx.Err() == nil {
		d.Attempts++
		status, err := s.post(body)
		d.Status, d.Problem, d.State = status, "", "delivered"
		if err != nil {
			d.Problem, d.State = err.Error(), "retrying"
		}
		wait := s.mock.Pace.retry(d.Attempts)
		if err != nil && time.Since(first)+wait > s.mock.Pace.GiveUp {
			d.State = "failed"
		}
		d.At = s.mock.now().UTC()
		s.mock.logDelivery(s.ctx, d)
		if d.State != "retrying" {
			return
		}
		s.wait(wait)
	}
}

// post makes one attempt. Success is 200 to 209, as Ably has it (contract §8.3).
func (s *mockSender) post(body []byte) (status int, err error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.mock.Pace.Timeout)
	defer cancel()
	state, err := s.mock.load(ctx)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Signature", SignBody(state.configs[0].WebhookSecret, body))
	res, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	if res.StatusCode < 200 || res.StatusCode > 209 {
		return res.StatusCode, fmt.Errorf("answered %s", res.Status)
	}
	return res.StatusCode, nil
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
	text, _ := mockMarshal(message)
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
	body, _ := mockMarshal(mockFields{"items": items})
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

// mockDelivery is one line of the webhook log, a document of the store.
type mockDelivery struct {
	ID       string              `json:"id"`
	At       time.Time           `json:"at"`    // of the last attempt
	State    string              `json:"state"` // delivered, retrying, failed
	Attempts int                 `json:"attempts"`
	Status   int                 `json:"status"` // HTTP status of the last attempt; 0 without an answer
	Problem  string              `json:"problem,omitempty"`
	Count    int                 `json:"count"` // of messages
	Messages []mockDeliveryEvent `json:"messages"`
}

type mockDeliveryEvent struct {
	EntityType string `json:"entityType"`
	EntityID   string `json:"entityId"`
	Event      string `json:"event"`
}

// The webhook log shows so many deliveries (up to twice as many are kept), and names so many
// messages of each.
const (
	mockLogLength = 50
	mockLogNames  = 20
)

func newMockDelivery(batch []WebhookMessage, now time.Time) mockDelivery {
	d := mockDelivery{ID: uuid.Must(uuid.NewV7()).String(), At: now.UTC(), Count: len(batch)}
	for _, m := range batch[:min(len(batch), mockLogNames)] {
		d.Messages = append(d.Messages, mockDeliveryEvent{m.EntityType, m.EntityID, m.Event})
	}
	return d
}

// logDelivery writes the log and forgets its oldest lines. A log that cannot be written holds up
// no webhook.
func (m *Mock) logDelivery(ctx context.Context, d mockDelivery) {
	text, err := mockMarshal(d)
	if err != nil {
		return
	}
	var stale []mockDelivery
	_ = m.change(ctx, func(s *mockState) (mockChange, error) {
		if len(s.deliveries) >= 2*mockLogLength {
			stale = s.deliveries[mockLogLength:]
		}
		return mockChange{docs: []providers.MockDoc{{Kind: mockWebhookKind, ID: d.ID, JSON: text}}}, nil
	})
	for _, old := range stale {
		_ = m.store.Delete(ctx, mockWebhookKind, old.ID)
	}
}
