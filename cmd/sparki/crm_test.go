package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/providers/all"
	"sparki.app/integrations/providers/mockkit"
)

const (
	listPath   = "/Assignments/Search"
	detailPath = "/ObjectAssignments"
)

// syncRun is what the API says about a crawl.
type syncRun struct {
	ID, State, Error                                                   string
	Total, Processed, Created, Updated, Unchanged, Deactivated, Failed int
	Missing                                                            []struct{ ID, ExternalID string }
}

const runFields = `id state error total processed created updated unchanged deactivated failed missing { id externalId }`

// startSync starts a crawl.
func (h *hook) startSync(t *testing.T) syncRun {
	t.Helper()
	var out struct {
		StartSync struct {
			SyncRun    syncRun
			UserErrors []userError
		}
	}
	h.query(t, h.token, `mutation ($id: ID!) { startSync(integrationId: $id, domain: LISTINGS) { syncRun { `+runFields+` } userErrors { code message field } } }`,
		map[string]any{"id": h.integration}, &out)
	if len(out.StartSync.UserErrors) > 0 {
		t.Fatalf("startSync: %+v", out.StartSync.UserErrors)
	}
	return out.StartSync.SyncRun
}

// run reads a crawl.
func (h *hook) run(t *testing.T, id string) syncRun {
	t.Helper()
	var out struct{ Node syncRun }
	h.query(t, h.token, `query ($id: ID!) { node(id: $id) { ... on SyncRun { `+runFields+` } } }`, map[string]any{"id": id}, &out)
	return out.Node
}

// runUntil waits until a crawl is in one of these states.
func (h *hook) runUntil(t *testing.T, id string, states ...string) syncRun {
	t.Helper()
	var r syncRun
	eventually(t, fmt.Sprintf("the crawl to be %v", states), func() bool {
		r = h.run(t, id)
		return slices.Contains(states, r.State)
	})
	return r
}

// succeed starts a crawl that has to succeed.
func (h *hook) succeed(t *testing.T) syncRun {
	t.Helper()
	r := h.runUntil(t, h.startSync(t).ID, "SUCCEEDED", "FAILED", "CANCELLED", "NEEDS_APPROVAL")
	if r.State != "SUCCEEDED" {
		t.Fatalf("the crawl ended %s: %s", r.State, r.Error)
	}
	return r
}

