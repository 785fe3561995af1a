package listings

import (
	"context"
	"errors"
	"testing"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// What is left at each point of the road where a process may die, and that the work is done all the
// same by whoever comes next.
func TestCrashPoints(t *testing.T) {
	t.Parallel()

	t.Run("AfterKeepBeforeBell", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.crm.put(ref(1), "Huis", 1)
		d := b.deliver(t, ref(1)) // and nobody rings
		due, err := b.DB.Due(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(due) != 1 || due[0] != (sparki.Bell{Job: sparki.ReadInbox, PortalID: b.portal.ID, ID: b.integration.ID}) {
			t.Fatalf("the sweep rings %v", due)
		}
		b.process(t)
		if got := b.outcome(t, d); got != "PROCESSED" {
			t.Errorf("the delivery is %s", got)
		}
	})

	t.Run("AfterInboxBeforeFetch", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.crm.put(ref(1), "Huis", 1)
		d := b.deliver(t, ref(1))
		if err := b.ReadInbox(t.Context(), b.portal.ID, b.integration.ID); err != nil {
			t.Fatal(err)
		}
		due, err := b.DB.Due(t.Context())
		if err != nil || len(due) != 1 || due[0].Job != sparki.FetchItems {
			t.Fatalf("the sweep rings %v, %v", due, err)
		}
		if got := b.outcome(t, d); got != "PENDING" {
			t.Errorf("the delivery is %s before it was fetched", got)
		}
	})

	t.Run("WhileReading", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.crm.put(ref(1), "Huis", 1)
		d := b.deliver(t, ref(1))
		if err := b.ReadInbox(t.Context(), b.portal.ID, b.integration.ID); err != nil {
			t.Fatal(err)
		}
		dead, err := b.DB.ClaimFetches(t.Context(), b.portal.ID, b.integration.ID, lease, 10)
		if err != nil || len(dead) != 1 {
			t.Fatalf("claim: %v, %v", dead, err)
		}
		b.process(t) // somebody else finds it leased
		if b.crm.reads != 0 {
			t.Fatal("an object is read by two")
		}
		b.exec(t, `update fetches set lease_until = now() - interval '1 second'`)
		b.process(t)
		if got := b.outcome(t, d); got != "PROCESSED" {
			t.Errorf("the delivery is %s", got)
		}
		// The dead one wakes up and wants to write what it read.
		err = b.DB.Tx(t.Context(), b.portal.ID, func(tx *db.Tx) error { _, err := tx.FinishFetch(t.Context(), &dead[0]); return err })
		if !errors.Is(err, db.ErrLeaseLost) {
			t.Errorf("a worker without its lease writes: %v", err)
		}
	})

	t.Run("BetweenPages", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for n := range 30 {
			b.crm.put(ref(n), "Huis", 1)
		}
		b.crm.pageSize = 10
		dies, stop := context.WithCancel(t.Context())
		b.crm.onPage = func(cursor string) error {
			if cursor == "20" {
				stop()
				return context.Canceled
			}
			return nil
		}
		run, err := b.StartSync(t.Context(), b.who, b.integration.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.ContinueRun(dies, b.portal.ID, run.ID); err != nil {
			t.Fatal(err)
		}
		stored := b.count(t, `select count(*) from items`)
		reads := b.crm.reads
		b.crm.onPage = nil
		if run = b.goOn(t, run); run.State != sparki.RunSucceeded || run.Processed != 30 || run.Created != 30 {
			t.Errorf("the run ends %s, %d processed, %d created", run.State, run.Processed, run.Created)
		}
		if again := reads + b.crm.reads - reads - (30 - stored); stored < 10 || again > 20 {
			t.Errorf("%d items stored before the crash, %d reads in all", stored, b.crm.reads)
		}
	})

	t.Run("WhileCrawling", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.crm.put(ref(1), "Huis", 1)
		run, err := b.StartSync(t.Context(), b.who, b.integration.ID)
		if err != nil {
			t.Fatal(err)
		}
		dead, err := b.DB.ClaimRun(t.Context(), b.portal.ID, run.ID, lease)
		if err != nil || dead == nil {
			t.Fatal(dead, err)
		}
		if got := b.goOn(t, run); got.State != sparki.RunRunning {
			t.Fatalf("a leased run is %s", got.State)
		}
		b.exec(t, `update sync_runs set lease_until = now() - interval '1 second'`)
		if got := b.goOn(t, run); got.State != sparki.RunSucceeded {
			t.Fatalf("the run ends %s", got.State)
		}
		err = b.DB.Tx(t.Context(), b.portal.ID, func(tx *db.Tx) error {
			return tx.SavePage(t.Context(), dead, "", 1, sparki.SyncRunCounts{}, nil, nil, lease)
		})
		if !errors.Is(err, db.ErrLeaseLost) {
			t.Errorf("a worker without its lease writes: %v", err)
		}
	})
}

