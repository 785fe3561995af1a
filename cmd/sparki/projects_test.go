package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"sparki.app/integrations/providers/mockkit"
)

// owned is what the API says of a project's ownership and pictures.
type owned struct {
	ID, Title string
	Price     struct{ Amount string }
	Link      *struct{ ExternalID string }
	Images    []struct{ ID, URL, Origin string }
	Fields    []struct {
		Field, Owner, ChangedBy string
		Differs                 bool
		ProviderValue           any
	}
}

const ownedFields = `id title price { amount } link { externalId } images { id url origin } fields { field owner changedBy differs providerValue }`

// users lists the fields that are a person's, those that differ from the CRM's with a "!".
func (o owned) users() (fields []string) {
	for _, f := range o.Fields {
		name := f.Field
		if f.Differs {
			name += "!"
		}
		if f.Owner == "USER" || f.Differs {
			fields = append(fields, name)
		}
	}
	return fields
}

// changed asks for a mutation that gives a project, and lists its refusals.
func (b *bundle) changed(t *testing.T, mutation string, variables map[string]any) (owned, []string) {
	t.Helper()
	names := map[string]string{"p": "$p: ID", "i": "$i: ID", "token": "$token: String", "input": "$input: ProjectInput"}
	var declared []string
	for name := range variables {
		declared = append(declared, names[name]+"!")
	}
	head := "mutation"
	if len(declared) > 0 {
		head += " (" + strings.Join(declared, ", ") + ")"
	}
	var out map[string]struct {
		Project    owned
		UserErrors []userError
	}
	b.query(t, b.token, head+" { "+mutation+" { project { "+ownedFields+" } userErrors { code message field } } }", variables, &out)
	for _, payload := range out {
		return payload.Project, codes(payload.UserErrors)
	}
	t.Fatalf("%s answers nothing", mutation)
	return owned{}, nil
}

func (b *bundle) owned(t *testing.T, project string) (o owned) {
	t.Helper()
	var out struct{ Node owned }
	b.query(t, b.token, `query ($id: ID!) { node(id: $id) { ... on Project { `+ownedFields+` } } }`, map[string]any{"id": project}, &out)
	return out.Node
}

// A field that a person changed stays a person's until it is given back; pictures that a person added
// stay last, and one that a person took away does not come back.
func TestFieldsOfAProject(t *testing.T) {
	t.Parallel()
	forKinds(t, func(t *testing.T, k kind) {
		h := newHookOf(t, k, func(c *config) { c.MediaURL = "" })
		p := map[string]any{"p": h.imported(t, k.house).ID}
		before := h.owned(t, p["p"].(string))
		if got := before.users(); len(got) > 0 || len(before.Fields) != 13 || len(before.Images) < 2 {
			t.Fatalf("imported, %v are a person's, of %d; %d pictures", got, len(before.Fields), len(before.Images))
		}
		if got, refused := h.changed(t, `updateProject(projectId: $p, input: {title: " Ons mooiste\n huis "})`, p); got.Title != "Ons mooiste huis" || len(refused) > 0 {
			t.Fatalf("the title is %q, %v", got.Title, refused)
		}
		if _, refused := h.changed(t, `addProjectMedia(projectId: $p, input: {kind: IMAGE, url: "https://eigen.example/1.jpg"})`, p); len(refused) > 0 {
			t.Fatal(refused)
		}
		first := before.Images[0].ID
		h.changed(t, `removeProjectMedia(mediaId: "`+first+`")`, nil)

		h.office.change(t, k.house, `{"price": 765432}`)
		h.refreshed(t, k.house)
		got := h.owned(t, before.ID)
		if !slices.Equal(got.users(), []string{"TITLE!", "IMAGES!"}) || got.Title != "Ons mooiste huis" || got.Price.Amount != "765432.00" {
			t.Errorf("refreshed, %v are a person's: %q, %s", got.users(), got.Title, got.Price.Amount)
		}
		if title := got.Fields[0]; title.ProviderValue != before.Title || title.ChangedBy != "Test" {
			t.Errorf("beside the title stands %+v", title)
		}
		if n := len(got.Images); n != len(before.Images) || got.Images[n-1].Origin != "MANUAL" || got.Images[0].ID != before.Images[1].ID {
			t.Errorf("the pictures are %+v, they were %+v", got.Images, before.Images)
		}

		got, refused := h.changed(t, `resetProjectFields(projectId: $p, fields: [TITLE, IMAGES])`, p)
		if len(refused) > 0 || len(got.users()) > 0 || got.Title != before.Title || len(got.Images) != len(before.Images)+1 || got.Images[0].URL != before.Images[0].URL {
			t.Errorf("given back, %v are a person's: %q, %+v, %v", got.users(), got.Title, got.Images, refused)
		}
		got, refused = h.changed(t, `disconnectProject(projectId: $p)`, p)
		if len(refused) > 0 || got.Link != nil || len(got.Fields) != 0 || slices.ContainsFunc(got.Images, func(i struct{ ID, URL, Origin string }) bool { return i.Origin != "MANUAL" }) {
			t.Errorf("disconnected: %+v %v", got, refused)
		}
		h.office.change(t, k.house, `{"price": 700001}`)
		h.refreshed(t, k.house)
		if after := h.owned(t, before.ID); after.Price != got.Price || len(after.Images) != len(got.Images) {
			t.Errorf("disconnected, it still follows: %+v", after)
		}
	})
}

