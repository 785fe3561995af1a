package db_test

import (
	"slices"
	"testing"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/db/dbtest"
)

// What is older than promised is forgotten, and nothing else; once a night, by one worker.
func TestPrune(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	d, conn := dbtest.Open(t, db.Options{URL: url}), superuser(t, url)
	portal, other := dbtest.Portal(t, d), dbtest.Portal(t, d)
	for _, p := range []*sparki.Portal{portal, other} {
		if _, err := conn.Exec(t.Context(), `
			with i as (
				insert into integrations (portal_id, id, provider, enabled, mock, listings, agenda, outbound)
				values ($1, gen_random_uuid(), 'kolibri', true, true, true, true, true) returning id
			), old as (
				insert into activities (portal_id, seq, id, at, type, params, actor, subject_kind)
				select $1, n, gen_random_uuid(), now() - n * interval '1 day', 'SETTINGS_SAVED', '{}', 'test', '' from generate_series(179, 12000) n
			)
			insert into deliveries (portal_id, id, integration_id, body, outcome, reason, messages, received_at)
			select $1, gen_random_uuid(), i.id, 'body', outcome, '', 1, now() - days * interval '1 day'
			from i, (values ('PROCESSED', 29), ('PROCESSED', 31), ('FAILED', 400), ('PENDING', 31)) as v(outcome, days)`, p.ID); err != nil {
			t.Fatal(err)
		}
	}
	due := func() bool {
		bells, err := d.Due(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return slices.Contains(bells, sparki.Bell{Job: sparki.Prune, PortalID: portal.ID, ID: portal.ID})
	}
	if !due() {
		t.Fatal("nobody is told that it is time")
	}
	if err := d.Prune(t.Context(), portal.ID, portal.ID); err != nil {
		t.Fatal(err)
	}
	if due() {
		t.Error("it is still due")
	}
	left := func(p *sparki.Portal) []string {
		return append(column(t, conn, `select outcome || ' ' || (now()::date - received_at::date) from deliveries where body is not null and portal_id = '`+p.ID.String()+`' order by received_at desc, outcome`),
			column(t, conn, `select count(*)::text from activities where portal_id = '`+p.ID.String()+`'`)...)
	}
	if got, want := left(portal), []string{"PROCESSED 29", "PENDING 31", "1"}; !slices.Equal(got, want) {
		t.Errorf("left are %v, want %v", got, want)
	}
	if got := left(other); len(got) != 5 || got[4] != "11822" {
		t.Errorf("of another portal are left %v", got)
	}
	// The next time is at night, where the portal is.
	if got := column(t, conn, `select extract(hour from prune_due_at at time zone time_zone)::text from portals where prune_due_at > now()`); len(got) != 1 || got[0] < "1" || got[0] > "4" {
		t.Errorf("it is due again at %v o'clock", got)
	}
	// One more call before that finds nothing to do.
	if _, err := conn.Exec(t.Context(), `update deliveries set received_at = now() - interval '1 year' where outcome = 'PROCESSED'`); err != nil {
		t.Fatal(err)
	}
	if err := d.Prune(t.Context(), portal.ID, portal.ID); err != nil {
		t.Fatal(err)
	}
	if got := left(portal); len(got) != 3 {
		t.Errorf("a bell too many pruned: left are %v", got)
	}
}
