package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sparki.app/integrations/providers/kolibri"
	"sparki.app/integrations/providers/mockkit"
)

// What breaks, breaks while webhooks come in. Afterwards nothing is lost, nothing is doubled, and nothing
// waits. Real processes, a CRM over HTTP, and for those that are to be ended a Postgres and a Redis of
// their own.
func TestFaults(t *testing.T) {
	t.Parallel()
	path := build(t)
	for name, test := range map[string]func(*testing.T, *program){
		"Killed": testKilled, "RedisLost": testRedisLost, "PostgresRestarted": testPostgresRestarted,
		"Slow": testSlow, "StoppedUnderLoad": testStoppedUnderLoad, "ClocksDiffer": testClocksDiffer,
		"DiskFull": testDiskFull,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newProgram(t, path))
		})
	}
}

// road is an office whose objects change, and the processes that are to follow.
type road struct {
	*bundle
	office  *office
	program *program
	objects []string
	project string

	integration string

	mu     sync.Mutex
	prices map[string]int // what the CRM says, by object
	sent   int            // changes
}

// openRoad connects an office with a portal, imports one of its objects, and lets webhooks come.
func openRoad(t *testing.T, p *program) *road {
	t.Helper()
	p.must(t, "migrate")
	_, token := p.newPortal(t)
	address := freeAddress(t)
	p.env["LISTEN_ADDR"] = address
	r := &road{bundle: overHTTP(p, "http://"+address, token), office: openOffice(t), program: p, prices: map[string]int{}}
	const objects = 20
	if err := kolibri.SeedObjects(t.Context(), r.office.store, objects, 0); err != nil {
		t.Fatal(err)
	}
	for n := range objects {
		r.objects = append(r.objects, kolibri.SeededObjectID(n))
	}
	server, worker := p.start(t, "serve"), p.worker(t)
	server.logged(t, "address")
	r.integration = r.connect(t, r.office)
	var imported struct {
		ImportSyncedItem struct{ Project struct{ ID string } }
	}
	r.query(t, token, `mutation ($id: ID!) { importSyncedItem(syncedItemId: $id) { project { id } } }`, map[string]any{"id": r.item(t, r.objects[0]).ID}, &imported)
	r.project = imported.ImportSyncedItem.Project.ID
	r.office.sendWebhooksTo(r.url + hookPath(r.integration))
	for _, s := range []*process{server, worker} {
		if code := s.stop(t, syscall.SIGTERM); code != 0 {
			t.Fatalf("it ended with %d", code)
		}
	}
	return r
}

// freeAddress is one that a server can listen on, also again after it was killed.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// serveAgain starts a server at the road's address.
func (r *road) serveAgain(t *testing.T) *process {
	t.Helper()
	s := r.program.start(t, "serve")
	s.logged(t, "address")
	return s
}

// change changes the price of one object after the other, n times.
func (r *road) change(t *testing.T, n int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for range n {
		object := r.objects[r.sent%len(r.objects)]
		r.sent++
		r.prices[object] = 100_000 + r.sent
		r.office.change(t, object, fmt.Sprintf(`{"price": %d}`, r.prices[object]))
	}
}

// during changes prices in the background until what it is given is done.
func (r *road) during(t *testing.T, faults func()) {
	t.Helper()
	stop := make(chan struct{})
	var changing sync.WaitGroup
	changing.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.change(t, 1)
			case <-stop:
				return
			}
		}
	})
	defer changing.Wait()
	defer close(stop)
	faults()
}

// arrived says whether as many items as there are have the price that the CRM says.
func (r *road) arrived(t *testing.T) bool {
	r.mu.Lock()
	want := maps.Clone(r.prices)
	r.mu.Unlock()
	for object, price := range want {
		var got float64
		r.sql(t, `select coalesce(max(price_amount), 0)::float8 from items where external_id = $1`, []any{object}, &got)
		if int(got) != price {
			return false
		}
	}
	return true
}

