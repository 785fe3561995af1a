package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/auth"
	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/devstack/teststack"
	"sparki.app/integrations/integrations"
	"sparki.app/integrations/providers/all"
)

// TestMain lets four tests run side by side, also on two cores: most of their time they wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue && runtime.GOMAXPROCS(0) < 4 {
		_ = f.Value.Set("4") // it is a number
	}
	teststack.Main(m)
}

// bundle is the whole program in this process, on a database and Redis keys of its own, with one portal.
type bundle struct {
	*app
	url    string // of the server, without a slash at the end
	portal *sparki.Portal
	token  string // with every permission
	logs   *logBuffer
}

// setup starts the program: API on a free port, workers, sweep. It stops when the test ends. The
// changes are made to its configuration first.
func setup(t *testing.T, changes ...func(*config)) *bundle {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + listener.Addr().String()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	c := &config{
		ListenAddr: listener.Addr().String(), PublicAPIURL: url, DatabaseURL: dbtest.URL(t), RedisURL: teststack.RedisURL(t),
		CRMHosts: []string{"*.kolibri24.com", "*.realworks.nl"}, AllowPrivateUpstreams: true,
		MaxStreams: 1000, MaxStreamsPerToken: 200, // and no rate limit: tests ask as often as they like
		MediaURL: "file://" + t.TempDir(), redisPrefix: "test:" + rand.Text() + ":", providers: all.List(),
	}
	if c.keys, err = integrations.ParseKeys("test:" + base64.StdEncoding.EncodeToString(key)); err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		change(c)
	}
	logs := &logBuffer{}
	a, err := newApp(t.Context(), c, slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug})), true)
	if err != nil {
		t.Fatal(err)
	}
	a.sweepEvery = time.Second
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := a.serve(ctx, listener, nil, true); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	running.Go(func() {
		if err := a.work(ctx); err != nil {
			t.Errorf("work: %v", err)
		}
	})
	t.Cleanup(func() {
		stop()
		running.Wait()
		a.close()
		if t.Failed() {
			t.Logf("log:\n%s", logs)
		}
	})
	b := &bundle{app: a, url: url, logs: logs}
	b.portal = dbtest.Portal(t, a.db, all.Keys()...)
	b.token = b.newToken(t, b.portal, sparki.Permissions...)
	return b
}

func (b *bundle) newToken(t *testing.T, portal *sparki.Portal, permissions ...sparki.Permission) string {
	t.Helper()
	text, stored := auth.NewToken(portal.ID, "Test", append([]sparki.Permission{}, permissions...))
	if err := b.db.CreateToken(t.Context(), portal.ID, stored); err != nil {
		t.Fatal(err)
	}
	return text
}

// connectMock connects the portal with a CRM's mock and gives the integration's public id.
func (b *bundle) connectMock(t *testing.T, provider string) string {
	t.Helper()
	var out struct {
		SaveIntegration struct {
			Integration struct{ ID string }
			UserErrors  []userError
		}
	}
	b.query(t, b.token, `mutation ($provider: String!) {
		saveIntegration(input: {provider: $provider, mock: true, domains: {listings: true, agenda: true, outbound: true}}) {
			integration { id } userErrors { code message field }
		}
	}`, map[string]any{"provider": provider}, &out)
	if len(out.SaveIntegration.UserErrors) > 0 {
		t.Fatalf("connect %s: %v", provider, out.SaveIntegration.UserErrors)
	}
	return out.SaveIntegration.Integration.ID
}

type userError struct {
	Code, Message string
	Field         []string
}

// answer is a GraphQL answer.
type answer struct {
	Status int `json:"-"`
	Data   json.RawMessage
	Errors []struct {
		Message    string
		Path       []any
		Extensions struct{ Code, Reference string }
	}
}

// ask sends an operation over HTTP.
func (b *bundle) ask(t *testing.T, token, document string, variables map[string]any) answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/graphql-response+json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	status, content := do(t, req)
	out := answer{Status: status}
	if err := json.Unmarshal(content, &out); err != nil {
		t.Fatalf("%d %s: %v", status, content, err)
	}
	return out
}

// query sends an operation that must succeed, and reads its data.
func (b *bundle) query(t *testing.T, token, document string, variables map[string]any, into any) {
	t.Helper()
	got := b.ask(t, token, document, variables)
	if len(got.Errors) > 0 {
		t.Fatalf("%s: %+v", document, got.Errors)
	}
	if err := json.Unmarshal(got.Data, into); err != nil {
		t.Fatal(err)
	}
}

func do(t *testing.T, req *http.Request) (int, []byte) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, content
}

// eventually polls until the condition holds, and fails after two minutes: a machine may be busy.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	within(t, 2*time.Minute, what, holds)
}

// within polls until the condition holds, and fails after the deadline.
func within(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not in time: %s", what)
		}
	}
}

// logBuffer collects the log of a test.
type logBuffer struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// waitForSync waits until the integration's latest run has ended, and gives its state.
func (b *bundle) waitForSync(t *testing.T, integration string) string {
	t.Helper()
	state := ""
	eventually(t, "a sync to end", func() bool {
		var out struct {
			Node struct {
				SyncRuns struct{ Nodes []struct{ State string } }
			}
		}
		b.query(t, b.token, `query ($id: ID!) { node(id: $id) { ... on Integration { syncRuns(first: 1) { nodes { state } } } } }`,
			map[string]any{"id": integration}, &out)
		if len(out.Node.SyncRuns.Nodes) == 0 {
			return false
		}
		state = out.Node.SyncRuns.Nodes[0].State
		return !slices.Contains([]string{"QUEUED", "RUNNING"}, state)
	})
	return state
}

// changeMock changes an object of a mock CRM over its admin API, which sends a real webhook.
func (b *bundle) changeMock(t *testing.T, provider, integration, object, change string) {
	t.Helper()
	url := strings.Join([]string{b.url, "mock", provider, integration, "admin", "objects", object}, "/")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(change))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if status, content := do(t, req); status/100 != 2 {
		t.Fatalf("change %s: %d %s", object, status, content)
	}
}
