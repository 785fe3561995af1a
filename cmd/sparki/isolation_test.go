package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/vektah/gqlparser/v2/ast"

	"sparki.app/integrations"
	"sparki.app/integrations/auth"
	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/providers/all"
	"sparki.app/integrations/providers/kolibri"
)

// nodeTables says where the ids of each type of object lie, and how they begin.
var nodeTables = map[string]struct{ kind, ids string }{
	"Portal":          {"portal", "portal_id from portals"},
	"Integration":     {"integration", "id from integrations"},
	"SyncRun":         {"run", "id from sync_runs"},
	"SyncedItem":      {"item", "id from items"},
	"Project":         {"project", "id from projects"},
	"ProjectMedia":    {"media", "id from project_media"},
	"WebhookDelivery": {"delivery", "id from deliveries"},
	"Activity":        {"activity", "id from activities"},
	"Schedule":        {"schedule", "id from schedules"},
	"ScheduleLink":    {"schedulelink", "id from schedule_links"},
	"AgendaTarget":    {"agendatarget", "id from agenda_targets"},
	"Appointment":     {"appointment", "id from appointments"},
}

// neighbours are two portals in one program, each with an office and one object of every kind.
type neighbours struct {
	*bundle // and its portal, who asks
	writer  *writer
	other   *bundle // the portal next door, in the same program
	office  *office // of the portal next door
	mine    *office // our own
	own     map[string]string
	foreign map[string]string   // one id of each kind
	secret  map[string]struct{} // every id of the portal next door
}

func newNeighbours(t *testing.T) *neighbours {
	t.Helper()
	b := setup(t, func(c *config) { c.MediaURL = "" }) // copying writes in its own time
	next := *b
	next.portal = dbtest.Portal(t, b.db, all.Keys()...)
	next.token = b.newToken(t, next.portal, sparki.Permissions...)
	n := &neighbours{bundle: b, other: &next, writer: newWriter(t), office: openOffice(t), mine: openOffice(t), secret: map[string]struct{}{}}
	for side, o := range map[*bundle]*office{b: n.mine, &next: n.office} {
		integration := side.connect(t, o)
		h := &hook{bundle: side, office: o, integration: integration, secret: o.secret(t)}
		side.keepDiary(t, integration, side.imported(t, lindelaan).ID)
		o.change(t, lindelaan, `{"price": 498000}`) // so that it has a history
		h.settled(t, h.accepted(t, kolibri.Envelope(update("", lindelaan))))
	}
	b.exec(t, `update integrations set incremental_due_at = 'infinity', full_due_at = 'infinity'`)
	n.own, n.foreign = b.oneOfEach(t, n.writer), next.oneOfEach(t, n.writer)
	for _, name := range n.writer.nodes() {
		for _, id := range next.ids(t, name) {
			n.secret[id] = struct{}{}
		}
	}
	return n
}

// ids lists the public ids of a portal's objects of one type.
func (b *bundle) ids(t *testing.T, typeName string) (ids []string) {
	t.Helper()
	table, known := nodeTables[typeName]
	if !known {
		t.Fatalf("the schema has objects of type %s: say in nodeTables where their ids lie", typeName)
	}
	b.superuser(t, func(ctx context.Context, c *pgx.Conn) error {
		rows, _ := c.Query(ctx, `select `+table.ids+` where portal_id = $1`, b.portal.ID)
		found, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		for _, id := range found {
			ids = append(ids, sparki.NodeKind(table.kind).ID(id))
		}
		return err
	})
	if len(ids) == 0 {
		t.Fatalf("the portal has no %s", typeName)
	}
	return ids
}

func (b *bundle) oneOfEach(t *testing.T, w *writer) map[string]string {
	t.Helper()
	one := map[string]string{}
	for _, name := range w.nodes() {
		one[name] = b.ids(t, name)[0]
	}
	one["SyncedItem"] = b.item(t, lindelaan).ID
	return one
}

// quoted writes an id into a document.
func quoted(id string) string { return `"` + id + `"` }

// ownFor guesses from an argument's name which of our own objects it wants.
func (n *neighbours) ownFor(place input) string {
	last := strings.ToLower(place[len(place)-1])
	for typeName, id := range n.own {
		if strings.Contains(last, strings.ToLower(typeName)) {
			return quoted(id)
		}
	}
	return quoted(n.own["Integration"])
}

