package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/providers/kolibri"
)

// beside starts the program once more, on the same database, keys and part of Redis: another process.
func (b *bundle) beside(t *testing.T, changes ...func(*config)) *bundle {
	t.Helper()
	other := setup(t, append([]func(*config){func(c *config) {
		c.DatabaseURL, c.RedisURL, c.redisPrefix, c.keys = b.config.DatabaseURL, b.config.RedisURL, b.config.redisPrefix, b.config.keys
	}}, changes...)...)
	other.portal, other.token = b.portal, b.token
	return other
}

// follows are the two ways to follow an operation.
var follows = map[string]func(t *testing.T, url, token, document string, variables map[string]any) *subscriber{
	"Socket": subscribe, "Stream": stream,
}

// Whoever follows the status sees how it is at once, then how it changes, wherever that happens.
func TestStatusChanges(t *testing.T) {
	t.Parallel()
	h := newBigHookOf(t, kinds[0], 150)
	near := h.beside(t)
	for name, follow := range follows {
		for where, url := range map[string]string{"SameProcess": h.url, "OtherProcess": near.url} {
			t.Run(name+where, func(t *testing.T) { // one after the other: all follow one integration
				type status struct {
					Integration            struct{ ID string }
					State, LastSucceededAt string
					ActiveRuns             []struct{ Processed, Total int }
					ItemCounts             struct{ Active int }
				}
				const document = `subscription ($id: ID) { syncStatusChanged(integrationId: $id) {
					integration { id } state lastSucceededAt activeRuns { processed total } itemCounts { active } } }`
				one := follow(t, url, h.token, document, map[string]any{"id": h.integration})
				any := follow(t, url, h.token, document, nil)
				defer one.close()
				defer any.close()
				read := func(s *subscriber) status {
					t.Helper()
					var out struct{ SyncStatusChanged status }
					s.read(t, &out)
					if out.SyncStatusChanged.Integration.ID != h.integration {
						t.Fatalf("the status is of %s", out.SyncStatusChanged.Integration.ID)
					}
					return out.SyncStatusChanged
				}
				before := read(one)
				if before.State != "IDLE" || before.ItemCounts.Active < 150 || before.LastSucceededAt == "" || len(before.ActiveRuns) > 0 {
					t.Errorf("at once the status is %+v", before)
				}
				if other := read(any); fmt.Sprint(other) != fmt.Sprint(before) {
					t.Errorf("without an id the status is %+v, with one %+v", other, before)
				}
				for n := range 150 {
					h.office.change(t, kolibri.SeededObjectID(n), fmt.Sprintf(`{"price": %d}`, 400_000+n))
				}
				r := h.startSync(t)
				for _, s := range []*subscriber{one, any} {
					synced, last := false, -1
					for {
						now := read(s)
						if now.State == "SYNCING" {
							synced = true
						}
						for _, run := range now.ActiveRuns {
							if run.Processed < last {
								t.Errorf("progress went back from %d to %d", last, run.Processed)
							}
							last = run.Processed
						}
						if now.State == "IDLE" && now.LastSucceededAt > before.LastSucceededAt {
							break
						}
					}
					if !synced {
						t.Error("it was never SYNCING")
					}
				}
				h.succeedNothing(t, r.ID)
			})
		}
	}
}

// succeedNothing waits until a crawl has ended.
func (h *hook) succeedNothing(t *testing.T, id string) {
	t.Helper()
	if r := h.runUntil(t, id, "SUCCEEDED", "FAILED", "CANCELLED"); r.State != "SUCCEEDED" {
		t.Errorf("the crawl ended %s: %s", r.State, r.Error)
	}
}

// tell writes an activity as a service does: in a transaction, with a wake-up after it.
func (b *bundle) tell(t *testing.T, kind sparki.ActivityType, title string) {
	err := b.db.Tx(context.Background(), b.portal.ID, func(tx *db.Tx) error {
		tx.Tell(sparki.Activity{Type: kind, Actor: "Test", Params: map[string]string{"title": title}})
		return nil
	})
	if err != nil {
		t.Error(err)
		return
	}
	b.signals.Wake(context.Background(), b.portal.ID)
}

// log reads the whole log's cursors over the query, oldest first.
func (b *bundle) log(t *testing.T) (cursors []string) {
	t.Helper()
	for after := any(nil); ; {
		var out struct {
			Activity struct {
				PageInfo struct {
					HasNextPage bool
					EndCursor   string
				}
				Nodes []struct{ Cursor string }
			}
		}
		b.query(t, b.token, `query ($after: String) { activity(first: 100, after: $after) { pageInfo { hasNextPage endCursor } nodes { cursor } } }`, map[string]any{"after": after}, &out)
		for _, n := range out.Activity.Nodes {
			cursors = append(cursors, n.Cursor)
		}
		if after = out.Activity.PageInfo.EndCursor; !out.Activity.PageInfo.HasNextPage {
			slices.Reverse(cursors)
			return cursors
		}
	}
}

