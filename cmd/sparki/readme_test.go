package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sparki.app/integrations/providers/all"
)

// The README's tour, run as it stands: only where the server is and where its token lies is replaced.
func TestReadmeTour(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, crm := range all.Keys() {
		if state := b.waitForSync(t, b.connectMock(t, crm)); state != "SUCCEEDED" {
			t.Fatalf("the sync with %s ended %s", crm, state)
		}
	}
	for _, crm := range all.Keys() {
		t.Run(crm, func(t *testing.T) { b.tour(t, crm) })
	}
}

func (b *bundle) tour(t *testing.T, crm string) {
	t.Helper()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(b.token), 0o600); err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, tour, _ := strings.Cut(string(readme), "## Five-minute tour")
	tour, _, _ = strings.Cut(tour, "\n## ")
	blocks := regexp.MustCompile("(?s) *```sh\n(.*?)```").FindAllStringSubmatch(tour, -1)
	if len(blocks) != 6 {
		t.Fatalf("the tour has %d blocks of commands", len(blocks))
	}
	var script strings.Builder
	for n, block := range blocks {
		script.WriteString(block[1])
		switch n {
		case 3: // the subscription: wait until it is there
			script.WriteString("LIVE=$!\ntrap 'kill $LIVE' EXIT\n")
		case 4: // the change: until it has arrived
			script.WriteString("for i in $(seq 300); do case $(" + strings.TrimSpace(blocks[5][1]) + ") in *512.345*) break;; esac; read -rt 0.1 <> <(:) || true; done\n")
		}
	}
	commands := strings.NewReplacer("http://127.0.0.1:8080", b.url, ".data/demo-token", token, "CRM=kolibri", "CRM="+crm).Replace(script.String())
	out, err := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", commands).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{`"state":"OK"`, `"project":{"id":"project_`, "PROJECT_REFRESHED", "€ 512.345"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the tour does not show %s:\n%s", want, out)
		}
	}
}