// settled waits until everything has arrived, and checks that nothing was lost, doubled, or left waiting.
func (r *road) settled(t *testing.T) {
	t.Helper()
	r.change(t, len(r.objects)) // each once more, so that every object has changed
	within(t, 5*time.Minute, "the backlog to drain", func() bool {
		return r.count(t, `messages where kind = 'REFRESH'`) >= r.sent && // first, for what has yet to come waits nowhere
			r.count(t, `deliveries where outcome = 'PENDING'`) == 0 && r.count(t, `fetches`) == 0 && r.arrived(t)
	})
	if n := r.count(t, `messages where outcome <> 'PROCESSED' and kind = 'REFRESH'`); n > 0 { // of objects: nobody counts what an agenda tells
		t.Errorf("%d messages were not processed", n)
	}
	if got, want := r.count(t, `messages where kind = 'REFRESH'`), r.sent; got != want {
		t.Errorf("%d messages are kept of %d that were sent", got, want)
	}
	for what, rows := range map[string]string{
		"objects with several items": `(select external_id from items group by external_id having count(*) > 1) s`,
		"activities are missing":     `(select 1 from activities group by portal_id having max(seq) <> count(*)) s`,
		"items have an error":        `items where sync_error is not null`,
	} {
		if n := r.count(t, rows); n > 0 {
			t.Errorf("%s: %d", what, n)
		}
	}
	var project struct {
		Node struct{ Price struct{ Amount string } }
	}
	r.query(t, r.token, `query ($id: ID!) { node(id: $id) { ... on Project { price { amount } } } }`, map[string]any{"id": r.project}, &project)
	if got, want := project.Node.Price.Amount, fmt.Sprintf("%d.00", r.prices[r.objects[0]]); got != want {
		t.Errorf("the project's price is %s, the CRM says %s", got, want)
	}
}

// expire ends the leases of what was killed, instead of waiting for a minute.
func (r *road) expire(t *testing.T) {
	t.Helper()
	r.exec(t, `update fetches set lease_until = now() where state = 'RUNNING'`)
	r.exec(t, `update sync_runs set lease_until = now() where lease_until is not null`)
	r.exec(t, `update write_backs set lease_until = now(), due_at = now() where lease_until is not null`)
}

// Servers and workers are killed, one or all of them, at moments by chance, while prices change and appointments are
// written into an agenda that answers late, so that many a worker dies between the CRM's deed and its answer.
func testKilled(t *testing.T, p *program) {
	r := openRoad(t, p)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	server, workers := r.serveAgain(t), []*process{p.worker(t), p.worker(t)}
	diary := r.keepDiary(t, r.integration, "")
	r.office.faults.Add(mockkit.Fault{Path: "AgendaItems", Kind: mockkit.FaultSlow, Delay: 300 * time.Millisecond, Times: -1})
	appointments := 1 // of keepDiary
	for ; appointments < 40; appointments++ {
		diary.book(t, diary.schedule, "CONFIRMED")
	}
	r.during(t, func() {
		for kill := range 12 {
			pause := time.NewTimer(time.Duration(random.IntN(400)) * time.Millisecond)
			<-pause.C
			if kill%3 != 1 {
				server.kill(t)
			}
			if kill%3 != 0 {
				n := random.IntN(len(workers))
				workers[n].kill(t)
				workers[n] = p.worker(t)
			}
			if kill%3 != 1 {
				server = r.serveAgain(t)
			}
		}
	})
	if r.count(t, `write_backs where state = 'SYNCED'`) == appointments {
		t.Error("all appointments were written before the last kill: this test does not test what it says")
	}
	for _, w := range workers { // whose leases are not to end before their calls
		w.kill(t)
	}
	r.office.faults.Clear()
	r.expire(t)
	p.worker(t)
	within(t, 2*time.Minute, "all appointments to be written", func() bool {
		return r.count(t, `write_backs where state = 'SYNCED'`) == appointments
	})
	r.settled(t)
	items, err := r.office.store.List(t.Context(), "agenda-item")
	if err != nil {
		t.Fatal(err)
	}
	times := map[string]int{}
	for _, item := range items {
		if reference := regexp.MustCompile(`Sparki: (appointment_\w+)`).FindSubmatch(item.JSON); reference != nil && bytes.Contains(item.JSON, []byte(`"isCanceled":false`)) {
			times[string(reference[1])]++
		}
	}
	for reference, n := range times {
		if n != 1 {
			t.Errorf("%s stands %d times in the agenda", reference, n)
		}
	}
	if len(times) != appointments {
		t.Errorf("%d appointments of %d are in the agenda", len(times), appointments)
	}
}

