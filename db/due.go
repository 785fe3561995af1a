package db

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
)

// Due lists a bell for all work of any portal that waits for a worker: messages, fetches and runs
// that are due or whose lease ran out, and portals to prune. Work of an integration whose CRM refuses
// us is left out.
func (d *DB) Due(ctx context.Context) (bells []sparki.Bell, err error) {
	err = d.system(ctx, func(tx pgx.Tx) error {
		bells, err = collect(ctx, tx, pgx.RowToStructByPos[sparki.Bell], `
			select 'inbox:read', portal_id, integration_id from messages where outcome = 'PENDING' and fetch_id is null group by portal_id, integration_id
			union all
			select 'items:fetch', f.portal_id, f.integration_id from fetches f
			where (f.state = 'WAITING' and f.due_at <= now() or f.state = 'RUNNING' and f.lease_until < now())
			group by f.portal_id, f.integration_id
			union all
			select case domain when 'AGENDA' then 'targets:sync' else 'run:continue' end, portal_id, id from sync_runs
			where state in ('QUEUED', 'RUNNING') and due_at <= now() and (lease_until is null or lease_until < now())
			union all
			select 'appointments:push', portal_id, integration_id from write_backs
			where (state in ('QUEUED', 'UNKNOWN', 'SENDING') or look) and due_at <= now() and (lease_until is null or lease_until < now())
				and integration_id is not null
			group by portal_id, integration_id
			union all
			select 'smoke:clean', portal_id, integration_id from smoke_tests where lease_until < now() group by portal_id, integration_id
			union all
			select 'portal:prune', portal_id, portal_id from portals where prune_due_at <= now()`)
		return err
	})
	return bells, err
}

// DueCrawl is an integration whose scheduled crawl has come.
type DueCrawl struct {
	PortalID, IntegrationID uuid.UUID
	Full                    bool
}

// TakeDueCrawls lists the integrations whose scheduled crawls are due and sets their next ones:
// incremental in five minutes, full in a day, each up to a tenth earlier so that offices spread out.
// Of several workers that ask at once, one gets each crawl.
func (d *DB) TakeDueCrawls(ctx context.Context, incremental, full time.Duration) (crawls []DueCrawl, err error) {
	err = d.system(ctx, func(tx pgx.Tx) error {
		crawls, err = collect(ctx, tx, pgx.RowToStructByPos[DueCrawl], `
			update integrations i set
				incremental_due_at = now() + $1::interval * (1 - random() / 10),
				full_due_at = case when due.is_full then now() + $2::interval * (1 - random() / 10) else i.full_due_at end
			from (
				select portal_id, id, full_due_at <= now() as is_full from integrations
				where enabled and listings and connection_state not in ('UNAUTHORIZED', 'REVOKED')
					and (incremental_due_at <= now() or full_due_at <= now())
				for update skip locked
			) due
			where i.portal_id = due.portal_id and i.id = due.id
			returning i.portal_id, i.id, due.is_full`, incremental, full)
		return err
	})
	return crawls, err
}

// TakeDueTargets lists the integrations whose agendas are due to be read again, and sets when they are
// next. One of which a run is under way stays due. Of several workers that ask at once, one gets each.
func (d *DB) TakeDueTargets(ctx context.Context, every time.Duration) (due []DueCrawl, err error) {
	err = d.system(ctx, func(tx pgx.Tx) error {
		due, err = collect(ctx, tx, pgx.RowToStructByPos[DueCrawl], `
			update integrations i set targets_due_at = now() + $1::interval * (1 - random() / 10)
			from (
				select portal_id, id from integrations n
				where enabled and agenda and connection_state not in ('UNAUTHORIZED', 'REVOKED') and targets_due_at <= now()
					and not exists (select from sync_runs r where r.portal_id = n.portal_id and r.integration_id = n.id
						and r.domain = 'AGENDA' and r.state in ('QUEUED', 'RUNNING'))
				for update skip locked
			) due
			where i.portal_id = due.portal_id and i.id = due.id
			returning i.portal_id, i.id, true`, every)
		return err
	})
	return due, err
}

// ScheduleTargets sets when an integration's agendas are read next.
func (tx *Tx) ScheduleTargets(ctx context.Context, integration uuid.UUID, in time.Duration) error {
	_, err := tx.Exec(ctx, `update integrations set targets_due_at = now() + $3::interval where portal_id = $1 and id = $2`, tx.portal, integration, in)
	return err
}

// ScheduleCrawls sets when an integration is crawled next: after a run of everything that was just started.
func (tx *Tx) ScheduleCrawls(ctx context.Context, integration uuid.UUID, incremental, full time.Duration) error {
	_, err := tx.Exec(ctx, `update integrations set incremental_due_at = now() + $3::interval, full_due_at = now() + $4::interval where portal_id = $1 and id = $2`,
		tx.portal, integration, incremental, full)
	return err
}
