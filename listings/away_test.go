package listings

import (
	"sync/atomic"
	"testing"
	"time"

	"sparki.app/integrations"
)

// breaks lets so many calls fail, and all that follow be refused as by a breaker that opened.
func breaks(after int64) func() error {
	var calls atomic.Int64
	return func() error {
		if calls.Add(1) <= after {
			return &sparki.Error{Kind: sparki.Unavailable, Text: "the CRM is away"}
		}
		return &sparki.Error{Kind: sparki.Unavailable, Text: "the CRM is left alone", RetryAfter: 5 * time.Minute, Unasked: true}
	}
}

// While a CRM is left alone everything waits, and no try is spent.
func TestLeftAlone(t *testing.T) {
	t.Parallel()

	t.Run("Fetches", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		const all, asked = fetchBatch + 8, 10
		var refs []sparki.Ref
		for n := range all {
			b.crm.put(ref(n), "Huis", 1)
			refs = append(refs, ref(n))
		}
		d := b.deliver(t, refs...)
		away := breaks(asked)
		b.crm.before = func(sparki.Ref) error { return away() }
		b.process(t)
		if n := b.count(t, `select count(*) from fetches where state = 'WAITING' and attempts = 0 and due_at > now() + interval '4 minutes'`); n != all-asked {
			t.Errorf("%d of %d fetches wait without having spent a try", n, all-asked)
		}
		if n := b.count(t, `select count(*) from fetches where state = 'WAITING' and attempts = 1`); n != asked || b.crm.reads > fetchBatch {
			t.Errorf("%d of %d that were asked spent one; %d were read", n, asked, b.crm.reads)
		}
		b.exec(t, `update fetches set attempts = $1, due_at = now()`, fetchTries-1) // the last try
		b.process(t)
		if n := b.count(t, `select count(*) from fetches where state = 'WAITING' and attempts = $1`, fetchTries-1); n != all {
			t.Errorf("%d of %d fetches have their last try left", n, all)
		}
		b.crm.before = nil
		b.exec(t, `update fetches set due_at = now()`)
		b.process(t)
		if got := b.outcome(t, d); got != "PROCESSED" {
			t.Errorf("the delivery is %s", got)
		}
	})

	t.Run("Runs", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.crm.put(ref(1), "Huis", 1)
		away := breaks(0)
		b.crm.onPage = func(string) error { return away() }
		run := b.sync(t)
		for range runTries + 1 {
			if n := b.count(t, `select count(*) from sync_runs where state = 'RUNNING' and attempts = 0 and due_at > now() + interval '4 minutes' and lease_until is null`); n != 1 {
				t.Fatal("the run does not wait, or spent a try")
			}
			b.exec(t, `update sync_runs set due_at = now()`)
			run = b.goOn(t, run)
		}
		b.crm.onPage = nil
		b.exec(t, `update sync_runs set due_at = now()`)
		if run = b.goOn(t, run); run.State != sparki.RunSucceeded {
			t.Errorf("the run is %s", run.State)
		}
	})

	// A page of which all that was asked failed costs a try, so a run does not wait for ever.
	t.Run("RunsWhoseObjectsFail", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for n := range 20 {
			b.crm.put(ref(n), "Huis", 1)
		}
		fail := func() {
			away := breaks(10)
			b.crm.before = func(sparki.Ref) error { return away() }
		}
		fail()
		run := b.sync(t)
		for range runTries - 1 {
			if run.State != sparki.RunRunning {
				t.Fatalf("the run is %s", run.State)
			}
			fail()
			b.exec(t, `update sync_runs set due_at = now()`)
			run = b.goOn(t, run)
		}
		if run.State != sparki.RunFailed {
			t.Errorf("the run is %s", run.State)
		}
	})
}
