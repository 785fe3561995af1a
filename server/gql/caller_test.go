package gql_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"sparki.app/integrations/server/gql"
	"sparki.app/integrations/server/gql/internal/testschema"
)

func callers(c *gql.Config) { c.Caller = testschema.Viewer }

// A caller has so many sockets and event streams together; another one is not affected.
func TestCallerStreams(t *testing.T) {
	t.Parallel()
	w := setup(t, callers, limits(gql.Limits{CallerStreams: 2}))
	first := w.readyAs(t, "Bearer x")
	w.readyAs(t, "Bearer x")
	p := w.connect(t)
	p.send(`{"type":"connection_init","payload":{"Authorization":"Bearer x"}}`)
	wantReason(t, p.wantClose(4429), "Too many connections")
	r := w.do(t, request{accept: "text/event-stream", authorization: "Bearer x", body: body("subscription{count(to:1)}")})
	if r.status != 429 || r.header.Get("Retry-After") == "" || codes(t, r.body)[0] != "RATE_LIMITED" {
		t.Errorf("event stream: %v", r)
	}
	w.readyAs(t, "Bearer y")
	_ = first.conn.Close()
	eventually(t, "room again", func() bool {
		p := w.connect(t)
		p.send(`{"type":"connection_init","payload":{"Authorization":"Bearer x"}}`)
		_, err := p.read()
		return err == nil
	})
}

// So it is with subscriptions, on all of its sockets; queries do not count.
func TestCallerSubscriptions(t *testing.T) {
	t.Parallel()
	w := setup(t, callers, limits(gql.Limits{Subscriptions: 2}))
	p, q, other := w.readyAs(t, "x"), w.readyAs(t, "x"), w.readyAs(t, "y")
	p.subscribe("1", "subscription{messages{text}}")
	q.subscribe("1", "subscription{messages{text}}")
	eventually(t, "subscribed", func() bool { return w.Subscribers() == 2 })
	q.subscribe("2", "subscription{messages{text}}")
	q.wantError("2", "RATE_LIMITED")
	q.subscribe("2", "{hello}")
	q.want(`{"id":"2","type":"next","payload":{"data":{"hello":"Hello world"}}}`)
	q.want(`{"id":"2","type":"complete"}`)
	other.subscribe("1", "subscription{count(to:0)}")
	other.want(`{"id":"1","type":"complete"}`)
	p.send(`{"id":"1","type":"complete"}`)
	eventually(t, "room again", func() bool {
		q.subscribe("3", "subscription{count(to:0)}")
		return sameJSON(q.receive(), `{"id":"3","type":"complete"}`)
	})
}

// Alive is asked once for all sockets of a caller who is not told apart further, and its no ends them all.
func TestAliveOnceForACaller(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	var revoked atomic.Bool
	w := setup(t, callers, limits(gql.Limits{AliveEvery: 200 * time.Millisecond}), func(c *gql.Config) {
		c.Alive = func(ctx context.Context) error {
			if testschema.Viewer(ctx) != "x" {
				return nil
			}
			asked.Add(1)
			if revoked.Load() {
				return errRefused
			}
			return nil
		}
	})
	var peers []*peer
	for range 10 {
		peers = append(peers, w.readyAs(t, "x"))
	}
	other := w.readyAs(t, "y")
	before := asked.Load()
	eventually(t, "asked", func() bool { return asked.Load() > before })
	if n := asked.Load() - before; n > 3 {
		t.Errorf("asked %d times for ten sockets", n)
	}
	revoked.Store(true)
	for _, p := range peers {
		p.wantClose(4403)
	}
	other.quiet()
}

