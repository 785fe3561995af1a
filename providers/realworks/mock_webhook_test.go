package realworks

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sparki.app/integrations/providers/memstore"
	"sparki.app/integrations/providers/mockkit"
)

// mockReceiver takes webhooks.
type mockReceiver struct {
	*httptest.Server
	got    chan []byte
	mu     sync.Mutex
	answer []int // one status for each request; 202 after the last
}

func newMockReceiver(t *testing.T, answer ...int) *mockReceiver {
	t.Helper()
	v := &mockReceiver{got: make(chan []byte, 1000), answer: answer}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if r.Header.Get("Authorization") != "" || r.Header.Get("Signature") != "" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("headers of a webhook: %v", r.Header)
		}
		v.mu.Lock()
		status := http.StatusAccepted
		if len(v.answer) > 0 {
			status, v.answer = v.answer[0], v.answer[1:]
		}
		v.mu.Unlock()
		w.WriteHeader(status)
		v.got <- body
	}))
	t.Cleanup(v.Close)
	return v
}

// quick makes a mock send and retry without waiting.
func (r *mockRig) quick() {
	r.Pace = mockkit.Pace{Timeout: 5 * time.Second, RetryBase: time.Millisecond, RetryCap: time.Millisecond, GiveUp: time.Minute}
}

// TestWebhookForms compares with the samples of contract §5 but for the place of the mock.
func TestWebhookForms(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 14, 31, 9, 0, mockkit.Amsterdam())
	message := WebhookMessage{API: "wonen", Afdeling: "935001", Object: "LM100231", At: at, Base: "https://api.realworks.nl"}
	if got, want := mockDecode(t, Webhook(message)), mockSample(t, "webhook_v2_object_update_active"); !mockSame(got, want) {
		t.Errorf("plain: %v, want %v", got, want)
	}
	message.UserAccess = "INACTIVE"
	if got := mockDecode(t, Webhook(message)); got["userAccess"] != "INACTIVE" {
		t.Errorf("revoked: %v", got)
	}
	message.UserAccess, message.Event, message.Base = "", "RESPONSE_CREATED", "https://evil.example.com"
	if got := mockDecode(t, Webhook(message)); got["event"] != "RESPONSE_CREATED" || !strings.HasPrefix(mockText(got["endpoints"].([]any)[0].(mockFields), "url"), "https://evil.example.com/wonen/v3/objecten/") {
		t.Errorf("other event, other host: %v", got)
	}
	message = WebhookMessage{API: "wonen", Afdeling: "935001", Object: "LM100231", At: at, Base: "https://api.realworks.nl"}
	odd := mockDecode(t, WebhookQuirks{ListParameters: true, Numbers: true, Templates: true, Lower: true}.Webhook(message))
	parameters, _ := json.Marshal(odd["parameters"])
	if string(parameters) != `[{"name":"AFDELING","value":935001},{"name":"OBJECT","value":"LM100231"}]` || odd["event"] != "object_update" ||
		mockText(odd["endpoints"].([]any)[0].(mockFields), "url") != "https://api.realworks.nl/wonen/v3/objecten/{AFDELING}/{OBJECT}" {
		t.Errorf("odd: %v", odd)
	}
	project := WebhookMessage{API: "nieuwbouw", Afdeling: "935001", Object: "N100012", Base: "https://api.realworks.nl", At: time.Date(2026, 2, 28, 15, 12, 40, 0, mockkit.Amsterdam())}
	if got, want := mockDecode(t, Webhook(project)), mockSample(t, "webhook_v2_nieuwbouw_only_v2"); !mockSame(got, want) {
		t.Errorf("nieuwbouw: %v, want %v", got, want)
	}
}

func mockSame(a, b mockFields) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(x) == string(y)
}

