package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"sparki.app/integrations/bench/beside"
)

// rival is the plain server that Sparki is measured against: this binary once more, as a process of
// its own on the servers' core, or whatever -beside names.
type rival struct {
	url         string // without a slash at the end
	databaseURL string // "" with -beside
	process     *process
}

// besideEnv makes this binary a plain server; it holds what serveBeside needs, as JSON.
const besideEnv = "SPARKI_BENCH_BESIDE"

type besideJob struct {
	Address string
	Options beside.Options
}

// serveBeside is the life of the plain server.
func serveBeside(text string) error {
	var job besideJob
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := beside.New(ctx, job.Options)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Serve(ctx, job.Address)
}

// rival starts the plain server on a database of its own with this name, or on the one in the options.
func (b *bench) rival(ctx context.Context, name string, o beside.Options) (*rival, error) {
	if b.beside != "" {
		return &rival{url: b.beside}, nil
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	if o.DatabaseURL == "" {
		if o.DatabaseURL, err = b.stack.database(ctx, name); err != nil {
			return nil, err
		}
	}
	o.WebhookSecret = webhookSecret
	job, err := json.Marshal(besideJob{address, o})
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r := &rival{url: "http://" + address, databaseURL: o.DatabaseURL}
	if r.process, err = b.stack.start(name, []string{besideEnv + "=" + string(job)}, self); err != nil {
		return nil, err
	}
	return r, r.process.ready(ctx, func(ctx context.Context) error { return r.post(ctx, http.MethodGet, "/ready", nil, nil) })
}

func (r *rival) stop() {
	if r != nil {
		r.process.stop()
	}
}

// cpu is the CPU time that the server has used.
func (r *rival) cpu() time.Duration {
	if r.process == nil {
		return 0
	}
	return cpuOf(r.process.pid())
}

// resident is the memory that the server has resident, in bytes.
func (r *rival) resident() int64 {
	if r.process == nil {
		return 0
	}
	return residentOf(r.process.pid())
}

// post sends one request that must succeed, and reads its answer.
func (r *rival) post(ctx context.Context, method, path string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, r.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s %.300s", method, path, resp.Status, content)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(content, into)
}
