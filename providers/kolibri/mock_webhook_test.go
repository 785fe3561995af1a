package kolibri

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/memstore"
	"sparki.app/integrations/providers/mockkit"
)

//go:embed mock/testdata/webhook-envelope.json
var mockVector []byte

// TestSignBody is the test vector of contract §8.2.
func TestSignBody(t *testing.T) {
	t.Parallel()
	if got := SignBody("kolibri-test-psk-0001", mockVector); got != "AfJN4zXn4fHsStoWeyQwlgH2q4uqzYAWT0Ly4+Uvf5Q=" {
		t.Errorf("signature %s", got)
	}
}

// mockReceiver takes webhooks.
type mockReceiver struct {
	*httptest.Server
	got    chan mockPost
	mu     sync.Mutex
	answer []int // one status for each request; 202 after the last
}

type mockPost struct {
	body      []byte
	signature string
	header    http.Header
}

func newMockReceiver(t *testing.T, answer ...int) *mockReceiver {
	t.Helper()
	v := &mockReceiver{got: make(chan mockPost, 1000), answer: answer}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		v.mu.Lock()
		status := http.StatusAccepted
		if len(v.answer) > 0 {
			status, v.answer = v.answer[0], v.answer[1:]
		}
		v.mu.Unlock()
		w.WriteHeader(status)
		v.got <- mockPost{body, r.Header.Get("Signature"), r.Header}
	}))
	t.Cleanup(v.Close)
	return v
}

// messages reads the JSON messages of a plain envelope.
func (p mockPost) messages(t *testing.T) (found []mockFields) {
	t.Helper()
	for _, item := range mockDecode(t, p.body)["items"].([]any) {
		data := item.(mockFields)["data"].(mockFields)
		messages, _ := data["messages"].([]any)
		for _, m := range messages {
			found = append(found, mockDecode(t, []byte(m.(mockFields)["data"].(string))))
		}
	}
	return found
}

func (p mockPost) events(t *testing.T) string {
	t.Helper()
	var events []string
	for _, m := range p.messages(t) {
		d := m["entityDetails"].(mockFields)
		events = append(events, fmt.Sprintf("%v %v %v", d["event"], d["entityType"], d["entityId"]))
	}
	return strings.Join(events, "\n")
}

// quick makes a mock send and retry without waiting.
func (r *mockRig) quick() {
	r.Pace = mockkit.Pace{Timeout: 5 * time.Second, RetryBase: time.Millisecond, RetryCap: time.Millisecond, GiveUp: time.Minute}
}

