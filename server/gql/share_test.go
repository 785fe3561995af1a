package gql_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sparki.app/integrations/server/gql"
	"sparki.app/integrations/server/gql/internal/testschema"
)

// board is where Subscription.messages gets its events from when answers are shared: a log that each
// subscription reads with a cursor of its own.
type board struct {
	latest bool // a reader gets the newest message only, as of a state that changes
	shown  atomic.Int64
	open   atomic.Int64

	mu    sync.Mutex
	log   []*testschema.Message
	grown chan struct{}
	end   error // of every reader that has come to the end of the log
}

func newBoard() *board { return &board{grown: make(chan struct{})} }

func (b *board) write(texts ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range texts {
		b.log = append(b.log, &testschema.Message{Text: text})
	}
	close(b.grown)
	b.grown = make(chan struct{})
}

func (b *board) finish(err error) {
	b.mu.Lock()
	b.end = err
	b.mu.Unlock()
	b.write()
}

// share has a server share what it makes of the board's messages among callers of one name. A caller
// whose name ends in "replay" reads from the beginning.
func (b *board) share(c *gql.Config) {
	c.Sharing = &gql.Sharing{
		Open: func(ctx context.Context) (context.Context, func() gql.Source) {
			var source gql.Source
			opening := testschema.WithMessages(ctx, func() <-chan *testschema.Message {
				b.open.Add(1)
				r := &reader{board: b}
				if !strings.HasSuffix(testschema.Viewer(ctx), "replay") {
					b.mu.Lock()
					r.seen = len(b.log)
					b.mu.Unlock()
				}
				source = r
				none := make(chan *testschema.Message)
				close(none)
				return none
			})
			return opening, func() gql.Source { return source }
		},
		Show: func(ctx context.Context, event any) context.Context {
			b.shown.Add(1)
			return testschema.WithMessages(ctx, func() <-chan *testschema.Message {
				one := make(chan *testschema.Message, 1)
				one <- event.(*testschema.Message)
				return one
			})
		},
		Audience: func(ctx context.Context) string { return strings.TrimSuffix(testschema.Viewer(ctx), "replay") },
	}
}

type reader struct {
	board *board
	seen  int
}

func (r *reader) Close() { r.board.open.Add(-1) }

