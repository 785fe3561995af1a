package db

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
)

// ErrLeaseLost means that another worker took the work over: whatever was about to be written must not be.
var ErrLeaseLost = errors.New("lease lost to another worker")

// Failure is an error, but for the loss of a lease, which happens when all is well.
func Failure(err error) error {
	if errors.Is(err, ErrLeaseLost) {
		return nil
	}
	return err
}

// Hint is the place of a hint in its fetch: the fetch that began at Seq or later covers it.
type Hint struct {
	FetchID uuid.UUID
	Seq     int64
}

// Wanted is an object to be fetched.
type Wanted struct {
	Ref sparki.Ref
	// Cause is what made whoever wants it look.
	Cause sparki.ChangeCause
	// Trace is where whoever wants it is in a trace, see tracing.Place.
	Trace string
}

// HintFetches asks for objects to be fetched: a new row, or one hint more on the row that is there.
// A row that waits for its next try keeps waiting, and has the cause and the trace of its latest hint. The keys of the answer are Ref.Key.
func (tx *Tx) HintFetches(ctx context.Context, integration uuid.UUID, wanted []Wanted) (map[string]Hint, error) {
	var (
		ids              = make([]uuid.UUID, 0, len(wanted))
		types, notes     = make([]string, 0, len(wanted)), make([]string, 0, len(wanted))
		external, traces = make([]string, 0, len(wanted)), make([]string, 0, len(wanted))
		causes           = make([]string, 0, len(wanted))
		seen             = make(map[string]int, len(wanted))
	)
	for _, w := range wanted {
		ref := w.Ref
		if n, twice := seen[ref.Key()]; twice {
			traces[n], causes[n] = w.Trace, string(w.Cause)
			continue
		}
		seen[ref.Key()] = len(ids)
		ids, types, external, notes = append(ids, sparki.NewID()), append(types, ref.Type), append(external, ref.ID), append(notes, ref.Note)
		traces, causes = append(traces, w.Trace), append(causes, string(w.Cause))
	}
	hints := make(map[string]Hint, len(ids))
	_, err := collect(ctx, tx.Tx, func(row pgx.CollectableRow) (none struct{}, err error) {
		var ref sparki.Ref
		var hint Hint
		err = row.Scan(&ref.Type, &ref.ID, &hint.FetchID, &hint.Seq)
		hints[ref.Key()] = hint
		return none, err
	}, `
		insert into fetches as f (portal_id, id, integration_id, source_type, external_id, note, trace, cause, state)
		select $1, t.id, $2, t.source_type, t.external_id, t.note, nullif(t.trace, ''), t.cause, 'WAITING'
		from unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[]) as t(id, source_type, external_id, note, trace, cause)
		order by t.source_type, t.external_id -- one order of locks for everybody
		on conflict (portal_id, integration_id, source_type, external_id) do update set
			seq = f.seq + 1, note = excluded.note, cause = excluded.cause, trace = excluded.trace,
			due_at = case when f.state = 'FAILED' then now() else f.due_at end,
			attempts = case when f.state = 'FAILED' then 0 else f.attempts end,
			state = case when f.state = 'FAILED' then 'WAITING' else f.state end
		returning source_type, external_id, id, seq`,
		tx.portal, integration, ids, types, external, notes, traces, causes)
	return hints, err
}

// Fetch is an object that a worker holds the lease to read.
type Fetch struct {
	ID       uuid.UUID
	Ref      sparki.Ref
	Cause    sparki.ChangeCause
	Attempts int // this one included
	Fence    int64
	// Seq is the latest hint that this read covers.
	Seq int64
	// ReadAt is when the lease was given, by the database's clock.
	ReadAt time.Time
	// Trace is where the latest hint is in its trace, see tracing.Place.
	Trace string
}

// ClaimFetches takes the lease of at most limit objects of an integration that are due, or whose
// worker let its lease run out.
func (d *DB) ClaimFetches(ctx context.Context, portal, integration uuid.UUID, lease time.Duration, limit int) ([]Fetch, error) {
	return query(ctx, d, portal, func(row pgx.CollectableRow) (f Fetch, err error) {
		return f, row.Scan(&f.ID, &f.Ref.Type, &f.Ref.ID, &f.Ref.Note, &f.Cause, &f.Attempts, &f.Fence, &f.Seq, &f.ReadAt, &f.Trace)
	}, `
		with due as materialized ( -- as a subquery it could be run more than once, and the limit be lost
			select id from fetches where portal_id = $1 and integration_id = $2
				and (state = 'WAITING' and due_at <= now() or state = 'RUNNING' and lease_until < now())
			order by due_at limit $4 for update skip locked
		)
		update fetches f set state = 'RUNNING', lease_until = now() + $3::interval, fence = f.fence + 1, attempts = f.attempts + 1, read_seq = f.seq
		from due where f.portal_id = $1 and f.id = due.id
		returning f.id, f.source_type, f.external_id, f.note, f.cause, f.attempts, f.fence, f.read_seq, clock_timestamp(), coalesce(f.trace, '')`,
		portal, integration, lease, limit)
}