// A project that was made by hand is linked as the preview says, and not at all when the item has moved.
func TestLinkPreview(t *testing.T) {
	t.Parallel()
	forKinds(t, func(t *testing.T, k kind) {
		h := newHookOf(t, k, func(c *config) { c.MediaURL = "" })
		item := h.item(t, k.house).ID
		made, refused := h.changed(t, `createProject(input: $input)`, map[string]any{"input": map[string]any{"title": "Met de hand"}})
		if len(refused) > 0 {
			t.Fatal(refused)
		}
		preview := func() (token string, changes map[string]json.RawMessage, added, kept int) {
			t.Helper()
			var out struct {
				LinkPreview struct {
					Token   string
					Changes []struct {
						Field string
						After json.RawMessage
					}
					MediaAdded, MediaKept int
				}
			}
			h.query(t, h.token, `query ($p: ID!, $i: ID!) { linkPreview(projectId: $p, syncedItemId: $i) { token changes { field after } mediaAdded mediaKept } }`,
				map[string]any{"p": made.ID, "i": item}, &out)
			changes = map[string]json.RawMessage{}
			for _, c := range out.LinkPreview.Changes {
				changes[c.Field] = c.After
			}
			return out.LinkPreview.Token, changes, out.LinkPreview.MediaAdded, out.LinkPreview.MediaKept
		}
		link := func(token string) (owned, []string) {
			t.Helper()
			return h.changed(t, `linkProject(projectId: $p, syncedItemId: $i, previewToken: $token)`, map[string]any{"p": made.ID, "i": item, "token": token})
		}
		token, _, _, _ := preview()
		h.office.change(t, k.house, `{"price": 765432}`)
		h.refreshed(t, k.house)
		if _, refused := link(token); !slices.Equal(refused, []string{"STALE_PREVIEW previewToken"}) {
			t.Errorf("with an old token: %v", refused)
		}
		if got := h.owned(t, made.ID); got.Link != nil || got.Title != "Met de hand" || len(got.Images) != 0 {
			t.Errorf("refused, the project is %+v", got)
		}
		token, changes, added, _ := preview()
		got, refused := link(token)
		if len(refused) > 0 || got.Link == nil || got.Link.ExternalID != k.house || `"`+got.Title+`"` != string(changes["TITLE"]) || !strings.Contains(string(changes["PRICE"]), got.Price.Amount) {
			t.Errorf("linked: %+v, %v; the preview says %s", got, refused, changes)
		}
		if n := h.count(t, "project_media"); n != added || n == 0 {
			t.Errorf("%d media were added, %d in the preview", n, added)
		}
		if _, changes, more, kept := preview(); len(changes) != 0 || more != 0 || kept != added {
			t.Errorf("of what is linked the preview says %s, %d media more, %d kept", changes, more, kept)
		}
	})
}