func (r *reader) Next(ctx context.Context) (any, error) {
	for {
		r.board.mu.Lock()
		more, end := r.board.grown, r.board.end
		if n := len(r.board.log); r.seen < n {
			if r.seen++; r.board.latest {
				r.seen = n
			}
			m := r.board.log[r.seen-1]
			r.board.mu.Unlock()
			return m, nil
		}
		r.board.mu.Unlock()
		if end != nil {
			return nil, end
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// readyAs opens a socket of a caller.
func (w *world) readyAs(t *testing.T, name string) *peer {
	t.Helper()
	p := w.connect(t)
	p.send(`{"type":"connection_init","payload":{"Authorization":"` + name + `"}}`)
	p.want(`{"type":"connection_ack"}`)
	return p
}

func (b *board) follow(t *testing.T, w *world, name, id, query string) *peer {
	t.Helper()
	p, n := w.readyAs(t, name), b.open.Load()
	p.subscribe(id, query)
	eventually(t, "subscribed", func() bool { return b.open.Load() == n+1 })
	return p
}

const followMessages = "subscription{messages{text}}"

func (p *peer) wantText(id, text string) {
	p.t.Helper()
	p.want(fmt.Sprintf(`{"id":%q,"type":"next","payload":{"data":{"messages":{"text":%q}}}}`, id, text))
}

// One event is executed once for all who are shown the same, whatever their ids and cursors; who is
// shown something else has it executed as well.
func TestSharedAnswers(t *testing.T) {
	t.Parallel()
	b := newBoard()
	w := setup(t, b.share)
	const each = 12
	var peers []*peer
	for i := range each {
		peers = append(peers, b.follow(t, w, "ann", fmt.Sprint("a", i), followMessages),
			b.follow(t, w, "bob", fmt.Sprint("b", i), followMessages),
			b.follow(t, w, "ann", fmt.Sprint("c", i), "subscription{messages{loaded text}}"))
	}
	for k := range 5 {
		b.write(fmt.Sprint(k))
		for i := range each {
			peers[3*i].wantText(fmt.Sprint("a", i), fmt.Sprint(k))
			peers[3*i+1].wantText(fmt.Sprint("b", i), fmt.Sprint(k))
			peers[3*i+2].want(fmt.Sprintf(`{"id":"c%d","type":"next","payload":{"data":{"messages":{"loaded":"","text":"%d"}}}}`, i, k))
		}
		if n := b.shown.Load(); n != int64(3*(k+1)) {
			t.Fatalf("%d executions after %d events to three groups", n, k+1)
		}
	}
	// Somebody who comes late begins where it is, and one who comes back where it was.
	late, back := b.follow(t, w, "ann", "late", followMessages), b.follow(t, w, "annreplay", "back", followMessages)
	b.write("5")
	late.wantText("late", "5")
	for k := range 6 {
		back.wantText("back", fmt.Sprint(k))
	}
	for _, p := range peers {
		_ = p.conn.Close()
	}
	_ = late.conn.Close()
	back.send(`{"id":"back","type":"complete"}`)
	eventually(t, "sources closed", func() bool { return b.open.Load() == 0 })
	back.quiet()
}

// Variables that are not given to a position alone tell groups apart.
func TestSharedByVariables(t *testing.T) {
	t.Parallel()
	b := newBoard()
	w := setup(t, b.share)
	query := `{"id":"1","type":"subscribe","payload":{"query":"subscription($no:Boolean!){messages{text @skip(if:$no) loaded}}","variables":{"no":%v}}}`
	with, without := w.readyAs(t, "ann"), w.readyAs(t, "ann")
	with.send(fmt.Sprintf(query, false))
	without.send(fmt.Sprintf(query, true))
	eventually(t, "subscribed", func() bool { return b.open.Load() == 2 })
	b.write("x")
	with.want(`{"id":"1","type":"next","payload":{"data":{"messages":{"text":"x","loaded":""}}}}`)
	without.want(`{"id":"1","type":"next","payload":{"data":{"messages":{"loaded":""}}}}`)
}

// Whoever takes nothing is dropped; nobody else waits for it.
func TestSharedSlowReader(t *testing.T) {
	t.Parallel()
	b := newBoard()
	w := setup(t, b.share, limits(gql.Limits{WriteWait: 200 * time.Millisecond}))
	slow, quick := b.follow(t, w, "ann", "1", followMessages), b.follow(t, w, "ann", "1", followMessages)
	long := strings.Repeat("x", 256<<10)
	for i := range 60 { // more than the kernel's buffers hold
		text := fmt.Sprint(i, long)
		b.write(text)
		if got := quick.receive(); !strings.Contains(got, text) {
			t.Fatalf("message %d is %.80s", i, got)
		}
	}
	eventually(t, "dropped", func() bool { return b.open.Load() == 1 })
	b.write("after")
	quick.wantText("1", "after")
	_ = slow.conn.Close()
}

// Who follows a state and is slow gets fewer states, and the last one.
func TestSharedStatesCoalesce(t *testing.T) {
	t.Parallel()
	b := newBoard()
	b.latest = true
	w := setup(t, b.share, limits(gql.Limits{WriteWait: time.Hour, PingEvery: time.Hour}))
	p, quick := b.follow(t, w, "ann", "1", followMessages), b.follow(t, w, "ann", "1", followMessages)
	long := strings.Repeat("x", 256<<10)
	const states = 60
	for i := range states {
		text := fmt.Sprint(i, long)
		b.write(text)
		if got := quick.receive(); !strings.Contains(got, text) {
			t.Fatalf("state %d is %.80s", i, got)
		}
	}
	seen := 0
	for got := ""; !strings.Contains(got, fmt.Sprint(`"`, states-1, "x")); seen++ {
		got = p.receive()
	}
	if seen == states {
		t.Error("the slow one got every state")
	}
	p.quiet()
}

// How a source ends, and what its subscribers are told.
func TestSharedEnds(t *testing.T) {
	t.Parallel()
	errBehind := errors.New("too far behind")
	for name, c := range map[string]struct {
		end    error
		closed int
	}{"Completes": {io.EOF, 0}, "TooFarBehind": {errBehind, 1013}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBoard()
			w := setup(t, b.share)
			p := b.follow(t, w, "ann", "1", followMessages)
			e := w.open(t, followMessages)
			eventually(t, "subscribed", func() bool { return b.open.Load() == 2 })
			b.write("x")
			p.wantText("1", "x")
			e.wantNext(`{"data":{"messages":{"text":"x"}}}`)
			b.finish(c.end)
			if c.closed == 0 {
				p.want(`{"id":"1","type":"complete"}`)
				e.wantComplete()
				p.quiet()
			} else {
				p.wantClose(c.closed)
				e.wantEnd() // without "complete", so that its client comes back
			}
			eventually(t, "sources closed", func() bool { return b.open.Load() == 0 })
		})
	}
}

// A panic in a source ends the subscription and nothing else; so does an operation that its resolver
// refuses although answers are shared.
func TestSharedFailures(t *testing.T) {
	t.Parallel()
	b := newBoard()
	w := setup(t, b.share, func(c *gql.Config) {
		open := c.Sharing.Open
		c.Sharing.Open = func(ctx context.Context) (context.Context, func() gql.Source) {
			ctx, opened := open(ctx)
			return ctx, func() gql.Source {
				if opened() == nil {
					return nil
				}
				return panics{b}
			}
		}
	})
	p := w.readyAs(t, "panics")
	p.subscribe("1", followMessages)
	p.wantError("1", "INTERNAL")
	p.subscribe("2", "subscription{refused}")
	p.wantError("2", "INTERNAL")
	p.subscribe("3", "subscription{count(to:2)}") // its resolver leaves no source
	p.want(`{"id":"3","type":"next","payload":{"data":{"count":0}}}`)
	p.want(`{"id":"3","type":"next","payload":{"data":{"count":1}}}`)
	p.want(`{"id":"3","type":"complete"}`)
	eventually(t, "source closed", func() bool { return b.open.Load() == 0 })
}

type panics struct{ *board }

func (panics) Next(context.Context) (any, error) { panic("next") }
func (p panics) Close()                          { p.open.Add(-1) }

// An answer with errors goes to all; it ends nobody's subscription.
func TestSharedFieldErrors(t *testing.T) {
	t.Parallel()
	b := newBoard()
	w := setup(t, b.share)
	query := "subscription{m:messages{fail}}"
	peers := []*peer{b.follow(t, w, "ann", "1", query), b.follow(t, w, "ann", "1", query)}
	for range 2 {
		b.write("x")
		for _, p := range peers {
			p.want(`{"id":"1","type":"next","payload":{"data":{"m":{"fail":null}},
				"errors":[{"message":"internal error","path":["m","fail"],"extensions":{"code":"INTERNAL"}}]}}`)
		}
	}
}
