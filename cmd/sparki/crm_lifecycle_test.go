package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"sparki.app/integrations/providers/mockkit"
)

// project is what the API says about a project.
type project struct {
	ID, Title, Lifecycle string
	NeedsReview          bool
	Price                struct{ Amount, Label string }
	Images               []struct{ ID, URL, Origin string }
	Link                 *struct {
		ExternalID  string
		RefreshedAt string
	}
}

const projectFields = `id title lifecycle needsReview price { amount label } images { id url origin } link { externalId refreshedAt }`

// imported makes a project of an object's item.
func (b *bundle) imported(t *testing.T, object string) project {
	t.Helper()
	var out struct {
		ImportSyncedItem struct {
			Project    project
			UserErrors []userError
		}
	}
	b.query(t, b.token, `mutation ($id: ID!) { importSyncedItem(syncedItemId: $id) { project { `+projectFields+` } userErrors { code } } }`,
		map[string]any{"id": b.item(t, object).ID}, &out)
	if len(out.ImportSyncedItem.UserErrors) > 0 {
		t.Fatalf("import: %+v", out.ImportSyncedItem.UserErrors)
	}
	return out.ImportSyncedItem.Project
}

func (b *bundle) project(t *testing.T, id string) project {
	t.Helper()
	var out struct{ Node project }
	b.query(t, b.token, `query ($id: ID!) { node(id: $id) { ... on Project { `+projectFields+` } } }`, map[string]any{"id": id}, &out)
	return out.Node
}

// untouched compares a project with what it was, but for the question whether somebody has to look at it.
func untouched(t *testing.T, before, after project) {
	t.Helper()
	after.NeedsReview = before.NeedsReview
	var texts [2]string
	for n, p := range []project{before, after} {
		p.Images = slices.Clone(p.Images)
		for i := range p.Images {
			p.Images[i].URL = "" // ours as soon as it is copied
		}
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		texts[n] = string(text)
	}
	if texts[0] != texts[1] {
		t.Errorf("the project changed from %s to %s", texts[0], texts[1])
	}
}

// An object goes and comes back. Its item goes and comes back with it, its project stays as it is
// while it is away and is refreshed when it is back. A webhook tells, or a crawl.
func TestObjectComesAndGoes(t *testing.T) {
	t.Parallel()
	forKinds(t, func(t *testing.T, k kind) {
		for name, c := range k.away {
			for told, wait := range map[string]func(*testing.T, *hook){
				"ByWebhook": func(t *testing.T, h *hook) { h.refreshed(t, k.house) },
				"ByCrawl":   func(t *testing.T, h *hook) { h.succeed(t) },
			} {
				t.Run(name+told, func(t *testing.T) {
					t.Parallel()
					h := newHookOf(t, k)
					before, p := h.item(t, k.house), h.imported(t, k.house)
					h.office.change(t, k.house, c.away)
					wait(t, h)
					away, p2 := h.item(t, k.house), h.project(t, p.ID)
					if away.State != "INACTIVE" || away.InactiveReason != c.reason || away.ID != before.ID || away.Listing.Title != before.Listing.Title {
						t.Errorf("away, the item is %+v", away)
					}
					if untouched(t, p, p2); !p2.NeedsReview {
						t.Error("nobody is asked to look at the project")
					}
					if got := h.ask(t, h.token, `mutation ($id: ID!) { importSyncedItem(syncedItemId: $id) { userErrors { code } } }`,
						map[string]any{"id": h.item(t, k.withdrawn).ID}); !strings.Contains(string(got.Data), "ITEM_INACTIVE") {
						t.Errorf("an inactive item is imported: %s", got.Data)
					}
					h.office.change(t, k.house, c.back)
					h.office.change(t, k.house, `{"price": 765432}`)
					wait(t, h)
					back, p3 := h.item(t, k.house), h.project(t, p.ID)
					if back.State != "ACTIVE" || back.InactiveReason != "" || back.ID != before.ID || back.Listing.Price.Amount != "765432.00" {
						t.Errorf("back, the item is %+v", back)
					}
					if p3.Price.Amount != "765432.00" || p3.NeedsReview || p3.Link == nil || p3.Lifecycle != p.Lifecycle {
						t.Errorf("back, the project is %+v", p3)
					}
					if len(p3.Images) != len(p.Images) || len(p.Images) == 0 || p3.Images[0].ID != p.Images[0].ID {
						t.Errorf("back, the pictures are %+v, they were %+v", p3.Images, p.Images)
					}
					for _, kind := range []string{"ITEM_DEACTIVATED", "ITEM_REACTIVATED"} {
						if n := h.count(t, "activities where type = $1", kind); n != 1 {
							t.Errorf("%d times %s", n, kind)
						}
					}
				})
			}
		}
	})
}

