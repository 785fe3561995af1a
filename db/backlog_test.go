package db_test

import (
	"testing"
	"time"

	"sparki.app/integrations/db"
	"sparki.app/integrations/db/dbtest"
)

// What waits is counted over all portals: what is due and nobody is at lags, what is leased or not yet due
// does not, and what nothing more is tried for is stuck.
func TestBacklogs(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	d, conn := dbtest.Open(t, db.Options{URL: url}), superuser(t, url)
	read := func() map[string]db.Backlog {
		all, err := d.Backlogs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		byWork := map[string]db.Backlog{}
		for _, b := range all {
			byWork[b.Work] = b
		}
		return byWork
	}
	kinds := []string{"messages", "fetches", "runs", "write_backs", "media"}
	for _, work := range kinds {
		if got, ok := read()[work]; !ok || got != (db.Backlog{Work: work}) {
			t.Errorf("of nothing wait %+v", got)
		}
	}
	for range 2 {
		portal := dbtest.Portal(t, d)
		for _, sql := range []string{
			`insert into integrations (portal_id, id, provider, enabled, mock, listings, agenda, outbound) values ($1, $1, 'kolibri', true, true, true, true, true)`,
			`insert into deliveries (portal_id, id, integration_id, body, outcome, reason, messages, received_at)
				select $1::uuid, md5(n || $1::uuid::text)::uuid, $1, '', 'PENDING', '', 1, now() - n * interval '1 hour' from generate_series(1, 9) n`,
			// The oldest delivery is being fetched.
			`insert into messages (portal_id, integration_id, external_id, delivery_id, kind, source_type, object_id, note, outcome, reason, fetch_id)
				select $1, $1, n::text, md5(n || $1::uuid::text)::uuid, '', '', '', '', 'PENDING', '', case when n > 3 then $1 end from generate_series(1, 9) n`,
			`insert into fetches (portal_id, id, integration_id, source_type, external_id, note, cause, state, due_at, lease_until)
				select $1, gen_random_uuid(), $1, '', due || state, '', '', state, now() + due * interval '1 hour', now() + lease * interval '1 hour'
				from (values ('WAITING', -3, null), ('WAITING', 5, null), ('RUNNING', -9, 1), ('RUNNING', -8, -2), ('FAILED', -30, null)) v(state, due, lease)`,
			`insert into sync_runs (portal_id, id, integration_id, domain, trigger, state, is_full, due_at, lease_until)
				select $1, gen_random_uuid(), $1, domain, '', state, true, now() + due * interval '1 hour', now() + lease * interval '1 hour'
				from (values ('A', 'QUEUED', -3, null), ('B', 'RUNNING', -9, 1), ('C', 'RUNNING', -9, -2), ('D', 'NEEDS_APPROVAL', -30, null), ('E', 'FAILED', -30, null)) v(domain, state, due, lease)`,
			`insert into schedules (portal_id, id, name) values ($1, $1, '')`,
			`with a as (
				insert into appointments (portal_id, id, schedule_id, status, starts_at, ends_at, customer_name, search)
				select $1::uuid, md5(n || $1::uuid::text)::uuid, $1, '', now(), now(), '', '' from generate_series(1, 7) n)
			insert into write_backs (portal_id, appointment_id, integration_id, state, look, due_at, lease_until)
				select $1::uuid, md5(n || $1::uuid::text)::uuid, $1, state, look, now() + due * interval '1 hour', now() + lease * interval '1 hour'
				from (values (1, 'QUEUED', false, -3, null), (2, 'UNKNOWN', false, 5, null), (3, 'SENDING', false, -9, 1), (4, 'SYNCED', true, -1, null),
					(5, 'SYNCED', false, -30, null), (6, 'FAILED', false, -30, null), (7, 'SKIPPED', false, -30, null)) v(n, state, look, due, lease)`,
			`insert into projects (portal_id, id, imported, lifecycle, appointment_minutes, title, status, category, address_label, physical_address, search, content)
				values ($1, $1, false, '', 30, '', '', '', '', false, '', '')`,
			`insert into project_media (portal_id, id, project_id, kind, origin, external_id, url, position, copy_due_at)
				select $1, gen_random_uuid(), $1, '', '', n, '', n, now() + due * interval '1 hour'
				from (values (1, -3), (2, 1), (3, null)) v(n, due)`,
		} {
			if _, err := conn.Exec(t.Context(), sql, portal.ID); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
	}
	got := read()
	for work, want := range map[string]struct {
		waiting, stuck int64
		lag            time.Duration
	}{
		"messages": {6, 0, 3 * time.Hour}, "fetches": {8, 2, 3 * time.Hour}, "runs": {6, 2, 3 * time.Hour},
		"write_backs": {8, 2, 3 * time.Hour}, "media": {4, 2, 3 * time.Hour},
	} {
		b := got[work]
		if b.Waiting != want.waiting || b.Stuck != want.stuck || b.Lag < want.lag || b.Lag > want.lag+10*time.Minute {
			t.Errorf("%+v, want %+v", b, want)
		}
	}
}