func TestInbox(t *testing.T) {
	t.Parallel()

	t.Run("OneFetchForManyHints", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.crm.put(ref(1), "Huis", 1)
		refs := make([]sparki.Ref, 500)
		for n := range refs {
			refs[n] = ref(1)
		}
		d := b.deliver(t, refs...)
		b.process(t)
		if b.crm.reads != 1 || b.outcome(t, d) != "PROCESSED" {
			t.Errorf("%d reads, delivery %s", b.crm.reads, b.outcome(t, d))
		}
	})

	t.Run("HintWhileReading", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.crm.put(ref(1), "Oud", 1)
		first := b.deliver(t, ref(1))
		var second *sparki.Delivery
		b.crm.before = func(sparki.Ref) error {
			if second == nil { // the object changes after it was read and before that is stored
				b.crm.put(ref(1), "Nieuw", 2)
				second = b.deliver(t, ref(1))
				return b.ReadInbox(t.Context(), b.portal.ID, b.integration.ID)
			}
			return nil
		}
		b.process(t)
		if b.crm.reads != 2 || b.item(t, ref(1)).Listing.Title != "Nieuw" {
			t.Errorf("%d reads, title %q", b.crm.reads, b.item(t, ref(1)).Listing.Title)
		}
		if b.outcome(t, first) != "PROCESSED" || b.outcome(t, second) != "PROCESSED" {
			t.Errorf("the deliveries are %s and %s", b.outcome(t, first), b.outcome(t, second))
		}
		if n := b.count(t, `select count(*) from fetches`); n != 0 {
			t.Errorf("%d fetches are left", n)
		}
	})

	t.Run("SameMessageTwice", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.crm.put(ref(1), "Huis", 1)
		first := b.deliver(t, ref(1))
		again := *first
		again.ID = sparki.NewID()
		if err := b.DB.KeepDeliveries(t.Context(), []*sparki.Delivery{&again}); err != nil {
			t.Fatal(err)
		}
		if got := b.outcome(t, &again); got != "IGNORED" {
			t.Errorf("the second delivery is %s", got)
		}
		b.process(t)
		if b.crm.reads != 1 {
			t.Errorf("%d reads", b.crm.reads)
		}
	})

	t.Run("SwitchedOff", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.crm.put(ref(1), "Huis", 1)
		d := b.deliver(t, ref(1))
		b.exec(t, `update integrations set enabled = false, updated_at = now()`)
		b.process(t)
		if b.crm.reads != 0 || b.outcome(t, d) != "IGNORED" {
			t.Errorf("%d reads, delivery %s", b.crm.reads, b.outcome(t, d))
		}
	})

	t.Run("SwitchedOffWhileReading", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.crm.put(ref(1), "Huis", 1)
		d := b.deliver(t, ref(1))
		b.crm.before = func(sparki.Ref) error {
			b.exec(t, `update integrations set enabled = false, updated_at = now()`)
			return nil
		}
		b.process(t)
		if n := b.count(t, `select count(*) from items`); n != 0 || b.outcome(t, d) != "IGNORED" {
			t.Errorf("%d items stored, delivery %s", n, b.outcome(t, d))
		}
	})
}