// same asks one operation for the neighbour's id and for one that does not exist: the answers have
// to be the same, and hold nothing of the neighbour's.
func (n *neighbours) same(t *testing.T, what, foreign string, document func(id string) string) {
	t.Helper()
	kind, _, _ := strings.Cut(foreign, "_")
	random := sparki.NodeKind(kind).ID(sparki.NewID())
	var answers [2]string
	for i, id := range []string{foreign, random} {
		got := n.ask(t, n.token, document(id), nil)
		text := fmt.Sprintf("%d %s %+v", got.Status, got.Data, got.Errors)
		answers[i] = strings.ReplaceAll(text, id, "ID")
		if got.Status != http.StatusOK {
			t.Errorf("%s: %s for %s", what, text, document(id))
		}
		for _, e := range got.Errors {
			if e.Extensions.Code == "INTERNAL" || e.Extensions.Code == "" || strings.HasPrefix(e.Extensions.Code, "GRAPHQL") {
				t.Errorf("%s: %+v for %s", what, e, document(id))
			}
		}
	}
	if answers[0] != answers[1] {
		t.Errorf("%s tells the neighbour's %s from none:\n%s\n%s", what, kind, answers[0], answers[1])
	}
	n.silent(t, what, answers[0])
}

var publicID = regexp.MustCompile(`\b[a-z]+_[0-7][0-9a-hjkmnp-tv-z]{25}\b`)

// silent wants an answer without any of the neighbour's ids.
func (n *neighbours) silent(t *testing.T, what, answer string) {
	t.Helper()
	for _, id := range publicID.FindAllString(answer, -1) {
		if _, leaked := n.secret[id]; leaked {
			t.Errorf("%s shows the neighbour's %s", what, id)
			return
		}
	}
}

// checksum sums everything that is stored of a portal, by table.
func (b *bundle) checksum(t *testing.T, portal uuid.UUID) map[string]string {
	t.Helper()
	sums := map[string]string{}
	b.superuser(t, func(ctx context.Context, c *pgx.Conn) error {
		var all string
		if err := c.QueryRow(ctx, `
			select string_agg(format('select %L, count(*) || '' '' || coalesce(md5(string_agg(t::text, '''' order by t::text)), '''') from %I t where portal_id = $1',
				relname, relname), ' union all ')
			from pg_class r where relkind = 'r' and relnamespace = 'public'::regnamespace
			and exists (select from pg_attribute a where a.attrelid = r.oid and a.attname = 'portal_id')`).Scan(&all); err != nil {
			return err
		}
		rows, _ := c.Query(ctx, all, portal)
		var table, sum string
		_, err := pgx.ForEachRow(rows, []any{&table, &sum}, func() error { sums[table] = sum; return nil })
		return err
	})
	return sums
}

// Another portal's id is an id that does not exist: in every argument of every operation, however deep
// it lies in the input, and whatever kind of object it names.
func TestForeignIDs(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	var before map[string]string
	still := 0
	within(t, 2*time.Minute, "the neighbour's own work to be done", func() bool {
		now := n.checksum(t, n.other.portal.ID)
		if still++; !maps.Equal(now, before) {
			before, still = now, 0
		}
		return still >= 10
	})
	kinds := n.writer.nodes()
	asked := 0
	root := func(operation string, f *ast.FieldDefinition, wrap func(string) string) {
		selection := n.writer.selection(f.Type.Name(), 1)
		for _, place := range n.writer.inputs(f, "ID") {
			for _, kind := range kinds {
				asked++
				n.same(t, operation+" "+f.Name+" "+place.String(), n.foreign[kind], func(id string) string {
					return operation + " { " + wrap(f.Name+n.writer.arguments(f, map[string]string{place.String(): quoted(id)}, n.ownFor)+selection) + " }"
				})
			}
		}
	}
	plain := func(s string) string { return s }
	for _, f := range n.writer.fields("Query") {
		root("query", f, plain)
	}
	for _, f := range n.writer.fields("Mutation") {
		root("mutation", f, plain)
	}
	for _, name := range kinds {
		for _, f := range n.writer.fields(name) {
			root("query", f, func(field string) string {
				return fmt.Sprintf(`node(id: %q) { ... on %s { %s } }`, n.own[name], name, field)
			})
		}
		n.same(t, "every field of node "+name, n.foreign[name], func(id string) string {
			return fmt.Sprintf(`{ node(id: %q) { __typename id ... on %s %s } }`, id, name, n.writer.selection(name, 2))
		})
	}
	if asked < 100 {
		t.Errorf("only %d operations were asked", asked)
	}
	for table, sum := range n.checksum(t, n.other.portal.ID) {
		if sum != before[table] {
			t.Errorf("the neighbour's %s changed", table)
		}
	}
	for _, operation := range []string{"Query", "Mutation"} { // in this order: a mutation may take away what a query finds
		for _, f := range n.writer.fields(operation) {
			for _, place := range n.writer.inputs(f, "ID") {
				n.reaches(t, strings.ToLower(operation), f, place)
			}
		}
	}
}