// An object outside the offices of the filter is none of ours, and one that leaves them goes.
func TestObjectOutsideTheFilter(t *testing.T) {
	t.Parallel()
	forKinds(t, func(t *testing.T, k kind) {
		h := newHookOf(t, k)
		var office string
		h.sql(t, `select `+k.officeColumn+` from items where external_id = $1`, []any{k.house}, &office)
		outside := "items where " + k.officeColumn + " <> $1 and state = 'ACTIVE'"
		elsewhere := h.count(t, outside, office)
		if elsewhere < 3 {
			t.Fatalf("only %d objects of other offices", elsewhere)
		}
		h.save(t, map[string]any{k.officeSetting: []string{office}})
		eventually(t, "the other offices' objects to go", func() bool { // or a person to be asked, see TestMassMissing
			return h.waitForSync(t, h.integration) != "" && h.count(t, outside, office) == 0 ||
				h.count(t, "sync_runs where state = 'NEEDS_APPROVAL'") == 1
		})
		if i := h.item(t, k.house); i.State != "ACTIVE" {
			t.Errorf("the office's own item is %+v", i)
		}
		if n := h.count(t, "items where state = 'INACTIVE' and inactive_reason = 'DELETED'"); n != 0 {
			t.Errorf("%d items are said to be deleted", n)
		}
		// The filter is taken away again.
		h.save(t, map[string]any{k.officeSetting: nil})
		eventually(t, "the other offices' objects to come back", func() bool {
			return h.waitForSync(t, h.integration) == "SUCCEEDED" && h.count(t, outside, office) == elsewhere
		})
	})
}

// A list that breaks off deactivates nothing, wherever it breaks; the next whole one does.
func TestCrawlBreaksOff(t *testing.T) {
	t.Parallel()
	forKinds(t, func(t *testing.T, k kind) {
		for name, fault := range map[string]mockkit.Fault{
			"SecondPageRefused": {After: 1, Status: 400, Times: -1},
			"ThirdPageRefused":  {After: 2, Status: 400, Times: -1},
			"SecondPageHTML":    {After: 1, Kind: mockkit.FaultHTML, Times: -1},
			"ThirdPageCut":      {After: 2, Kind: mockkit.FaultTruncated, Times: -1},
			"ThirdPageEmpty":    {After: 2, Kind: mockkit.FaultEmpty, Times: -1},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				h := newBigHookOf(t, k, 260) // four pages
				var gone []string
				for n := range 5 {
					gone = append(gone, k.made(n))
					h.office.change(t, gone[n], `{"deleted": true}`)
				}
				before := h.versions(t)
				fault.Path = k.listPath
				h.office.faults.Add(fault)
				started := h.startSync(t)
				var r syncRun
				eventually(t, "the crawl to break off", func() bool { r = h.run(t, started.ID); return r.Error != "" })
				if r.Processed < 100*fault.After || r.Deactivated != 0 || !slices.Equal(before, h.versions(t)) {
					t.Errorf("the crawl deactivated %d after %d objects, items as before: %t", r.Deactivated, r.Processed, slices.Equal(before, h.versions(t)))
				}
				if fault.Status == 400 {
					if r.State != "FAILED" {
						t.Errorf("the crawl is %s: %s", r.State, r.Error)
					}
					h.office.faults.Clear()
					r = h.succeed(t)
				} else {
					h.office.faults.Clear()
					r = h.runUntil(t, started.ID, "SUCCEEDED", "FAILED", "NEEDS_APPROVAL")
				}
				if r.State != "SUCCEEDED" || r.Deactivated != len(gone) {
					t.Errorf("the next crawl ended %s and deactivated %d", r.State, r.Deactivated)
				}
				for _, object := range gone {
					if i := h.item(t, object); i.State != "INACTIVE" || i.InactiveReason != "DELETED" {
						t.Errorf("%s is %+v", object, i)
					}
				}
				if !slices.Equal(exceptThese(before, gone), h.versions(t, gone...)) {
					t.Error("other items were written")
				}
			})
		}
	})
}