// mockSample is one of the contract's samples.
func mockSample(t *testing.T, name string) mockFields {
	t.Helper()
	text, err := os.ReadFile("mock/testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return mockDecode(t, text)
}

func TestMockSendsWebhooks(t *testing.T) {
	t.Parallel()
	receiver := newMockReceiver(t)
	r := newMockRig(t, nil, receiver.URL+"/hook")
	r.quick()
	cases := []struct {
		path   string
		body   mockFields
		object string
		detail string
		status int // of the detail
		at     string
		want   any
	}{
		{"/admin/objects/LM100231", mockFields{"price": 475000}, "LM100231", "/wonen/v3/objecten/935001/LM100231", 200, "financieel.overdracht.koopprijs", json.Number("475000")},
		{"/admin/objects/LM100244", mockFields{"price": 1500}, "LM100244", "/wonen/v3/objecten/935001/LM100244", 200, "financieel.overdracht.huurprijs", json.Number("1500")},
		{"/admin/objects/LM100231", mockFields{"status": "onder_bod"}, "LM100231", "/wonen/v3/objecten/935001/LM100231", 200, "financieel.overdracht.status", "ONDER_BOD"},
		{"/admin/objects/LM100231", mockFields{"status": "INGETROKKEN", "active": false}, "LM100231", "/wonen/v3/objecten/935001/LM100231", 200, "actief", false},
		{"/admin/objects/LM100231", mockFields{"deleted": true}, "LM100231", "/wonen/v3/objecten/935001/LM100231", 404, "", nil},
		{"/admin/objects/LM100231", mockFields{"deleted": false}, "LM100231", "/wonen/v3/objecten/935001/LM100231", 200, "actief", false},
		{"/admin/objects/B100047", mockFields{"price": 170, "text": "Nieuw."}, "B100047", "/bog/v3/objecten/935001/B100047", 200, "teksten.aanbiedingstekst", "Nieuw."},
		{"/admin/objects/N100012", mockFields{"price": 400000}, "N100012", "/nieuwbouw/v2/projecten/935001/N100012", 200, "project.algemeen.koopaanneemsomVanaf", json.Number("400000")},
		{"/admin/objects/LM100302", mockFields{"status": "VERKOCHT"}, "N100012", "/nieuwbouw/v2/projecten/935001/N100012", 200, "project.algemeen.status", "VERKOCHT"},
		{"/admin/objects", mockFields{"town": "Bosveld", "price": 300000}, "LM200001", "/wonen/v3/objecten/935001/LM200001", 200, "adres.plaats", "BOSVELD"},
		{"/admin/objects", mockFields{"api": "bog", "price": 900, "rent": true}, "B200001", "/bog/v3/objecten/935001/B200001", 200, "kenmerken.hoofdfunctie", "WINKELRUIMTE"},
	}
	for _, c := range cases {
		r.text(200, "POST", c.path, c.body)
		hook := mockDecode(t, <-receiver.got)
		url := mockText(hook["endpoints"].([]any)[0].(mockFields), "url")
		if mockAt(hook, "parameters.OBJECT") != c.object || hook["userAccess"] != "ACTIVE" || url != r.server.URL+"/mock"+c.detail {
			t.Errorf("%s %v: %v", c.path, c.body, hook)
		}
		status, body := r.do("GET", c.detail, nil)
		if status != c.status || status == 200 && mockAt(mockDecode(t, body), c.at) != c.want {
			t.Errorf("%s after %v: %d, %v", c.detail, c.body, status, mockAt(mockDecode(t, body), c.at))
		}
	}
	before := len(r.rows("/wonen/v3/objecten"))
	r.text(200, "POST", "/admin/objects/LM200001", mockFields{"price": 300000}) // is what it costs
	select {
	case body := <-receiver.got:
		t.Errorf("nothing changed, and yet: %s", body)
	default:
	}
	if before != 21 { // one withdrawn, one added
		t.Errorf("%d objects are listed", before)
	}
}

func TestMockWebhookRetriesAndLogs(t *testing.T) {
	t.Parallel()
	receiver := newMockReceiver(t, 500, 404, 202)
	r := newMockRig(t, nil, receiver.URL)
	r.quick()
	r.Quirks.Duplicate = true
	r.text(200, "POST", "/admin/objects/LM100231", mockFields{"price": 475000})
	for range 4 { // two failures, the success, the double
		<-receiver.got
	}
	for {
		log := r.get("/admin/webhooks")
		deliveries := log["deliveries"].([]any)
		if len(deliveries) == 2 {
			first, second := deliveries[1].(mockFields), deliveries[0].(mockFields)
			if first["state"] != "delivered" || first["attempts"] != json.Number("3") || second["attempts"] != json.Number("1") {
				t.Errorf("log: %v", deliveries)
			}
			message := first["messages"].([]any)[0].(mockFields)
			if message["entityType"] != "wonen" || message["entityId"] != "935001/LM100231" || message["event"] != "OBJECT_UPDATE" {
				t.Errorf("log: %v", message)
			}
			return
		}
		runtime.Gosched()
	}
}

// Of two changes the later one may be told first.
func TestMockSwapsWebhooks(t *testing.T) {
	t.Parallel()
	receiver := newMockReceiver(t, 202)
	r := newMockRig(t, nil, receiver.URL)
	r.quick()
	r.Quirks.Swap = true
	for _, code := range []string{"LM100231", "LM100207"} {
		r.text(200, "POST", "/admin/objects/"+code, mockFields{"price": 475000})
	}
	for _, code := range []string{"LM100207", "LM100231"} {
		if body := <-receiver.got; !strings.Contains(string(body), code) {
			t.Errorf("told of %s, want %s", body, code)
		}
	}
}

// TestMockSwitchesWebhooksOff: after 25 failed deliveries nothing is sent until a person switches the
// webhook on again.
func TestMockSwitchesWebhooksOff(t *testing.T) {
	t.Parallel()
	receiver := newMockReceiver(t, append(slices.Repeat([]int{500}, 3), append([]int{202}, slices.Repeat([]int{404}, mockMaxFailures)...)...)...)
	r := newMockRig(t, nil, receiver.URL)
	r.quick()
	take := func(n int) (last mockFields) {
		t.Helper()
		for range n {
			last = mockDecode(t, <-receiver.got)
		}
		return last
	}
	price := func(code string, price int) { r.text(200, "POST", "/admin/objects/"+code, mockFields{"price": price}) }
	state := func() (first string, off bool) {
		log := r.get("/admin/webhooks")
		if list := log["deliveries"].([]any); len(list) > 0 {
			first, _ = list[0].(mockFields)["state"].(string)
		}
		return first, log["off"].(bool)
	}
	price("LM100231", 475000)
	take(4) // three failures and a success, after which they are counted anew
	price("LM100231", 476000)
	take(mockMaxFailures)
	for _, off := state(); !off; _, off = state() {
		runtime.Gosched()
	}
	for first, _ := state(); first != "failed"; first, _ = state() {
		runtime.Gosched()
	}
	if page := r.page("/webhooks"); !strings.Contains(page, "Switched off: 25 deliveries failed") {
		t.Errorf("page: %s", page)
	}
	price("LM100244", 1500)
	if n := r.sender.Pending(); n != 0 {
		t.Errorf("%d wait while the webhook is off", n)
	}
	if _, page := r.form("/webhooks", nil); strings.Contains(page, "Switched off") {
		t.Errorf("page: %s", page)
	}
	price("LM100231", 477000)
	if hook := take(1); mockAt(hook, "parameters.OBJECT") != "LM100231" {
		t.Errorf("told: %v", hook)
	}
	if _, off := state(); off {
		t.Error("it is off again")
	}
}

// TestMockWithoutWebhooks: without an address nothing is sent, and nothing runs after Close.
func TestMockWithoutWebhooks(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, memstore.New(), "")
	r.text(200, "POST", "/admin/objects/LM100231", mockFields{"price": 475000})
	if log := r.get("/admin/webhooks"); len(log["deliveries"].([]any)) != 0 {
		t.Errorf("log: %v", log)
	}
	receiver := newMockReceiver(t)
	closed := newMockRig(t, nil, receiver.URL)
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	closed.text(200, "POST", "/admin/objects/LM100231", mockFields{"price": 475000})
	if closed.sender.Pending() != 0 {
		t.Error("a closed mock queues webhooks")
	}
}