func TestMockSendsWebhooks(t *testing.T) {
	t.Parallel()
	receiver := newMockReceiver(t)
	r := newMockRig(t, nil, receiver.URL+"/hook")
	r.quick()
	s, err := r.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	next := func(do func()) mockPost {
		t.Helper()
		do()
		p := <-receiver.got
		if p.signature != SignBody(s.Secret("webhookSecret").Reveal(), p.body) {
			t.Errorf("signature %s does not verify", p.signature)
		}
		changes, err := New().Changes(s, p.header, p.body)
		if err != nil || len(changes) == 0 {
			t.Errorf("the real client reads %v, %v", changes, err)
		}
		return p
	}
	admin := func(id string, wish mockFields) func() {
		return func() {
			if status, body := r.do("POST", "/admin/objects/"+id, wish); status != 200 {
				t.Errorf("%v: %d %s", wish, status, body)
			}
		}
	}
	lindelaan := "ObjectAssignment " + mockLindelaan
	p := next(admin(mockLindelaan, mockFields{"price": 600000, "title": "Nieuw", "archived": true}))
	if got := p.events(t); got != "Update "+lindelaan {
		t.Errorf("three changes at once: %s", got)
	}
	envelope := mockDecode(t, p.body)
	item := envelope["items"].([]any)[0].(mockFields)
	message := item["data"].(mockFields)["messages"].([]any)[0].(mockFields)
	if at, err := message["timestamp"].(json.Number).Int64(); err != nil || time.Since(time.UnixMilli(at)) > time.Minute || item["source"] != "channel.message" {
		t.Errorf("envelope: %s", p.body)
	}
	inner := p.messages(t)[0]
	details := inner["entityDetails"].(mockFields)
	if !mockIsGUID(inner["id"].(string)) || inner["realEstateAgencyId"] != mockAgencyID || details["createdBy"] != mockMaritID || details["parentEntityType"] != "Unknown" {
		t.Errorf("message: %v", inner)
	}
	o := r.call(200, "GET", "ObjectAssignments?id="+mockLindelaan, nil)["objectAssignment"].(mockFields)
	if details["dateTimeModified"] != o["dateTimeModified"] {
		t.Errorf("modified %v, the object says %v", details["dateTimeModified"], o["dateTimeModified"])
	}

	if got := next(admin(mockLindelaan, mockFields{"deleted": true})).events(t); got != "Delete "+lindelaan {
		t.Errorf("delete: %s", got)
	}
	if got := next(admin(mockLindelaan, mockFields{"deleted": false})).events(t); got != "Add "+lindelaan {
		t.Errorf("undelete: %s", got)
	}
	if got := next(admin(mockProject, mockFields{"availability": "sold"})).events(t); got != "Update ProjectAssignment "+mockProject {
		t.Errorf("project: %s", got)
	}
	if got := next(func() { r.call(204, "POST", "ObjectTypeAssignments/Archive", mockFields{"id": mockSampleTypeID}) }).events(t); got != "Update ObjectTypeAssignment "+mockSampleTypeID {
		t.Errorf("object type: %s", got)
	}
	var id string
	if got := next(func() { id = r.saved(nil)["id"].(string) }).events(t); got != "Add Agendaitem "+id {
		t.Errorf("agenda: %s", got)
	}
	var added mockFields
	got := next(func() {
		_, body := r.do("POST", "/admin/objects", mockFields{"title": "Nieuwbouw", "price": 1})
		added = mockDecode(t, body)
	}).events(t)
	if got != fmt.Sprintf("Add ObjectAssignment %v", added["id"]) {
		t.Errorf("new object: %s", got)
	}

	// A change that changes nothing is no change.
	admin(mockProject, mockFields{"availability": "Sold"})()
	logged := func() []any {
		_, body := r.do("GET", "/admin/webhooks", nil)
		return mockDecode(t, body)["deliveries"].([]any)
	}
	for until := time.Now().Add(10 * time.Second); len(logged()) < 7 && time.Now().Before(until); {
		runtime.Gosched() // the last one is noted once it has been taken
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case p := <-receiver.got:
		t.Errorf("unexpected: %s", p.body)
	default:
	}
	if log := logged(); len(log) != 7 || log[0].(mockFields)["state"] != "delivered" || log[0].(mockFields)["status"] != json.Number("202") {
		t.Errorf("log: %v", log)
	}
}

// TestMockWebhookOrder: changes that come while one is sent go together, in order, after it.
func TestMockWebhookOrder(t *testing.T) {
	t.Parallel()
	receiver := newMockReceiver(t, 500, 503) // the first one is refused twice
	r := newMockRig(t, nil, receiver.URL)
	r.quick()
	const changes = 60
	for i := range changes {
		price := json.Number(fmt.Sprint(500000 + i))
		if err := r.fulfil(t.Context(), mockLindelaan, mockWish{Price: &price}); err != nil {
			t.Fatal(err)
		}
	}
	var posts []mockPost
	var stamps []string
	ids := map[string]bool{}
	for len(stamps) < changes {
		p := <-receiver.got
		posts = append(posts, p)
		if len(posts) <= 2 {
			continue // refused; it comes again
		}
		for _, m := range p.messages(t) {
			stamps = append(stamps, m["entityDetails"].(mockFields)["dateTimeModified"].(string))
			ids[m["id"].(string)] = true
		}
	}
	if !bytes.Equal(posts[0].body, posts[1].body) || !bytes.Equal(posts[1].body, posts[2].body) || posts[0].signature != posts[2].signature {
		t.Error("a retry differs from the first attempt")
	}
	for i := 1; i < len(stamps); i++ {
		if stamps[i] <= stamps[i-1] {
			t.Fatalf("message %d is older than the one before: %s, %s", i, stamps[i], stamps[i-1])
		}
	}
	if len(stamps) != changes || len(ids) != changes {
		t.Errorf("%d messages with %d ids, want %d", len(stamps), len(ids), changes)
	}
	for _, item := range mockDecode(t, posts[len(posts)-1].body)["items"].([]any) {
		if n := len(item.(mockFields)["data"].(mockFields)["messages"].([]any)); n > mockMaxItem {
			t.Errorf("an item of %d messages", n)
		}
	}
}

