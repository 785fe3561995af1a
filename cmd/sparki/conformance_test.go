package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// conformanceEnv names the folder with the public clients and audits. .ci/run sets it, once npm has
// filled the folder's node_modules; plain `go test` needs no npm.
const conformanceEnv = "SPARKI_CONFORMANCE"

// What others say that GraphQL over HTTP and graphql-transport-ws are, against real processes.
func TestConformance(t *testing.T) {
	t.Parallel()
	folder := os.Getenv(conformanceEnv)
	if folder == "" {
		t.Skip(conformanceEnv + " is not set: .ci/run sets it")
	}
	p := newProgram(t, build(t))
	p.must(t, "migrate")
	_, token := p.newPortal(t)
	t.Run("Audit", func(t *testing.T) {
		_, url := p.serve(t)
		audit(t, folder, url, token)
	})
	t.Run("Client", func(t *testing.T) { followThroughRestarts(t, p, folder, token) })
}

// audit runs the 61 audits of graphql-http.
func audit(t *testing.T, folder, url, token string) {
	cmd := exec.CommandContext(t.Context(), "node", "audit.mjs", url+"/graphql", token)
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for _, line := range lines {
		var audit struct{ ID, Name, Status, Reason string }
		if err := json.Unmarshal([]byte(line), &audit); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if audit.Status != "ok" {
			t.Errorf("%s %s: %s, %s", audit.ID, audit.Name, audit.Status, audit.Reason)
		}
	}
	if len(lines) != 61 {
		t.Errorf("%d audits, want 61", len(lines))
	}
}

// npmClient is follow.mjs, and what it printed.
type npmClient struct {
	lines *bufio.Scanner
	stdin io.Closer
}

type npmLine struct {
	Event, Cursor, Name, Error string
	Code                       int
	Errors                     []any
}

func startNPMClient(t *testing.T, folder, url, token, after string) *npmClient {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", "follow.mjs", url+"/graphql", token, after)
	cmd.Dir, cmd.Stderr = folder, os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	return &npmClient{bufio.NewScanner(stdout), stdin}
}

// next reads the next line, which ends the test when it tells of an error.
func (c *npmClient) next(t *testing.T) (line npmLine) {
	t.Helper()
	if !c.lines.Scan() {
		t.Fatalf("the client has ended: %v", c.lines.Err())
	}
	if err := json.Unmarshal(c.lines.Bytes(), &line); err != nil || line.Event == "error" || line.Event == "complete" || len(line.Errors) > 0 {
		t.Fatalf("the client says %s", c.lines.Bytes())
	}
	return line
}

// followThroughRestarts has graphql-ws follow a server that is stopped, killed and started again while
// another one writes: it comes back by itself, goes on after what it saw last, and misses nothing.
func followThroughRestarts(t *testing.T, p *program, folder, token string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	near := p.with(map[string]string{"LISTEN_ADDR": listener.Addr().String()})
	_ = listener.Close()
	_, other := p.serve(t)
	writer := overHTTP(p, other, token)
	written := 0
	write := func(n int) {
		t.Helper()
		for range n {
			written++
			var out struct {
				CreateProject struct{ UserErrors []userError }
			}
			writer.query(t, token, `mutation ($title: String) { createProject(input: {title: $title}) { userErrors { message } } }`,
				map[string]any{"title": fmt.Sprint("Project ", written)}, &out)
			if len(out.CreateProject.UserErrors) > 0 {
				t.Fatal(out.CreateProject.UserErrors)
			}
		}
	}
	write(1)
	start := writer.log(t)
	server, url := near.serve(t)
	client := startNPMClient(t, folder, url, token, start[len(start)-1])
	var seen []string
	var closed []int
	read := func(until func() bool) {
		t.Helper()
		for !until() {
			switch line := client.next(t); line.Event {
			case "next":
				seen = append(seen, line.Cursor)
			case "closed":
				closed = append(closed, line.Code)
			case "viewer":
				if line.Name != "Road" {
					t.Errorf("the viewer is %q", line.Name)
				}
			}
		}
	}
	const each = 20
	write(each)
	read(func() bool { return len(seen) == each })
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		write(each) // some of it is under way when the server goes
		n := len(closed)
		if signal == syscall.SIGKILL {
			server.kill(t)
		} else if code := server.stop(t, signal); code != 0 {
			t.Errorf("serve ended with %d", code)
		}
		read(func() bool { return len(closed) > n })
		write(each)
		server, _ = near.serve(t)
		write(each)
		read(func() bool { return len(seen) == written-1 })
	}
	if want := writer.log(t)[1:]; !slices.Equal(seen, want) {
		t.Errorf("the client saw\n%v\nwant\n%v", seen, want)
	}
	if !slices.Contains(closed, 1001) || !slices.Contains(closed, 1006) {
		t.Errorf("its connections ended with %v, want 1001 of the server that was stopped and 1006 of the one that was killed", closed)
	}
}