// versions lists every item with its row's version: what is equal was not written.
func (b *bundle) versions(t *testing.T, except ...string) (all []string) {
	t.Helper()
	b.superuser(t, func(ctx context.Context, c *pgx.Conn) error {
		rows, _ := c.Query(ctx, `select external_id || ' ' || xmin::text || ' ' || state || ' ' || synced_at::text from items where external_id <> all($1) order by external_id`,
			append([]string{}, except...))
		var err error
		all, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if len(all) == 0 {
		t.Fatal("there are no items")
	}
	return all
}

// line reads how the line to the CRM is said to be.
func (h *hook) line(t *testing.T) (state, problem, syncState string) {
	t.Helper()
	var out struct {
		Node struct {
			Connection struct{ State, Problem string }
			SyncStatus struct{ State string }
		}
	}
	h.query(t, h.token, `query ($id: ID!) { node(id: $id) { ... on Integration { connection { state problem } syncStatus { state } } } }`, map[string]any{"id": h.integration}, &out)
	return out.Node.Connection.State, out.Node.Connection.Problem, out.Node.SyncStatus.State
}

// faults are the ways in which a CRM goes wrong for a while (product.md §7).
var faults = map[string]mockkit.Fault{
	"Reset":       {Kind: mockkit.FaultReset},
	"HTML":        {Kind: mockkit.FaultHTML},
	"HTMLAsGood":  {Kind: mockkit.FaultHTML, Status: 200},
	"Garbage":     {Kind: mockkit.FaultGarbage},
	"Empty":       {Kind: mockkit.FaultEmpty},
	"Truncated":   {Kind: mockkit.FaultTruncated},
	"Huge":        {Kind: mockkit.FaultHuge},
	"Slow":        {Kind: mockkit.FaultSlow, Delay: time.Minute},
	"Drips":       {Kind: mockkit.FaultDrip, Delay: 200 * time.Millisecond},
	"TooMany":     {Status: 429, RetryAfter: "1"},
	"Unavailable": {Status: 503},
	"TimedOut":    {Status: 408},
}

// A CRM that goes wrong while it is crawled is asked again: the run says why it waits, no item
// changes meanwhile, and nothing is missing at the end.
func TestCrawlFaults(t *testing.T) {
	t.Parallel()
	forKinds(t, func(t *testing.T, k kind) {
		for where, path := range map[string]string{"List": k.listPath, "Objects": k.detailPath} {
			for name, fault := range faults {
				if fault.Kind == map[string]mockkit.FaultKind{"List": mockkit.FaultDrip, "Objects": mockkit.FaultSlow}[where] {
					continue // fifteen seconds each: one of the two is enough
				}
				if where == "Objects" && k.whole {
					continue // the list is all that is read
				}
				t.Run(where+name, func(t *testing.T) {
					t.Parallel()
					h := newHookOf(t, k)
					before := h.versions(t)
					changed := h.priced(t, 4)
					for _, object := range changed {
						h.office.change(t, object, `{"price": 700001}`)
					}
					fault.Path, fault.Times = path, -1
					h.office.faults.Add(fault)
					started := h.startSync(t)
					var r syncRun
					eventually(t, "the crawl to say what is wrong", func() bool { r = h.run(t, started.ID); return r.Error != "" })
					if slices.Contains([]string{"SUCCEEDED", "CANCELLED", "NEEDS_APPROVAL"}, r.State) || strings.ContainsAny(r.Error, "<>{") {
						t.Errorf("while the CRM is away the crawl is %s: %s", r.State, r.Error)
					}
					if after := h.versions(t); !slices.Equal(before, after) {
						t.Errorf("items were written:\n%s\n%s", before, after)
					}
					h.office.faults.Clear()
					if r = h.runUntil(t, started.ID, "SUCCEEDED", "FAILED"); r.State != "SUCCEEDED" || r.Updated != len(changed) || r.Error != "" || r.Failed != 0 {
						t.Errorf("afterwards the crawl is %+v", r)
					}
					for _, object := range changed {
						if i := h.item(t, object); i.Listing.Price.Amount != "700001.00" || i.State != "ACTIVE" {
							t.Errorf("afterwards the item is %+v", i)
						}
					}
				})
			}
		}
	})
}

// priced lists n objects for sale whose price is shown.
func (h *hook) priced(t *testing.T, n int) (objects []string) {
	t.Helper()
	h.sql(t, `select array_agg(external_id) from (select external_id from items where state = 'ACTIVE' and source_type = $2
		and price_amount > 100000 and transaction_type = 'SALE' order by external_id limit $1) as found`, []any{n, h.office.houses}, &objects)
	if len(objects) != n {
		t.Fatalf("%d objects with a price", len(objects))
	}
	return objects
}

// The same while one object is fetched because of a webhook: the item keeps its last good content
// until the CRM is well again.
func TestFetchFaults(t *testing.T) {
	t.Parallel()
	forKinds(t, func(t *testing.T, k kind) {
		for name, fault := range faults {
			if fault.Kind == mockkit.FaultDrip {
				continue // as slow as Slow
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				h := newHookOf(t, k)
				good := *h.item(t, k.house)
				h.office.change(t, k.house, `{"price": 700001}`)
				fault.Path, fault.Times = k.detailPath, -1
				h.office.faults.Add(fault)
				delivery := h.told(t, k.house)[0]
				problem := ""
				eventually(t, "the fetch to have failed once", func() bool {
					b := h.bundle
					b.sql(t, `select coalesce(max(error), '') from fetches`, nil, &problem)
					return problem != ""
				})
				if got := *h.item(t, k.house); got != good {
					t.Errorf("the item changed from %+v to %+v", good, got)
				}
				if outcome := h.outcome(t, delivery); outcome != "PENDING" {
					t.Errorf("the delivery is %s", outcome)
				}
				h.office.faults.Clear()
				if s := h.settled(t, delivery); s.Outcome != "PROCESSED" {
					t.Errorf("afterwards the delivery is %s: %s", s.Outcome, s.Reason)
				}
				if got := h.item(t, k.house); got.Listing.Price.Amount != "700001.00" || got.SyncError != "" {
					t.Errorf("afterwards the item is %+v", got)
				}
				if n := h.count(t, "fetches"); n != 0 {
					t.Errorf("%d fetches are left", n)
				}
			})
		}
	})
}

func (b *bundle) outcome(t *testing.T, delivery string) (outcome string) {
	t.Helper()
	b.sql(t, `select outcome from deliveries where id = $1`, []any{delivery}, &outcome)
	return outcome
}

// What waiting does not mend ends a crawl at once, and says what to do.
func TestCrawlRefusals(t *testing.T) {
	t.Parallel()
	elsewhere := newCanary(t)
	t.Cleanup(func() {
		if n := elsewhere.calls.Load(); n != 0 {
			t.Errorf("%d redirects were followed", n)
		}
	})
	forKinds(t, func(t *testing.T, k kind) {
		refused := func(t *testing.T, fault mockkit.Fault, connection, words string) {
			t.Parallel()
			h := newHookOf(t, k)
			before := h.versions(t)
			h.office.change(t, k.house, `{"price": 700001}`)
			fault.Times = -1
			h.office.faults.Add(fault)
			asked := h.office.called(fault.Path)
			r := h.runUntil(t, h.startSync(t).ID, "FAILED", "SUCCEEDED")
			if r.State != "FAILED" || !strings.Contains(r.Error, words) || r.Deactivated != 0 {
				t.Errorf("the crawl ended %s: %q, %d deactivated, want FAILED with %q", r.State, r.Error, r.Deactivated, words)
			}
			if n := h.office.called(fault.Path) - asked; n > 3 {
				t.Errorf("the CRM was asked %d times", n)
			}
			state, problem, sum := h.line(t)
			if state != connection || (state == "OK") != (problem == "") || state != "OK" && sum != "FAILING" || state == "OK" && sum != "DEGRADED" {
				t.Errorf("the connection is %s %q, the sum %s; want %s", state, problem, sum, connection)
			}
			if after := h.versions(t); !slices.Equal(before, after) {
				t.Error("items were written")
			}
			h.office.faults.Clear()
			if got := h.save(t, map[string]any{}); got.Integration.Connection.State != "OK" {
				t.Errorf("saved anew the connection is %+v", got.Integration.Connection)
			}
			if state := h.waitForSync(t, h.integration); state != "SUCCEEDED" {
				t.Errorf("saved anew the crawl ended %s", state)
			}
			if i := h.item(t, k.house); i.Listing.Price.Amount != "700001.00" {
				t.Errorf("saved anew the price is %s", i.Listing.Price.Amount)
			}
		}
		t.Run("Redirect", func(t *testing.T) {
			refused(t, mockkit.Fault{Path: k.listPath, Kind: mockkit.FaultRedirect, Location: "http://127.0.0.1:" + elsewhere.port + "/"}, "MISCONFIGURED", "another address")
		})
		t.Run("NoPage", func(t *testing.T) {
			refused(t, mockkit.Fault{Path: k.listPath, Kind: mockkit.FaultHTML, Status: 404}, "MISCONFIGURED", "API base URL")
		})
		for name, r := range k.refusals {
			t.Run(name, func(t *testing.T) {
				refused(t, mockkit.Fault{Path: r.path(k), Status: r.status}, r.connection, r.words)
			})
		}
	})
}

// A fetch that the CRM refuses is not repeated: a refusal of the object stays visible on the item, a
// refusal of the credentials parks everything until the settings are saved.
func TestFetchRefusals(t *testing.T) {
	t.Parallel()
	forKinds(t, func(t *testing.T, k kind) {
		t.Run("OfTheObject", func(t *testing.T) {
			t.Parallel()
			h := newHookOf(t, k)
			h.office.change(t, k.house, `{"price": 700001}`)
			h.office.faults.Add(mockkit.Fault{Path: k.detailPath, Status: 409, Times: -1})
			s := h.refreshed(t, k.house)
			i := h.item(t, k.house)
			if s.Outcome != "FAILED" || s.Reason == "" || i.SyncError == "" || i.State != "ACTIVE" || i.Listing.Price.Amount == "700001.00" {
				t.Errorf("the delivery is %s %q, the item %+v", s.Outcome, s.Reason, i)
			}
			var out struct {
				Node struct {
					SyncStatus struct {
						State      string
						ItemCounts struct{ Failed int }
					}
				}
			}
			h.query(t, h.token, `query ($id: ID!) { node(id: $id) { ... on Integration { syncStatus { state itemCounts { failed } } } } }`, map[string]any{"id": h.integration}, &out)
			if out.Node.SyncStatus.State != "DEGRADED" || out.Node.SyncStatus.ItemCounts.Failed != 1 {
				t.Errorf("the status is %+v", out.Node.SyncStatus)
			}
			h.office.faults.Clear()
			if s := h.refreshed(t, k.house); s.Outcome != "PROCESSED" {
				t.Errorf("the next delivery is %s %q", s.Outcome, s.Reason)
			}
			if i := h.item(t, k.house); i.SyncError != "" || i.Listing.Price.Amount != "700001.00" {
				t.Errorf("after the next delivery the item is %+v", i)
			}
		})
		t.Run("OfTheCredentials", func(t *testing.T) {
			t.Parallel()
			h := newHookOf(t, k)
			h.office.change(t, k.house, `{"price": 700001}`)
			h.office.faults.Add(mockkit.Fault{Path: k.apiPath, Status: 401, Times: -1})
			asked := h.office.called("")
			first := h.told(t, k.house)[0]
			eventually(t, "the connection to be broken", func() bool { state, _, _ := h.line(t); return state == "UNAUTHORIZED" })
			var deliveries []string
			for n := range 20 {
				deliveries = append(deliveries, h.told(t, k.made(n))[0])
			}
			eventually(t, "the messages to be read", func() bool { return h.count(t, "messages where fetch_id is null") == 0 })
			eventually(t, "the fetches to be parked", func() bool {
				return h.count(t, "fetches where state = 'WAITING' and due_at > now() + interval '1 hour'") == 21
			})
			if n := h.office.called("") - asked; n > 4 { // a token and two tries, perhaps one more that was under way
				t.Errorf("%d calls were made", n)
			}
			h.office.faults.Clear()
			h.save(t, map[string]any{})
			for _, delivery := range append(deliveries, first) {
				if s := h.settled(t, delivery); s.Outcome != "PROCESSED" {
					t.Errorf("saved anew a delivery is %s %q", s.Outcome, s.Reason)
				}
			}
			if i := h.item(t, k.house); i.Listing.Price.Amount != "700001.00" {
				t.Errorf("saved anew the price is %s", i.Listing.Price.Amount)
			}
		})
		t.Run("OneTokenRenewal", func(t *testing.T) {
			t.Parallel()
			h := newHookOf(t, k)
			h.office.change(t, k.house, `{"price": 700001}`)
			h.office.faults.Add(mockkit.Fault{Path: k.detailPath, Status: 401})
			if k.tokenPath == "" { // there is nothing to renew, and what is refused is not asked for again
				asked := h.office.called(k.detailPath)
				if s := h.refreshed(t, k.house); s.Outcome != "FAILED" || !strings.Contains(s.Reason, "token") {
					t.Errorf("the delivery is %s %q", s.Outcome, s.Reason)
				}
				if n := h.office.called(k.detailPath) - asked; n != 1 {
					t.Errorf("the object was asked for %d times", n)
				}
				return
			}
			tokens := h.office.called(k.tokenPath)
			if s := h.refreshed(t, k.house); s.Outcome != "PROCESSED" {
				t.Errorf("the delivery is %s %q", s.Outcome, s.Reason)
			}
			if state, _, _ := h.line(t); state != "OK" || h.office.called(k.tokenPath) != tokens+1 {
				t.Errorf("the connection is %s after %d tokens", state, h.office.called(k.tokenPath)-tokens)
			}
		})
	})
}

// An office whose CRM hangs, with much that waits for it, does not hold up the one next door (K10).
func TestHangingCRM(t *testing.T) {
	t.Parallel()
	h := newBigHookOf(t, kinds[0], 60)
	next := *h.bundle
	next.portal = dbtest.Portal(t, h.db, all.Keys()...)
	next.token = h.newToken(t, next.portal, sparki.Permissions...)
	o := openOffice(t)
	beside := &hook{bundle: &next, office: o, integration: next.connect(t, o), secret: o.secret(t)}
	h.office.faults.Add(mockkit.Fault{Path: h.office.detailPath, Kind: mockkit.FaultSlow, Delay: time.Minute, Times: -1})
	reads := h.office.called(h.office.detailPath)
	var objects []string
	for n := range 60 {
		objects = append(objects, h.office.made(n))
	}
	h.told(t, objects...)
	eventually(t, "its CRM to hang", func() bool { return h.office.called(h.office.detailPath) > reads })
	for price := range 5 {
		began := time.Now()
		o.change(t, lindelaan, fmt.Sprintf(`{"price": %d}`, 700_001+price))
		if s := beside.refreshed(t, lindelaan); s.Outcome != "PROCESSED" || time.Since(began) > 5*time.Second {
			t.Errorf("beside a CRM that hangs a delivery is %s %q after %v", s.Outcome, s.Reason, time.Since(began))
		}
	}
	if n := h.count(t, "fetches where portal_id = $1", h.portal.ID); n != len(objects) {
		t.Errorf("%d objects wait for the CRM that hangs", n)
	}
}

// A CRM that asks us to wait is left alone for so long (K1).
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	forKinds(t, func(t *testing.T, k kind) {
		const wait = 3 * time.Second
		for _, form := range []string{"Seconds", "Date"} {
			for where, path := range map[string]string{"Crawl": k.listPath, "Fetch": k.detailPath} {
				t.Run(where+form, func(t *testing.T) {
					t.Parallel()
					h := newHookOf(t, k)
					h.office.change(t, k.house, `{"price": 700001}`)
					fault := mockkit.Fault{Path: path, Status: 429, RetryAfter: "3"}
					date := time.Now().Add(2 * wait).UTC().Truncate(time.Second)
					if form == "Date" {
						fault.RetryAfter = date.Format(http.TimeFormat)
					}
					h.office.faults.Add(fault)
					calls := h.office.called(k.apiPath)
					if where == "Crawl" {
						h.startSync(t)
					} else {
						h.told(t, k.house)
					}
					eventually(t, "the price to arrive", func() bool { return h.item(t, k.house).Listing.Price.Amount == "700001.00" })
					times := h.office.callTimes(k.apiPath)[calls:]
					until := date
					if form == "Seconds" {
						until = times[0].Add(wait)
					}
					if early := until.Sub(times[1]); early > 50*time.Millisecond {
						t.Errorf("the CRM was asked again %v too early", early)
					}
				})
			}
		}
	})
}