// mockLine is a transport that answers out of hand, with the time of each request.
type mockLine struct {
	mu     sync.Mutex
	times  []time.Time
	bodies []string
	status func(n int) int
}

func (l *mockLine) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.times, l.bodies = append(l.times, time.Now()), append(l.bodies, string(body))
	status := l.status(len(l.times))
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Body: http.NoBody, Request: r}, nil
}

// TestMockWebhookSchedule checks the times of contract §8.3, in a bubble where time costs nothing.
func TestMockWebhookSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		line := &mockLine{status: func(n int) int {
			if n <= 15 {
				return []int{0, 500, 302, 210, 199}[n%5]
			}
			return 209
		}}
		m := newMock(providers.MockOptions{
			Store: memstore.New(), BaseURL: "http://mock.example", WebhookURL: "http://sparki.example", Client: &http.Client{Transport: line},
		}).(*Mock)
		change := func(price string) {
			p := json.Number(price)
			if err := m.fulfil(t.Context(), mockLindelaan, mockWish{Price: &p}); err != nil {
				t.Fatal(err)
			}
		}
		change("1")
		synctest.Wait()
		change("2") // waits behind the first
		change("3")
		<-time.After(10 * time.Minute) // in the bubble's time
		synctest.Wait()

		state, err := m.load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(state.deliveries) != 2 || state.deliveries[1].State != "failed" || state.deliveries[0].State != "delivered" {
			t.Fatalf("log: %+v", state.deliveries)
		}
		attempts := state.deliveries[1].Attempts
		want := time.Second
		for i := 1; i < attempts; i++ {
			gap := line.times[i].Sub(line.times[i-1])
			if diff := (gap - min(want, time.Minute)).Abs(); diff > time.Millisecond {
				t.Errorf("wait %d is %v, want %v", i, gap, min(want, time.Minute))
			}
			want = time.Duration(float64(want) * 1.4142135623730951)
		}
		if total := line.times[attempts-1].Sub(line.times[0]); total > 5*time.Minute || total < 4*time.Minute {
			t.Errorf("gave up after %v", total)
		}
		if gap := line.times[attempts].Sub(line.times[attempts-1]); gap < time.Second {
			t.Errorf("the next delivery comes after %v", gap)
		}
		if n := strings.Count(line.bodies[len(line.bodies)-1], `"connectionId"`); n != 2 {
			t.Errorf("the changes that waited came as %d messages", n)
		}
		// Nothing is left to do, so no goroutine is: synctest would report a deadlock otherwise.
	})
}

func TestMockClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		line := &mockLine{status: func(int) int { return 500 }}
		m := newMock(providers.MockOptions{
			Store: memstore.New(), BaseURL: "http://mock.example", WebhookURL: "http://sparki.example", Client: &http.Client{Transport: line},
		}).(*Mock)
		price := json.Number("1")
		if err := m.fulfil(t.Context(), mockLindelaan, mockWish{Price: &price}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // it waits for its first retry
		if err := errors.Join(m.Close(), m.Close()); err != nil {
			t.Error(err)
		}
		price = "2"
		if err := m.fulfil(t.Context(), mockLindelaan, mockWish{Price: &price}); err != nil {
			t.Errorf("a closed mock still answers: %v", err)
		}
		synctest.Wait()
		if len(line.times) != 1 {
			t.Errorf("%d attempts", len(line.times))
		}
	})
}

