package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// subscriber follows one operation. What arrives is kept until it is asked for.
type subscriber struct {
	mu     sync.Mutex
	news   chan struct{} // holds a token when something arrived
	events []event
	end    *ending // nil while it lasts
	close  func()
}

// event is one message of the server: next, error or complete.
type event struct {
	kind    string
	payload struct {
		Data   json.RawMessage
		Errors []struct {
			Message    string
			Extensions struct{ Code string }
		}
	}
}

// ending is how the connection ended: with a WebSocket's close code, 0 when there was none.
type ending struct{ code int }

// arrived keeps what the server sent, or that it ended.
func (s *subscriber) arrived(e *event, end *ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e != nil {
		s.events = append(s.events, *e)
	}
	if end != nil && s.end == nil {
		s.end = end
	}
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// patience is how long a subscriber waits for what must come.
const patience = time.Minute

// await waits until ready holds, and says whether it did in time. ready is called under the lock.
func (s *subscriber) await(within time.Duration, ready func() bool) bool {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for {
		s.mu.Lock()
		ok := ready()
		s.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-s.news:
		case <-deadline.C:
			return false
		}
	}
}

// next waits for the next event, which must be one of these kinds.
func (s *subscriber) next(t *testing.T, kind string) event {
	t.Helper()
	var e event
	if !s.await(patience, func() bool { return len(s.events) > 0 || s.end != nil }) {
		t.Fatalf("no %q in %v", kind, patience)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events) == 0 {
		t.Fatalf("the connection ended with %d, %q was to come", s.end.code, kind)
	}
	e, s.events = s.events[0], s.events[1:]
	if e.kind != kind {
		t.Fatalf("%q came with %s %+v, want %q", e.kind, e.payload.Data, e.payload.Errors, kind)
	}
	return e
}

// read waits for the next data.
func (s *subscriber) read(t *testing.T, into any) {
	t.Helper()
	e := s.next(t, "next")
	if len(e.payload.Errors) > 0 {
		t.Fatalf("errors: %+v", e.payload.Errors)
	}
	if err := json.Unmarshal(e.payload.Data, into); err != nil {
		t.Fatal(err)
	}
}

// waiting counts the events that nobody asked for yet.
func (s *subscriber) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.events)
}

// closed waits for the end of the connection and gives its close code.
func (s *subscriber) closed(t *testing.T, within time.Duration) int {
	t.Helper()
	if !s.await(within, func() bool { return s.end != nil }) {
		t.Fatalf("the connection still stands after %v", within)
	}
	return s.end.code
}

// subscribe follows an operation over graphql-transport-ws.
func subscribe(t *testing.T, url, token, document string, variables map[string]any) *subscriber {
	t.Helper()
	s := dial(t, url, token)
	if e := s.next(t, "connection_ack"); e.kind == "" {
		t.Fatal("no acknowledgement")
	}
	s.start(t, "1", document, variables)
	return &s.subscriber
}

// client is a graphql-transport-ws client.
type client struct {
	subscriber
	conn    *websocket.Conn
	writing sync.Mutex
}

// dial opens a socket and shows a token.
func dial(t *testing.T, url, token string) *client {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}, HandshakeTimeout: patience}
	conn, resp, err := dialer.Dial("ws"+strings.TrimPrefix(url, "http")+"/graphql", nil)
	if err != nil {
		t.Fatalf("dial: %v %+v", err, resp)
	}
	c := &client{conn: conn}
	c.news, c.close = make(chan struct{}, 1), func() { _ = conn.Close() }
	t.Cleanup(c.close)
	go c.listen()
	init := map[string]any{"type": "connection_init", "payload": map[string]any{}}
	if token != "" {
		init["payload"] = map[string]any{"Authorization": "Bearer " + token}
	}
	c.write(t, init)
	return c
}

func (c *client) start(t *testing.T, id, document string, variables map[string]any) {
	t.Helper()
	c.write(t, map[string]any{"type": "subscribe", "id": id, "payload": map[string]any{"query": document, "variables": variables}})
}

func (c *client) write(t *testing.T, message any) {
	t.Helper()
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.conn.WriteJSON(message); err != nil {
		t.Logf("write: %v", err) // how it ended, the reader knows
	}
}

func (c *client) listen() {
	for {
		var m struct {
			Type    string
			Payload json.RawMessage
		}
		if err := c.conn.ReadJSON(&m); err != nil {
			end := &ending{}
			if closed, ok := errors.AsType[*websocket.CloseError](err); ok {
				end.code = closed.Code
			}
			c.arrived(nil, end)
			return
		}
		e := &event{kind: m.Type}
		switch m.Type {
		case "ping":
			c.writing.Lock()
			_ = c.conn.WriteJSON(map[string]string{"type": "pong"})
			c.writing.Unlock()
			continue
		case "next":
			_ = json.Unmarshal(m.Payload, &e.payload)
		case "error":
			_ = json.Unmarshal(m.Payload, &e.payload.Errors)
		}
		c.arrived(e, nil)
	}
}

// stream follows an operation over server-sent events.
func stream(t *testing.T, url, token, document string, variables map[string]any) *subscriber {
	t.Helper()
	body, _ := json.Marshal(map[string]any{"query": document, "variables": variables})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/graphql", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"text/event-stream"}, "Authorization": {"Bearer " + token}}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("answered %d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	s := &subscriber{news: make(chan struct{}, 1), close: func() { _ = resp.Body.Close() }}
	t.Cleanup(s.close)
	go func() {
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<20)
		var e event
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ":")
			switch value = strings.TrimPrefix(value, " "); {
			case name == "event":
				e.kind = value
			case name == "data" && value != "":
				_ = json.Unmarshal([]byte(value), &e.payload)
			case name == "" && value == "" && e.kind != "":
				s.arrived(&e, nil)
				e = event{}
			}
		}
		s.arrived(nil, &ending{})
	}()
	return s
}
