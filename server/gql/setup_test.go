package gql_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"sparki.app/integrations/server/gql"
	"sparki.app/integrations/server/gql/internal/testschema"
)

// patience is how long a test waits for what must come.
const patience = 10 * time.Second

// TestMain fails the whole run when a test left a goroutine behind: each is a socket, a resolver or a timer of ours.
func TestMain(m *testing.M) {
	base := runtime.NumGoroutine()
	code := m.Run()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		os.Exit(code) // a fuzzer has goroutines of its own
	}
	poll(func() bool { return runtime.NumGoroutine() <= base })
	if n := runtime.NumGoroutine(); code == 0 && n > base {
		fmt.Fprintf(os.Stderr, "%d goroutines at the start, %d at the end\n", base, n)
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		code = 1
	}
	os.Exit(code)
}

// world is a server of its own for one test.
type world struct {
	*testschema.Server
	handler *gql.Handler
	http    *httptest.Server
}

var errRefused = errors.New("refused")

var discard = slog.New(slog.DiscardHandler)

// authenticate knows three callers: a bearer token, a cookie, and the stranger, whom it lets in without a name.
func authenticate(ctx context.Context, r *http.Request, authorization string) (context.Context, error) {
	switch {
	case authorization == "Bearer broken":
		return nil, fmt.Errorf("%w: database away", gql.ErrUnavailable)
	case authorization == "Bearer panic":
		panic("authenticate")
	case strings.HasPrefix(authorization, "Bearer bad"):
		return nil, errRefused
	case authorization != "":
		return testschema.WithViewer(ctx, authorization+r.Header.Get("Accept-Language")), nil
	}
	if c, err := r.Cookie("session"); err == nil {
		return testschema.WithViewer(ctx, "cookie "+c.Value), nil
	}
	return ctx, nil
}

func setup(t *testing.T, change ...func(*gql.Config)) *world {
	t.Helper()
	w := &world{Server: new(testschema.Server)}
	c := gql.Config{
		Schema:       w.Schema(),
		Authenticate: authenticate,
		Recover:      func(context.Context, any) error { return errors.New("recovered") },
		Errors:       nil,
	}
	for _, f := range change {
		f(&c)
	}
	if c.Log == nil {
		c.Log = discard
	}
	w.handler = gql.New(c)
	w.http = httptest.NewServer(w.handler)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.handler.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		w.http.Close()
		if !poll(func() bool { return w.Live.Load() == 0 }) {
			t.Errorf("%d resolvers left running", w.Live.Load())
		}
	})
	return w
}

// eventually polls until ok, and fails when it takes too long.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	if !poll(ok) {
		t.Fatalf("%s: did not happen", what)
	}
}

func poll(ok func() bool) bool {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// publish hands a message to every subscriber there is.
func (w *world) publish(t *testing.T, text string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return w.Publish(ctx, testschema.Message{Text: text})
}

// peer is the client's end of a socket.
type peer struct {
	t    *testing.T
	conn *websocket.Conn
}

func (w *world) dial(t *testing.T, header http.Header, protocols ...string) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	d := websocket.Dialer{Subprotocols: protocols, HandshakeTimeout: patience, WriteBufferSize: 512, EnableCompression: true}
	return d.DialContext(t.Context(), "ws"+strings.TrimPrefix(w.http.URL, "http"), header)
}

// connect opens a socket that has sent nothing yet.
func (w *world) connect(t *testing.T) *peer {
	t.Helper()
	conn, _, err := w.dial(t, nil, "graphql-transport-ws")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &peer{t: t, conn: conn}
}

// ready opens a socket whose connection is acknowledged.
func (w *world) ready(t *testing.T) *peer {
	t.Helper()
	p := w.connect(t)
	p.send(`{"type":"connection_init"}`)
	p.want(`{"type":"connection_ack"}`)
	return p
}

func (p *peer) send(message string) {
	p.t.Helper()
	if err := p.conn.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
		p.t.Fatalf("send %.80s: %v", message, err)
	}
}

func (p *peer) subscribe(id, query string) {
	p.t.Helper()
	b, _ := json.Marshal(map[string]any{"id": id, "type": "subscribe", "payload": map[string]any{"query": query}})
	p.send(string(b))
}

func (p *peer) read() (string, error) {
	_ = p.conn.SetReadDeadline(time.Now().Add(patience))
	_, b, err := p.conn.ReadMessage()
	return string(b), err
}

// receive reads one message.
func (p *peer) receive() string {
	p.t.Helper()
	got, err := p.read()
	if err != nil {
		p.t.Fatalf("receive: %v", err)
	}
	return got
}

// want reads one message, which has to be this JSON.
func (p *peer) want(message string) {
	p.t.Helper()
	if got := p.receive(); !sameJSON(got, message) {
		p.t.Fatalf("got %s, want %s", got, message)
	}
}

// wantError reads one message, which has to end id with an error of this code.
func (p *peer) wantError(id, code string) {
	p.t.Helper()
	got := p.receive()
	var m struct {
		ID, Type string
		Payload  []struct {
			Message    string
			Extensions struct{ Code string }
		}
	}
	if err := json.Unmarshal([]byte(got), &m); err != nil || m.ID != id || m.Type != "error" || len(m.Payload) == 0 ||
		m.Payload[0].Message == "" || m.Payload[0].Extensions.Code != code {
		p.t.Fatalf("got %s, want error %s for %s", got, code, id)
	}
}

// quiet makes sure that nothing was sent until now: the next message is the pong to our ping.
func (p *peer) quiet() {
	p.t.Helper()
	p.send(`{"type":"ping","payload":{"fence":1}}`)
	p.want(`{"type":"pong","payload":{"fence":1}}`)
}

// wantClose reads up to the close frame.
func (p *peer) wantClose(code int) string {
	p.t.Helper()
	for {
		_, err := p.read()
		if err == nil {
			continue
		}
		e, ok := errors.AsType[*websocket.CloseError](err)
		if !ok || e.Code != code {
			p.t.Fatalf("got %v, want close code %d", err, code)
		}
		return e.Text
	}
}

func sameJSON(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

func limits(l gql.Limits) func(*gql.Config) {
	return func(c *gql.Config) { c.Limits = l }
}

// codes gives the extensions.code of every error of a response.
func codes(t *testing.T, body string) []string {
	t.Helper()
	var r struct {
		Errors []struct {
			Message    string
			Extensions struct{ Code string }
		}
	}
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		t.Fatalf("body %q: %v", body, err)
	}
	out := make([]string, len(r.Errors))
	for i, e := range r.Errors {
		out[i] = e.Extensions.Code
	}
	return out
}
