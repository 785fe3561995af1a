package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sparki.app/integrations/providers/kolibri"
)

// Keys are rotated while the program runs and is used, and the old one can go (I6); with a wrong or a missing
// key nothing starts (I7).
func testKeys(t *testing.T, p *program) {
	keyOf := func(fill string) string { return strings.Repeat(fill, 43) + "=" }
	old, both, fresh := "old:"+keyOf("A"), "new:"+keyOf("E")+",old:"+keyOf("A"), "new:"+keyOf("E")
	p = p.with(map[string]string{"SECRET_KEYS": old})
	p.must(t, "migrate")
	_, token := p.newPortal(t)
	first, url := p.serve(t)
	p.worker(t)
	b, o := overHTTP(p, url, token), openOffice(t)
	integration := b.connect(t, o)
	secret := o.secret(t)

	for name, keys := range map[string]string{"Missing": fresh, "Wrong": "old:" + keyOf("I"), "WrongBeside": fresh + ",old:" + keyOf("I")} {
		for _, command := range []string{"serve", "worker"} {
			r := p.with(map[string]string{"SECRET_KEYS": keys}).run(t, command)
			if r.code != 1 || r.stdout != "" || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, "SECRET_KEYS") || strings.Contains(r.stderr, "AAAA") || strings.Contains(r.stderr, "EEEE") || strings.Contains(r.stderr, "IIII") {
				t.Errorf("%s: %s ended with %d: %s%s", name, command, r.code, r.stdout, r.stderr)
			}
		}
	}
	if r := p.with(map[string]string{"SECRET_KEYS": ""}).run(t, "keys", "rotate"); r.code != 1 || !strings.Contains(r.stderr, "SECRET_KEYS") {
		t.Errorf("without keys: %d %s", r.code, r.stderr)
	}

	rotating := p.with(map[string]string{"SECRET_KEYS": both})
	second, url := rotating.serve(t)
	rotating.worker(t)
	if code := first.stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("the old server ended with %d", code)
	}
	b.url = url
	if out := rotating.must(t, "doctor"); !strings.Contains(out, "sparki keys rotate") {
		t.Errorf("doctor does not say that secrets have to be sealed anew:\n%s", out)
	}
	stop, failed := make(chan struct{}), make(chan string, 100)
	var busy sync.WaitGroup
	busy.Go(func() { // webhooks need the secret all the while
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			body := kolibri.Envelope(update(fmt.Sprint("rotating-", n), lindelaan))
			if got := b.deliver(t, integration, secret, body); got.status != http.StatusAccepted {
				failed <- fmt.Sprintf("%d %s", got.status, got.body)
				return
			}
		}
	})
	for range 3 {
		rotating.must(t, "keys", "rotate")
		if got := b.save(t, map[string]any{"clientSecret": o.settings(t)["clientSecret"]}); got.Integration.Connection.State != "OK" {
			t.Errorf("while keys are rotated: %+v", got)
		}
	}
	close(stop)
	busy.Wait()
	close(failed)
	for answer := range failed {
		t.Errorf("a webhook was answered %s", answer)
	}
	if out := rotating.must(t, "keys", "rotate"); !strings.HasPrefix(out, "0 secrets") {
		t.Errorf("once more: %s", out)
	}
	if n := b.count(t, "settings where sealed_key = 'old' or previous_key = 'old'"); n != 0 {
		t.Errorf("the old key still seals %d secrets", n)
	}
	if code := second.stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("the server ended with %d", code)
	}

	alone := p.with(map[string]string{"SECRET_KEYS": fresh})
	_, b.url = alone.serve(t)
	if got := b.deliver(t, integration, secret, kolibri.Envelope(update("", lindelaan))); got.status != http.StatusAccepted {
		t.Errorf("without the old key a webhook is answered %d %s", got.status, got.body)
	}
	var checked struct{ CheckConnection saved }
	b.query(t, token, `mutation ($id: ID!) { checkConnection(integrationId: $id) { integration { connection { state problem } } } }`, map[string]any{"id": integration}, &checked)
	if got := checked.CheckConnection.Integration.Connection; got.State != "OK" {
		t.Errorf("without the old key the connection is %+v", got)
	}
}