// reaches wants an id of our own to be answered in another way than one that does not exist. Otherwise the
// operation is refused for something else, and that a neighbour's id is refused too shows nothing: write its
// other arguments better, see writer.value and ownFor, or give the portal an object of the kind that it wants.
func (n *neighbours) reaches(t *testing.T, operation string, f *ast.FieldDefinition, place input) {
	t.Helper()
	answer := func(id string) string {
		got := n.ask(t, n.token, operation+" { "+f.Name+n.writer.arguments(f, map[string]string{place.String(): quoted(id)}, n.ownFor)+n.writer.selection(f.Type.Name(), 1)+" }", nil)
		return fmt.Sprintf("%d %s %+v", got.Status, got.Data, got.Errors)
	}
	for _, id := range n.own {
		kind, _, _ := strings.Cut(id, "_")
		if answer(id) != answer(sparki.NodeKind(kind).ID(sparki.NewID())) {
			return
		}
	}
	t.Errorf("%s %s %s: our own ids are answered like ids that do not exist", operation, f.Name, place)
}

// A place in the neighbour's list is none in ours: it shows our objects, or is refused.
func TestForeignCursors(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	find := func(data json.RawMessage) (cursor string) {
		var walk func(v any)
		walk = func(v any) {
			if m, ok := v.(map[string]any); ok {
				if end, ok := m["endCursor"].(string); ok {
					cursor = end
				}
				for _, inner := range m {
					walk(inner)
				}
			}
		}
		var v any
		_ = json.Unmarshal(data, &v)
		walk(v)
		return cursor
	}
	try := func(what string, f *ast.FieldDefinition, wrap func(own map[string]string, field string) string) {
		if !hasArgument(f, "after") || !hasArgument(f, "first") {
			return
		}
		field := func(after string) string {
			nodes := n.writer.schema.Types[f.Type.Name()].Fields.ForName("nodes").Type.Name()
			return f.Name + "(first: 1" + after + ") { pageInfo { endCursor } totalCount nodes" + n.writer.selection(nodes, 1) + " }"
		}
		theirs := n.ask(t, n.other.token, wrap(n.foreign, field("")), nil)
		cursor := find(theirs.Data)
		if cursor == "" {
			t.Errorf("%s: no cursor in %s %+v", what, theirs.Data, theirs.Errors)
			return
		}
		got := n.ask(t, n.token, wrap(n.own, field(fmt.Sprintf(", after: %q", cursor))), nil)
		n.silent(t, what, string(got.Data))
		for _, e := range got.Errors {
			if e.Extensions.Code != "BAD_USER_INPUT" {
				t.Errorf("%s: %+v", what, e)
			}
		}
		for _, nonsense := range []string{"", "x", "a-1", "a99999999999999999999", base64.RawURLEncoding.EncodeToString([]byte(`{"o":"","v":"'","i":"x"}`)), strings.Repeat("A", 5000), "\\u0000"} {
			got := n.ask(t, n.token, wrap(n.own, field(`, after: "`+nonsense+`"`)), nil)
			for _, e := range got.Errors {
				if e.Extensions.Code != "BAD_USER_INPUT" {
					t.Errorf("%s after %.20q: %+v", what, nonsense, e)
				}
			}
		}
	}
	for _, f := range n.writer.fields("Query") {
		try("query "+f.Name, f, func(_ map[string]string, field string) string { return "{ " + field + " }" })
	}
	for _, name := range n.writer.nodes() {
		for _, f := range n.writer.fields(name) {
			try(name+" "+f.Name, f, func(own map[string]string, field string) string {
				return fmt.Sprintf(`{ node(id: %q) { ... on %s { %s } } }`, own[name], name, field)
			})
		}
	}
}

