package db

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sparki.app/integrations"
	"sparki.app/integrations/tracing"
)

const runColumns = `id, integration_id, domain, trigger, state, is_full, approved, since, cursor, total,
	processed, created, updated, unchanged, deactivated, failed, started_at, finished_at, error`

func scanRun(row pgx.CollectableRow) (*sparki.SyncRun, error) { return scanRunAnd(row) }

func scanRunAnd(row pgx.CollectableRow, more ...any) (*sparki.SyncRun, error) {
	r := &sparki.SyncRun{}
	return r, row.Scan(append([]any{&r.ID, &r.IntegrationID, &r.Domain, &r.Trigger, &r.State, &r.Full, &r.Approved, &r.Since, &r.Cursor, &r.Total,
		&r.Processed, &r.Created, &r.Updated, &r.Unchanged, &r.Deactivated, &r.Failed, &r.StartedAt, &r.FinishedAt, &r.Error}, more...)...)
}

// StartRun queues a run. started is false when one of the domain is under way already: that one is
// given back. An incremental run reads from the latest watermark, and everything when there is none. The
// context's trace goes on with the run.
func (tx *Tx) StartRun(ctx context.Context, integration uuid.UUID, domain sparki.SyncDomain, trigger sparki.SyncTrigger, full bool) (run *sparki.SyncRun, started bool, err error) {
	run, err = collectOne(ctx, tx.Tx, scanRun, `
		insert into sync_runs (portal_id, id, integration_id, domain, trigger, state, trace, is_full, since)
		select $1, $3, $2, $4, $5, 'QUEUED', nullif($7, ''), $6 or watermark is null, case when not $6 then watermark - interval '2 minutes' end
		from integrations where portal_id = $1 and id = $2
		on conflict (portal_id, integration_id, domain) where state in ('QUEUED', 'RUNNING') do nothing
		returning `+runColumns, tx.portal, integration, sparki.NewID(), domain, trigger, full, tracing.Place(ctx))
	if err == nil {
		return run, true, nil
	}
	if sparki.KindOf(err) != sparki.NotFound {
		return nil, false, err
	}
	run, err = collectOne(ctx, tx.Tx, scanRun, `select `+runColumns+` from sync_runs
		where portal_id = $1 and integration_id = $2 and domain = $3 and state in ('QUEUED', 'RUNNING')`, tx.portal, integration, domain)
	return run, false, err
}

// RunLease is a run that a worker may go on with.
type RunLease struct {
	Run      *sparki.SyncRun
	Page     int // pages done
	Attempts int // of the page under way, this one included
	Fence    int64
	Newest   *time.Time
	Trace    string // of whoever started or approved it, see tracing.Place
}

// ClaimRun takes the lease of a run that is due, or whose worker let its lease run out; nil when
// there is nothing to do.
func (d *DB) ClaimRun(ctx context.Context, portal, id uuid.UUID, lease time.Duration) (*RunLease, error) {
	leases, err := query(ctx, d, portal, func(row pgx.CollectableRow) (l *RunLease, err error) {
		l = &RunLease{}
		l.Run, err = scanRunAnd(row, &l.Page, &l.Attempts, &l.Fence, &l.Newest, &l.Trace)
		return l, err
	}, `
		update sync_runs set state = 'RUNNING', lease_until = now() + $3::interval, fence = fence + 1, attempts = attempts + 1, started_at = coalesce(started_at, now())
		where portal_id = $1 and id = $2 and state in ('QUEUED', 'RUNNING') and due_at <= now() and (lease_until is null or lease_until < now())
		returning `+runColumns+`, page, attempts, fence, newest, coalesce(trace, '')`, portal, id, lease)
	return first(leases), err
}

// SavePage stores a page's progress and place, and prolongs the lease. keys are the objects that the
// page named.
func (tx *Tx) SavePage(ctx context.Context, l *RunLease, next string, total int, counts sparki.SyncRunCounts, newest *time.Time, keys []string, lease time.Duration) error {
	tag, err := tx.Exec(ctx, `
		update sync_runs set cursor = $4, page = page + 1, total = coalesce($5, total), attempts = 1, error = null, lease_until = now() + $6::interval,
			processed = processed + $7, created = created + $8, updated = updated + $9, unchanged = unchanged + $10,
			deactivated = deactivated + $11, failed = failed + $12, newest = greatest(newest, $13)
		where portal_id = $1 and id = $2 and fence = $3 and state = 'RUNNING'`,
		tx.portal, l.Run.ID, l.Fence, next, pgtypeInt(total), lease,
		counts.Processed, counts.Created, counts.Updated, counts.Unchanged, counts.Deactivated, counts.Failed, newest)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return ErrLeaseLost
	}
	if !l.Run.Full {
		return nil
	}
	_, err = tx.Exec(ctx, `insert into sync_run_pages (portal_id, run_id, page, keys) values ($1, $2, $3, $4)`, tx.portal, l.Run.ID, l.Page, keys)
	return err
}

// pgtypeInt is nil for a total that is not known.
func pgtypeInt(total int) *int {
	if total < 0 {
		return nil
	}
	return &total
}

