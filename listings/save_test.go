package listings

import (
	"errors"
	"fmt"
	"testing"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

func TestCrawl(t *testing.T) {
	t.Parallel()

	t.Run("UnchangedWritesAndTellsNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for n := range 25 {
			b.crm.put(ref(n), "Huis", 1)
		}
		b.sync(t)
		rows := b.count(t, `select sum(xmin::text::bigint) from items`)
		told := b.count(t, `select count(*) from activities where type like 'ITEM_%'`)
		reads := b.crm.reads
		run := b.sync(t)
		if run.Unchanged != 25 || run.Updated != 0 || run.Processed != 25 {
			t.Errorf("the run counts %+v", run.SyncRunCounts)
		}
		if b.count(t, `select sum(xmin::text::bigint) from items`) != rows || b.count(t, `select count(*) from activities where type like 'ITEM_%'`) != told {
			t.Error("an unchanged object was written or told of")
		}
		if b.crm.reads != reads {
			t.Errorf("%d unchanged objects were read", b.crm.reads-reads)
		}
	})

	t.Run("IncrementalReadsOnlyWhatIsNew", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for n := range 10 {
			b.crm.put(ref(n), "Huis", n)
		}
		b.sync(t)
		b.crm.put(ref(3), "Nieuw", 30)
		reads := b.crm.reads
		b.exec(t, `update integrations set incremental_due_at = now(), full_due_at = now() + interval '1 day'`)
		if err := b.StartDueCrawls(t.Context(), 5e9, 24*3600e9); err != nil {
			t.Fatal(err)
		}
		page, err := b.DB.Runs(t.Context(), b.portal.ID, b.integration.ID, sparki.PageArgs{First: 1})
		if err != nil {
			t.Fatal(err)
		}
		run := b.goOn(t, page.Nodes[0])
		if run.Full || run.Trigger != sparki.TriggerScheduled || run.Updated != 1 || b.crm.reads != reads+1 {
			t.Errorf("full %v, trigger %s, %+v, %d reads", run.Full, run.Trigger, run.SyncRunCounts, b.crm.reads-reads)
		}
		if b.item(t, ref(3)).Listing.Title != "Nieuw" {
			t.Error("the change was not stored")
		}
	})

	t.Run("BrokenCrawlDeactivatesNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for n := range 30 {
			b.crm.put(ref(n), "Huis", 1)
		}
		b.sync(t)
		for n := range 10 {
			b.crm.remove(ref(n))
		}
		b.crm.pageSize = 5
		b.crm.onPage = func(cursor string) error {
			if cursor == "10" {
				return sparki.Errorf(sparki.Rejected, "page 3 is broken")
			}
			return nil
		}
		if run := b.sync(t); run.State != sparki.RunFailed || *run.Error != "page 3 is broken" {
			t.Errorf("the run ends %s, %v", run.State, run.Error)
		}
		if n := b.count(t, `select count(*) from items where state = 'INACTIVE'`); n != 0 {
			t.Errorf("%d items were deactivated", n)
		}
	})

	t.Run("MissingIsLookedAtFirst", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for n := range 20 {
			b.crm.put(ref(n), "Huis", 1)
		}
		b.sync(t)
		b.crm.remove(ref(0))
		b.crm.hidden = map[string]bool{ref(1).Key(): true} // off the list, but there
		run := b.sync(t)
		if run.State != sparki.RunSucceeded || run.Deactivated != 1 {
			t.Errorf("the run ends %s, %d deactivated", run.State, run.Deactivated)
		}
		if gone := b.item(t, ref(0)); gone.State != sparki.ItemInactive || *gone.InactiveReason != sparki.ReasonDeleted {
			t.Errorf("the deleted one is %s", gone.State)
		}
		if there := b.item(t, ref(1)); there.State != sparki.ItemActive {
			t.Errorf("the one off the list is %s", there.State)
		}
	})

	t.Run("TooManyMissingWaitForAPerson", func(t *testing.T) {
		t.Parallel()
		for _, approve := range []bool{true, false} {
			t.Run(fmt.Sprint(approve), func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				for n := range 30 {
					b.crm.put(ref(n), "Huis", 1)
				}
				b.sync(t)
				for n := range 11 {
					b.crm.remove(ref(n))
				}
				run := b.sync(t)
				if run.State != sparki.RunNeedsApproval {
					t.Fatalf("the run ends %s", run.State)
				}
				missing, err := b.DB.MissingItems(t.Context(), b.portal.ID, run)
				if err != nil || len(missing) != 11 {
					t.Fatalf("%d missing, %v", len(missing), err)
				}
				b.crm.put(ref(0), "Huis", 1) // it is back before anybody decides
				reads := b.crm.reads
				if run, err = b.Approve(t.Context(), b.who, run.ID, approve); err != nil {
					t.Fatal(err)
				}
				if run = b.goOn(t, run); run.State != sparki.RunSucceeded {
					t.Fatalf("after the decision: %+v", run)
				}
				want := map[bool]int{true: 10, false: 0}[approve]
				if asked := b.crm.reads - reads; run.Deactivated != want || asked != map[bool]int{true: 11, false: 0}[approve] {
					t.Errorf("%d are counted and %d were asked for, want %d", run.Deactivated, asked, want)
				}
				if n := b.count(t, `select count(*) from items where state = 'INACTIVE'`); n != want {
					t.Errorf("%d items are inactive, want %d", n, want)
				}
				_, err = b.Approve(t.Context(), b.who, run.ID, approve)
				if refused, ok := errors.AsType[sparki.Refusal](err); !ok || refused[0].Code != sparki.CodeNothingToApprove {
					t.Errorf("approved twice: %v", err)
				}
			})
		}
	})

	t.Run("OneBrokenObjectIsTriedByItself", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for n := range 5 {
			b.crm.put(ref(n), "Huis", 1)
		}
		b.crm.before = func(r sparki.Ref) error {
			if r == ref(2) || r.ID == ref(2).ID {
				return sparki.Errorf(sparki.Unavailable, "busy")
			}
			return nil
		}
		run := b.sync(t)
		if run.State != sparki.RunSucceeded || run.Created != 4 || run.Failed != 1 {
			t.Errorf("the run ends %s, %+v", run.State, run.SyncRunCounts)
		}
		b.crm.before = nil
		if err := b.FetchItems(t.Context(), b.portal.ID, b.integration.ID); err != nil {
			t.Fatal(err)
		}
		if n := b.count(t, `select count(*) from items`); n != 5 {
			t.Errorf("%d items", n)
		}
	})
}