func TestMockQuirks(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	messages := []WebhookMessage{
		{ID: "a", EntityType: "ObjectAssignment", EntityID: mockLindelaan, Event: "Update", At: at},
		{ID: "b", EntityType: "ObjectAssignment", EntityID: mockUnit12, Event: "Update", At: at.Add(time.Second)},
		{ID: "c", Category: "Authorization", EntityType: "Consent", Event: "Deleted"},
		{ID: "d", Text: "this is not json"},
	}
	read := func(body []byte) []mockFields {
		var list []mockFields
		for _, item := range mockDecode(t, body)["items"].([]any) {
			found, _ := item.(mockFields)["data"].(mockFields)["messages"].([]any)
			for _, m := range found {
				list = append(list, m.(mockFields))
			}
		}
		return list
	}
	plain := read(Envelope(messages...))
	if len(plain) != 4 || !strings.Contains(plain[2]["data"].(string), `"action":"Deleted"`) || plain[3]["data"] != "this is not json" {
		t.Errorf("plain: %v", plain)
	}
	if first := read(WebhookQuirks{Reverse: true}.Envelope(messages...))[3]["data"].(string); !strings.Contains(first, `"id":"a"`) {
		t.Errorf("reversed: %s", first)
	}
	coded := read(WebhookQuirks{Encoding: "json/utf-8/base64"}.Envelope(messages...))
	text, err := base64.StdEncoding.DecodeString(coded[0]["data"].(string))
	if err != nil || !strings.Contains(string(text), `"id":"a"`) || coded[0]["encoding"] != "json/utf-8/base64" {
		t.Errorf("base64: %v %s", err, text)
	}
	object := read(WebhookQuirks{Encoding: "object"}.Envelope(messages...))
	if d, ok := object[0]["data"].(mockFields); !ok || d["id"] != "a" || object[3]["data"] != "this is not json" {
		t.Errorf("object: %v", object)
	}
	noisy := string(WebhookQuirks{Noise: true, QueueID: true}.Envelope(messages...))
	for _, part := range []string{`"presence":[`, `"channel.lifecycle"`, `"queueId":"channel.message"`, `"extras":`} {
		if !strings.Contains(noisy, part) {
			t.Errorf("noise lacks %s", part)
		}
	}
	if strings.Contains(noisy, `"source"`) {
		t.Error("old envelopes name no source")
	}
	for _, q := range []WebhookQuirks{{}, {Encoding: "json"}, {Encoding: "json/utf-8/base64"}, {Encoding: "utf-8/base64"}, {Encoding: "object"}, {Noise: true}, {QueueID: true}} {
		body := q.Envelope(messages[:2]...)
		s := mockTestSettings("secret-secret-secret")
		got, err := New().Changes(s, http.Header{"Signature": {SignBody("secret-secret-secret", body)}}, body)
		if err != nil || len(got) != 2 || got[0].ExternalID != "a" || got[1].Ref.ID != mockUnit12 {
			t.Errorf("%+v: the real client reads %+v, %v", q, got, err)
		}
	}
	if bytes.Count(Envelope(), []byte("items")) != 1 {
		t.Error("an empty delivery has items too")
	}
}

func TestMockDuplicates(t *testing.T) {
	t.Parallel()
	receiver := newMockReceiver(t)
	r := newMockRig(t, nil, receiver.URL)
	r.quick()
	r.Quirks.Duplicate = true
	price := json.Number("7")
	if err := r.fulfil(t.Context(), mockLindelaan, mockWish{Price: &price}); err != nil {
		t.Fatal(err)
	}
	one, two := <-receiver.got, <-receiver.got
	if one.messages(t)[0]["id"] != two.messages(t)[0]["id"] {
		t.Error("the second delivery is another one")
	}
}

func mockTestSettings(secret string) sparki.Settings {
	return sparki.Settings{
		Text:    map[string]string{"realEstateAgencyId": mockAgencyID},
		Secrets: map[string][]sparki.Secret{"webhookSecret": {sparki.Secret(secret)}},
	}
}