// Shapes and values that nobody knows fail no item (K12).
func TestUnknownShapes(t *testing.T) {
	t.Parallel()
	forKinds(t, func(t *testing.T, k kind) {
		h := newHookOf(t, k)
		shapes := []struct {
			name  string
			shape func(entity map[string]any)
		}{{"new values", k.strange.values}, {"texts and nulls", k.strange.texts}, {"nothing", k.strange.bare}, {"other shapes", k.strange.shapes}}
		objects := h.priced(t, len(shapes))
		for n, object := range objects {
			h.office.respells(object, func(e map[string]any) {
				speakers[k.key].changed(e)
				shapes[n].shape(e)
			})
		}
		for _, delivery := range h.told(t, objects...) {
			if s := h.settled(t, delivery); s.Outcome != "PROCESSED" {
				t.Errorf("a delivery is %s %q", s.Outcome, s.Reason)
			}
		}
		for n, object := range objects {
			i := h.item(t, object)
			if i.State != "ACTIVE" || i.SyncError != "" || i.Listing.Title == "" {
				t.Errorf("with %s an object is %+v", shapes[n].name, i)
			}
		}
		var category, amount string
		h.sql(t, `select category from items where external_id = $1`, []any{objects[0]}, &category)
		h.sql(t, `select coalesce(price_amount::text, '') from items where external_id = $1`, []any{objects[1]}, &amount)
		if category != "OTHER" || amount != "350000.00" {
			t.Errorf("an unknown type is %s, a price as text %s", category, amount)
		}
		if n := h.count(t, "items where source_modified_at > '2027-01-01'"); n != len(shapes) {
			t.Errorf("%d objects were read", n)
		}
		if r := h.succeed(t); r.Failed != 0 || r.Deactivated != 0 {
			t.Errorf("the crawl is %+v", r)
		}
		if n := h.count(t, "fetches"); n != 0 {
			t.Errorf("%d fetches are left", n)
		}
	})
}