// Everything that a portal can list and reach from there is its own.
func TestOwnDataOnly(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	for _, f := range n.writer.fields("Query") {
		if len(n.writer.inputs(f, "ID")) > 0 && f.Name == "node" {
			continue
		}
		few := map[string]string{"first": "5"} // with all that lies below them
		document := "{ " + f.Name + n.writer.arguments(f, few, n.ownFor) + n.writer.selection(f.Type.Name(), 3) + " }"
		got := n.ask(t, n.token, document, nil)
		if len(got.Errors) > 0 || len(got.Data) < 20 {
			t.Errorf("%s: %s %+v", document, got.Data, got.Errors)
		}
		n.silent(t, f.Name, string(got.Data))
	}
	for name, id := range n.own {
		got := n.ask(t, n.token, fmt.Sprintf(`{ node(id: %q) { ... on %s %s } }`, id, name, n.writer.selection(name, 3)), nil)
		if len(got.Errors) > 0 || !strings.Contains(string(got.Data), id) {
			t.Errorf("node %s: %s %+v", name, got.Data, got.Errors)
		}
		n.silent(t, "node "+name, string(got.Data))
	}
	// The same while both ask at once, many times: nothing that one operation has loaded is found by another (H10).
	const document = `{ projects(first: 5) { nodes { id link { syncedItem { id integration { id } linkedProjects { id } } } } } integrations { id syncedItems(first: 5) { nodes { id } } } }`
	var asking sync.WaitGroup
	for _, token := range []string{n.token, n.other.token} {
		alone := n.ask(t, token, document, nil)
		for range 4 {
			asking.Go(func() {
				for range 25 {
					if got := n.ask(t, token, document, nil); string(got.Data) != string(alone.Data) || len(got.Errors) > 0 {
						t.Errorf("beside others: %s %+v, alone: %s", got.Data, got.Errors, alone.Data)
					}
				}
			})
		}
	}
	asking.Wait()
}

// A follower hears nothing of the portal next door, whatever it asks for; and each CRM is called with its own portal's
// credentials only, also for objects of the same id (H8).
func TestForeignSubscriptions(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	var followers []*subscriber
	for _, f := range n.writer.fields("Subscription") {
		selection := n.writer.selection(f.Type.Name(), 1)
		for _, place := range n.writer.inputs(f, "ID") {
			for _, kind := range n.writer.nodes() {
				var outcomes [2]string
				for i, id := range []string{n.foreign[kind], sparki.NodeKind(strings.Split(n.foreign[kind], "_")[0]).ID(sparki.NewID())} {
					s := subscribe(t, n.url, n.token, "subscription { "+f.Name+n.writer.arguments(f, map[string]string{place.String(): quoted(id)}, n.ownFor)+selection+" }", nil)
					if len(place) == 1 { // an id of its own, which is looked up; in a filter it only filters. Refused at once
						e := s.next(t, "error")
						outcomes[i] = fmt.Sprintf("%+v", e.payload.Errors)
					}
					followers = append(followers, s)
				}
				if outcomes[0] != outcomes[1] {
					t.Errorf("%s tells the neighbour's %s from none: %v", f.Name, kind, outcomes)
				}
			}
		}
	}
	everything := []*subscriber{
		subscribe(t, n.url, n.token, followActivity, nil),
		stream(t, n.url, n.token, followActivity, nil),
		subscribe(t, n.url, n.token, `subscription { activity(after: "a0") { type subject { id } integration { id } } }`, nil),
	}
	statuses := subscribe(t, n.url, n.token, `subscription { syncStatusChanged { integration { id } state } }`, nil)
	theirs := subscribe(t, n.url, n.other.token, followActivity, nil)
	for price := range 20 {
		n.office.change(t, lindelaan, fmt.Sprintf(`{"price": %d}`, 500_001+price))
		n.other.deliver(t, n.foreign["Integration"], n.office.secret(t), kolibri.Envelope(update("", lindelaan)))
		n.deliver(t, n.own["Integration"], n.mine.secret(t), kolibri.Envelope(update("", lindelaan)))
	}
	told(t, theirs, "PROJECT_REFRESHED")
	n.query(t, n.token, `mutation ($id: ID!) { setIntegrationEnabled(integrationId: $id, enabled: false) { integration { id } } }`, map[string]any{"id": n.own["Integration"]}, &struct{}{})
	for _, s := range append(everything, statuses) {
		for seen := ""; !strings.Contains(seen, "INTEGRATION_DISABLED") && !strings.Contains(seen, `"DISABLED"`); {
			e := s.next(t, "next")
			seen = string(e.payload.Data)
			n.silent(t, "a subscription", seen)
		}
	}
	for _, s := range followers {
		if s.waiting() > 0 {
			t.Errorf("a filter for the neighbour's id lets through %s", s.next(t, "next").payload.Data)
		}
	}
	theirsShown, ours := n.office.shown(), n.mine.shown()
	for credentials := range theirsShown {
		if ours[credentials] {
			t.Error("both CRMs were called with the same credentials")
		}
	}
	if len(theirsShown) == 0 || len(ours) == 0 {
		t.Errorf("no CRM was called with credentials: %d and %d", len(theirsShown), len(ours))
	}
}