// Whose object is gone stands in the list of projects to review, with its appointments, until
// somebody decides.
func TestProjectsToReview(t *testing.T) {
	t.Parallel()
	forKinds(t, func(t *testing.T, k kind) {
		h := newHookOf(t, k, func(c *config) { c.MediaURL = "" })
		id := h.imported(t, k.house).ID
		h.imported(t, k.project)
		var schedule struct {
			CreateSchedule struct{ Schedule struct{ ID string } }
		}
		h.query(t, h.token, `mutation { createSchedule(input: {name: "Bezichtigingen"}) { schedule { id } } }`, nil, &schedule)
		var booked struct {
			CreateAppointment struct{ UserErrors []userError }
		}
		h.query(t, h.token, `mutation ($s: ID!, $p: ID!, $at: DateTime!) { createAppointment(input: {scheduleId: $s, projectId: $p, status: CONFIRMED, startsAt: $at,
			customer: {name: "Noor Beekman"}}) { userErrors { code } } }`, map[string]any{"s": schedule.CreateSchedule.Schedule.ID, "p": id, "at": tomorrow().Format(time.RFC3339)}, &booked)
		if len(booked.CreateAppointment.UserErrors) > 0 {
			t.Fatalf("%+v", booked)
		}
		type listed struct {
			ID, Lifecycle        string
			UpcomingAppointments int
			Link                 *struct {
				SyncedItem struct{ State, InactiveReason string }
			}
		}
		review := func() []listed {
			t.Helper()
			var out struct{ Projects struct{ Nodes []listed } }
			h.query(t, h.token, `{ projects(filter: {needsReview: true}) { nodes { id lifecycle upcomingAppointments link { syncedItem { state inactiveReason } } } } }`, nil, &out)
			return out.Projects.Nodes
		}
		if list := review(); len(list) != 0 {
			t.Errorf("at first the list is %+v", list)
		}
		h.office.change(t, k.house, k.away["Withdrawn"].away)
		h.refreshed(t, k.house)
		if list := review(); len(list) != 1 || list[0].ID != id || list[0].UpcomingAppointments != 1 || list[0].Link.SyncedItem.InactiveReason != "WITHDRAWN" {
			t.Errorf("withdrawn, the list is %+v", list)
		}
		if _, refused := h.changed(t, `reviewProject(projectId: $p, decision: KEEP)`, map[string]any{"p": id}); len(refused) > 0 || len(review()) != 0 {
			t.Errorf("decided, the list is %+v, %v", review(), refused)
		}
		h.office.change(t, k.house, `{"price": 765432}`) // still withdrawn: nobody is asked twice
		h.refreshed(t, k.house)
		if list := review(); len(list) != 0 {
			t.Errorf("of what was decided the list is %+v", list)
		}
		h.office.change(t, k.house, k.away["Withdrawn"].back)
		h.refreshed(t, k.house)
		if got := h.owned(t, id); got.Price.Amount != "765432.00" || len(got.users()) > 0 {
			t.Errorf("back, the project is %+v", got)
		}
	})
}

