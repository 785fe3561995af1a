package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// profileEnv is where a binary that was built with profileSource serves its profiles.
const profileEnv = "SPARKI_BENCH_PPROF"

// profileSource is compiled into the measured binary with -profile, and only then.
const profileSource = `package main

import (
	"net/http"
	_ "net/http/pprof"
	"os"
)

func init() {
	if address := os.Getenv("` + profileEnv + `"); address != "" {
		go func() { panic(http.ListenAndServe(address, nil)) }()
	}
}
`

// build compiles the program; with -profile it gets one file more, without touching the sources.
func (b *bench) build(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("find the module: %w", err)
	}
	root := strings.TrimSpace(string(out))
	b.binary = filepath.Join(b.dir, "sparki")
	args := []string{"build", "-o", b.binary}
	if b.profiles != "" {
		source, overlay := filepath.Join(b.dir, "profile.go"), filepath.Join(b.dir, "overlay.json")
		text, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "cmd", "sparki", "bench_profile.go"): source}})
		if err != nil {
			return err
		}
		if err := os.WriteFile(source, []byte(profileSource), 0o600); err != nil {
			return err
		}
		if err := os.WriteFile(overlay, text, 0o600); err != nil {
			return err
		}
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/sparki")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build sparki: %w\n%s", err, out)
	}
	return nil
}

// profiled repeats a slice under the profiler, after the measured ones; without -profile it does nothing.
func (b *bench) profiled(ctx context.Context, name string, of *process, slice func() error) error {
	if b.profiles == "" || of == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	path := filepath.Join(b.profiles, name)
	written := make(chan error, 1)
	go func() { written <- fetch(ctx, "http://"+of.pprof+"/debug/pprof/profile?seconds=3", path+".cpu.pprof") }()
	if err := slice(); err != nil {
		return err
	}
	if err := <-written; err != nil {
		return fmt.Errorf("profile %s: %w", name, err)
	}
	return fetch(ctx, "http://"+of.pprof+"/debug/pprof/allocs", path+".allocs.pprof")
}

func fetch(ctx context.Context, url, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %w", resp.Status, err)
	}
	return os.WriteFile(path, content, 0o600)
}
