package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sparki.app/integrations/providers/kolibri"
	"sparki.app/integrations/providers/mockkit"
)

// The real binary, in as many processes as the office has in production.
func TestProcesses(t *testing.T) {
	t.Parallel()
	path := build(t)
	for name, test := range map[string]func(*testing.T, *program){
		"Road": testRoad, "Crawl": testCrawl, "Commands": testCommands, "Environment": testEnvironment, "Doctor": testDoctor, "Keys": testKeys,
		"Metrics": testMetrics,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newProgram(t, path))
		})
	}
	t.Run("Dev", func(t *testing.T) {
		t.Parallel()
		testDev(t, &program{path: path, env: map[string]string{"LISTEN_ADDR": "127.0.0.1:0"}})
	})
}

var (
	portalLine = regexp.MustCompile(`^portal_[0-7][0-9a-hjkmnp-tv-z]{25}\n$`)
	tokenLine  = regexp.MustCompile(`^sparki_[0-9A-Za-z_-]+\n$`)
)

// newPortal makes a portal and a token with every permission on the command line.
func (p *program) newPortal(t *testing.T) (portal, token string) {
	t.Helper()
	portal = p.must(t, "portal", "create", "--name", "De Wilde Makelaars", "--add-ons", "kolibri")
	if !portalLine.MatchString(portal) {
		t.Fatalf("portal create printed %q", portal)
	}
	portal = strings.TrimSpace(portal)
	token = p.must(t, "token", "create", "--portal", portal, "--name", "Road", "--permissions", "VIEW,EDIT_PORTAL_SETTINGS,EDIT_PROJECTS,EDIT_AGENDAS")
	if !tokenLine.MatchString(token) {
		t.Fatalf("token create printed %q", token)
	}
	return portal, strings.TrimSpace(token)
}

// overHTTP asks a server that is another process.
func overHTTP(p *program, url, token string) *bundle {
	return &bundle{url: url, token: token, app: &app{config: &config{DatabaseURL: p.env["DATABASE_URL"]}}}
}

const followActivity = `subscription { activity { cursor type message subject { id } } }`

// told waits until an activity of a type arrives.
func told(t *testing.T, s *subscriber, kind string) {
	t.Helper()
	for {
		var out struct{ Activity struct{ Type string } }
		if s.read(t, &out); out.Activity.Type == kind {
			return
		}
	}
}

// The first road, over processes: serve, two workers, one Postgres, one Redis, a Kolibri over HTTP.
func testRoad(t *testing.T, p *program) {
	p.must(t, "migrate")
	_, token := p.newPortal(t)
	server, url := p.serve(t)
	workers := []*process{p.worker(t), p.worker(t)}
	b, o := overHTTP(p, url, token), openOffice(t)
	live := subscribe(t, url, token, followActivity, nil)

	integration := b.connect(t, o)
	told(t, live, "SYNC_RUN_FINISHED")
	var out struct {
		SyncedItems struct{ TotalCount int }
		Node        struct{ WebhookURL string }
	}
	b.query(t, token, `query ($id: ID!) { syncedItems { totalCount } node(id: $id) { ... on Integration { webhookUrl } } }`, map[string]any{"id": integration}, &out)
	if want := "https://api.sparki.example" + hookPath(integration); out.SyncedItems.TotalCount < 25 || out.Node.WebhookURL != want {
		t.Errorf("%d items, webhook URL %s, want %s", out.SyncedItems.TotalCount, out.Node.WebhookURL, want)
	}
	var imported struct {
		ImportSyncedItem struct{ Project struct{ ID string } }
	}
	b.query(t, token, `mutation ($id: ID!) { importSyncedItem(syncedItemId: $id) { project { id } } }`, map[string]any{"id": b.item(t, lindelaan).ID}, &imported)
	told(t, live, "PROJECT_IMPORTED")

	o.sendWebhooksTo(url + hookPath(integration))
	o.change(t, lindelaan, `{"price": 654321}`)
	told(t, live, "DELIVERY_RECEIVED")
	told(t, live, "PROJECT_REFRESHED")
	var project struct {
		Node struct{ Price struct{ Amount string } }
	}
	b.query(t, token, `query ($id: ID!) { node(id: $id) { ... on Project { price { amount } } } }`, map[string]any{"id": imported.ImportSyncedItem.Project.ID}, &project)
	if project.Node.Price.Amount != "654321.00" {
		t.Errorf("the project's price is %s", project.Node.Price.Amount)
	}

	if code := server.stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("serve ended with %d", code)
	}
	if code := live.closed(t, patience); code != 1001 {
		t.Errorf("the socket was closed with %d, want 1001", code)
	}
	for _, w := range workers {
		if code := w.stop(t, syscall.SIGTERM); code != 0 {
			t.Errorf("a worker ended with %d", code)
		}
	}
}

