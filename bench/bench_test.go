package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"net/http"
	"os"
	"testing"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/kolibri"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median of %v: %v", c.values, got)
		}
	}
}

// One round in which the machine was slow for both sides changes nothing: a ratio is taken within a round.
func TestPaired(t *testing.T) {
	t.Parallel()
	side := func(ops ...int) (all []sample) {
		for _, n := range ops {
			all = append(all, sample{ops: n, took: time.Second})
		}
		return all
	}
	if got := paired(side(200, 20, 210), side(100, 10, 100), sample.rate); got != 2 {
		t.Errorf("ratio %v", got)
	}
	if got := paired(side(200), side(0), sample.rate); got != 0 {
		t.Errorf("ratio to nothing: %v", got)
	}
}

func TestOnlyLoopbackIsLoaded(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]bool{
		"http://127.0.0.1:8080": true, "http://127.0.0.1:8080/webhooks/x": true, "http://127.0.0.1:80@example.nl/": false,
		"http://example.nl:80": false, "http://127.0.0.1.example.nl:80": false, "http://localhost:80": false, "": false,
	} {
		if err := onLoopback(url); (err == nil) != want {
			t.Errorf("%q: %v", url, err)
		}
		if _, err := parse([]string{"-ours", url}); url != "" && (err == nil) != want {
			t.Errorf("-ours %q: %v", url, err)
		}
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-rounds", "0"}, {"-rounds", "10"}, {"-seconds", "21"}, {"-only", "ingest,lists"}, {"more"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%v is let through", args)
		}
	}
	b, err := parse([]string{"-only", "list,fan-out", "-rounds", "5"})
	if err != nil || len(b.only) != 2 || b.rounds != 5 || b.lasts != 4*time.Second {
		t.Errorf("%+v, %v", b, err)
	}
}

// What the senders send is what the provider verifies and reads, with other ids each time.
func TestSendersSpeakKolibri(t *testing.T) {
	t.Parallel()
	s := newSenders("http://127.0.0.1:1")
	body := bytes.Clone(s.body)
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	settings := sparki.Settings{
		Text:    map[string]string{"realEstateAgencyId": "5b0c9a2e-7d41-4c36-9f58-1e2a6c3d4b70"},
		Secrets: map[string][]sparki.Secret{"webhookSecret": {webhookSecret}},
	}
	seen := map[string]bool{}
	for range 3 {
		s.fill(body)
		messages, err := kolibri.New().Changes(settings, http.Header{"Signature": {sign(mac, body)}}, body)
		if err != nil || len(messages) != ingestPerBody {
			t.Fatalf("%d messages, %v", len(messages), err)
		}
		for _, m := range messages {
			if m.Outcome != sparki.OutcomePending || m.Ref.Type != "object-assignment" || seen[m.ExternalID] {
				t.Errorf("message %+v", m)
			}
			seen[m.ExternalID] = true
		}
	}
}

func TestIsActivity(t *testing.T) {
	t.Parallel()
	good := `{"id":"1","type":"next","payload":{"data":{"activity":{"id":"activity_0","cursor":"a1","type":"PROJECT_UPDATED","message":"x"}}}}`
	if err := isActivity([]byte(good)); err != nil || !isOurs([]byte(good)) {
		t.Errorf("refused: %v", err)
	}
	for old, new := range map[string]string{`"next"`: `"error"`, `"a1"`: `""`, `activity_0`: `item_0`, `PROJECT_UPDATED`: `ITEM_UPDATED`, `"x"`: `""`} {
		if bad := bytes.Replace([]byte(good), []byte(old), []byte(new), 1); isActivity(bad) == nil {
			t.Errorf("accepted %s", bad)
		}
	}
}

func TestSlicesOfProc(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		return // nothing to read: the table shows "-"
	}
	pid := os.Getpid()
	if peakOf(pid) < 1<<20 || residentOf(pid) < 1<<20 || residentOf(pid) > peakOf(pid) || stat(pid, fieldParent)[0] != int64(os.Getppid()) || busyOf(cores()) <= 0 {
		t.Errorf("peak %d, parent %v, busy %v", peakOf(pid), stat(pid, fieldParent), busyOf(cores()))
	}
	if peakOf(0) != 0 || residentOf(-1) != 0 || cpuOf(-1) != 0 {
		t.Error("something is known of a process that does not exist")
	}
}
