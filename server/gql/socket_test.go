package gql_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"

	"sparki.app/integrations/server/gql"
	"sparki.app/integrations/server/gql/internal/testschema"
)

func TestHandshake(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		offered  []string
		header   http.Header
		allow    func(*http.Request) bool
		chosen   string
		status   int // of the handshake
		closedBy int
	}{
		{name: "Subprotocol", offered: []string{"graphql-transport-ws"}, chosen: "graphql-transport-ws", status: 101},
		{name: "PreferredToLegacy", offered: []string{"graphql-ws", "graphql-transport-ws"}, chosen: "graphql-transport-ws", status: 101},
		{name: "PreferredToLegacyWhenFirst", offered: []string{"graphql-transport-ws", "graphql-ws"}, chosen: "graphql-transport-ws", status: 101},
		{name: "NoSubprotocol", status: 101, closedBy: 4406},
		{name: "LegacyOnly", offered: []string{"graphql-ws"}, status: 101, closedBy: 4406},
		{name: "ForeignOrigin", offered: []string{"graphql-transport-ws"}, header: http.Header{"Origin": {"https://evil.example"}}, status: 403},
		{name: "NullOrigin", offered: []string{"graphql-transport-ws"}, header: http.Header{"Origin": {"null"}}, status: 403},
		{name: "AllowedOrigin", offered: []string{"graphql-transport-ws"}, header: http.Header{"Origin": {"https://good.example"}},
			allow:  func(r *http.Request) bool { return r.Header.Get("Origin") == "https://good.example" },
			chosen: "graphql-transport-ws", status: 101},
		{name: "NoCompression", offered: []string{"graphql-transport-ws"}, chosen: "graphql-transport-ws", status: 101}, // dial offers it
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, func(config *gql.Config) { config.CheckOrigin = c.allow })
			conn, response, err := w.dial(t, c.header, c.offered...)
			if response == nil || response.StatusCode != c.status {
				t.Fatalf("got %v, %v, want status %d", response, err, c.status)
			}
			if c.status != http.StatusSwitchingProtocols {
				return
			}
			defer conn.Close()
			p := &peer{t: t, conn: conn}
			if got := response.Header.Get("Sec-Websocket-Extensions"); got != "" {
				t.Errorf("negotiated %s", got)
			}
			if conn.Subprotocol() != c.chosen {
				t.Errorf("subprotocol is %q, want %q", conn.Subprotocol(), c.chosen)
			}
			if c.closedBy != 0 {
				p.wantClose(c.closedBy)
				return
			}
			p.send(`{"type":"connection_init"}`)
			p.want(`{"type":"connection_ack"}`)
		})
	}
}

func TestSocketAuthentication(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		header http.Header
		init   string // payload
		viewer string
		closed int
	}{
		{name: "Payload", init: `{"Authorization":"Bearer x"}`, viewer: "Bearer x"},
		{name: "PayloadInLowerCase", init: `{"authorization":"Bearer x"}`, viewer: "Bearer x"},
		{name: "Header", header: http.Header{"Authorization": {"Bearer h"}}, init: `{}`, viewer: "Bearer h"},
		{name: "PayloadBeforeHeader", header: http.Header{"Authorization": {"Bearer h"}}, init: `{"Authorization":"Bearer x"}`, viewer: "Bearer x"},
		{name: "Cookie", header: http.Header{"Cookie": {"session=s"}}, init: `{}`, viewer: "cookie s"},
		{name: "Nobody", init: `null`, viewer: ""},
		{name: "Language", header: http.Header{"Accept-Language": {"en"}}, init: `{"Authorization":"x ","Accept-Language":"nl"}`, viewer: "x nl"},
		{name: "LanguageOfTheHandshake", header: http.Header{"Accept-Language": {"en"}}, init: `{"Authorization":"x "}`, viewer: "x en"},
		{name: "OtherHeadersStay", header: http.Header{"Cookie": {"session=s"}}, init: `{"Cookie":"session=other"}`, viewer: "cookie s"},
		{name: "NotAString", init: `{"Authorization":{"a":1}}`, viewer: ""},
		{name: "Refused", init: `{"Authorization":"Bearer bad"}`, closed: 4403},
		{name: "Unavailable", init: `{"Authorization":"Bearer broken"}`, closed: 1013},
		{name: "Panic", init: `{"Authorization":"Bearer panic"}`, closed: 1013},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t)
			conn, _, err := w.dial(t, c.header, "graphql-transport-ws")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			p := &peer{t: t, conn: conn}
			p.send(`{"type":"connection_init","payload":` + c.init + `}`)
			if c.closed != 0 {
				p.wantClose(c.closed)
				return
			}
			p.want(`{"type":"connection_ack"}`)
			p.subscribe("1", "{viewer}")
			p.want(fmt.Sprintf(`{"id":"1","type":"next","payload":{"data":{"viewer":%q}}}`, c.viewer))
		})
	}
}

