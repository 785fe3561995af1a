package db

import (
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
)

// Tell adds an activity to the transaction. It is written, numbered, as the transaction's last act.
func (tx *Tx) Tell(a sparki.Activity) { tx.activities = append(tx.activities, a) }

// Told says whether the transaction has activities to announce.
func (tx *Tx) Told() bool { return len(tx.activities) > 0 }

func (tx *Tx) writeActivities(ctx context.Context) error {
	n := len(tx.activities)
	if n == 0 {
		return nil
	}
	var (
		ids, integrations, subjects = make([]uuid.UUID, n), make([]*uuid.UUID, n), make([]*uuid.UUID, n)
		types, actors, kinds        = make([]string, n), make([]string, n), make([]string, n)
		params                      = make([]map[string]string, n)
	)
	for i := range tx.activities {
		a := &tx.activities[i]
		ids[i], integrations[i], types[i], actors[i], params[i] = sparki.NewID(), a.IntegrationID, string(a.Type), a.Actor, a.Params
		if params[i] == nil {
			params[i] = map[string]string{}
		}
		if kinds[i] = string(a.SubjectKind); kinds[i] != "" {
			subjects[i] = &a.SubjectID
		}
	}
	_, err := tx.Exec(ctx, `
		with head as (update activity_heads set last = last + $2 where portal_id = $1 returning last)
		insert into activities (portal_id, seq, id, at, type, params, actor, integration_id, subject_kind, subject_id)
		select $1, head.last - $2 + t.n, t.id, clock_timestamp(), t.type, t.params, t.actor, t.integration_id, t.kind, t.subject
		from head, unnest($3::uuid[], $4::text[], $5::jsonb[], $6::text[], $7::uuid[], $8::text[], $9::uuid[])
			with ordinality as t(id, type, params, actor, integration_id, kind, subject, n)`,
		tx.portal, n, ids, types, params, actors, integrations, kinds, subjects)
	return err
}

const activityColumns = `id, portal_id, seq, at, type, params, actor, integration_id, subject_kind, subject_id`

func scanActivity(row pgx.CollectableRow) (*sparki.Activity, error) {
	a, subject := &sparki.Activity{}, (*uuid.UUID)(nil)
	err := row.Scan(&a.ID, &a.PortalID, &a.Seq, &a.At, &a.Type, &a.Params, &a.Actor, &a.IntegrationID, &a.SubjectKind, &subject)
	if subject != nil {
		a.SubjectID = *subject
	}
	return a, err
}

// Activity reads one activity.
func (d *DB) Activity(ctx context.Context, portal, id uuid.UUID) (*sparki.Activity, error) {
	return one(ctx, d, portal, scanActivity, `select `+activityColumns+` from activities where portal_id = $1 and id = $2`, portal, id)
}

// ActivityHead is the number of a portal's latest activity; 0 before the first.
func (d *DB) ActivityHead(ctx context.Context, portal uuid.UUID) (int64, error) {
	return one(ctx, d, portal, pgx.RowTo[int64], `select last from activity_heads where portal_id = $1`, portal)
}

// ActivitiesAfter reads at most limit activities that follow seq, oldest first.
func (d *DB) ActivitiesAfter(ctx context.Context, portal uuid.UUID, seq int64, limit int) ([]*sparki.Activity, error) {
	return query(ctx, d, portal, scanActivity,
		`select `+activityColumns+` from activities where portal_id = $1 and seq > $2 order by seq limit $3`, portal, seq, limit)
}

// Activities lists activities, newest first.
func (d *DB) Activities(ctx context.Context, portal uuid.UUID, f sparki.ActivityFilter, page sparki.PageArgs) (*sparki.Page[*sparki.Activity], error) {
	if err := page.Check(); err != nil {
		return nil, err
	}
	where := newConditions(portal)
	addEqual(where, "integration_id", f.IntegrationID)
	addEqual(where, "subject_id", f.SubjectID)
	if f.Types != nil {
		where.add("type = any(?)", f.Types)
	}
	count, countArgs := `select count(*) from activities where portal_id = $1`+where.sql.String(), where.args
	if page.After != "" {
		seq, err := ParseActivityCursor(page.After)
		if err != nil {
			return nil, err
		}
		where.add("seq < ?", seq)
	}
	where.add("true order by seq desc limit ?", page.First+1)
	nodes, err := query(ctx, d, portal, scanActivity, `select `+activityColumns+` from activities where portal_id = $1`+where.sql.String(), where.args...)
	if err != nil {
		return nil, err
	}
	out := &sparki.Page[*sparki.Activity]{Nodes: nodes, HasPrevious: page.After != "", Cursor: ActivityCursor}
	if len(nodes) > page.First {
		out.Nodes, out.HasNext = nodes[:page.First], true
	}
	out.Count = func(ctx context.Context) (int, error) {
		return one(ctx, d, portal, pgx.RowTo[int], count, countArgs...)
	}
	return out, nil
}

// ActivityCursor is an activity's place in the portal's log.
func ActivityCursor(a *sparki.Activity) string { return "a" + strconv.FormatInt(a.Seq, 36) }

// ParseActivityCursor reads what ActivityCursor wrote.
func ParseActivityCursor(cursor string) (int64, error) {
	if len(cursor) > 1 && cursor[0] == 'a' {
		if seq, err := strconv.ParseInt(cursor[1:], 36, 64); err == nil && seq >= 0 {
			return seq, nil
		}
	}
	return 0, sparki.Errorf(sparki.Invalid, "after: this is no cursor of an activity")
}

// Now is the database's clock: leases, due times and reads are compared by no other.
func (d *DB) Now(ctx context.Context) (now time.Time, err error) {
	return now, classify(d.pool.QueryRow(ctx, `select clock_timestamp()`).Scan(&now))
}