// Without consent the list is empty and no object can be asked for: also of a small office, which the
// guard does not cover, nothing is deactivated.
func TestListEmptiesWithoutConsent(t *testing.T) {
	t.Parallel()
	forKinds(t, func(t *testing.T, k kind) {
		h := newBigHookOf(t, k, 9)
		before := h.versions(t)
		for n := range 9 {
			if err := h.office.store.Delete(t.Context(), k.storeKind, k.storeID(k.made(n))); err != nil {
				t.Fatal(err)
			}
		}
		h.office.faults.Add(mockkit.Fault{Path: k.detailPath, Status: 403, Times: -1})
		if r := h.runUntil(t, h.startSync(t).ID, "FAILED", "SUCCEEDED", "NEEDS_APPROVAL"); r.State != "FAILED" || r.Deactivated != 0 || r.Error == "" {
			t.Errorf("the crawl is %+v", r)
		}
		if !slices.Equal(before, h.versions(t)) {
			t.Error("items were written")
		}
		if state, problem, _ := h.line(t); state != "MISCONFIGURED" || problem == "" {
			t.Errorf("the connection is %s %q", state, problem)
		}
	})
}

// newBigHookOf is a hook whose office has n more objects.
func newBigHookOf(t *testing.T, k kind, n int) *hook {
	t.Helper()
	b, o := setup(t), openOfficeOf(t, k)
	if err := k.seed(t.Context(), o.store, n, 0); err != nil {
		t.Fatal(err)
	}
	return &hook{bundle: b, office: o, integration: b.connect(t, o), secret: o.secret(t)}
}

func exceptThese(versions, objects []string) []string {
	return slices.DeleteFunc(slices.Clone(versions), func(v string) bool {
		id, _, _ := strings.Cut(v, " ")
		return slices.Contains(objects, id)
	})
}

// Nothing changed, so nothing is read, written or told but the crawl itself.
func TestCrawlUnchanged(t *testing.T) {
	t.Parallel()
	forKinds(t, func(t *testing.T, k kind) {
		h := newBigHookOf(t, k, 150)
		h.imported(t, k.house)
		before, head, reads := h.versions(t), h.head(t), h.office.called(k.reads)
		projects := func() (sum string) {
			h.sql(t, `select md5(string_agg(p::text, '')) from projects p`, nil, &sum)
			return sum
		}
		project := projects()
		for range 2 {
			r := h.succeed(t)
			if r.Unchanged != r.Processed || r.Processed != r.Total || r.Total < 175 || r.Created+r.Updated+r.Deactivated+r.Failed != 0 {
				t.Errorf("the crawl is %+v", r)
			}
		}
		// Even when every object is read again because somebody says so.
		objects := []string{k.project}
		for n := range 100 {
			objects = append(objects, k.made(n))
		}
		asked := h.office.called(k.reads)
		if asked != reads {
			t.Errorf("%d objects were read", asked-reads)
		}
		want := []string{"SYNC_RUN_STARTED", "SYNC_RUN_FINISHED", "SYNC_RUN_STARTED", "SYNC_RUN_FINISHED"}
		for _, delivery := range h.told(t, objects...) {
			if s := h.settled(t, delivery); s.Outcome != "PROCESSED" {
				t.Errorf("the delivery is %s %q", s.Outcome, s.Reason)
			}
			want = append(want, "DELIVERY_RECEIVED")
		}
		if n := h.office.called(k.reads) - asked; n != 101 {
			t.Errorf("%d objects were read for 101 messages", n)
		}
		if after := h.versions(t); !slices.Equal(before, after) {
			t.Error("items were written")
		}
		if after := projects(); after != project {
			t.Error("a project was written")
		}
		var told []string
		h.sql(t, `select array_agg(type order by seq) from activities where seq > $1`, []any{head}, &told)
		if !slices.Equal(told, want) {
			t.Errorf("told %v, want %v", told, want)
		}
	})
}