// Redis forgets what it likes, is emptied, then ended: work goes on with the sweep. Then it comes back with nothing.
func testRedisLost(t *testing.T, p *program) {
	s := startServers(t)
	maps.Copy(p.env, map[string]string{"DATABASE_URL": s.postgresURL, "REDIS_URL": s.redisURL})
	r := openRoad(t, p)
	r.serveAgain(t)
	p.worker(t)
	o, err := redis.ParseURL(s.redis.RedisURL)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(o)
	defer client.Close()
	if client.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err() == nil { // a stand-in for Redis has no such thing
		if err := client.ConfigSet(t.Context(), "maxmemory", "2mb").Err(); err != nil {
			t.Error(err)
		}
		if said := p.must(t, "doctor"); !strings.Contains(said, "allkeys-lru") {
			t.Errorf("the doctor says nothing of a Redis that forgets:\n%s", said)
		}
	}
	r.during(t, func() {
		for range 5 {
			if err := client.FlushAll(t.Context()).Err(); err != nil {
				t.Error(err)
			}
			before := r.count(t, `messages where outcome = 'PROCESSED'`)
			eventually(t, "work to go on after Redis was emptied", func() bool { return r.count(t, `messages where outcome = 'PROCESSED'`) > before })
		}
		s.redisGate.shut()
		s.stopRedis(t)
		before := r.count(t, `messages where outcome = 'PROCESSED'`)
		p.worker(t) // one can also start now
		eventually(t, "webhooks to be taken and worked on without Redis", func() bool { return r.count(t, `messages where outcome = 'PROCESSED'`) > before })
		if ready := readiness(t, r.url); ready.status != http.StatusOK || ready.Redis != "degraded" {
			t.Errorf("without Redis it says %+v", ready)
		}
	})
	s.restartRedis(t)
	r.settled(t)
}

// Postgres is restarted, then killed. Meanwhile webhooks are refused, and what was accepted is there.
func testPostgresRestarted(t *testing.T, p *program) {
	s := startServers(t)
	maps.Copy(p.env, map[string]string{"DATABASE_URL": s.postgresURL, "REDIS_URL": s.redisURL})
	r := openRoad(t, p)
	r.serveAgain(t)
	p.worker(t)
	r.during(t, func() {
		for _, end := range []func(*testing.T){s.stopPostgres, s.killPostgres} {
			before := r.count(t, `messages`)
			eventually(t, "webhooks to be taken", func() bool { return r.count(t, `messages`) > before })
			end(t)
			eventually(t, "it to be not ready", func() bool { return readiness(t, r.url).status == http.StatusServiceUnavailable })
			s.restartPostgres(t)
			eventually(t, "it to be ready again", func() bool { return readiness(t, r.url).status == http.StatusOK })
		}
	})
	r.expire(t)
	r.settled(t)
}

// Both answer late. Everything takes longer, and nothing else happens.
func testSlow(t *testing.T, p *program) {
	postgres, postgresURL := postgresGate(t, p.env["DATABASE_URL"])
	redis, redisURL := redisGate(t, p.env["REDIS_URL"])
	slow := p.with(map[string]string{"DATABASE_URL": postgresURL, "REDIS_URL": redisURL})
	r := openRoad(t, slow)
	r.config.DatabaseURL = p.env["DATABASE_URL"]
	r.serveAgain(t)
	slow.worker(t)
	postgres.slow(50 * time.Millisecond)
	redis.slow(700 * time.Millisecond) // longer than anybody waits for a hint
	r.change(t, 40)
	r.settled(t)
}

// A server that is told to stop says that it is not ready and goes on for a while: each request is
// answered, until none is taken any more.
func testStoppedUnderLoad(t *testing.T, p *program) {
	r := openRoad(t, p)
	server := r.serveAgain(t)
	const clients = 8
	var asking sync.WaitGroup
	begun, failed := make(chan struct{}, clients), make(chan error, clients)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // a connection that ends is then one that was cut
	for range clients {
		asking.Go(func() {
			for first := true; ; first = false {
				switch err := r.viewer(t, client); {
				case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET): // it waited to be taken
					return
				case errors.Is(err, io.EOF) && errors.Is(r.viewer(t, client), syscall.ECONNREFUSED): // it came at the very end
					return
				case err != nil:
					failed <- err
					return
				case first:
					begun <- struct{}{}
				}
			}
		})
	}
	for range clients {
		select {
		case <-begun:
		case err := <-failed:
			t.Fatal(err)
		}
	}
	stopped := make(chan int)
	go func() { stopped <- server.stop(t, syscall.SIGTERM) }()
	eventually(t, "it to be not ready", func() bool { return readiness(t, r.url).status == http.StatusServiceUnavailable })
	if code := <-stopped; code != 0 {
		t.Errorf("it ended with %d", code)
	}
	asking.Wait()
	close(failed)
	for err := range failed {
		t.Errorf("a request failed: %v", err)
	}
}