// FinishFetch ends a fetch that succeeded and settles the messages it covers. A hint that came
// meanwhile makes it wait again, and due at once: a pause would hold up the last of several quick
// changes, and no flood that names many objects. again tells.
func (tx *Tx) FinishFetch(ctx context.Context, f *Fetch) (again bool, err error) {
	tag, err := tx.Exec(ctx, `delete from fetches where portal_id = $1 and id = $2 and fence = $3 and seq = $4`, tx.portal, f.ID, f.Fence, f.Seq)
	if err == nil && tag.RowsAffected() == 0 {
		again = true
		tag, err = tx.Exec(ctx, `
			update fetches set state = 'WAITING', attempts = 0, due_at = now(), lease_until = null, error = null
			where portal_id = $1 and id = $2 and fence = $3`, tx.portal, f.ID, f.Fence)
	}
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrLeaseLost
	}
	if err != nil {
		return false, err
	}
	if err := tx.countAttempt(ctx, f.ID); err != nil {
		return false, err
	}
	return again, tx.settleMessages(ctx, f.ID, f.Seq, sparki.OutcomeProcessed, "")
}

// RetryFetch gives a fetch back that did not succeed: it is due again after the delay.
func (tx *Tx) RetryFetch(ctx context.Context, f *Fetch, delay time.Duration, problem string) error {
	if err := tx.countAttempt(ctx, f.ID); err != nil {
		return err
	}
	return tx.giveBack(ctx, f, `state = 'WAITING', due_at = now() + $4::interval, error = $5`, delay, problem)
}

// ParkFetch gives a fetch back unused: it waits, without having spent a try, until the settings are
// saved or the delay has passed.
func (tx *Tx) ParkFetch(ctx context.Context, f *Fetch, delay time.Duration, problem string) error {
	return tx.giveBack(ctx, f, `state = 'WAITING', attempts = attempts - 1, due_at = now() + $4::interval, error = $5`, delay, problem)
}

// FailFetch ends a fetch that will not succeed. The row stays, with its error, until the next hint.
func (tx *Tx) FailFetch(ctx context.Context, f *Fetch, problem string) error {
	if err := tx.countAttempt(ctx, f.ID); err != nil {
		return err
	}
	if err := tx.giveBack(ctx, f, `state = 'FAILED', due_at = now() + $4::interval, error = $5`, time.Duration(0), problem); err != nil {
		return err
	}
	return tx.settleMessages(ctx, f.ID, f.Seq, sparki.OutcomeFailed, problem)
}

func (tx *Tx) giveBack(ctx context.Context, f *Fetch, set string, delay time.Duration, problem string) error {
	tag, err := tx.Exec(ctx, `update fetches set lease_until = null, `+set+` where portal_id = $1 and id = $2 and fence = $3`,
		tx.portal, f.ID, f.Fence, delay, problem)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrLeaseLost
	}
	return err
}

// DropFetches forgets the fetches of an integration that reads no listings any more; what they would
// have settled is IGNORED.
func (tx *Tx) DropFetches(ctx context.Context, integration uuid.UUID, reason string) error {
	gone, err := collect(ctx, tx.Tx, pgx.RowTo[uuid.UUID],
		`delete from fetches where portal_id = $1 and integration_id = $2 returning id`, tx.portal, integration)
	if err != nil || len(gone) == 0 {
		return err
	}
	deliveries, err := collect(ctx, tx.Tx, pgx.RowTo[uuid.UUID], `
		update messages set outcome = 'IGNORED', reason = $3 where portal_id = $1 and fetch_id = any($2) and outcome = 'PENDING'
		returning delivery_id`, tx.portal, gone, reason)
	if err != nil || len(deliveries) == 0 {
		return err
	}
	return tx.settleDeliveries(ctx, deliveries)
}

// PauseFetches lets everything that waits for an integration wait at least this long, as its CRM asked or
// because that is left alone.
func (tx *Tx) PauseFetches(ctx context.Context, integration uuid.UUID, wait time.Duration) error {
	_, err := tx.Exec(ctx, `
		update fetches set due_at = now() + $3::interval where portal_id = $1 and integration_id = $2 and state = 'WAITING' and due_at < now() + $3::interval`,
		tx.portal, integration, wait)
	return err
}