// The context of a socket ends with it, so that Authenticate can count a caller's sockets.
func TestSocketContextEnds(t *testing.T) {
	t.Parallel()
	var open atomic.Int64
	w := setup(t, func(c *gql.Config) {
		c.Authenticate = func(ctx context.Context, _ *http.Request, _ string) (context.Context, error) {
			open.Add(1)
			context.AfterFunc(ctx, func() { open.Add(-1) })
			return ctx, nil
		}
	})
	p := w.ready(t)
	if open.Load() != 1 {
		t.Fatal("not counted")
	}
	_ = p.conn.Close()
	eventually(t, "context ended", func() bool { return open.Load() == 0 })
}

func TestAlive(t *testing.T) {
	t.Parallel()
	var revoked atomic.Value
	alive := func(ctx context.Context) error {
		if err, ok := revoked.Load().(error); ok && testschema.Viewer(ctx) == "Bearer x" {
			return err
		}
		return nil
	}
	w := setup(t, limits(gql.Limits{AliveEvery: 10 * time.Millisecond}), func(c *gql.Config) { c.Alive = alive })
	revoked.Store(fmt.Errorf("%w: database away", gql.ErrUnavailable))
	p, other := w.connect(t), w.ready(t)
	p.send(`{"type":"connection_init","payload":{"Authorization":"Bearer x"}}`)
	p.want(`{"type":"connection_ack"}`)
	p.subscribe("1", "subscription{messages{text}}")
	eventually(t, "subscribed", func() bool { return w.Subscribers() == 1 })
	p.quiet()

	revoked.Store(fmt.Errorf("no: %w", errRefused))
	wantReason(t, p.wantClose(4403), "Forbidden")
	eventually(t, "resolver ended", func() bool { return w.Live.Load() == 0 })
	other.quiet()
}

func TestAlivePanicIsNoVerdict(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	w := setup(t, limits(gql.Limits{AliveEvery: 5 * time.Millisecond}), func(c *gql.Config) {
		c.Alive = func(context.Context) error {
			asked.Add(1)
			panic("alive")
		}
	})
	p := w.ready(t)
	eventually(t, "asked twice", func() bool { return asked.Load() > 1 })
	p.quiet()
}

// A peer that does not answer pings is gone after two of them.
func TestDeadPeer(t *testing.T) {
	t.Parallel()
	w := setup(t, limits(gql.Limits{PingEvery: 250 * time.Millisecond}))
	p := w.ready(t)
	p.subscribe("1", "subscription{messages{text}}")
	pinged := make(chan struct{}, 100)
	p.conn.SetPingHandler(func(string) error {
		pinged <- struct{}{}
		return nil
	})
	if _, err := p.read(); err == nil {
		t.Fatal("got a message")
	}
	if len(pinged) == 0 {
		t.Error("no ping")
	}
	eventually(t, "resolver ended", func() bool { return w.Live.Load() == 0 })
}

// A peer that answers pings, and sends nothing else, stays.
func TestQuietPeerStays(t *testing.T) {
	t.Parallel()
	w := setup(t, limits(gql.Limits{PingEvery: 500 * time.Millisecond}))
	p := w.ready(t)
	pings := 0
	p.conn.SetPingHandler(func(string) error {
		if pings++; pings == 3 { // longer than a dead peer gets
			p.send(`{"type":"ping"}`)
		}
		return p.conn.WriteControl(websocket.PongMessage, nil, time.Now().Add(patience))
	})
	p.want(`{"type":"pong"}`)
}