// RetryRun gives a run back: its page is read again after the delay.
func (tx *Tx) RetryRun(ctx context.Context, l *RunLease, delay time.Duration, problem string) error {
	return tx.endLease(ctx, l, `lease_until = null, due_at = now() + $4::interval, error = $5`, delay, problem)
}

// ParkRun gives a run back unused: its page is read again after the delay, without having spent a try.
func (tx *Tx) ParkRun(ctx context.Context, l *RunLease, delay time.Duration, problem string) error {
	return tx.endLease(ctx, l, `lease_until = null, attempts = greatest(attempts - 1, 0), due_at = now() + $4::interval, error = $5`, delay, problem)
}

// FinishRun ends a run in a final state, or in NEEDS_APPROVAL; problem is nil when it succeeded. A
// run that succeeded moves the integration's watermark to the newest object that it saw.
func (tx *Tx) FinishRun(ctx context.Context, l *RunLease, state sparki.SyncRunState, problem *string) error {
	if err := tx.endLease(ctx, l, `state = $4, error = $5, finished_at = now()`, state, problem); err != nil {
		return err
	}
	if state != sparki.RunSucceeded && state != sparki.RunNeedsApproval {
		return nil
	}
	_, err := tx.Exec(ctx, `
		update integrations i set watermark = greatest(i.watermark, r.newest) from sync_runs r
		where r.portal_id = $1 and r.id = $2 and i.portal_id = r.portal_id and i.id = r.integration_id`, tx.portal, l.Run.ID)
	if err != nil || state == sparki.RunNeedsApproval {
		return err
	}
	return tx.forgetPages(ctx, l.Run.ID)
}

func (tx *Tx) endLease(ctx context.Context, l *RunLease, set string, args ...any) error {
	tag, err := tx.Exec(ctx, `update sync_runs set `+set+` where portal_id = $1 and id = $2 and fence = $3 and state = 'RUNNING'`,
		append([]any{tx.portal, l.Run.ID, l.Fence}, args...)...)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrLeaseLost
	}
	return err
}

// forgetPages drops what a run has seen, once nobody will ask for it.
func (tx *Tx) forgetPages(ctx context.Context, run uuid.UUID) error {
	_, err := tx.Exec(ctx, `delete from sync_run_pages where portal_id = $1 and run_id = $2`, tx.portal, run)
	return err
}

// EndRun moves a run that is in one of the states to a final one, whoever holds its lease; Conflict
// when it is in another.
func (tx *Tx) EndRun(ctx context.Context, id uuid.UUID, from []sparki.SyncRunState, to sparki.SyncRunState, problem *string) (*sparki.SyncRun, error) {
	run, err := collectOne(ctx, tx.Tx, scanRun, `
		update sync_runs set state = $4, finished_at = coalesce(finished_at, now()), error = coalesce($5, error), lease_until = null
		where portal_id = $1 and id = $2 and state = any($3) returning `+runColumns, tx.portal, id, from, to, problem)
	if sparki.KindOf(err) == sparki.NotFound {
		return nil, sparki.Errorf(sparki.Conflict, "the run is not in a state that allows this")
	}
	if err != nil {
		return nil, err
	}
	return run, tx.forgetPages(ctx, id)
}

// ApproveRun lets a run in NEEDS_APPROVAL go on where it stopped, with what it misses; NotFound when it
// is in another state, Conflict while another run of its domain is under way.
func (tx *Tx) ApproveRun(ctx context.Context, id uuid.UUID) (*sparki.SyncRun, error) {
	run, err := collectOne(ctx, tx.Tx, scanRun, `
		update sync_runs set state = 'QUEUED', approved = true, attempts = 0, due_at = now(), lease_until = null, finished_at = null, trace = nullif($3, '')
		where portal_id = $1 and id = $2 and state = 'NEEDS_APPROVAL' returning `+runColumns, tx.portal, id, tracing.Place(ctx))
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == uniqueViolation {
		return nil, sparki.Errorf(sparki.Conflict, "a sync is under way already")
	}
	return run, err
}

// uniqueViolation is Postgres's code for a second row with the same key.
const uniqueViolation = "23505"

// ReplaceRuns stops the runs in NEEDS_APPROVAL of an integration but this one, which has looked anew.
func (tx *Tx) ReplaceRuns(ctx context.Context, by *sparki.SyncRun) ([]*sparki.SyncRun, error) {
	return collect(ctx, tx.Tx, scanRun, `
		with pages as (delete from sync_run_pages p using sync_runs r where p.portal_id = $1 and r.portal_id = $1 and r.id = p.run_id
			and r.integration_id = $2 and r.domain = $3 and r.id <> $4 and r.state = 'NEEDS_APPROVAL')
		update sync_runs set state = 'CANCELLED' where portal_id = $1 and integration_id = $2 and domain = $3 and id <> $4 and state = 'NEEDS_APPROVAL'
		returning `+runColumns, tx.portal, by.IntegrationID, by.Domain, by.ID)
}