// The history says what changed and what made us look; a replay reads a delivery again; what a mapping
// does not know is counted, and stored answers that are mapped anew come out the same.
func TestHistoryReplayAndMapping(t *testing.T) {
	t.Parallel()
	forKinds(t, func(t *testing.T, k kind) {
		h := newHookOf(t, k, func(c *config) { c.MediaURL = "" })
		h.imported(t, k.house)
		item := h.item(t, k.house).ID
		latest := func() (cause string, fields []string) {
			t.Helper()
			var out struct {
				Node struct {
					History struct {
						Nodes []struct {
							Cause   string
							Changes []struct{ Field string }
						}
					}
				}
			}
			h.query(t, h.token, `query ($id: ID!) { node(id: $id) { ... on SyncedItem { history(first: 1) { nodes { cause changes { field before after } } } } } }`, map[string]any{"id": item}, &out)
			for _, n := range out.Node.History.Nodes {
				cause = n.Cause
				for _, c := range n.Changes {
					fields = append(fields, c.Field)
				}
			}
			return cause, fields
		}
		if cause, fields := latest(); cause != "" {
			t.Errorf("at first the history is %s of %v", cause, fields)
		}
		h.office.change(t, k.house, `{"price": 765432}`)
		delivery := h.told(t, k.house)[0]
		h.settled(t, delivery)
		if cause, fields := latest(); cause != "WEBHOOK" || !slices.Equal(fields, []string{"PRICE"}) {
			t.Errorf("told of a price, the history is %s of %v", cause, fields)
		}
		h.office.change(t, k.house, k.away["Withdrawn"].away)
		h.succeed(t)
		if cause, fields := latest(); cause != "SYNC_RUN" || !slices.Contains(fields, "STATE") {
			t.Errorf("withdrawn, the history is %s of %v", cause, fields)
		}
		h.office.change(t, k.house, k.away["Withdrawn"].back)

		says := speakers[k.key]
		h.office.respells(k.house, func(e map[string]any) {
			says.changed(e)
			says.unknown(e)
			e["dwaalgast"] = "Jansen"
		})
		reads := h.office.called(k.detailPath)
		var list struct {
			Node struct {
				Deliveries struct {
					Nodes []struct {
						ID, Outcome        string
						Messages, Attempts int
					}
				}
			}
		}
		h.query(t, h.token, `query ($id: ID!) { node(id: $id) { ... on Integration { deliveries { nodes { id outcome messages attempts } } } } }`, map[string]any{"id": h.integration}, &list)
		if d := list.Node.Deliveries.Nodes; len(d) != 1 || uuidOf(t, d[0].ID) != delivery || d[0].Outcome != "PROCESSED" || d[0].Messages != 1 || d[0].Attempts != 1 {
			t.Fatalf("the deliveries are %+v", d)
		}
		var replayed struct {
			ReplayDelivery struct {
				Delivery   struct{ ID, Outcome string }
				UserErrors []userError
			}
		}
		h.query(t, h.token, `mutation ($id: ID!) { replayDelivery(deliveryId: $id) { delivery { id outcome replayOf { id } } userErrors { code } } }`,
			map[string]any{"id": list.Node.Deliveries.Nodes[0].ID}, &replayed)
		if s := h.settled(t, uuidOf(t, replayed.ReplayDelivery.Delivery.ID)); s.Outcome != "PROCESSED" || h.office.called(k.detailPath) != reads+1 {
			t.Errorf("the replay is %s %q after %d reads", s.Outcome, s.Reason, h.office.called(k.detailPath)-reads)
		}
		if cause, fields := latest(); cause != "MANUAL" || !slices.Contains(fields, "STATE") {
			t.Errorf("replayed, the history is %s of %v", cause, fields)
		}

		var gaps struct {
			Node struct {
				MappingGaps []struct {
					Kind, Name string
					Objects    int
				}
			}
		}
		h.query(t, h.token, `query ($id: ID!) { node(id: $id) { ... on Integration { mappingGaps { kind name objects } } } }`, map[string]any{"id": h.integration}, &gaps)
		found := 0
		for _, g := range gaps.Node.MappingGaps {
			if g.Kind == "VALUE" && strings.Contains(g.Name, "Ruimteschip") || g.Kind == "FIELD" && g.Name == "dwaalgast" {
				if found++; g.Objects != 1 {
					t.Errorf("%s was met %d times", g.Name, g.Objects)
				}
			}
		}
		if found != 2 {
			t.Errorf("the gaps are %+v", gaps.Node.MappingGaps)
		}

		// As if the mapping's version had risen.
		state := func() (sum string) {
			h.sql(t, `select md5(string_agg(i.external_id || i.state || coalesce(i.inactive_reason, '') || i.listing_hash::text || i.title, '' order by i.id)) || ' '
				|| (select md5(string_agg(p::text, '')) from projects p) || ' ' || (select count(*) from activities where type like 'ITEM_%') from items i`, nil, &sum)
			return sum
		}
		before := state()
		for range 2 {
			h.exec(t, `update items set mapping_version = 0, content_hash = '' where inactive_reason is distinct from 'DELETED'`)
			eventually(t, "all answers to be mapped again", func() bool { return h.count(t, "items where mapping_version = 0") == 0 })
			if after := state(); after != before {
				t.Errorf("mapped again, %s became %s", before, after)
			}
		}
		if n := h.office.called(k.detailPath); n != reads+1 {
			t.Errorf("%d objects were read for it", n-reads-1)
		}
	})
}

// A crawl that a person stops ends at once, writes no more, and makes room for another.
func TestCancelRun(t *testing.T) {
	t.Parallel()
	forKinds(t, func(t *testing.T, k kind) {
		h := newHookOf(t, k)
		before := h.versions(t)
		h.office.change(t, k.house, `{"price": 765432}`)
		h.office.faults.Add(mockkit.Fault{Path: k.listPath, Kind: mockkit.FaultSlow, Delay: time.Second, Times: -1})
		asked := h.office.called(k.listPath)
		started := h.startSync(t)
		eventually(t, "the crawl to read the list", func() bool { return h.office.called(k.listPath) > asked })
		var out struct {
			CancelSync struct {
				SyncRun    syncRun
				UserErrors []userError
			}
		}
		h.query(t, h.token, `mutation ($id: ID!) { cancelSync(syncRunId: $id) { syncRun { `+runFields+` } userErrors { code message field } } }`, map[string]any{"id": started.ID}, &out)
		if got := out.CancelSync; got.SyncRun.State != "CANCELLED" || len(got.UserErrors) > 0 {
			t.Errorf("stopped, the crawl is %+v", got)
		}
		h.office.faults.Clear()
		if again := h.succeed(t); again.Updated != 1 || again.Deactivated != 0 {
			t.Errorf("the next crawl is %+v", again)
		}
		if r := h.run(t, started.ID); r.State != "CANCELLED" || r.Updated+r.Deactivated != 0 {
			t.Errorf("afterwards the first crawl is %+v", r)
		}
		if !slices.Equal(exceptThese(before, []string{k.house}), h.versions(t, k.house)) {
			t.Error("other items were written")
		}
	})
}