// viewer asks one small thing.
func (r *road) viewer(t *testing.T, client *http.Client) error {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/graphql", strings.NewReader(`{"query": "{ viewer { name } }"}`))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+r.token)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", resp.Status)
	}
	return nil
}

// The database's clock is ten minutes ahead of the processes': leases and due times know no other, so
// nothing is done early, twice or never.
func testClocksDiffer(t *testing.T, p *program) {
	r := &road{bundle: overHTTP(p, "", "")}
	for _, statement := range []string{
		`create schema ahead`,
		`create function ahead.now() returns timestamptz stable language sql as $$ select pg_catalog.now() + interval '10 minutes' $$`,
		`create function ahead.clock_timestamp() returns timestamptz volatile language sql as $$ select pg_catalog.clock_timestamp() + interval '10 minutes' $$`,
		`grant usage on schema ahead to public`,
		`do $$ begin execute format('alter database %I set search_path = public, ahead, pg_catalog', current_database()); end $$`,
	} {
		r.exec(t, statement)
	}
	r = openRoad(t, p)
	r.serveAgain(t)
	p.worker(t)
	p.worker(t)
	reads := r.office.called("ObjectAssignments?id=")
	r.change(t, 40)
	r.settled(t)
	if n := r.office.called("ObjectAssignments?id=") - reads; n > r.sent {
		t.Errorf("%d reads for %d changes", n, r.sent)
	}
	var ahead time.Duration
	r.sql(t, `select max(synced_at) - pg_catalog.now() from items`, nil, &ahead)
	if ahead < 5*time.Minute {
		t.Errorf("the database is only %s ahead: this test does not test what it says", ahead)
	}
}

// The disk of the blob store is full in the middle of a picture: it is said, the CRM's pictures are shown meanwhile,
// no half of one is kept, and all are copied when there is room again.
func testDiskFull(t *testing.T, p *program) {
	folder := t.TempDir()
	p.env["MEDIA_URL"] = "file://" + folder
	p.must(t, "migrate")
	_, token := p.newPortal(t)
	_, url := p.serve(t)
	worker := p.worker(t)
	limitFiles(t, worker, 100) // bytes; a picture has more
	b, o := overHTTP(p, url, token), openOffice(t)
	b.connect(t, o)
	project := b.imported(t, lindelaan).ID
	pictures := func() (urls []string) {
		var out struct {
			Node struct{ Images []struct{ ID, URL string } }
		}
		b.query(t, token, `query ($id: ID!) { node(id: $id) { ... on Project { images { id url } } } }`, map[string]any{"id": project}, &out)
		for _, i := range out.Node.Images {
			if i.URL == p.env["PUBLIC_API_URL"]+"/media/"+i.ID {
				i.URL = "/media/" + i.ID
			}
			urls = append(urls, i.URL)
		}
		return urls
	}
	eventually(t, "the fault to be in the log", func() bool { return strings.Contains(worker.stderr.String(), `msg="copy not stored"`) })
	eventually(t, "the fault to stand with the pictures", func() bool {
		return b.count(t, `project_media where copy_error = 'the blob store does not take it' and copy_attempts = 0 and copy_due_at > now()`) > 0
	})
	shown := pictures()
	if len(shown) < 3 {
		t.Fatalf("the project has only %v", shown)
	}
	for _, url := range shown {
		if !strings.HasPrefix(url, o.url) {
			t.Errorf("while the disk is full, %s is shown", url)
		}
	}
	if ready := readiness(t, url); ready.status != http.StatusOK {
		t.Errorf("it says %+v", ready)
	}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("%s is left", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	limitFiles(t, worker, -1)
	b.exec(t, `update project_media set copy_due_at = now() where copy_due_at is not null`) // instead of waiting for a minute
	eventually(t, "the pictures to be copied", func() bool {
		for _, url := range pictures() {
			if !strings.HasPrefix(url, "/media/") {
				return false
			}
		}
		return true
	})
	for _, url := range pictures() {
		if got := b.send(t, http.MethodGet, url, nil, nil); got.status != http.StatusOK || len(got.body) < 100 {
			t.Errorf("%s gives %d, %d bytes", url, got.status, len(got.body))
		}
	}
}

// ready is what /readyz says.
type ready struct {
	status          int
	Postgres, Redis string
}

func readiness(t *testing.T, url string) ready {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	status, content := do(t, req)
	got := ready{status: status}
	if err := json.Unmarshal(content, &got); err != nil {
		t.Fatalf("%s: %v", content, err)
	}
	return got
}