// The master switch stops every read at once: crawls under way, crawls that are due, fetches.
func TestDisabledStopsReads(t *testing.T) {
	t.Parallel()
	forKinds(t, func(t *testing.T, k kind) {
		h := newBigHookOf(t, k, 150)
		for n := range 150 {
			h.office.change(t, k.made(n), `{"price": 654321}`)
		}
		before := h.versions(t)
		h.office.faults.Add(mockkit.Fault{Path: k.readPath(), Kind: mockkit.FaultSlow, Delay: time.Second, Times: -1})
		reads := h.office.called(k.readPath())
		started := h.startSync(t)
		eventually(t, "the crawl to read objects", func() bool { return h.office.called(k.readPath()) > reads })
		var turned struct{ SetIntegrationEnabled saved }
		turn := func(on bool) {
			h.query(t, h.token, `mutation ($id: ID!, $on: Boolean!) { setIntegrationEnabled(integrationId: $id, enabled: $on) { integration { id enabled connection { state } } } }`,
				map[string]any{"id": h.integration, "on": on}, &turned)
		}
		turn(false)
		if r := h.run(t, started.ID); r.State != "CANCELLED" {
			t.Errorf("the crawl is %s", r.State)
		}
		got := h.ask(t, h.token, `mutation ($id: ID!) { startSync(integrationId: $id, domain: LISTINGS) { syncRun { id } userErrors { code field } } }`, map[string]any{"id": h.integration})
		if !strings.Contains(string(got.Data), "INTEGRATION_DISABLED") || !strings.Contains(string(got.Data), `"syncRun":null`) {
			t.Errorf("startSync answers %s", got.Data)
		}
		h.exec(t, `update integrations set incremental_due_at = now() - interval '1 day', full_due_at = now() - interval '1 day'`)
		if s := h.refreshed(t, k.house); s.Outcome != "IGNORED" {
			t.Errorf("a delivery is %s", s.Outcome)
		}
		// What was under way ends on its own; then there is silence for three sweeps.
		var calls, sweeps int
		quietSince := time.Now()
		within(t, time.Minute, "the CRM to be left alone", func() bool {
			if now := h.office.called(""); now != calls {
				calls, quietSince = now, time.Now()
			}
			sweeps = int(time.Since(quietSince) / h.sweepEvery)
			return sweeps >= 3
		})
		if n := h.office.called(k.readPath()) - reads; n >= 150 {
			t.Errorf("%d objects were read", n)
		}
		if !slices.Equal(before, h.versions(t)) {
			t.Error("items were written")
		}
		if n := h.count(t, "sync_runs where state in ('QUEUED', 'RUNNING')") + h.count(t, "fetches"); n != 0 {
			t.Errorf("%d runs and fetches are left", n)
		}
		h.office.faults.Clear()
		turn(true)
		if state := h.waitForSync(t, h.integration); state != "SUCCEEDED" || turned.SetIntegrationEnabled.Integration.Connection.State != "OK" {
			t.Errorf("switched on again the crawl ended %s, the connection is %+v", state, turned.SetIntegrationEnabled.Integration.Connection)
		}
		if i := h.item(t, k.made(149)); i.Listing.Price.Amount != "654321.00" {
			t.Errorf("switched on again the price is %s", i.Listing.Price.Amount)
		}
	})
}

