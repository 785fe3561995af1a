package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations"
)

// webhookSecret signs the webhooks of every load.
const webhookSecret = "sparki-bench-webhook-secret"

// program is Sparki: the real binary as serve and worker processes on a database of their own, or
// whatever -ours names.
type program struct {
	stack       *stack
	url         string // without a slash at the end
	token       string
	databaseURL string    // "" with -ours
	portal      uuid.UUID // zero with -ours
	env         []string
	binary      string
	serve       *process // nil with -ours
	work        *process // nil while no worker runs
}

// program starts serve on a database with this name, and a worker if wanted.
func (b *bench) program(ctx context.Context, name string, worker bool) (*program, error) {
	if b.ours != "" {
		return &program{stack: b.stack, url: b.ours, token: b.token}, nil
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p := &program{stack: b.stack, url: "http://" + address, binary: b.binary}
	if p.databaseURL, err = b.stack.database(ctx, name); err != nil {
		return nil, err
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	p.env = []string{
		"DATABASE_URL=" + p.databaseURL, "REDIS_URL=" + b.stack.dev.RedisURL, "LISTEN_ADDR=" + address,
		"SECRET_KEYS=bench:" + base64.StdEncoding.EncodeToString(key),
		"ALLOW_PRIVATE_UPSTREAMS=true",         // the mock CRM is on 127.0.0.1
		"CRM_RATE_LIMIT=0", "API_RATE_LIMIT=0", // else the backfill, or the list, measures the limiter
		"MAX_STREAMS=10000", "MAX_STREAMS_PER_TOKEN=10000",
	}
	if err := p.prepare(ctx); err != nil {
		return p, err
	}
	if p.serve, err = b.startProgram(name+"-serve", p, "serve"); err != nil {
		return p, err
	}
	if err := p.serve.ready(ctx, p.isReady); err != nil {
		return p, err
	}
	if worker {
		return p, p.startWorker(b)
	}
	return p, nil
}

// prepare migrates the database and makes a portal and a token, as an operator would.
func (p *program) prepare(ctx context.Context) error {
	if _, err := p.run(ctx, "migrate"); err != nil {
		return err
	}
	portal, err := p.run(ctx, "portal", "create", "--name", "Bench")
	if err != nil {
		return err
	}
	if p.portal, err = sparki.PortalNode.Parse(portal); err != nil {
		return err
	}
	rights := make([]string, len(sparki.Permissions))
	for i, right := range sparki.Permissions {
		rights[i] = string(right)
	}
	p.token, err = p.run(ctx, "token", "create", "--portal", portal, "--name", "Bench", "--permissions", strings.Join(rights, ","))
	return err
}

func (p *program) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, p.binary, args...)
	cmd.Env = append(systemEnv(), p.env...)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("sparki %s: %s", strings.Join(args[:1], " "), bytes.TrimSpace(exit.Stderr))
	}
	return strings.TrimSpace(string(out)), err
}

// startWorker starts the worker process; with -ours there is none to start.
func (p *program) startWorker(b *bench) (err error) {
	if p.serve == nil {
		return nil
	}
	p.work, err = b.startProgram(strings.TrimSuffix(p.serve.name, "serve")+"worker", p, "worker")
	return err
}

// startProgram starts a command of the binary; with -profile it serves its profiles.
func (b *bench) startProgram(name string, p *program, command string) (*process, error) {
	if b.profiles == "" {
		return b.stack.start(name, p.env, p.binary, command)
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	started, err := b.stack.start(name, append(p.env[:len(p.env):len(p.env)], profileEnv+"="+address), p.binary, command)
	if err == nil {
		started.pprof = address
	}
	return started, err
}

func (p *program) isReady(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("readyz: %s", resp.Status)
	}
	return nil
}

// stop ends the processes.
func (p *program) stop() {
	if p != nil {
		p.work.stop()
		p.serve.stop()
	}
}

// cpu is the CPU time that serve and worker have used.
func (p *program) cpu() time.Duration {
	var sum time.Duration
	for _, process := range []*process{p.serve, p.work} {
		if process != nil {
			sum += cpuOf(process.pid())
		}
	}
	return sum
}

// peaks are the most memory that serve and worker had resident.
func (p *program) peaks() (serve, worker int64) {
	if p.serve != nil {
		serve = peakOf(p.serve.pid())
	}
	if p.work != nil {
		worker = peakOf(p.work.pid())
	}
	return serve, worker
}

// resident is the memory that serve has resident, in bytes.
func (p *program) resident() int64 {
	if p.serve == nil {
		return 0
	}
	return residentOf(p.serve.pid())
}

// graphQL sends an operation that must succeed, and reads its data.
func (p *program) graphQL(ctx context.Context, document string, variables map[string]any, into any) error {
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+p.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var answer struct {
		Data   json.RawMessage
		Errors []struct{ Message string }
	}
	if err := json.Unmarshal(content, &answer); err != nil || resp.StatusCode != http.StatusOK || len(answer.Errors) > 0 {
		return fmt.Errorf("GraphQL: %s %.500s", resp.Status, content)
	}
	return json.Unmarshal(answer.Data, into)
}

// integration is a connection with the mock CRM.
type integration struct{ ID, WebhookURL string }

// connect connects the portal with the mock CRM over HTTP, as an office would with the live one.
func (p *program) connect(ctx context.Context, c *crm) (integration, error) {
	var out struct {
		SaveIntegration struct {
			Integration integration
			UserErrors  []struct {
				Message string
				Field   []string
			}
		}
	}
	err := p.graphQL(ctx, `mutation ($settings: JSON) {
		saveIntegration(input: {provider: "kolibri", mock: false, domains: {listings: true, agenda: false, outbound: false}, settings: $settings}) {
			integration { id webhookUrl } userErrors { message field }
		}
	}`, map[string]any{"settings": c.settings()}, &out)
	if err == nil && len(out.SaveIntegration.UserErrors) > 0 {
		err = fmt.Errorf("save integration: %v", out.SaveIntegration.UserErrors)
	}
	return out.SaveIntegration.Integration, err
}

// syncRun is what is watched of a crawl.
type syncRun struct {
	ID, State, Error                                      string
	Processed, Created, Updated, Unchanged, Failed, Total int
	FinishedAt                                            time.Time
}

// pollEvery is how often the run is asked after. It tells itself when it ended, so that asking seldom
// costs no precision, and the server little.
const pollEvery = 200 * time.Millisecond

// waitForRun waits until the integration's latest run, if it is not the one before, has succeeded.
func (p *program) waitForRun(ctx context.Context, integrationID, before string) (syncRun, error) {
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		var out struct {
			Node struct{ SyncRuns struct{ Nodes []syncRun } }
		}
		err := p.graphQL(ctx, `query ($id: ID!) { node(id: $id) { ... on Integration { syncRuns(first: 1) { nodes {
			id state error processed created updated unchanged failed total finishedAt
		} } } } }`, map[string]any{"id": integrationID}, &out)
		if err != nil {
			return syncRun{}, err
		}
		if runs := out.Node.SyncRuns.Nodes; len(runs) == 1 && runs[0].ID != before {
			switch run := runs[0]; run.State {
			case "SUCCEEDED":
				return run, nil
			case "QUEUED", "RUNNING":
			default:
				return run, fmt.Errorf("the run ended %s: %s", run.State, run.Error)
			}
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return syncRun{}, fmt.Errorf("wait for a run: %w", ctx.Err())
		}
	}
}