// A crawl survives the workers that carry it: one is killed, one is stopped, the last one finishes,
// and nobody begins anew.
func testCrawl(t *testing.T, p *program) {
	p.must(t, "migrate")
	_, token := p.newPortal(t)
	_, url := p.serve(t)
	b, o := overHTTP(p, url, token), openOffice(t)
	const objects = 500
	if err := kolibri.SeedObjects(t.Context(), o.store, objects, 0); err != nil {
		t.Fatal(err)
	}
	o.faults.Add(mockkit.Fault{Path: "/ObjectAssignments", Kind: mockkit.FaultSlow, Delay: 50 * time.Millisecond, Times: -1})
	saved := b.save(t, o.settings(t))
	if saved.Integration == nil || saved.Integration.Connection.State != "OK" {
		t.Fatalf("connect: %+v", saved)
	}
	var state string
	var processed, created, unchanged, total int
	progress := func() {
		b.sql(t, `select state, processed, created, unchanged, coalesce(total, 0) from sync_runs where domain = 'LISTINGS'`, nil, &state, &processed, &created, &unchanged, &total)
	}
	reaches := func(n int) {
		t.Helper()
		eventually(t, fmt.Sprint("the crawl to reach ", n), func() bool { progress(); return processed >= n })
		if state != "RUNNING" {
			t.Fatalf("after %d objects the crawl is %s", processed, state)
		}
	}
	first := p.worker(t)
	reaches(100)
	first.kill(t)
	b.exec(t, `update sync_runs set lease_until = now()`) // instead of waiting for a minute
	second := p.worker(t)
	reaches(processed + 100)
	if code := second.stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("the worker that was stopped ended with %d", code)
	}
	o.faults.Clear()
	p.worker(t) // no lease stands in its way
	if got := b.waitForSync(t, saved.Integration.ID); got != "SUCCEEDED" {
		t.Fatalf("the crawl ended %s", got)
	}
	progress()
	if items := b.count(t, "items"); total < objects || processed != total || created != items || created+unchanged != processed {
		t.Errorf("%d of %d processed, %d created, %d unchanged, %d items", processed, total, created, unchanged, items)
	}
	if n := o.called("Assignments/Search"); n > 1+total/100+1+2*2 { // the check, the pages, and two for each worker that went
		t.Errorf("%d pages were asked for, of %d objects", n, total)
	}
}