func TestFetchFailures(t *testing.T) {
	t.Parallel()
	fail := func(kind sparki.Kind, after time.Duration) func(sparki.Ref) error {
		return func(sparki.Ref) error { return &sparki.Error{Kind: kind, Text: "the CRM says no", RetryAfter: after} }
	}

	t.Run("UnavailableIsRetriedAndThenVisible", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.crm.put(ref(1), "Huis", 1)
		b.sync(t)
		b.crm.put(ref(1), "Huis", 2)
		d := b.deliver(t, ref(1))
		b.crm.before = fail(sparki.Unavailable, 0)
		b.process(t)
		if n := b.count(t, `select count(*) from fetches where state = 'WAITING' and due_at > now() and attempts = 1`); n != 1 {
			t.Fatal("the fetch does not wait for its next try")
		}
		b.exec(t, `update fetches set attempts = $1, due_at = now()`, fetchTries-1)
		b.process(t)
		if got := b.outcome(t, d); got != "FAILED" {
			t.Errorf("the delivery is %s", got)
		}
		item := b.item(t, ref(1))
		if item.SyncError == nil || *item.SyncError != "the CRM says no" || item.State != sparki.ItemActive {
			t.Errorf("the item is %s, error %v", item.State, item.SyncError)
		}
		b.crm.before = nil // a new hint wakes it
		b.deliver(t, ref(1))
		b.process(t)
		if item := b.item(t, ref(1)); item.SyncError != nil {
			t.Errorf("the error stays: %s", *item.SyncError)
		}
	})

	t.Run("RetryAfterPausesTheIntegration", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for n := range 3 {
			b.crm.put(ref(n), "Huis", 1)
			b.deliver(t, ref(n))
		}
		b.crm.before = fail(sparki.Unavailable, 20*time.Minute)
		b.process(t)
		if n := b.count(t, `select count(*) from fetches where due_at > now() + interval '19 minutes'`); n != 3 {
			t.Errorf("%d of 3 fetches wait as long as the CRM asked", n)
		}
	})

	t.Run("UnauthorizedParksUntilSettingsAreSaved", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for n := range 100 {
			b.crm.put(ref(n), "Huis", 1)
			b.deliver(t, ref(n))
		}
		b.crm.before = fail(sparki.Unauthorized, 0)
		b.process(t)
		if b.crm.reads > parallel {
			t.Errorf("%d calls to a CRM that refuses us", b.crm.reads)
		}
		i, err := b.DB.Integration(t.Context(), b.portal.ID, b.integration.ID)
		if err != nil || i.Connection.State != sparki.ConnectionUnauthorized || *i.Connection.Problem != "the CRM says no" {
			t.Errorf("the connection is %+v, %v", i.Connection, err)
		}
		if n := b.count(t, `select count(*) from fetches where state = 'WAITING' and due_at > now() + interval '23 hours' and attempts = 0`); n != 100 {
			t.Errorf("%d of 100 fetches are parked", n)
		}
	})
}

func TestClaimKeepsToItsLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for n := range 100 {
		b.deliver(t, ref(n))
	}
	if err := b.ReadInbox(t.Context(), b.portal.ID, b.integration.ID); err != nil {
		t.Fatal(err)
	}
	b.exec(t, `analyze fetches`)
	fetches, err := b.DB.ClaimFetches(t.Context(), b.portal.ID, b.integration.ID, lease, 10)
	if err != nil || len(fetches) != 10 {
		t.Errorf("%d leases, want 10: %v", len(fetches), err)
	}
}

// A fetch goes on in the trace of the delivery that asked for it last, also when that came while it was being read.
func TestFetchTrace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.crm.put(ref(1), "Huis", 1)
	const first, second, third = "00-11111111111111111111111111111111-1111111111111111-01", "00-22222222222222222222222222222222-2222222222222222-01",
		"00-33333333333333333333333333333333-3333333333333333-00"
	ask := func(traces ...string) {
		t.Helper()
		for _, trace := range traces {
			d := &sparki.Delivery{ID: sparki.NewID(), PortalID: b.portal.ID, IntegrationID: b.integration.ID, Body: []byte(`{}`), Trace: trace,
				Messages: []sparki.Message{{ExternalID: sparki.NewID().String(), Kind: sparki.MessageRefresh, Ref: ref(1), Outcome: sparki.OutcomePending}}}
			if err := b.DB.KeepDeliveries(t.Context(), []*sparki.Delivery{d}); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.ReadInbox(t.Context(), b.portal.ID, b.integration.ID); err != nil {
			t.Fatal(err)
		}
	}
	claimed := func() string {
		t.Helper()
		fetches, err := b.DB.ClaimFetches(t.Context(), b.portal.ID, b.integration.ID, 0, 10)
		if err != nil || len(fetches) != 1 {
			t.Fatalf("%d fetches are due, %v", len(fetches), err)
		}
		return fetches[0].Trace
	}
	ask(first, second)
	if got := claimed(); got != second {
		t.Errorf("two deliveries read together: the fetch is in %s", got)
	}
	ask(third)
	if got := claimed(); got != third {
		t.Errorf("another came meanwhile: the fetch is in %s", got)
	}
	ask("")
	if got := claimed(); got != "" {
		t.Errorf("one without a trace came: the fetch is in %s", got)
	}
}