// What a caller showed ends at its own time: a no for one proof leaves the caller's others, which are counted with it.
func TestAliveForEachProof(t *testing.T) {
	t.Parallel()
	w := setup(t, limits(gql.Limits{AliveEvery: 50 * time.Millisecond, CallerStreams: 3}), func(c *gql.Config) {
		c.Caller, c.Proof = func(context.Context) string { return "x" }, testschema.Viewer
		c.Alive = func(ctx context.Context) error {
			if testschema.Viewer(ctx) == "short" {
				return errRefused
			}
			return nil
		}
	})
	short, long := w.connect(t), w.readyAs(t, "long")
	short.send(`{"type":"connection_init","payload":{"Authorization":"short"}}`)
	newest := w.readyAs(t, "long")
	short.wantClose(4403)
	eventually(t, "its place is free", func() bool { return w.handler.Streams() == 2 })
	third := w.readyAs(t, "another")
	p := w.connect(t)
	p.send(`{"type":"connection_init","payload":{"Authorization":"one more"}}`)
	p.wantClose(4429)
	for _, p := range []*peer{long, newest, third} {
		p.quiet()
	}
}

// Who asks too often is told when to come back, over any transport.
func TestAdmit(t *testing.T) {
	t.Parallel()
	w := setup(t, func(c *gql.Config) {
		c.Admit = func(ctx context.Context) time.Duration {
			if testschema.Viewer(ctx) == "Bearer busy" {
				return 1200 * time.Millisecond
			}
			return 0
		}
	})
	for _, accept := range []string{typeGraphQL, typeJSON, "text/event-stream"} {
		r := w.do(t, request{accept: accept, authorization: "Bearer busy", body: body("{hello}")})
		if r.status != 429 || r.header.Get("Retry-After") != "2" || fmt.Sprint(codes(t, r.body)) != "[RATE_LIMITED]" {
			t.Errorf("%s: %v", accept, r)
		}
	}
	if r := w.post(t, body("{hello}")); r.status != 200 {
		t.Errorf("somebody else: %v", r)
	}
	p := w.readyAs(t, "Bearer busy")
	p.subscribe("1", "subscription{count(to:1)}")
	p.wantError("1", "RATE_LIMITED")
	p.quiet()
}

// With a list of operations nothing else is served, whatever the spelling; not even introspection.
func TestOperationsAllowed(t *testing.T) {
	t.Parallel()
	w := setup(t, func(c *gql.Config) {
		c.Operations = []string{"query list($n: Int = 2) {\n  items(first: $n) { totalCount } # how many\n}", "subscription { count(to: 1) }", "{ ... @defer { hello } }"}
	})
	for query, want := range map[string]string{
		"query list($n: Int = 2) { items(first: $n) { totalCount } }": "[]",
		"query list($n:Int=2){items(first:$n){totalCount}}#":          "[]",
		"{...@defer{hello}}": "[]",
		"query list($n:Int=3){items(first:$n){totalCount}}":  "[FORBIDDEN]",
		"query other($n:Int=2){items(first:$n){totalCount}}": "[FORBIDDEN]",
		"{hello}":                 "[FORBIDDEN]",
		"{__schema{types{name}}}": "[FORBIDDEN]",
		"{nope}":                  "[FORBIDDEN]",
		"{":                       "[BAD_USER_INPUT]",
	} {
		for range 2 {
			r := w.post(t, body(query))
			if got := fmt.Sprint(codes(t, r.body)); got != want || (r.status == 200) != (want == "[]") {
				t.Errorf("%s: %v", query, r)
			}
		}
	}
	p := w.ready(t)
	p.subscribe("1", "subscription{count(to:1)}")
	p.want(`{"id":"1","type":"next","payload":{"data":{"count":0}}}`)
	p.want(`{"id":"1","type":"complete"}`)
	p.subscribe("2", "subscription{count(to:2)}")
	p.wantError("2", "FORBIDDEN")
	schema := new(testschema.Server).Schema().Schema()
	for _, bad := range []string{"{nope}", "{", "", "{items(first:101){totalCount}}"} {
		if gql.CheckOperations(schema, []string{"{hello}", bad}) == nil {
			t.Errorf("%q is let into the list", bad)
		}
	}
	if err := gql.CheckOperations(schema, []string{"{hello}"}); err != nil {
		t.Error(err)
	}
}