func TestSlowReader(t *testing.T) {
	t.Parallel()
	w := setup(t, limits(gql.Limits{WriteWait: 100 * time.Millisecond, PingEvery: time.Minute}))
	slow, quick := w.ready(t), w.ready(t)
	slow.subscribe("1", "subscription{flood(n:100000)}")
	slow.subscribe("2", "subscription{flood(n:10)}")
	eventually(t, "running", func() bool { return w.Live.Load() == 2 })
	// While its peer takes nothing, the others are served; then it is dropped.
	for range 100 {
		quick.quiet()
	}
	eventually(t, "dropped", func() bool { return w.Live.Load() == 0 })
	quick.quiet()
}

// A socket that is being closed does not wait for a peer that takes nothing either.
func TestShutdownWithSlowReader(t *testing.T) {
	t.Parallel()
	w := setup(t, limits(gql.Limits{WriteWait: time.Hour}))
	p := w.ready(t)
	p.subscribe("1", "subscription{flood(n:100000)}")
	eventually(t, "running", func() bool { return w.Live.Load() == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := w.handler.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestShutdown(t *testing.T) {
	t.Parallel()
	w := setup(t)
	peers := []*peer{w.ready(t), w.ready(t), w.connect(t)}
	peers[0].subscribe("1", "subscription{messages{text}}")
	peers[0].subscribe("2", "{waits}")
	eventually(t, "running", func() bool { return w.Live.Load() == 2 })
	done := make(chan error)
	go func() { done <- w.handler.Shutdown(context.Background()) }()
	for _, p := range peers {
		_, err := p.read()
		if !websocket.IsCloseError(err, 1001) {
			t.Errorf("got %v, want 1001 and nothing before it", err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, r, err := w.dial(t, nil, "graphql-transport-ws"); err == nil || r.StatusCode != 503 {
		t.Errorf("handshake after shutdown: %v, %v", r, err)
	}
	// Plain requests are served until the listener closes.
	if r := w.post(t, `{"query":"{hello}"}`); r.status != 200 {
		t.Errorf("query after shutdown: %v", r)
	}
	if r := w.do(t, request{accept: "text/event-stream", body: `{"query":"subscription{count(to:1)}"}`}); r.status != 503 {
		t.Errorf("event stream after shutdown: %v", r)
	}
}

// A context that ends cuts what does not leave by itself.
func TestShutdownOutOfTime(t *testing.T) {
	t.Parallel()
	w := setup(t)
	p := w.ready(t)
	release := make(chan struct{})
	p.conn.SetCloseHandler(func(int, string) error { <-release; return nil })
	go func() { _, _ = p.read() }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.handler.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
}

func TestStreamLimit(t *testing.T) {
	t.Parallel()
	w := setup(t, limits(gql.Limits{Streams: 2}))
	first := w.connect(t)
	w.connect(t)
	if _, r, err := w.dial(t, nil, "graphql-transport-ws"); err == nil || r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("third socket: %v, %v", r, err)
	}
	if r := w.do(t, request{accept: "text/event-stream", body: `{"query":"subscription{count(to:1)}"}`}); r.status != 503 {
		t.Errorf("event stream: %v", r)
	}
	_ = first.conn.Close()
	eventually(t, "room again", func() bool {
		conn, _, err := w.dial(t, nil, "graphql-transport-ws")
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

// gqlgen leaks a socket for every connection_init whose payload is not an object.
func TestBadInitsLeaveNothing(t *testing.T) {
	t.Parallel()
	w := setup(t, limits(gql.Limits{Streams: 5}))
	for i := range 100 {
		var p *peer
		eventually(t, "the one before is gone", func() bool { // else the limit of 5 is reached
			conn, _, err := w.dial(t, nil, "graphql-transport-ws")
			p = &peer{t: t, conn: conn}
			return err == nil
		})
		p.send([]string{`{"type":"connection_init","payload":"x"}`, `{"type":"connection_init","payload":{"Authorization":"Bearer bad"}}`, `x`}[i%3])
		// We never answer the close frame: the server must not wait for that.
		_ = p.conn.SetReadDeadline(time.Now().Add(patience))
		p.conn.SetCloseHandler(func(int, string) error { return nil })
		if _, _, err := p.conn.ReadMessage(); !websocket.IsCloseError(err, 4400, 4403) {
			t.Fatal(err)
		}
		if n, err := p.conn.NetConn().Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Fatalf("read %d, %v after the close frame", n, err)
		}
		_ = p.conn.Close()
	}
}

// A peer that keeps on sending after its mistake still gets to see why it was closed.
func TestCloseFrameReachesASender(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, c := range []struct {
		first string
		code  int
	}{
		{first: `nonsense`, code: 4400},
		{first: strings.Repeat("x", 300<<10), code: 1009},
	} {
		p := w.ready(t)
		stopped := make(chan struct{})
		p.send(c.first)
		go func() {
			defer close(stopped)
			for range 2_000 {
				if p.conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"ping"}`)) != nil {
					return
				}
			}
		}()
		p.conn.SetCloseHandler(func(int, string) error { return nil })
		p.wantClose(c.code)
		_ = p.conn.Close()
		<-stopped
	}
}

// Frames that break RFC 6455 end the socket, with 1002, and nothing else.
func TestBrokenFrame(t *testing.T) {
	t.Parallel()
	w := setup(t)
	p := w.ready(t)
	_, _ = p.conn.NetConn().Write([]byte{0xff, 0x80, 0, 0, 0, 0})
	p.wantClose(1002)
}

// What OnOperation makes lives for one answer, also when the operation lives for long.
func TestOnOperationForEveryEvent(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	w := setup(t, func(c *gql.Config) {
		c.OnOperation = func(ctx context.Context, oc *graphql.OperationContext) context.Context {
			return testschema.WithLoad(ctx, fmt.Sprintf("%s %d", oc.Operation.Name, calls.Add(1)))
		}
	})
	p := w.ready(t)
	p.subscribe("1", "subscription named{messages{loaded}}")
	eventually(t, "subscribed", func() bool { return w.Subscribers() == 1 })
	for i := range 3 {
		w.publish(t, "x")
		p.want(fmt.Sprintf(`{"id":"1","type":"next","payload":{"data":{"messages":{"loaded":"named %d"}}}}`, i+2))
	}
}

func TestFanOut(t *testing.T) {
	t.Parallel()
	w := setup(t)
	peers := make([]*peer, 50)
	for i := range peers {
		peers[i] = w.ready(t)
		peers[i].subscribe("s", "subscription{messages{text}}")
	}
	eventually(t, "subscribed", func() bool { return w.Subscribers() == len(peers) })
	for i := range 5 {
		if n := w.publish(t, fmt.Sprint(i)); n != len(peers) {
			t.Fatalf("%d took it", n)
		}
		for _, p := range peers {
			p.want(fmt.Sprintf(`{"id":"s","type":"next","payload":{"data":{"messages":{"text":"%d"}}}}`, i))
		}
	}
}

// A handshake that never becomes a socket, and a socket that is only a TCP connection, leave nothing either.
func TestHalfHandshake(t *testing.T) {
	t.Parallel()
	w := setup(t, limits(gql.Limits{InitWait: 20 * time.Millisecond}))
	conn, err := net.Dial("tcp", w.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n")
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	got, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(got), "Connection initialisation timeout") {
		t.Errorf("got %q, %v", got, err)
	}
}

// A panic outside of any resolver ends its operation, and nothing more.
func TestPanicInOnOperation(t *testing.T) {
	t.Parallel()
	w := setup(t, func(c *gql.Config) {
		c.OnOperation = func(ctx context.Context, oc *graphql.OperationContext) context.Context {
			if oc.Operation.Name == "bad" {
				panic("on operation")
			}
			return ctx
		}
	})
	p := w.ready(t)
	for _, query := range []string{"query bad{hello}", "subscription bad{count(to:1)}"} {
		p.subscribe("1", query)
		p.wantError("1", "INTERNAL")
	}
	p.subscribe("1", "{hello}")
	p.want(`{"id":"1","type":"next","payload":{"data":{"hello":"Hello world"}}}`)
	if r := w.post(t, body("query bad{hello}")); r.status != 503 || len(codes(t, r.body)) != 1 {
		t.Errorf("got %v", r)
	}
	e := w.open(t, "subscription bad{count(to:1)}")
	e.wantNext(`{"errors":[{"message":"internal error","extensions":{"code":"INTERNAL"}}]}`)
	e.wantComplete()
}