// Followers come and go while two processes write; each goes on where it was, over any transport, at
// any process, and at the end has seen everything once and in order.
func TestActivityResumes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	processes := []*bundle{b, b.beside(t)}
	const writers, each = 4, 100
	b.tell(t, sparki.ItemCreated, "first")
	start := b.log(t)[0]
	var writing sync.WaitGroup
	for n := range writers {
		writing.Go(func() {
			for k := range each {
				processes[n%2].tell(t, []sparki.ActivityType{sparki.ItemCreated, sparki.ItemUpdated}[k%2], fmt.Sprintf("%d of %d", k, n))
			}
		})
	}
	const document = `subscription ($after: String, $filter: ActivityFilter) { activity(after: $after, filter: $filter) { cursor type message } }`
	type line struct{ Cursor, Type, Message string }
	var seen sync.Map // follower → []line
	var following sync.WaitGroup
	const followers, wanted = 6, writers * each
	for n := range followers {
		following.Go(func() {
			var lines []line
			after := start
			for hop := 0; len(lines) < wanted; hop++ {
				follow := follows["Socket"]
				if (hop+n)%3 == 0 {
					follow = follows["Stream"]
				}
				s := follow(t, processes[(hop+n)%2].url, b.token, document, map[string]any{"after": after})
				for range min(10+7*n, wanted-len(lines)) {
					var out struct{ Activity line }
					s.read(t, &out)
					lines, after = append(lines, out.Activity), out.Activity.Cursor
				}
				s.close()
			}
			seen.Store(n, lines)
		})
	}
	writing.Wait()
	following.Wait()
	want := b.log(t)[1:]
	if len(want) != wanted {
		t.Fatalf("the log has %d lines", len(want))
	}
	for n := range followers {
		lines, ok := seen.Load(n)
		if !ok {
			t.Errorf("follower %d did not come to the end", n)
			continue
		}
		var got []string
		for _, l := range lines.([]line) {
			got = append(got, l.Cursor)
		}
		if !slices.Equal(got, want) {
			t.Errorf("follower %d saw\n%v\nwant\n%v", n, got, want)
		}
	}
	// With a filter, only what passes it, and again all of it.
	filter := map[string]any{"types": []string{"ITEM_UPDATED"}}
	s := subscribe(t, b.url, b.token, document, map[string]any{"after": start, "filter": filter})
	cursors := map[string]bool{}
	for range wanted / 2 {
		var out struct{ Activity line }
		s.read(t, &out)
		if out.Activity.Type != "ITEM_UPDATED" || cursors[out.Activity.Cursor] {
			t.Errorf("the filter lets %+v through", out.Activity)
		}
		cursors[out.Activity.Cursor] = true
	}
	b.tell(t, sparki.ItemCreated, "not this one")
	b.tell(t, sparki.ItemUpdated, "but this one")
	var out struct{ Activity line }
	if s.read(t, &out); !strings.Contains(out.Activity.Message, "but this one") {
		t.Errorf("then came %+v", out.Activity)
	}
	for _, wrong := range []string{"", "x", "a", "a-1", "azzzzzzzzzzzz", "a99999999999999999999", start + "0000"} {
		s := subscribe(t, b.url, b.token, document, map[string]any{"after": wrong})
		if e := s.next(t, "error"); e.payload.Errors[0].Extensions.Code != "BAD_USER_INPUT" {
			t.Errorf("after %q: %+v", wrong, e.payload.Errors)
		}
	}
}

// Without Redis no wake-up arrives; what happened does, later, and nothing twice.
func TestLostWakeUps(t *testing.T) {
	t.Parallel()
	for name, close := range map[string]func(*gate){"Gone": (*gate).shut, "Silent": (*gate).hold} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			var gate *gate
			near := b.beside(t, func(c *config) { gate, c.RedisURL = redisGate(t, c.RedisURL) })
			t.Cleanup(gate.open)
			b.tell(t, sparki.ItemCreated, "before anybody follows")
			const document = `subscription ($after: String) { activity(after: $after) { message } }`
			after := map[string]any{"after": b.log(t)[0]}
			live := map[string]*subscriber{"socket": subscribe(t, near.url, b.token, document, after), "stream": stream(t, near.url, b.token, document, after)}
			next := func(title string) {
				t.Helper()
				for what, s := range live {
					var out struct{ Activity struct{ Message string } }
					if s.read(t, &out); !strings.Contains(out.Activity.Message, title) {
						t.Errorf("the %s got %q, want %q", what, out.Activity.Message, title)
					}
				}
			}
			b.tell(t, sparki.ItemCreated, "with Redis")
			next("with Redis")
			close(gate)
			b.tell(t, sparki.ItemCreated, "told by the other")
			next("told by the other")
			near.tell(t, sparki.ItemCreated, "told by itself")
			next("told by itself")
			gate.open()
			b.tell(t, sparki.ItemCreated, "Redis is back")
			next("Redis is back")
			for what, s := range live {
				if s.waiting() > 0 {
					t.Errorf("the %s got more: %s", what, s.next(t, "next").payload.Data)
				}
			}
		})
	}
}

