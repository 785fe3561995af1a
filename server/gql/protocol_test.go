package gql_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"sparki.app/integrations/server/gql"
)

// TestProtocol is our own conformance suite for PROTOCOL.md of graphql-ws: each row is one rule, under the heading of the
// document that it comes from.
func TestProtocol(t *testing.T) {
	t.Parallel()
	const initialise = `{"type":"connection_init"}`
	const ack = `{"type":"connection_ack"}`
	for _, rule := range []struct {
		name   string
		fresh  bool // without connection_init
		limits gql.Limits
		do     func(t *testing.T, w *world, p *peer)
	}{
		// ConnectionInit
		{name: "ConnectionInit/Acknowledged", fresh: true, do: func(t *testing.T, w *world, p *peer) {
			p.send(initialise)
			p.want(ack)
			p.quiet()
		}},
		{name: "ConnectionInit/NullPayload", fresh: true, do: func(t *testing.T, w *world, p *peer) {
			p.send(`{"type":"connection_init","payload":null}`)
			p.want(ack)
		}},
		{name: "ConnectionInit/Payload", fresh: true, do: func(t *testing.T, w *world, p *peer) {
			p.send(`{"type":"connection_init","payload":{"any":["thing"],"Authorization":"Bearer x"}}`)
			p.want(ack)
			p.subscribe("1", "{viewer}")
			p.want(`{"id":"1","type":"next","payload":{"data":{"viewer":"Bearer x"}}}`)
		}},
		{name: "ConnectionInit/Timeout", fresh: true, limits: gql.Limits{InitWait: 30 * time.Millisecond}, do: func(t *testing.T, w *world, p *peer) {
			wantReason(t, p.wantClose(4408), "Connection initialisation timeout")
		}},
		{name: "ConnectionInit/PingsDoNotStopTheClock", fresh: true, limits: gql.Limits{InitWait: 100 * time.Millisecond}, do: func(t *testing.T, w *world, p *peer) {
			for {
				if p.conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"ping"}`)) != nil {
					break
				}
				if m, err := p.read(); err != nil || !strings.Contains(m, "pong") {
					if e, ok := err.(*websocket.CloseError); !ok || e.Code != 4408 {
						t.Fatalf("got %s, %v, want 4408", m, err)
					}
					break
				}
			}
		}},
		{name: "ConnectionInit/InTimeStopsTheClock", fresh: true, limits: gql.Limits{InitWait: 600 * time.Millisecond, PingEvery: 500 * time.Millisecond}, do: func(t *testing.T, w *world, p *peer) {
			p.send(initialise)
			p.want(ack)
			pings := 0
			p.conn.SetPingHandler(func(string) error {
				if pings++; pings == 2 { // a second later
					p.send(`{"type":"ping"}`)
				}
				return p.conn.WriteControl(websocket.PongMessage, nil, time.Now().Add(patience))
			})
			p.want(`{"type":"pong"}`)
		}},
		{name: "ConnectionInit/Twice", do: func(t *testing.T, w *world, p *peer) {
			p.send(initialise)
			wantReason(t, p.wantClose(4429), "Too many initialisation requests")
		}},
		{name: "ConnectionInit/TwiceAtOnce", fresh: true, do: func(t *testing.T, w *world, p *peer) {
			p.send(initialise)
			p.send(initialise)
			p.want(ack)
			p.wantClose(4429)
		}},
		{name: "ConnectionInit/Rejected", fresh: true, do: func(t *testing.T, w *world, p *peer) {
			p.send(`{"type":"connection_init","payload":{"authorization":"Bearer bad"}}`)
			wantReason(t, p.wantClose(4403), "Forbidden")
		}},

		// Ping and Pong
		{name: "Ping/BeforeInit", fresh: true, do: func(t *testing.T, w *world, p *peer) {
			p.send(`{"type":"ping"}`)
			p.want(`{"type":"pong"}`)
			p.send(initialise)
			p.want(ack)
		}},
		{name: "Ping/Payload", do: func(t *testing.T, w *world, p *peer) {
			p.send(`{"type":"ping","payload":{"a":{"b":[1,null,"é"]}}}`)
			p.want(`{"type":"pong","payload":{"a":{"b":[1,null,"é"]}}}`)
		}},
		{name: "Ping/NullPayload", do: func(t *testing.T, w *world, p *peer) {
			p.send(`{"type":"ping","payload":null}`)
			p.want(`{"type":"pong"}`)
		}},
		{name: "Pong/Unsolicited", do: func(t *testing.T, w *world, p *peer) {
			p.send(`{"type":"pong"}`)
			p.send(`{"type":"pong","payload":{"a":1}}`)
			p.quiet()
		}},
		{name: "Pong/BeforeInit", fresh: true, do: func(t *testing.T, w *world, p *peer) {
			p.send(`{"type":"pong"}`)
			p.quiet()
		}},

		// Subscribe
		{name: "Subscribe/BeforeInit", fresh: true, do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "{hello}")
			wantReason(t, p.wantClose(4401), "Unauthorized")
		}},
		{name: "Subscribe/Query", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "{hello}")
			p.want(`{"id":"1","type":"next","payload":{"data":{"hello":"Hello world"}}}`)
			p.want(`{"id":"1","type":"complete"}`)
			p.quiet()
		}},
		{name: "Subscribe/Mutation", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "mutation{bump(by:3)}")
			p.want(`{"id":"1","type":"next","payload":{"data":{"bump":3}}}`)
			p.want(`{"id":"1","type":"complete"}`)
			if n := w.Counter.Load(); n != 3 {
				t.Errorf("counter is %d", n)
			}
		}},
		{name: "Subscribe/Subscription", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "subscription{count(to:3)}")
			for i := range 3 {
				p.want(fmt.Sprintf(`{"id":"1","type":"next","payload":{"data":{"count":%d}}}`, i))
			}
			p.want(`{"id":"1","type":"complete"}`)
			p.quiet()
		}},
		{name: "Subscribe/NoEvents", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "subscription{count(to:0)}")
			p.want(`{"id":"1","type":"complete"}`)
		}},
		{name: "Subscribe/OperationNameAndVariables", do: func(t *testing.T, w *world, p *peer) {
			p.send(`{"id":"1","type":"subscribe","payload":{"operationName":"b","variables":{"n":"é🏃"},"extensions":{"x":1},
				"query":"query a{viewer} query b($n:String!){hello(name:$n)}"}}`)
			p.want(`{"id":"1","type":"next","payload":{"data":{"hello":"Hello é🏃"}}}`)
		}},
		{name: "Subscribe/NullsStandForAbsent", do: func(t *testing.T, w *world, p *peer) {
			p.send(`{"id":"1","type":"subscribe","payload":{"operationName":null,"variables":null,"extensions":null,"query":"{hello}"}}`)
			p.want(`{"id":"1","type":"next","payload":{"data":{"hello":"Hello world"}}}`)
		}},
		{name: "Subscribe/MembersOfOthersIgnored", do: func(t *testing.T, w *world, p *peer) {
			p.send(`{"id":"1","type":"subscribe","extra":1,"payload":{"query":"{hello}","extra":[]}}`)
			p.want(`{"id":"1","type":"next","payload":{"data":{"hello":"Hello world"}}}`)
		}},
		{name: "Subscribe/Interleaved", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("a", "subscription{messages{text}}")
			p.subscribe("b", "subscription{count(to:1)}")
			p.want(`{"id":"b","type":"next","payload":{"data":{"count":0}}}`)
			p.want(`{"id":"b","type":"complete"}`)
			eventually(t, "subscribed", func() bool { return w.Subscribers() == 1 })
			w.publish(t, "x")
			p.want(`{"id":"a","type":"next","payload":{"data":{"messages":{"text":"x"}}}}`)
		}},
		{name: "Subscribe/IDInUse", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "subscription{messages{text}}")
			eventually(t, "subscribed", func() bool { return w.Subscribers() == 1 })
			p.subscribe("1", "subscription{messages{text}}")
			wantReason(t, p.wantClose(4409), "Subscriber for 1 already exists")
		}},
		{name: "Subscribe/IDInUseAtOnce", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "subscription{messages{text}}")
			p.subscribe("1", "{hello}")
			p.wantClose(4409)
		}},
		{name: "Subscribe/IDInUseByQuery", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "{waits}")
			p.subscribe("1", "subscription{count(to:1)}")
			p.wantClose(4409)
		}},
		{name: "Subscribe/IDInUseSpeltOtherwise", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("a", "subscription{messages{text}}")
			p.send(`{"id":"\u0061","type":"subscribe","payload":{"query":"{hello}"}}`)
			p.wantClose(4409)
		}},
		{name: "Subscribe/LongIDInReasonIsCut", do: func(t *testing.T, w *world, p *peer) {
			id := strings.Repeat("é", 500)
			p.subscribe(id, "subscription{messages{text}}")
			p.subscribe(id, "{hello}")
			reason := p.wantClose(4409)
			if len(reason) > 123 || len(reason) < 100 || !utf8.ValidString(reason) || !strings.HasPrefix(reason, "Subscriber for éé") {
				t.Errorf("reason is %d bytes: %q", len(reason), reason)
			}
		}},
		{name: "Subscribe/AnyStringIsAnID", do: func(t *testing.T, w *world, p *peer) {
			for _, id := range []string{" ", `"\`, "\u2028</script>", "🏃", strings.Repeat("x", 3_000)} {
				p.subscribe(id, "subscription{count(to:0)}")
				complete, _ := json.Marshal(map[string]string{"id": id, "type": "complete"})
				p.want(string(complete))
			}
		}},
		{name: "Subscribe/IDsAreFreeAfterComplete", do: func(t *testing.T, w *world, p *peer) {
			for range 20 {
				p.subscribe("1", "{hello}")
				p.want(`{"id":"1","type":"next","payload":{"data":{"hello":"Hello world"}}}`)
				p.want(`{"id":"1","type":"complete"}`)
			}
		}},
		{name: "Subscribe/IDsAreFreeAfterError", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "{nope}")
			p.wantError("1", "BAD_USER_INPUT")
			p.subscribe("1", "subscription{count(to:0)}")
			p.want(`{"id":"1","type":"complete"}`)
		}},
		{name: "Subscribe/IDsAreFreeAfterClientComplete", do: func(t *testing.T, w *world, p *peer) {
			for i := range 20 {
				p.subscribe("1", "subscription{messages{text}}")
				p.send(`{"id":"1","type":"complete"}`)
				p.subscribe("1", fmt.Sprintf(`{hello(name:"%d")}`, i))
				p.want(fmt.Sprintf(`{"id":"1","type":"next","payload":{"data":{"hello":"Hello %d"}}}`, i))
				p.want(`{"id":"1","type":"complete"}`)
			}
			p.quiet()
		}},
		{name: "Subscribe/LimitOfOperations", limits: gql.Limits{Operations: 2}, do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "subscription{messages{text}}")
			p.subscribe("2", "{waits}")
			p.subscribe("3", "{hello}")
			p.wantError("3", "TOO_COMPLEX")
			p.send(`{"id":"2","type":"complete"}`)
			p.subscribe("3", "subscription{count(to:0)}")
			p.want(`{"id":"3","type":"complete"}`)
		}},
		{name: "Subscribe/HundredAtOnce", do: func(t *testing.T, w *world, p *peer) {
			for i := range 100 {
				p.subscribe(fmt.Sprint(i), "subscription{messages{text}}")
			}
			p.subscribe("100", "{hello}")
			p.wantError("100", "TOO_COMPLEX")
		}},

		// Error
		{name: "Error/Syntax", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "{")
			p.wantError("1", "BAD_USER_INPUT")
			p.quiet()
		}},
		{name: "Error/EmptyDocument", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "")
			p.wantError("1", "BAD_USER_INPUT")
			p.quiet()
		}},
		{name: "Error/Validation", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "{nope}")
			p.wantError("1", "BAD_USER_INPUT")
			p.quiet()
		}},
		{name: "Error/Variables", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "query($n:Int!){big(n:$n)}")
			p.wantError("1", "BAD_USER_INPUT")
			p.quiet()
		}},
		{name: "Error/UnknownOperation", do: func(t *testing.T, w *world, p *peer) {
			p.send(`{"id":"1","type":"subscribe","payload":{"operationName":"b","query":"query a{hello}"}}`)
			p.wantError("1", "BAD_USER_INPUT")
			p.quiet()
		}},
		{name: "Error/TwoRootsOfASubscription", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "subscription{count(to:1) refused}")
			p.wantError("1", "BAD_USER_INPUT")
			p.quiet()
		}},
		{name: "Error/Limits", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "{items(first:101){totalCount}}")
			p.wantError("1", "TOO_COMPLEX")
			p.quiet()
		}},
		{name: "Error/ResolverRefusesSubscription", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "subscription{refused}")
			p.wantError("1", "INTERNAL")
			p.quiet()
		}},
		{name: "Error/FieldErrorsComeWithNext", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "{fail}")
			p.want(`{"id":"1","type":"next","payload":{"data":{"fail":null},
				"errors":[{"message":"internal error","path":["fail"],"extensions":{"code":"INTERNAL"}}]}}`)
			p.want(`{"id":"1","type":"complete"}`)
		}},
		{name: "Error/FieldErrorsOfAnEventDoNotEndIt", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "subscription{m:messages{fail}}")
			eventually(t, "subscribed", func() bool { return w.Subscribers() == 1 })
			for range 2 {
				w.publish(t, "x")
				p.want(`{"id":"1","type":"next","payload":{"data":{"m":{"fail":null}},
					"errors":[{"message":"internal error","path":["m","fail"],"extensions":{"code":"INTERNAL"}}]}}`)
			}
			w.End()
			p.want(`{"id":"1","type":"complete"}`)
		}},

		// Complete
		{name: "Complete/StopsASubscription", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "subscription{flood(n:10)}")
			p.receive()
			p.send(`{"id":"1","type":"complete"}`)
			p.send(`{"type":"ping","payload":{"fence":1}}`)
			for !strings.Contains(p.receive(), "fence") { // what was under way
			}
			p.quiet()
			eventually(t, "resolver ended", func() bool { return w.Live.Load() == 0 })
			p.quiet()
		}},
		{name: "Complete/NoResultOfAQueryStopped", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "{waits}")
			eventually(t, "waiting", func() bool { return w.Live.Load() == 1 })
			p.send(`{"id":"1","type":"complete"}`)
			eventually(t, "resolver ended", func() bool { return w.Live.Load() == 0 })
			p.quiet()
		}},
		{name: "Complete/UnknownIDIgnored", do: func(t *testing.T, w *world, p *peer) {
			p.send(`{"id":"nobody","type":"complete"}`)
			p.quiet()
		}},
		{name: "Complete/Twice", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "subscription{messages{text}}")
			p.send(`{"id":"1","type":"complete"}`)
			p.send(`{"id":"1","type":"complete"}`)
			p.quiet()
		}},
		{name: "Complete/AfterTheServersOwn", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "subscription{count(to:0)}")
			p.want(`{"id":"1","type":"complete"}`)
			p.send(`{"id":"1","type":"complete"}`)
			p.quiet()
		}},
		{name: "Complete/BeforeInitIgnored", fresh: true, do: func(t *testing.T, w *world, p *peer) {
			p.send(`{"id":"1","type":"complete"}`)
			p.quiet()
		}},
		{name: "Complete/LeavesTheOthers", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "subscription{messages{text}}")
			p.subscribe("2", "subscription{messages{text}}")
			eventually(t, "subscribed", func() bool { return w.Subscribers() == 2 })
			p.send(`{"id":"1","type":"complete"}`)
			eventually(t, "one ended", func() bool { return w.Subscribers() == 1 })
			w.publish(t, "x")
			p.want(`{"id":"2","type":"next","payload":{"data":{"messages":{"text":"x"}}}}`)
		}},

		// The socket itself
		{name: "Socket/Binary", do: func(t *testing.T, w *world, p *peer) {
			_ = p.conn.WriteMessage(websocket.BinaryMessage, []byte(`{"type":"ping"}`))
			p.wantClose(1003)
		}},
		{name: "Socket/NotUTF8", do: func(t *testing.T, w *world, p *peer) {
			p.send("{\"type\":\"ping\",\"payload\":{\"a\":\"\xff\"}}")
			p.wantClose(1007)
		}},
		{name: "Socket/TooBig", do: func(t *testing.T, w *world, p *peer) {
			p.send(`{"type":"ping","payload":{"a":"` + strings.Repeat("x", 256<<10) + `"}}`)
			p.wantClose(1009)
		}},
		{name: "Socket/MuchTooBig", fresh: true, do: func(t *testing.T, w *world, p *peer) {
			_ = p.conn.WriteMessage(websocket.TextMessage, make([]byte, 4<<20))
			p.wantClose(1009)
		}},
		{name: "Socket/JustNotTooBig", do: func(t *testing.T, w *world, p *peer) {
			p.send(`{"type":"ping","payload":{"a":"` + strings.Repeat("x", 256<<10-100) + `"}}`)
			if got := p.receive(); len(got) < 256<<10-100 {
				t.Errorf("pong of %d bytes", len(got))
			}
		}},
		{name: "Socket/Fragmented", do: func(t *testing.T, w *world, p *peer) {
			// The dialer's write buffer is 512 bytes, and NextWriter sends a frame whenever it is full.
			m, _ := p.conn.NextWriter(websocket.TextMessage)
			for _, part := range []string{`{"type":"ping","payload":{"a":"`, strings.Repeat("x", 2_000), `"}}`} {
				_, _ = m.Write([]byte(part))
			}
			_ = m.Close()
			p.want(`{"type":"pong","payload":{"a":"` + strings.Repeat("x", 2_000) + `"}}`)
		}},
		{name: "Socket/ClientCloses", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "subscription{messages{text}}")
			p.subscribe("2", "{waits}")
			eventually(t, "running", func() bool { return w.Live.Load() == 2 })
			_ = p.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, "bye"), time.Now().Add(patience))
			p.wantClose(1000)
			eventually(t, "resolvers ended", func() bool { return w.Live.Load() == 0 })
		}},
		{name: "Socket/ClientVanishes", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "subscription{messages{text}}")
			p.subscribe("2", "{waits}")
			eventually(t, "running", func() bool { return w.Live.Load() == 2 })
			_ = p.conn.Close()
			eventually(t, "resolvers ended", func() bool { return w.Live.Load() == 0 })
		}},
		{name: "Socket/ResolversEndWithAnyClose", do: func(t *testing.T, w *world, p *peer) {
			p.subscribe("1", "subscription{flood(n:100)}")
			p.subscribe("2", "{waits}")
			eventually(t, "running", func() bool { return w.Live.Load() == 2 })
			p.send(`nonsense`)
			p.wantClose(4400)
			eventually(t, "resolvers ended", func() bool { return w.Live.Load() == 0 })
		}},
	} {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, limits(rule.limits))
			if rule.fresh {
				rule.do(t, w, w.connect(t))
			} else {
				rule.do(t, w, w.ready(t))
			}
		})
	}
}

