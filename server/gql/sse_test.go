package gql_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"sparki.app/integrations/server/gql"
	"sparki.app/integrations/server/gql/internal/testschema"
)

// event is one server-sent event; a comment has the name ":".
type event struct{ name, data string }

// events is an open event stream.
type events struct {
	t      *testing.T
	body   *bufio.Reader
	header http.Header
	leave  context.CancelFunc
}

func (w *world) open(t *testing.T, query string) *events {
	t.Helper()
	ctx, leave := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, http.MethodPost, w.http.URL, strings.NewReader(body(query)))
	r.Header.Set("Content-Type", typeJSON)
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Authorization", "Bearer x")
	got, err := w.http.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		leave()
		_ = got.Body.Close()
	})
	if got.StatusCode != http.StatusOK {
		t.Fatalf("status is %d", got.StatusCode)
	}
	return &events{t: t, body: bufio.NewReader(got.Body), header: got.Header, leave: leave}
}

// read reads one event, or the end of the stream.
func (e *events) read() (ev event, err error) {
	for {
		line, err := e.body.ReadString('\n')
		line = strings.TrimSuffix(line, "\n")
		switch {
		case err != nil:
			return ev, err
		case line == "":
			return ev, nil
		case strings.HasPrefix(line, ":"):
			ev.name = ":"
		case strings.HasPrefix(line, "event: "):
			ev.name = line[len("event: "):]
		case line == "data:" || strings.HasPrefix(line, "data: "):
			ev.data += strings.TrimPrefix(line[len("data:"):], " ")
		default:
			return ev, fmt.Errorf("line %q", line)
		}
	}
}

// receive reads one event that is no comment.
func (e *events) receive() event {
	e.t.Helper()
	for {
		ev, err := e.read()
		if err != nil {
			e.t.Fatal(err)
		}
		if ev.name != ":" {
			return ev
		}
	}
}

func (e *events) wantNext(data string) {
	e.t.Helper()
	if ev := e.receive(); ev.name != "next" || !sameJSON(ev.data, data) {
		e.t.Fatalf("got %v, want next %s", ev, data)
	}
}

// wantComplete reads "complete" and the end.
func (e *events) wantComplete() {
	e.t.Helper()
	if ev := e.receive(); ev != (event{name: "complete"}) {
		e.t.Fatalf("got %v, want complete", ev)
	}
	e.wantEnd()
}