// CancelRuns stops the runs of an integration that are under way.
func (tx *Tx) CancelRuns(ctx context.Context, integration uuid.UUID) ([]*sparki.SyncRun, error) {
	return collect(ctx, tx.Tx, scanRun, `
		update sync_runs set state = 'CANCELLED', finished_at = now(), lease_until = null
		where portal_id = $1 and integration_id = $2 and state in ('QUEUED', 'RUNNING') returning `+runColumns, tx.portal, integration)
}

// notSeen are the active items that a full run, $3, did not see and that nobody has read since it began, $4.
const notSeen = `i.portal_id = $1 and i.integration_id = $2 and i.state = 'ACTIVE' and i.read_at < $4
	and i.source_type || '/' || i.external_id not in (select unnest(keys) from sync_run_pages where portal_id = $1 and run_id = $3)`

// Missing lists the active items that a full run did not see, and counts the active ones.
func (tx *Tx) Missing(ctx context.Context, run *sparki.SyncRun) (missing []sparki.Ref, active int, err error) {
	missing, err = collect(ctx, tx.Tx, func(row pgx.CollectableRow) (r sparki.Ref, err error) {
		return r, row.Scan(&r.Type, &r.ID)
	}, `select i.source_type, i.external_id from items i where `+notSeen+` order by i.id`, tx.portal, run.IntegrationID, run.ID, run.StartedAt)
	if err != nil {
		return nil, 0, err
	}
	active, err = collectOne(ctx, tx.Tx, pgx.RowTo[int],
		`select count(*) from items where portal_id = $1 and integration_id = $2 and state = 'ACTIVE'`, tx.portal, run.IntegrationID)
	return missing, active, err
}

// MissingItems lists the items that a run in NEEDS_APPROVAL would deactivate.
func (d *DB) MissingItems(ctx context.Context, portal uuid.UUID, run *sparki.SyncRun) ([]*sparki.Item, error) {
	return query(ctx, d, portal, scanItemCard, `select `+selectItem+fromItems+` and `+notSeen+` order by i.id`, portal, run.IntegrationID, run.ID, run.StartedAt)
}

// Run reads one run.
func (d *DB) Run(ctx context.Context, portal, id uuid.UUID) (*sparki.SyncRun, error) {
	return one(ctx, d, portal, scanRun, `select `+runColumns+` from sync_runs where portal_id = $1 and id = $2`, portal, id)
}

// Runs lists an integration's runs, newest first.
func (d *DB) Runs(ctx context.Context, portal, integration uuid.UUID, page sparki.PageArgs) (*sparki.Page[*sparki.SyncRun], error) {
	where := newConditions(portal)
	where.add("integration_id = ?", integration)
	return list(ctx, d, portal, listQuery[*sparki.SyncRun]{
		columns: runColumns, from: ` from sync_runs where portal_id = $1`, id: "id", scan: scanRun, where: where,
		sort: sortColumn[*sparki.SyncRun]{"id", "uuid", false, func(r *sparki.SyncRun) *string { s := r.ID.String(); return &s }}, desc: true,
		nodeID: func(r *sparki.SyncRun) uuid.UUID { return r.ID },
	}, page)
}

// RunSummary reads what the status chip needs: the runs under way, and how the latest ones ended.
func (d *DB) RunSummary(ctx context.Context, portal, integration uuid.UUID) (active []*sparki.SyncRun, succeeded *time.Time, failure *sparki.SyncFailure, err error) {
	batch := &pgx.Batch{}
	batch.Queue(setPortal, portal.String())
	batch.Queue(`select `+runColumns+` from sync_runs where portal_id = $1 and integration_id = $2 and state in ('QUEUED', 'RUNNING') order by id`,
		portal, integration).Query(func(rows pgx.Rows) (err error) {
		active, err = pgx.CollectRows(rows, scanRun)
		return err
	})
	batch.Queue(`select max(finished_at) from sync_runs where portal_id = $1 and integration_id = $2 and state = 'SUCCEEDED'`,
		portal, integration).QueryRow(func(row pgx.Row) error { return row.Scan(&succeeded) })
	batch.Queue(`
		select finished_at, coalesce(error, '') from sync_runs where portal_id = $1 and integration_id = $2 and state = 'FAILED' order by id desc limit 1`,
		portal, integration).Query(func(rows pgx.Rows) error {
		failures, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByPos[sparki.SyncFailure])
		failure = first(failures)
		return err
	})
	err = classify(d.pool.SendBatch(ctx, batch).Close())
	return active, succeeded, failure, err
}

// HasSucceeded says whether a run of this domain ever succeeded.
func (d *DB) HasSucceeded(ctx context.Context, portal, integration uuid.UUID, domain sparki.SyncDomain) (bool, error) {
	return one(ctx, d, portal, pgx.RowTo[bool], `
		select exists (select from sync_runs where portal_id = $1 and integration_id = $2 and domain = $3 and state = 'SUCCEEDED')`, portal, integration, domain)
}

// RunsByID reads these runs. Ids without a run are left out.
func (d *DB) RunsByID(ctx context.Context, portal uuid.UUID, ids []uuid.UUID) ([]*sparki.SyncRun, error) {
	return query(ctx, d, portal, scanRun, `select `+runColumns+` from sync_runs where portal_id = $1 and id = any($2)`, portal, ids)
}