// A whole list that lacks much waits for a person: more than ten items, and more than a fifth.
func TestMassMissing(t *testing.T) {
	t.Parallel()
	forKinds(t, func(t *testing.T, k kind) {
		forget := func(t *testing.T, h *hook, from, to int) (objects []string) {
			t.Helper()
			for n := from; n < to; n++ {
				objects = append(objects, k.made(n))
				if err := h.office.store.Delete(t.Context(), k.storeKind, k.storeID(objects[len(objects)-1])); err != nil {
					t.Fatal(err)
				}
			}
			return objects
		}
		approve := func(t *testing.T, h *hook, id string, yes bool) (r syncRun, refused []string) {
			t.Helper()
			var out struct {
				ApproveDeactivations struct {
					SyncRun    syncRun
					UserErrors []userError
				}
			}
			h.query(t, h.token, `mutation ($id: ID!, $yes: Boolean!) { approveDeactivations(syncRunId: $id, approve: $yes) { syncRun { `+runFields+` } userErrors { code message field } } }`,
				map[string]any{"id": id, "yes": yes}, &out)
			return out.ApproveDeactivations.SyncRun, codes(out.ApproveDeactivations.UserErrors)
		}
		waits := func(t *testing.T, h *hook) syncRun {
			t.Helper()
			return h.runUntil(t, h.startSync(t).ID, "NEEDS_APPROVAL", "SUCCEEDED", "FAILED")
		}
		t.Run("Guard", func(t *testing.T) {
			t.Parallel()
			h := newBigHookOf(t, k, 60)
			active := h.count(t, "items where state = 'ACTIVE'")
			if active < 80 || active >= 120 {
				t.Fatalf("%d active items", active)
			}
			p := h.imported(t, k.made(0))
			before := h.versions(t)
			gone := forget(t, h, 0, 40)
			r := waits(t, h)
			if r.State != "NEEDS_APPROVAL" || len(r.Missing) != len(gone) || r.Deactivated != 0 || !slices.Equal(before, h.versions(t)) {
				t.Fatalf("the crawl is %s, %d missing, %d deactivated", r.State, len(r.Missing), r.Deactivated)
			}
			for _, m := range r.Missing {
				if !slices.Contains(gone, m.ExternalID) {
					t.Errorf("%s is not missing", m.ExternalID)
				}
			}
			dismissed, refused := approve(t, h, r.ID, false)
			if dismissed.State != "SUCCEEDED" || len(refused) > 0 || dismissed.Deactivated != 0 || len(dismissed.Missing) != 0 || !slices.Equal(before, h.versions(t)) {
				t.Errorf("dismissed, the crawl is %+v %v", dismissed, refused)
			}
			if _, refused := approve(t, h, r.ID, true); !slices.Equal(refused, []string{"NOTHING_TO_APPROVE syncRunId"}) {
				t.Errorf("approved after it was dismissed: %v", refused)
			}
			r = waits(t, h)
			if r.State != "NEEDS_APPROVAL" {
				t.Fatalf("the second crawl is %s", r.State)
			}
			// One comes back before anybody decides.
			if err := k.seed(t.Context(), h.office.store, 1, 39); err != nil {
				t.Fatal(err)
			}
			h.office.change(t, gone[39], `{"price": 654321}`)
			h.refreshed(t, gone[39])
			approved, refused := approve(t, h, r.ID, true)
			if approved = h.runUntil(t, r.ID, "SUCCEEDED", "FAILED"); approved.State != "SUCCEEDED" || len(refused) > 0 || approved.Deactivated != 39 {
				t.Errorf("approved, the crawl is %s, %d deactivated, %v", approved.State, approved.Deactivated, refused)
			}
			for n, object := range gone {
				if i := h.item(t, object); (i.State == "ACTIVE") != (n == 39) {
					t.Errorf("approved, object %d is %+v", n, i)
				}
			}
			after := h.project(t, p.ID)
			if untouched(t, p, after); !after.NeedsReview {
				t.Error("nobody is asked to look at the project")
			}
			if n := h.count(t, "activities where type = 'ITEM_DEACTIVATED'"); n != 39 {
				t.Errorf("%d items are told to be deactivated", n)
			}
			if _, refused := approve(t, h, r.ID, true); !slices.Equal(refused, []string{"NOTHING_TO_APPROVE syncRunId"}) {
				t.Errorf("approved twice: %v", refused)
			}
			if r := h.succeed(t); r.Deactivated != 0 {
				t.Errorf("the crawl after that deactivated %d", r.Deactivated)
			}
		})
		for name, c := range map[string]struct {
			more, gone int
			state      string
		}{
			"TenAreFew":             {10, 10, "SUCCEEDED"}, // of some 45: more than a fifth
			"ElevenOfFewAreTooMany": {11, 11, "NEEDS_APPROVAL"},
			"AFifthOfMany":          {200, 40, "SUCCEEDED"}, // of some 235: less than a fifth
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				h := newBigHookOf(t, k, c.more)
				active := h.count(t, "items where state = 'ACTIVE'")
				gone := forget(t, h, 0, c.gone)
				r := waits(t, h)
				if r.State != c.state || r.State == "SUCCEEDED" && r.Deactivated != len(gone) || r.State != "SUCCEEDED" && len(r.Missing) != len(gone) {
					t.Errorf("of %d active ones %d are missing: the crawl is %s, %d missing, %d deactivated", active, len(gone), r.State, len(r.Missing), r.Deactivated)
				}
				if n := active - h.count(t, "items where state = 'ACTIVE'"); n != r.Deactivated {
					t.Errorf("%d items went, %d are counted", n, r.Deactivated)
				}
			})
		}
	})
}