var needs = regexp.MustCompile(`Needs ([A-Z_]+)\.`)

// Every mutation names the right it needs, and is refused without exactly that one.
func TestPermissions(t *testing.T) {
	t.Parallel()
	b, w := setup(t), newWriter(t)
	forbidden := func(token, document string) bool {
		got := b.ask(t, token, document, nil)
		if got.Status != http.StatusOK {
			t.Errorf("%s: answered %d %+v", document, got.Status, got.Errors)
		}
		for _, e := range got.Errors {
			if e.Extensions.Code == "FORBIDDEN" {
				return true
			}
		}
		return false
	}
	random := func(input) string { return quoted(sparki.IntegrationNode.ID(sparki.NewID())) }
	for _, f := range w.fields("Mutation") {
		document := "mutation { " + f.Name + w.arguments(f, nil, random) + w.selection(f.Type.Name(), 0) + " }"
		named := needs.FindStringSubmatch(f.Description)
		if named == nil || !slices.Contains(sparki.Permissions, sparki.Permission(named[1])) {
			t.Errorf("%s names no right: %s", f.Name, f.Description)
			continue
		}
		needed := sparki.Permission(named[1])
		without := slices.DeleteFunc(slices.Clone(sparki.Permissions), func(p sparki.Permission) bool { return p == needed })
		if !forbidden(b.newToken(t, b.portal, without...), document) {
			t.Errorf("%s works without %s", f.Name, needed)
		}
		if forbidden(b.newToken(t, b.portal, needed, sparki.View), document) {
			t.Errorf("%s is forbidden with %s", f.Name, needed)
		}
		if !forbidden(b.newToken(t, b.portal), document) {
			t.Errorf("%s works without any right", f.Name)
		}
	}
	blind := b.newToken(t, b.portal, sparki.EditPortalSettings, sparki.EditProjects, sparki.EditAgendas)
	for _, f := range w.fields("Query") {
		document := "{ " + f.Name + w.arguments(f, nil, random) + w.selection(f.Type.Name(), 0) + " }"
		if got := forbidden(blind, document); got != (f.Name != "viewer") { // who one is, one may always know
			t.Errorf("%s without VIEW is forbidden: %t", f.Name, got)
		}
	}
	for _, f := range w.fields("Subscription") {
		s := subscribe(t, b.url, blind, "subscription { "+f.Name+w.arguments(f, nil, random)+w.selection(f.Type.Name(), 0)+" }", nil)
		if e := s.next(t, "error"); e.payload.Errors[0].Extensions.Code != "FORBIDDEN" {
			t.Errorf("%s without VIEW: %+v", f.Name, e.payload.Errors)
		}
	}
	if n := b.count(t, "integrations") + b.count(t, "projects"); n > 2 {
		t.Errorf("%d rows were made", n)
	}
}

