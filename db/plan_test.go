package db_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/db/dbtest"
)

// explainer is a tracer that has every list's statement explained, as the program's role and with its
// settings, and fails the test when the plan reads a whole table.
type explainer struct {
	t     *testing.T
	url   string
	on    bool
	what  string
	plans int
}

func (e *explainer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}
func (e *explainer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (e *explainer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	if e.on {
		for _, q := range data.Batch.QueuedQueries {
			if strings.Contains(q.SQL, " limit $") {
				e.explain(q)
			}
		}
	}
	return ctx
}
func (e *explainer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (e *explainer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

func (e *explainer) explain(q *pgx.QueuedQuery) {
	e.t.Helper()
	conn := superuser(e.t, e.url)
	defer conn.Close(context.Background())
	portal := fmt.Sprint(q.Arguments[0])
	if _, err := conn.Exec(e.t.Context(), fmt.Sprintf(`set role sparki_app; set plan_cache_mode = force_generic_plan; set random_page_cost = 1.1; set app.portal = '%s'`, portal)); err != nil {
		e.t.Fatal(err)
	}
	rows, err := conn.Query(e.t.Context(), "explain "+q.SQL, q.Arguments...)
	if err != nil {
		e.t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		e.t.Fatal(err)
	}
	e.plans++
	plan := strings.Join(lines, "\n")
	for _, table := range []string{"items", "projects"} {
		if strings.Contains(plan, "Seq Scan on "+table) {
			e.t.Errorf("%s reads all of %s:\n%s\n%s", e.what, table, q.SQL, plan)
		}
	}
}

// seed fills a portal with n items and as many projects, every fifth linked.
func seed(t *testing.T, conn *pgx.Conn, portal *sparki.Portal, integration *sparki.Integration, n int) {
	t.Helper()
	card := `'AVAILABLE', (array['HOUSE','APARTMENT','OTHER'])[1 + n % 3], 'SALE', case when n % 10 > 0 then 100000 + n * 7 % 900000 end, 'EUR', '€', 'straat ' || n, 'Straat',
		n::text, null, '1234 AB', case when n % 20 > 0 then 'Plaats ' || n % 300 end, null, 'NL', true, null, lower('huis ' || n || ' straat ' || n)`
	columns := `title, status, category, transaction_type, price_amount, price_currency, price_label, address_label, street, house_number, house_number_addition,
		postal_code, city, state_or_province, country, physical_address, thumbnail_url, search`
	for _, sql := range []string{
		fmt.Sprintf(`insert into items (portal_id, id, integration_id, source_type, external_id, employee_ids, state, listing, raw, content_hash, listing_hash, mapping_version,
				read_at, synced_at, %s)
			select $1, gen_random_uuid(), $2, 'object-assignment', 'object-' || n, '{}', case when n %% 50 > 0 then 'ACTIVE' else 'INACTIVE' end, '', '', '', '', 1,
				now(), now() - n * interval '1 minute', 'Huis ' || n * 7919 %% 20000, %s from generate_series(1, $3::int) n`, columns, card),
		fmt.Sprintf(`insert into projects (portal_id, id, item_id, imported, lifecycle, needs_review, appointment_minutes, content, updated_at, linked_at, %s)
			select $1, gen_random_uuid(), i.id, false, 'DRAFT', n %% 100 = 0, 30, '', now() - n * interval '1 minute', now(), 'Project ' || n * 7919 %% 20000, %s
			from generate_series(1, $3::int) n left join items i on i.portal_id = $1 and i.integration_id = $2 and n %% 5 = 0 and i.external_id = 'object-' || n`, columns, card),
	} {
		if _, err := conn.Exec(t.Context(), sql, portal.ID, integration.ID, n); err != nil {
			t.Fatal(err)
		}
	}
	// As autovacuum does: until then a trigram index keeps what was added aside, where each search has to look.
	if _, err := conn.Exec(t.Context(), `vacuum analyze`); err != nil {
		t.Fatal(err)
	}
}

func connect(t *testing.T, d *db.DB, portal *sparki.Portal) *sparki.Integration {
	t.Helper()
	var i *sparki.Integration
	err := d.Tx(t.Context(), portal.ID, func(tx *db.Tx) (err error) {
		i, _, err = tx.UpsertIntegration(t.Context(), &sparki.Integration{ID: sparki.NewID(), Provider: "kolibri", Enabled: true})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// No page of a list reads its whole table, whatever it is filtered and ordered by, and wherever it lies.
func TestListsUseIndexes(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	explained := &explainer{t: t, url: url}
	d := dbtest.Open(t, db.Options{URL: url, Tracer: explained})
	portal := dbtest.Portal(t, d, "kolibri")
	integration := connect(t, d, portal)
	seed(t, superuser(t, url), portal, integration, 20_000)
	for range 3 { // a table is never one portal's alone
		other := dbtest.Portal(t, d, "kolibri")
		seed(t, superuser(t, url), other, connect(t, d, other), 20_000)
	}
	state, category, yes, kolibri, draft := sparki.ItemActive, sparki.CategoryHouse, true, "kolibri", sparki.Draft
	explained.on = true
	for _, field := range []string{"SYNCED_AT", "TITLE", "CITY", "PRICE"} {
		for _, desc := range []bool{true, false} {
			for name, filter := range map[string]sparki.ItemFilter{
				"All": {}, "State": {State: &state}, "Category": {Category: &category}, "Linked": {Linked: &yes}, "Provider": {Provider: &kolibri},
				"Integration": {IntegrationID: &integration.ID}, "Search": {Search: "huis 77"}, "Rare": {Search: "huis 19999"},
			} {
				explained.what = fmt.Sprintf("items by %s, descending %v, %s", field, desc, name)
				order := sparki.Order{Field: field, Desc: desc}
				page, err := d.Items(t.Context(), portal.ID, filter, order, sparki.PageArgs{First: 50}, false)
				if err != nil {
					t.Fatal(err)
				}
				after := page.Cursor(page.Nodes[len(page.Nodes)-1])
				if _, err := d.Items(t.Context(), portal.ID, filter, order, sparki.PageArgs{First: 50, After: after}, false); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for _, field := range []string{"UPDATED_AT", "TITLE", "CITY", "PRICE"} {
		for _, desc := range []bool{true, false} {
			for name, filter := range map[string]sparki.ProjectFilter{
				"All": {}, "Lifecycle": {Lifecycle: &draft}, "Review": {NeedsReview: &yes}, "Provider": {Provider: &kolibri}, "Search": {Search: "straat 77"}, "Rare": {Search: "straat 19999"},
			} {
				explained.what = fmt.Sprintf("projects by %s, descending %v, %s", field, desc, name)
				order := sparki.Order{Field: field, Desc: desc}
				page, err := d.Projects(t.Context(), portal.ID, filter, order, sparki.PageArgs{First: 50}, false)
				if err != nil {
					t.Fatal(err)
				}
				after := page.Cursor(page.Nodes[len(page.Nodes)-1])
				if _, err := d.Projects(t.Context(), portal.ID, filter, order, sparki.PageArgs{First: 50, After: after}, false); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if explained.plans < 100 {
		t.Errorf("only %d plans were looked at", explained.plans)
	}
}

// A rare word is found by the trigram index, in the transaction's portal only, and under row-level
// security all the same.
func TestSearch(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	d := dbtest.Open(t, db.Options{URL: url})
	portal := dbtest.Portal(t, d, "kolibri")
	conn := superuser(t, url)
	seed(t, conn, portal, connect(t, d, portal), 20_000)
	other := dbtest.Portal(t, d, "kolibri")
	seed(t, conn, other, connect(t, d, other), 20_000)

	for search, want := range map[string]int{
		"HUIS 19999": 1, "19999 huis": 1, "straat 1999": 12, "huis": 20_000, "zeppelin": 0, "199_9": 0, "%%%%": 0, "'": 0, "é": 0, "": 20_000,
	} {
		items, err := d.Items(t.Context(), portal.ID, sparki.ItemFilter{Search: search}, sparki.Order{Field: "TITLE"}, sparki.PageArgs{First: 50}, false)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := items.Count(t.Context()); err != nil || n != want || len(items.Nodes) != min(want, 50) {
			t.Errorf("%q finds %d items, %d on the page, want %d; %v", search, n, len(items.Nodes), want, err)
		}
		projects, err := d.Projects(t.Context(), portal.ID, sparki.ProjectFilter{Search: search}, sparki.Order{Field: "TITLE"}, sparki.PageArgs{First: 50}, false)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := projects.Count(t.Context()); err != nil || n != want || len(projects.Nodes) != min(want, 50) {
			t.Errorf("%q finds %d projects, %d on the page, want %d; %v", search, n, len(projects.Nodes), want, err)
		}
	}

	for table, function := range map[string]string{"item_searches": "found_items", "project_searches": "found_projects"} {
		if plan := searchPlan(t, conn, portal, function); !strings.Contains(plan, "Bitmap Index Scan on "+table+"_search") {
			t.Errorf("%s does not use its index:\n%s", function, plan)
		}
		for setting, want := range map[string]int{"": 0, portal.ID.String(): 1} {
			asPortal(t, conn, "sparki_app", setting, func(tx pgx.Tx) error {
				var n int
				err := tx.QueryRow(t.Context(), `select count(*) from `+function+`('%19999%', 100)`).Scan(&n)
				if err == nil && n != want {
					t.Errorf("%s finds %d rows for portal %q", function, n, setting)
				}
				return err
			})
		}
	}
}

// searchPlan explains what a search function does.
func searchPlan(t *testing.T, conn *pgx.Conn, portal *sparki.Portal, function string) string {
	t.Helper()
	var body string
	var settings []string // name=value
	if err := conn.QueryRow(t.Context(), `select prosrc, proconfig from pg_proc where proname = $1`, function).Scan(&body, &settings); err != nil {
		t.Fatal(err)
	}
	_, body, _ = strings.Cut(body, "return query")
	body, _, _ = strings.Cut(body, ";")
	var lines []string
	asPortal(t, conn, "sparki_search", portal.ID.String(), func(tx pgx.Tx) error {
		for _, setting := range settings {
			name, value, _ := strings.Cut(setting, "=")
			if _, err := tx.Exec(t.Context(), `select set_config($1, $2, true)`, name, strings.Trim(value, `"`)); err != nil {
				return err
			}
		}
		rows, err := tx.Query(t.Context(), "explain "+body, "%19999%", 1001)
		if err == nil {
			lines, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return err
	})
	return strings.Join(lines, "\n")
}

// asPortal runs f in a role, inside a portal.
func asPortal(t *testing.T, conn *pgx.Conn, role, portal string, f func(pgx.Tx) error) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), fmt.Sprintf(`set local role %s; set local plan_cache_mode = force_generic_plan; set local app.portal = '%s'`, role, portal)); err != nil {
			return err
		}
		return f(tx)
	})
	if err != nil {
		t.Fatal(err)
	}
}