// statements counts the SQL statements of API requests; what workers and sweeps ask does not count.
type statements struct{ n atomic.Int64 }

func (s *statements) count(ctx context.Context, sql string) {
	if _, err := sparki.PrincipalFrom(ctx); err == nil && !strings.Contains(sql, "set_config") {
		s.n.Add(1)
	}
}

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	s.count(ctx, q.SQL)
	return ctx
}
func (s *statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (s *statements) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}
func (s *statements) TraceBatchQuery(ctx context.Context, _ *pgx.Conn, q pgx.TraceBatchQueryData) {
	s.count(ctx, q.SQL)
}
func (s *statements) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// A list page costs the same few statements, however long it is.
func TestStatementsOfListPages(t *testing.T) {
	t.Parallel()
	sql := &statements{}
	b, o := setup(t, func(c *config) { c.tracer = sql }), openOffice(t)
	if err := kolibri.SeedObjects(t.Context(), o.store, 120, 0); err != nil {
		t.Fatal(err)
	}
	integration := b.connect(t, o)
	for n := range 110 {
		b.imported(t, kolibri.SeededObjectID(n))
	}
	for range 2 { // two runs, some deliveries
		b.query(t, b.token, `mutation ($id: ID!) { startSync(integrationId: $id, domain: LISTINGS) { syncRun { id } } }`, map[string]any{"id": integration}, &struct{}{})
		b.waitForSync(t, integration)
	}
	b.exec(t, `update items set synced_at = now() where id in (select item_id from projects)`) // so that the first page has what the others have
	w := newWriter(t)
	for name, c := range map[string]struct {
		document string
		most     int64
	}{
		"Items": {`query ($n: Int!) { syncedItems(first: $n, orderBy: {field: TITLE, direction: ASC}) { totalCount pageInfo { endCursor } edges { cursor } nodes {
			id title: listing { title price { label } thumbnailUrl } state provider { name } integration { id provider { key } connection { state } }
			linkedProjects { id title thumbnail { url } } } } }`, 6},
		"WholeItems": {`query ($n: Int!) { syncedItems(first: $n, filter: {linked: true}) { nodes { id listing { title longDescription images { url } details { label value } }
			linkedProjects { id longDescription images { url } floorPlans { url } link { syncedItem { id listing { title } integration { id } } } } } } }`, 6},
		"Projects": {`query ($n: Int!) { projects(first: $n, orderBy: {field: UPDATED_AT, direction: DESC}) { totalCount nodes { id title longDescription thumbnail { url }
			images { url } floorPlans { url } link { provider { name } syncedItem { id listing { title } integration { id } linkedProjects { id } } } } } }`, 7},
		"Activity":            {`query ($n: Int!) { activity(first: $n) { totalCount nodes { id message integration { id } subject { id __typename ... on Project { title } ... on SyncedItem { listing { title } } } } } }`, 8},
		"ItemsOfIntegrations": {`query ($n: Int!) { integrations { id syncStatus { state itemCounts { active } } syncedItems(first: $n) { nodes { id integration { id } linkedProjects { id } } } syncRuns(first: 5) { nodes { id integration { id } } } } }`, 14},
	} {
		counts := map[int]int64{}
		for _, n := range []int{10, 100} {
			counts[n] = 1 << 30
			for range 5 { // the least of some: a busy machine may split what belongs together
				before := sql.n.Load()
				got := b.ask(t, b.token, c.document, map[string]any{"n": n})
				if len(got.Errors) > 0 {
					t.Fatalf("%s: %+v", name, got.Errors)
				}
				if rows := strings.Count(string(got.Data), `"id"`); rows < n {
					t.Errorf("%s first: %d has %d ids", name, n, rows)
				}
				counts[n] = min(counts[n], sql.n.Load()-before)
			}
		}
		if counts[10] != counts[100] || counts[100] > c.most || counts[10] == 0 {
			t.Errorf("%s: %d statements for 10, %d for 100, at most %d", name, counts[10], counts[100], c.most)
		}
	}
	// Whatever else is a list: generated, so that none is forgotten.
	for _, f := range w.fields("Query") {
		if !hasArgument(f, "first") {
			continue
		}
		nodes := w.schema.Types[f.Type.Name()].Fields.ForName("nodes").Type.Name()
		document := "query ($n: Int!) { " + f.Name + "(first: $n) { nodes" + w.selection(nodes, 1) + " } }"
		counts := map[int]int64{}
		for _, n := range []int{10, 100} {
			counts[n] = 1 << 30
			for range 5 {
				before := sql.n.Load()
				if got := b.ask(t, b.token, document, map[string]any{"n": n}); len(got.Errors) > 0 {
					t.Fatalf("%s: %+v", document, got.Errors)
				}
				counts[n] = min(counts[n], sql.n.Load()-before)
			}
		}
		if counts[10] != counts[100] {
			t.Errorf("%s: %d statements for 10, %d for 100", document, counts[10], counts[100])
		}
	}
}