// wantEnd reads the end of the stream, and nothing but comments before it.
func (e *events) wantEnd() {
	e.t.Helper()
	for {
		ev, err := e.read()
		if err == io.EOF {
			return
		}
		if err != nil || ev.name != ":" {
			e.t.Fatalf("got %v, %v, want the end", ev, err)
		}
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, query string
		next        []string
	}{
		{name: "Subscription", query: "subscription{count(to:2)}", next: []string{`{"data":{"count":0}}`, `{"data":{"count":1}}`}},
		{name: "NoEvents", query: "subscription{count(to:0)}"},
		{name: "Query", query: "{viewer}", next: []string{`{"data":{"viewer":"Bearer x"}}`}},
		{name: "Mutation", query: "mutation{bump}", next: []string{`{"data":{"bump":1}}`}},
		{name: "LineBreaksInRawJSON", query: "subscription{rawEvents}", next: []string{`{"data":{"rawEvents":{"i":0}}}`, `{"data":{"rawEvents":{"i":1}}}`}},
		{name: "FieldError", query: "{fail}", next: []string{`{"data":{"fail":null},"errors":[{"message":"internal error","path":["fail"],"extensions":{"code":"INTERNAL"}}]}`}},
		{name: "RefusedByResolver", query: "subscription{refused}", next: []string{`{"errors":[{"message":"internal error","path":["refused"],"extensions":{"code":"INTERNAL"}}]}`}},
		{name: "Syntax", query: "{", next: []string{`{"errors":[{"message":"Expected Name, found <EOF>","locations":[{"line":1,"column":2}],"extensions":{"code":"BAD_USER_INPUT"}}]}`}},
		{name: "Limits", query: "{items(first:101){totalCount}}", next: []string{`{"errors":[{"message":"first is above 100","extensions":{"code":"TOO_COMPLEX"}}]}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			e := w.open(t, c.query)
			if got := e.header.Get("Content-Type"); got != "text/event-stream" {
				t.Errorf("content type is %s", got)
			}
			if got := e.header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
				t.Errorf("cache control is %s", got)
			}
			for _, data := range c.next {
				e.wantNext(data)
			}
			e.wantComplete()
		})
	}
}

func TestEventsRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	subscription := body("subscription{count(to:1)}")
	for _, c := range []struct {
		name   string
		send   request
		status int
		code   string
	}{
		{name: "NotSignedIn", send: request{accept: "text/event-stream", authorization: "Bearer bad", body: subscription}, status: 401, code: "UNAUTHENTICATED"},
		{name: "ByGet", send: request{method: "GET", accept: "text/event-stream", query: map[string][]string{"query": {"subscription{count(to:1)}"}}}, status: 405, code: "BAD_USER_INPUT"},
		{name: "NotJSON", send: request{accept: "text/event-stream", body: "{"}, status: 400, code: "BAD_USER_INPUT"},
		{name: "TextBody", send: request{accept: "text/event-stream", contentType: "text/plain", body: subscription}, status: 415, code: "BAD_USER_INPUT"},
		{name: "NotNamed", send: request{accept: "*/*", body: subscription}, status: 400, code: "BAD_USER_INPUT"},
		{name: "QualityZero", send: request{accept: "application/json, text/event-stream;q=0", body: subscription}, status: 400, code: "BAD_USER_INPUT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := w.do(t, c.send)
			if got.status != c.status || got.header.Get("Content-Type") != "application/json; charset=utf-8" || !slices.Equal(codes(t, got.body), []string{c.code}) {
				t.Errorf("got %v", got)
			}
		})
	}
	for _, accept := range []string{"text/event-stream, application/json", "application/graphql-response+json, text/event-stream;q=0.1"} {
		got := w.do(t, request{accept: accept, body: subscription})
		if got.status != 200 || got.header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%s: %v", accept, got)
		}
		if got := w.do(t, request{accept: accept, body: body("{hello}")}); got.body != `{"data":{"hello":"Hello world"}}` {
			t.Errorf("%s: %v", accept, got)
		}
	}
}

func TestEventsLive(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	w := setup(t, limits(gql.Limits{PingEvery: 10 * time.Millisecond}), func(c *gql.Config) {
		c.OnOperation = func(ctx context.Context, _ *graphql.OperationContext) context.Context {
			return testschema.WithLoad(ctx, fmt.Sprint(calls.Add(1)))
		}
	})
	e := w.open(t, "subscription{messages{text loaded}}")
	eventually(t, "subscribed", func() bool { return w.Subscribers() == 1 })
	for comments := 0; comments < 4; comments++ { // the first opens the stream, the others keep it
		if ev, err := e.read(); err != nil || ev.name != ":" {
			t.Fatalf("got %v, %v", ev, err)
		}
	}
	for i := range 3 {
		w.publish(t, "x")
		e.wantNext(fmt.Sprintf(`{"data":{"messages":{"text":"x","loaded":"%d"}}}`, i+2))
	}
	w.End()
	e.wantComplete()
}

func TestEventsClientLeaves(t *testing.T) {
	t.Parallel()
	w := setup(t)
	e := w.open(t, "subscription{messages{text}}")
	eventually(t, "subscribed", func() bool { return w.Subscribers() == 1 })
	e.leave()
	eventually(t, "resolver ended", func() bool { return w.Live.Load() == 0 })
}

func TestEventsAlive(t *testing.T) {
	t.Parallel()
	var revoked atomic.Bool
	w := setup(t, limits(gql.Limits{AliveEvery: 10 * time.Millisecond}), func(c *gql.Config) {
		c.Alive = func(ctx context.Context) error {
			if revoked.Load() && testschema.Viewer(ctx) == "Bearer x" {
				return errRefused
			}
			return nil
		}
	})
	e := w.open(t, "subscription{messages{text}}")
	eventually(t, "subscribed", func() bool { return w.Subscribers() == 1 })
	w.publish(t, "x")
	e.wantNext(`{"data":{"messages":{"text":"x"}}}`)
	revoked.Store(true)
	e.wantEnd()
}

// Without "complete", so that the client comes back to another process.
func TestEventsShutdown(t *testing.T) {
	t.Parallel()
	w := setup(t)
	e := w.open(t, "subscription{messages{text}}")
	eventually(t, "subscribed", func() bool { return w.Subscribers() == 1 })
	if err := w.handler.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.wantEnd()
}

func TestEventsSlowReader(t *testing.T) {
	t.Parallel()
	w := setup(t, limits(gql.Limits{WriteWait: 100 * time.Millisecond}))
	conn, err := net.Dial("tcp", w.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	q := body("subscription{flood(n:100000)}")
	_, _ = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\nContent-Length: %d\r\n\r\n%s", len(q), q)
	eventually(t, "running", func() bool { return w.Live.Load() == 1 })
	eventually(t, "dropped", func() bool { return w.Live.Load() == 0 })
}