// TestInvalidMessage: "receiving a message of a type or format which is not specified in this document will result in an
// immediate socket closure with the event 4400" (PROTOCOL.md, Invalid message).
func TestInvalidMessage(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for _, m := range []string{
		``, ` `, `nonsense`, `"text"`, `1`, `null`, `true`, `[]`, `[{"type":"ping"}]`, `{`, `{"type":"ping"} x`, `{"type":"ping"}{"type":"ping"}`,
		`{}`, `{"type":1}`, `{"type":null}`, `{"type":["ping"]}`, `{"type":""}`, `{"type":"nope"}`, `{"type":"PING"}`, `{"Type":"ping"}`,
		`{"type":"start","id":"1","payload":{"query":"{hello}"}}`, `{"type":"stop","id":"1"}`, `{"type":"connection_terminate"}`,
		`{"type":"connection_ack"}`, `{"type":"next","id":"1","payload":{"data":{}}}`, `{"type":"error","id":"1","payload":[]}`,
		`{"type":"ping","payload":"text"}`, `{"type":"ping","payload":[]}`, `{"type":"ping","payload":0}`, `{"type":"ping","payload":false}`,
		`{"type":"pong","payload":"text"}`, `{"type":"pong","payload":[]}`,
		`{"type":"complete"}`, `{"type":"complete","id":1}`, `{"type":"complete","id":null}`, `{"type":"complete","id":""}`,
		`{"type":"subscribe","payload":{"query":"{hello}"}}`,
		`{"type":"subscribe","id":null,"payload":{"query":"{hello}"}}`,
		`{"type":"subscribe","id":1,"payload":{"query":"{hello}"}}`,
		`{"type":"subscribe","id":"","payload":{"query":"{hello}"}}`,
		`{"type":"subscribe","id":{},"payload":{"query":"{hello}"}}`,
		`{"type":"subscribe","id":"1"}`, `{"type":"subscribe","id":"1","payload":null}`, `{"type":"subscribe","id":"1","payload":"{hello}"}`,
		`{"type":"subscribe","id":"1","payload":[{"query":"{hello}"}]}`, `{"type":"subscribe","id":"1","payload":{}}`,
		`{"type":"subscribe","id":"1","payload":{"query":null}}`, `{"type":"subscribe","id":"1","payload":{"query":1}}`,
		`{"type":"subscribe","id":"1","payload":{"query":{}}}`,
		`{"type":"subscribe","id":"1","payload":{"query":"{hello}","operationName":1}}`,
		`{"type":"subscribe","id":"1","payload":{"query":"{hello}","operationName":{}}}`,
		`{"type":"subscribe","id":"1","payload":{"query":"{hello}","variables":[]}}`,
		`{"type":"subscribe","id":"1","payload":{"query":"{hello}","variables":"{}"}}`,
		`{"type":"subscribe","id":"1","payload":{"query":"{hello}","variables":1}}`,
		`{"type":"subscribe","id":"1","payload":{"query":"{hello}","extensions":[]}}`,
		`{"type":"subscribe","id":"1","payload":{"query":"{hello}","extensions":"x"}}`,
		`{"type":"subscribe","id":"1","payload":{"query":"{hello}","query":"{viewer}"}}`,
		`{"type":"ping","payload":` + strings.Repeat(`{"a":`, 20_000) + `1` + strings.Repeat(`}`, 20_000) + `}`,
	} {
		t.Run(fmt.Sprintf("%.60s", m), func(t *testing.T) {
			t.Parallel()
			p := w.ready(t)
			p.send(m)
			if reason := p.wantClose(4400); reason == "" {
				t.Error("no reason")
			}
		})
	}
	for _, payload := range []string{`"text"`, `[]`, `0`, `true`} {
		t.Run("Init"+payload, func(t *testing.T) {
			t.Parallel()
			p := w.connect(t)
			p.send(`{"type":"connection_init","payload":` + payload + `}`)
			p.wantClose(4400)
		})
	}
}

func wantReason(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("reason is %q, want %q", got, want)
	}
}