// The administrator's commands print what they are asked for and nothing else.
func testCommands(t *testing.T, p *program) {
	for _, command := range []string{"serve", "worker", "doctor"} {
		if r := p.run(t, command); r.code != 1 || !strings.Contains(r.stdout+r.stderr, "migrate") {
			t.Errorf("%s without a schema: exit %d %s%s", command, r.code, r.stdout, r.stderr)
		}
	}
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if r := p.run(t, "migrate"); r.code != 0 || r.stdout != "" {
				t.Errorf("two at once: exit %d %s%s", r.code, r.stdout, r.stderr)
			}
		})
	}
	both.Wait()
	portal, token := p.newPortal(t)
	list := p.must(t, "token", "list", "--portal", portal)
	id := regexp.MustCompile(`token_\w+`).FindString(list)
	if !strings.Contains(list, "Road") || id == "" || strings.Contains(list, token) {
		t.Fatalf("token list printed %q", list)
	}
	_, url := p.serve(t)
	b := overHTTP(p, url, token)
	socket := subscribe(t, url, token, followActivity, nil)
	if got := b.ask(t, token, `{ viewer { name portal { id } } }`, nil); got.Status != 200 || !strings.Contains(string(got.Data), portal) {
		t.Errorf("the token is answered %d %s", got.Status, got.Data)
	}
	if r := p.run(t, "token", "revoke", "--portal", portal, "--token", id); r.code != 0 || r.stdout != "" {
		t.Errorf("token revoke: exit %d %q", r.code, r.stdout)
	}
	if code := socket.closed(t, 10*time.Second); code != 4403 {
		t.Errorf("the revoked token's socket was closed with %d", code)
	}
	eventually(t, "the revoked token to be refused", func() bool {
		got := b.ask(t, token, `{ viewer { name } }`, nil)
		return got.Status == http.StatusUnauthorized && got.Errors[0].Extensions.Code == "UNAUTHENTICATED"
	})
	if list := p.must(t, "token", "list", "--portal", portal); !strings.Contains(list, "revoked") {
		t.Errorf("token list printed %q", list)
	}
	stranger := p.must(t, "portal", "create", "--name", "Stranger")
	for _, args := range []string{
		"portal create", "portal create --name=", "portal create --name=x --time-zone=Mars/Olympus", "portal create --name=x --time-zone=Local",
		"portal create --name=x --add-ons=spaceship", "portal create --name=x extra", "portal create --nome=x",
		"token create", "token create --portal=portal_00000000000000000000000000 --name=x", "token create --portal=x --name=x",
		"token create --portal=" + portal, "token create --portal=" + portal + " --name=x --permissions=FLY", "token create --portal=" + portal + " --name=x --permissions=,",
		"token list", "token list --portal=" + id, "token revoke --portal=" + portal, "token revoke --portal=" + portal + " --token=x",
		"token revoke --portal=" + strings.TrimSpace(stranger) + " --token=" + id, "portal", "token", "spaceship", "serve extra",
	} {
		r := p.run(t, strings.Fields(args)...)
		last := r.stderr[strings.LastIndex(strings.TrimSuffix(r.stderr, "\n"), "\n")+1:]
		if r.code != 1 || r.stdout != "" || !strings.HasPrefix(last, "sparki: ") {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", args, r.code, r.stdout, r.stderr)
		}
	}
}