// The stale guard: what was read earlier, or is older at the source, never replaces what is newer.
func TestStaleGuard(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.crm.put(ref(1), "Nieuw", 5)
	b.deliver(t, ref(1))
	b.process(t)
	store := func(r reading) {
		t.Helper()
		err := b.DB.Tx(t.Context(), b.portal.ID, func(tx *db.Tx) error {
			_, err := b.save(t.Context(), tx, b.integration, sparki.CauseWebhook, []reading{r})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, now, err := b.DB.KnownItems(t.Context(), b.portal.ID, b.integration.ID, []sparki.Ref{ref(1)})
	if err != nil {
		t.Fatal(err)
	}
	version := func(title string, minute int) *sparki.Found {
		b.crm.put(ref(1), title, minute)
		return b.crm.objects[ref(1).Key()]
	}
	earlier, later := now.Add(-1e12), now.Add(1e9)

	store(reading{version("Ouder bij de bron", 4), later})
	store(reading{version("Even oud, eerder gelezen", 5), earlier})
	store(reading{sparki.Gone(ref(1)), earlier})
	if item := b.item(t, ref(1)); item.Listing.Title != "Nieuw" || item.State != sparki.ItemActive {
		t.Errorf("an older reading won: %q, %s", item.Listing.Title, item.State)
	}
	store(reading{sparki.Gone(ref(1)), later})
	store(reading{version("Gelezen voor het verwijderen", 6), now})
	if item := b.item(t, ref(1)); item.State != sparki.ItemInactive {
		t.Errorf("a reading from before the deletion won: %q, %s", item.Listing.Title, item.State)
	}
	store(reading{version("Terug", 6), later.Add(1e9)})
	if item := b.item(t, ref(1)); item.State != sparki.ItemActive || item.Listing.Title != "Terug" {
		t.Errorf("an object that came back is %s, %q", item.State, item.Listing.Title)
	}
}

func TestProjectsFollow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.crm.put(ref(1), "Huis", 1)
	b.sync(t)
	item := b.item(t, ref(1))
	project, err := b.Import(t.Context(), b.who, item.ID)
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.Import(t.Context(), b.who, item.ID)
	if refused, ok := errors.AsType[sparki.Refusal](err); !ok || refused[0].Code != sparki.CodeAlreadyLinked || again.ID != project.ID {
		t.Errorf("imported twice: %v, %v", again, err)
	}
	read := func() *sparki.Project {
		t.Helper()
		p, err := b.DB.Project(t.Context(), b.portal.ID, project.ID)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}

	b.crm.put(ref(1), "Huis met tuin", 2)
	b.deliver(t, ref(1))
	b.process(t)
	if p := read(); p.Title != "Huis met tuin" {
		t.Errorf("the project is called %q", p.Title)
	}

	b.crm.remove(ref(1))
	b.deliver(t, ref(1))
	b.process(t)
	if p := read(); p.Title != "Huis met tuin" || !p.NeedsReview || p.Lifecycle != sparki.Draft {
		t.Errorf("after the object went: %q, needs review %v, %s", p.Title, p.NeedsReview, p.Lifecycle)
	}

	b.crm.put(ref(1), "Huis met schuur", 3)
	b.deliver(t, ref(1))
	b.process(t)
	if p := read(); p.Title != "Huis met schuur" || p.NeedsReview {
		t.Errorf("after the object came back: %q, needs review %v", p.Title, p.NeedsReview)
	}

	b.exec(t, `update projects set lifecycle = 'ARCHIVED'`)
	b.crm.put(ref(1), "Huis zonder schuur", 4)
	b.deliver(t, ref(1))
	b.process(t)
	if p := read(); p.Title != "Huis met schuur" {
		t.Errorf("an archived project was refreshed to %q", p.Title)
	}
	b.exec(t, `update projects set lifecycle = 'DRAFT'`)

	if _, err := b.Disconnect(t.Context(), b.who, project.ID); err != nil {
		t.Fatal(err)
	}
	b.crm.put(ref(1), "Huis met zwembad", 5)
	b.deliver(t, ref(1))
	b.process(t)
	if p := read(); p.Title != "Huis met schuur" || p.Link != nil {
		t.Errorf("a disconnected project follows: %q, %v", p.Title, p.Link)
	}
	linked, err := b.Link(t.Context(), b.who, project.ID, item.ID, nil)
	if err != nil || linked.Title != "Huis met zwembad" || linked.Link == nil {
		t.Errorf("linked again: %v, %v", linked, err)
	}
}

func TestApproval(t *testing.T) {
	t.Parallel()
	waiting := func(t *testing.T) (*bundle, *sparki.SyncRun) {
		t.Helper()
		b := setup(t)
		for n := range 30 {
			b.crm.put(ref(n), "Huis", 1)
		}
		b.sync(t)
		for n := range 11 {
			b.crm.remove(ref(n))
		}
		run := b.sync(t)
		if run.State != sparki.RunNeedsApproval {
			t.Fatalf("the run ends %s", run.State)
		}
		return b, run
	}
	refused := func(t *testing.T, b *bundle, run *sparki.SyncRun, code sparki.UserErrorCode) {
		t.Helper()
		_, err := b.Approve(t.Context(), b.who, run.ID, true)
		if refused, ok := errors.AsType[sparki.Refusal](err); !ok || refused[0].Code != code || len(refused[0].Field) != 1 {
			t.Errorf("refused with %v, want %s", err, code)
		}
		if again, err := b.DB.Run(t.Context(), b.portal.ID, run.ID); err != nil || again.State != run.State {
			t.Errorf("the run is %+v, %v", again, err)
		}
	}

	t.Run("NotWhileAnotherRuns", func(t *testing.T) {
		t.Parallel()
		b, run := waiting(t)
		other, err := b.StartSync(t.Context(), b.who, b.integration.ID)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, b, run, sparki.CodeSyncAlreadyRunning)
		if other = b.goOn(t, other); other.State != sparki.RunNeedsApproval {
			t.Fatalf("the later run ends %s", other.State)
		}
		if old, err := b.DB.Run(t.Context(), b.portal.ID, run.ID); err != nil || old.State != sparki.RunCancelled {
			t.Errorf("a later run looked anew, and the first is %+v, %v", old, err)
		}
		if n := b.count(t, `select count(distinct run_id) from sync_run_pages`); n != 1 {
			t.Errorf("%d runs' pages are kept", n)
		}
	})

	t.Run("NotWhileSwitchedOff", func(t *testing.T) {
		t.Parallel()
		b, run := waiting(t)
		b.exec(t, `update integrations set enabled = false`)
		refused(t, b, run, sparki.CodeIntegrationDisabled)
		b.exec(t, `update integrations set enabled = true, listings = false`)
		refused(t, b, run, sparki.CodeDomainOff)
	})

	t.Run("GoesOnAfterTheCRMWasAway", func(t *testing.T) {
		t.Parallel()
		b, run := waiting(t)
		b.crm.before = func(sparki.Ref) error { return sparki.Errorf(sparki.Unavailable, "the CRM does not answer") }
		run, err := b.Approve(t.Context(), b.who, run.ID, true)
		if err != nil {
			t.Fatal(err)
		}
		if run = b.goOn(t, run); run.State != sparki.RunRunning || b.count(t, `select count(*) from items where state = 'INACTIVE'`) != 0 {
			t.Fatalf("without the CRM the run is %s", run.State)
		}
		b.crm.before = nil
		b.exec(t, `update sync_runs set due_at = now()`)
		if run = b.goOn(t, run); run.State != sparki.RunSucceeded || run.Deactivated != 11 {
			t.Errorf("the run ends %s, %d deactivated", run.State, run.Deactivated)
		}
	})
}

// A run that is stopped writes no more, deactivates nothing, and makes room for another.
func TestCancelSync(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for n := range 30 {
		b.crm.put(ref(n), "Huis", 1)
	}
	b.sync(t)
	for n := range 5 {
		b.crm.remove(ref(n))
	}
	b.crm.put(ref(29), "Nieuw", 2)
	run, err := b.StartSync(t.Context(), b.who, b.integration.ID)
	if err != nil {
		t.Fatal(err)
	}
	b.crm.pageSize = 5
	b.crm.onPage = func(cursor string) error {
		if cursor == "10" {
			_, err := b.CancelSync(t.Context(), b.who, run.ID)
			return err
		}
		return nil
	}
	if run = b.goOn(t, run); run.State != sparki.RunCancelled || run.FinishedAt == nil {
		t.Errorf("the run is %+v", run)
	}
	if n := b.count(t, `select count(*) from items where state = 'INACTIVE' or title = 'Nieuw'`); n != 0 {
		t.Errorf("%d items were written after that", n)
	}
	_, err = b.CancelSync(t.Context(), b.who, run.ID)
	if refused, ok := errors.AsType[sparki.Refusal](err); !ok || refused[0].Code != sparki.CodeInvalid || refused[0].Field[0] != "syncRunId" {
		t.Errorf("stopped twice: %v", err)
	}
	b.crm.onPage = nil
	if again := b.sync(t); again.State != sparki.RunSucceeded || again.Deactivated != 5 || again.Updated != 1 {
		t.Errorf("the next run is %+v", again)
	}
}