// Without a good token nothing is answered at all.
func TestNoToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := dbtest.Portal(t, b.db, all.Keys()...)
	raw, _ := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(b.token, "sparki_"))
	moved := append(slices.Clone(other.ID[:]), raw[16:]...)
	flipped := slices.Clone(raw)
	flipped[len(flipped)-1] ^= 1
	spell := func(raw []byte) string { return "sparki_" + base64.RawURLEncoding.EncodeToString(raw) }
	expiring, stored := auth.NewToken(b.portal.ID, "Expired", sparki.Permissions)
	past := time.Now().Add(-time.Second)
	stored.ExpiresAt = &past
	if err := b.db.CreateToken(t.Context(), b.portal.ID, stored); err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"None": "", "Cut": b.token[:len(b.token)-1], "Longer": b.token + "A", "OtherPortal": spell(moved), "OneBit": spell(flipped), "Zero": spell(make([]byte, 64)),
		"NoPrefix": strings.TrimPrefix(b.token, "sparki_"), "Twice": b.token + " " + b.token, "UpperCase": strings.ToUpper(b.token), "Nonsense": "x",
		"Huge": strings.Repeat("A", 4000), "Expired": expiring, "Invented": spell(bytes.Repeat([]byte{7}, 64)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, document := range []string{`{ viewer { name } }`, `{ __typename }`, `{ __schema { types { name } } }`, `mutation { checkConnection(integrationId: "x") { userErrors { code } } }`, `not a document`} {
				got := b.ask(t, token, document, nil)
				if got.Status != http.StatusUnauthorized || len(got.Errors) != 1 || got.Errors[0].Extensions.Code != "UNAUTHENTICATED" || len(got.Data) > 0 {
					t.Errorf("%s: %d %s %+v", document, got.Status, got.Data, got.Errors)
				}
			}
			if code := dial(t, b.url, token).closed(t, patience); code != 4403 {
				t.Errorf("the socket is closed with %d", code)
			}
		})
	}
	if got := b.ask(t, b.token, `{ viewer { name } }`, nil); got.Status != http.StatusOK {
		t.Errorf("the good token is answered %d", got.Status)
	}
}

// A token that is revoked or expires ends its connections within ten seconds, and hears nothing more.
func TestTokenEnds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, end := range map[string]func(t *testing.T, portal, id uuid.UUID){
		"Revoked": func(t *testing.T, portal, id uuid.UUID) {
			if err := b.db.RevokeToken(t.Context(), portal, id); err != nil {
				t.Fatal(err)
			}
		},
		"Expired": func(t *testing.T, _, id uuid.UUID) {
			b.exec(t, `update api_tokens set expires_at = now() where id = $1`, id)
		},
		"Deleted": func(t *testing.T, _, id uuid.UUID) { b.exec(t, `delete from api_tokens where id = $1`, id) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			portal := dbtest.Portal(t, b.db, all.Keys()...)
			text, stored := auth.NewToken(portal.ID, name, sparki.Permissions)
			if err := b.db.CreateToken(t.Context(), portal.ID, stored); err != nil {
				t.Fatal(err)
			}
			socket, idle, sse := subscribe(t, b.url, text, followActivity, nil), dial(t, b.url, text), stream(t, b.url, text, followActivity, nil)
			idle.next(t, "connection_ack")
			if got := b.ask(t, text, `{ viewer { name } }`, nil); got.Status != http.StatusOK {
				t.Fatalf("before its end the token is answered %d", got.Status)
			}
			end(t, portal.ID, stored.ID)
			const limit = 10 * time.Second
			for what, s := range map[string]*subscriber{"following": socket, "idle": &idle.subscriber} {
				if code := s.closed(t, limit); code != 4403 {
					t.Errorf("the %s socket is closed with %d", what, code)
				}
			}
			sse.closed(t, limit)
			within(t, limit, "the token to be refused", func() bool { return b.ask(t, text, `{ viewer { name } }`, nil).Status == http.StatusUnauthorized })
			for _, s := range []*subscriber{socket, sse} {
				if s.waiting() > 0 {
					t.Errorf("%+v was sent", s.next(t, "next"))
				}
			}
		})
	}
}