// A variable that is missing or malformed stops the start with one line that names it, and no value.
func testEnvironment(t *testing.T, p *program) {
	const canary = "s3cr3t"
	malformed := map[string][]string{
		"LISTEN_ADDR":                 {"s3cr3t", "127.0.0.1", "127.0.0.1:s3cr3t", "127.0.0.1:99999"},
		"METRICS_ADDR":                {"s3cr3t", "127.0.0.1", "127.0.0.1:s3cr3t", ":99999"},
		"OTEL_EXPORTER_OTLP_ENDPOINT": {"s3cr3t", "s3cr3t:4318", "grpc://s3cr3t:4317", "https://user:s3cr3t@otel.example", "https://otel.example?s3cr3t"},
		"PUBLIC_API_URL":              {"s3cr3t", "ftp://s3cr3t", "https://", "https://api.example/s3cr3t?x", "https://user:s3cr3t@api.example"},
		"DATABASE_URL":                {"s3cr3t", "postgres://u:s3cr3t@host:port/x", "postgres://u:s3cr3t%zz@127.0.0.1/x", "mysql://s3cr3t"},
		"REDIS_URL":                   {"s3cr3t", "http://:s3cr3t@127.0.0.1", "redis://:s3cr3t@127.0.0.1/x", "redis://:s3cr3t%zz@127.0.0.1"},
		"SECRET_KEYS":                 {"s3cr3t", "a:s3cr3t", "a:c2hvcnQ=", ":" + strings.Repeat("A", 43) + "=", ",", "a:" + strings.Repeat("A", 43) + "=,a:" + strings.Repeat("B", 43) + "="},
		"ALLOWED_ORIGINS":             {"s3cr3t", "https://app.example/s3cr3t", "https://app.example,s3cr3t", "*"},
		"OIDC_ISSUER":                 {"s3cr3t", "http://s3cr3t.example", "https://user:s3cr3t@id.example", "https://id.example?s3cr3t"},
		"TRUSTED_PROXIES":             {"s3cr3t", "10.0.0.1", "10.0.0.0/8,s3cr3t", "10.0.0.0/99"},
		"CRM_HOSTS":                   {"https://api.s3cr3t.example", "api.example/s3cr3t", "*", "s3cr3t:443", "a b"},
		"ALLOW_PRIVATE_UPSTREAMS":     {"s3cr3t", "perhaps"},
		"CRM_RATE_LIMIT":              {"s3cr3t", "-1", "NaN", "Inf"},
		"API_RATE_LIMIT":              {"s3cr3t", "-1", "NaN", "Inf"},
		"MAX_STREAMS":                 {"s3cr3t", "0", "-1", "1.5"},
		"MAX_STREAMS_PER_TOKEN":       {"s3cr3t", "0"},
		"OPERATIONS_FILE":             {"s3cr3t", "/"},
		"LOG_LEVEL":                   {"s3cr3t"},
		"LOG_FORMAT":                  {"s3cr3t", "xml"},
	}
	check := func(p *program, variable string, args ...string) {
		t.Helper()
		r := p.runFor(t, 10*time.Second, args...)
		if r.code != 1 || r.stdout != "" || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, variable) {
			t.Errorf("%s=%q %v: exit %d, stdout %q, stderr %q, want one line that names it", variable, p.env[variable], args, r.code, r.stdout, r.stderr)
		}
		if strings.Contains(r.stdout+r.stderr, canary) {
			t.Errorf("%v: a value is printed: %s%s", args, r.stdout, r.stderr)
		}
	}
	p.must(t, "migrate")
	for _, variable := range []string{"DATABASE_URL", "REDIS_URL", "SECRET_KEYS"} {
		check(p.with(map[string]string{variable: ""}), variable, "serve")
		check(p.with(map[string]string{variable: ""}), variable, "worker")
	}
	for _, args := range [][]string{{"migrate"}, {"portal", "create", "--name", "x"}, {"token", "list", "--portal", "portal_00000000000000000000000000"}} {
		check(p.with(map[string]string{"DATABASE_URL": ""}), "DATABASE_URL", args...)
	}
	for variable, values := range malformed {
		for _, value := range values {
			check(p.with(map[string]string{variable: value}), variable, "serve")
		}
		check(p, variable, "worker", "--"+strings.ReplaceAll(strings.ToLower(variable), "_", "-")+"="+values[0])
	}
	check(p.with(map[string]string{"OIDC_ISSUER": "https://id.example"}), "OIDC_AUDIENCE", "serve")
	check(p.with(map[string]string{"OIDC_AUDIENCE": "s3cr3t"}), "OIDC_ISSUER", "serve")
	// Well formed, but nobody is there: one line as well, without the password.
	for _, args := range [][]string{{"serve"}, {"worker"}, {"migrate"}} {
		r := p.with(map[string]string{"DATABASE_URL": "postgres://user:s3cr3t@127.0.0.1:1/x?sslmode=disable"}).run(t, args...)
		if r.code != 1 || r.stdout != "" || strings.Count(r.stderr, "\n") != 1 || strings.Contains(r.stderr, canary) {
			t.Errorf("%v without a database: exit %d, stdout %q, stderr %q", args, r.code, r.stdout, r.stderr)
		}
	}
	taken, url := p.serve(t)
	check(p.with(map[string]string{"LISTEN_ADDR": strings.TrimPrefix(url, "http://")}), "LISTEN_ADDR", "serve")
	if code := taken.stop(t, syscall.SIGINT); code != 0 {
		t.Errorf("serve ended with %d", code)
	}
}

