package db

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Backlog is what waits of one kind of work, of all portals.
type Backlog struct {
	// Work is "messages", "fetches", "runs", "write_backs" or "media".
	Work string
	// Waiting counts the rows that are not done, Stuck those that nothing more is tried for until a person,
	// or the CRM, says something: out of tries, or to be approved.
	Waiting, Stuck int64
	// Lag is for how long the oldest row has been due that no worker is at; 0 without one.
	Lag time.Duration
}

// Backlogs counts what waits for workers. It cannot see what it is about.
func (d *DB) Backlogs(ctx context.Context) (backlogs []Backlog, err error) {
	err = d.system(ctx, func(tx pgx.Tx) error {
		backlogs, err = collect(ctx, tx, pgx.RowToStructByPos[Backlog], `
			select 'messages', count(*), 0::bigint, coalesce(now() - min(d.received_at), '0')
			from messages m join deliveries d on d.portal_id = m.portal_id and d.id = m.delivery_id
			where m.outcome = 'PENDING' and m.fetch_id is null
			union all
			select 'fetches', count(*) filter (where state <> 'FAILED'), count(*) filter (where state = 'FAILED'),
				coalesce(max(case when state = 'WAITING' then now() - due_at when state = 'RUNNING' then now() - lease_until end), '0')
			from fetches
			union all
			select 'runs', count(*), (select count(*) from sync_runs where state = 'NEEDS_APPROVAL'),
				coalesce(max(now() - greatest(due_at, lease_until)), '0')
			from sync_runs where state in ('QUEUED', 'RUNNING')
			union all
			select 'write_backs', count(*), (select count(*) from write_backs where state = 'FAILED'),
				coalesce(max(now() - greatest(due_at, lease_until)), '0')
			from write_backs where (state in ('QUEUED', 'UNKNOWN', 'SENDING') or look) and integration_id is not null
			union all
			select 'media', count(*), (select count(*) from project_media where copy_due_at is null and blob_id is null),
				coalesce(max(now() - copy_due_at), '0')
			from project_media where copy_due_at is not null`)
		return err
	})
	for n := range backlogs {
		backlogs[n].Lag = max(backlogs[n].Lag, 0)
	}
	return backlogs, err
}

// Conns are this process's connections to the database: in use, idle, and how many there may be.
func (d *DB) Conns() (acquired, idle, most int32) {
	s := d.pool.Stat()
	return s.AcquiredConns(), s.IdleConns(), s.MaxConns()
}