// doctor prints one line a check and fails when one does.
func testDoctor(t *testing.T, p *program) {
	p.must(t, "migrate")
	_, token := p.newPortal(t)
	p.worker(t) // so that there are queues
	_, url := p.serve(t)
	overHTTP(p, url, token).connect(t, openOffice(t))
	good := p.must(t, "doctor")
	for _, line := range []string{"configuration", "database", "schema", "secret keys", "redis", "queues"} {
		if !strings.Contains(good, "ok    "+line+"\n") {
			t.Errorf("no good line for %s in\n%s", line, good)
		}
	}
	if strings.Contains(good, "FAIL") {
		t.Errorf("a check fails:\n%s", good)
	}
	const away = "postgres://user:s3cr3t@127.0.0.1:1/x?sslmode=disable"
	for name, c := range map[string]struct {
		env   map[string]string
		fails string
	}{
		"NoRedis":    {map[string]string{"REDIS_URL": "redis://:s3cr3t@127.0.0.1:1/0"}, "redis"},
		"NoDatabase": {map[string]string{"DATABASE_URL": away}, "database"},
		"OtherKey":   {map[string]string{"SECRET_KEYS": "test:" + strings.Repeat("B", 43) + "="}, "secret keys"},
		"OtherKeyID": {map[string]string{"SECRET_KEYS": "other:" + strings.Repeat("A", 43) + "="}, "secret keys"},
		"NoKeys":     {map[string]string{"SECRET_KEYS": ""}, "configuration"},
		"BadKeys":    {map[string]string{"SECRET_KEYS": "s3cr3t"}, "configuration"},
	} {
		r := p.with(c.env).run(t, "doctor")
		if r.code != 1 || strings.Count(r.stdout, "FAIL") != 1 || !strings.Contains(r.stdout, "FAIL  "+c.fails) || !strings.HasPrefix(r.stderr, "sparki: doctor: 1 of ") {
			t.Errorf("%s: exit %d\n%s%s", name, r.code, r.stdout, r.stderr)
		}
		if strings.Contains(r.stdout+r.stderr, "s3cr3t") {
			t.Errorf("%s: a password is printed:\n%s%s", name, r.stdout, r.stderr)
		}
	}
	rotated := p.with(map[string]string{"SECRET_KEYS": "new:" + strings.Repeat("B", 43) + "=," + p.env["SECRET_KEYS"]})
	if r := rotated.run(t, "doctor"); r.code != 0 {
		t.Errorf("with a new key in front: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// dev runs on a machine with nothing prepared, keeps its data, and leaves no process behind.
func testDev(t *testing.T, p *program) {
	data := filepath.Join(openDir(t), "data")
	gone := func(why string) {
		t.Helper()
		eventually(t, why+": its processes to be gone", func() bool { return len(processesOf(data)) == 0 })
	}
	started := func() (s *process, url, token string) {
		t.Helper()
		s = p.start(t, "dev", "--data-dir", data)
		within(t, 2*time.Minute, "dev to be up", func() bool {
			select {
			case <-s.done:
				t.Fatalf("it ended: %s%s", s.stdout, s.stderr)
			default:
			}
			return strings.Contains(s.stdout.String(), "API token")
		})
		out := s.stdout.String()
		url, token = regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(out), regexp.MustCompile(`sparki_[\w-]+`).FindString(out)
		within(t, patience, "dev to be ready", func() bool {
			req, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, url+"/readyz", nil)
			resp, err := http.DefaultClient.Do(req)
			if err == nil {
				_ = resp.Body.Close()
			}
			return err == nil && resp.StatusCode == http.StatusOK
		})
		return s, url, token
	}
	items := func(url, token string) (n int) {
		var out struct{ SyncedItems struct{ TotalCount int } }
		overHTTP(p, url, token).query(t, token, `{ syncedItems { totalCount } }`, nil, &out)
		return out.SyncedItems.TotalCount
	}
	s, url, token := started()
	eventually(t, "the demo portal to be filled", func() bool { return items(url, token) >= 25 })
	link := regexp.MustCompile(`/sign-in\?code=\w+`).FindString(s.stdout.String())
	for _, want := range []int{http.StatusSeeOther, http.StatusUnauthorized} {
		if got := overHTTP(p, url, token).send(t, http.MethodGet, link, nil, http.Header{}); got.status != want || (got.header.Get("Set-Cookie") != "") != (want == http.StatusSeeOther) {
			t.Errorf("the printed link %s is answered %d, want %d", link, got.status, want)
		}
	}
	if len(processesOf(data)) == 0 {
		t.Error("no process of dev can be found: this test looks for them in the wrong way")
	}
	if code := s.stop(t, syscall.SIGINT); code != 0 {
		t.Errorf("Ctrl-C ended it with %d", code)
	}
	gone("after Ctrl-C")

	s, url, again := started()
	if n := items(url, again); again != token || n < 25 {
		t.Errorf("the second start has another token: %t, and %d items", again != token, n)
	}
	s.kill(t)
	gone("after kill -9")

	s, url, again = started()
	if n := items(url, again); again != token || n < 25 {
		t.Errorf("after kill -9 it has another token: %t, and %d items", again != token, n)
	}
	if code := s.stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("SIGTERM ended it with %d", code)
	}
	gone("after SIGTERM")
}
