package db

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
)

const scheduleColumns = `id, name, parent_id, project_id, created_at`

// Schedules lists a portal's schedules: parents by name, each followed by its separated ones.
func (d *DB) Schedules(ctx context.Context, portal uuid.UUID) ([]*sparki.Schedule, error) {
	return query(ctx, d, portal, pgx.RowToAddrOfStructByPos[sparki.Schedule], `
		select s.id, s.name, s.parent_id, s.project_id, s.created_at from schedules s
		left join schedules p on p.portal_id = s.portal_id and p.id = s.parent_id
		where s.portal_id = $1 order by coalesce(p.name, s.name), coalesce(p.id, s.id), s.parent_id is not null, s.name, s.id`, portal)
}

// SchedulesByID reads these schedules. Ids without a schedule are left out.
func (d *DB) SchedulesByID(ctx context.Context, portal uuid.UUID, ids []uuid.UUID) ([]*sparki.Schedule, error) {
	return query(ctx, d, portal, pgx.RowToAddrOfStructByPos[sparki.Schedule],
		`select `+scheduleColumns+` from schedules where portal_id = $1 and id = any($2)`, portal, ids)
}

// InsertSchedule adds a schedule.
func (tx *Tx) InsertSchedule(ctx context.Context, s *sparki.Schedule) error {
	_, err := tx.Exec(ctx, `insert into schedules (portal_id, id, name, parent_id, project_id) values ($1, $2, $3, $4, $5)`,
		tx.portal, s.ID, s.Name, s.ParentID, s.ProjectID)
	return err
}

// Schedule reads one schedule inside the transaction.
func (tx *Tx) Schedule(ctx context.Context, id uuid.UUID) (*sparki.Schedule, error) {
	return collectOne(ctx, tx.Tx, pgx.RowToAddrOfStructByPos[sparki.Schedule],
		`select `+scheduleColumns+` from schedules where portal_id = $1 and id = $2`, tx.portal, id)
}

// LockSchedule reads a schedule and keeps others from linking it, and from changing what it holds,
// until the transaction ends.
func (tx *Tx) LockSchedule(ctx context.Context, id uuid.UUID) (*sparki.Schedule, error) {
	return collectOne(ctx, tx.Tx, pgx.RowToAddrOfStructByPos[sparki.Schedule],
		`select `+scheduleColumns+` from schedules where portal_id = $1 and id = $2 for no key update`, tx.portal, id)
}

// ShareSchedules keeps others from linking these schedules' parents until the transaction ends.
func (tx *Tx) ShareSchedules(ctx context.Context, ids ...uuid.UUID) error {
	_, err := tx.Exec(ctx, `
		select from schedules where portal_id = $1
			and id in (select coalesce(parent_id, id) from schedules where portal_id = $1 and id = any($2)) order by id for share`, tx.portal, ids)
	return err
}

const targetColumns = `id, integration_id, external_id, name, kind, afdeling_code, medewerker_id, available`

// AgendaTargets lists an integration's agenda targets: what can be linked first, people before offices, by name.
func (d *DB) AgendaTargets(ctx context.Context, portal, integration uuid.UUID) ([]*sparki.AgendaTarget, error) {
	return query(ctx, d, portal, pgx.RowToAddrOfStructByPos[sparki.AgendaTarget], `select `+targetColumns+` from agenda_targets
		where portal_id = $1 and integration_id = $2 order by not available, kind desc, name, id`, portal, integration)
}

// AgendaTargetsByID reads these agenda targets. Ids without a target are left out.
func (d *DB) AgendaTargetsByID(ctx context.Context, portal uuid.UUID, ids []uuid.UUID) ([]*sparki.AgendaTarget, error) {
	return query(ctx, d, portal, pgx.RowToAddrOfStructByPos[sparki.AgendaTarget],
		`select `+targetColumns+` from agenda_targets where portal_id = $1 and id = any($2)`, portal, ids)
}

// AgendaTarget reads one agenda target inside the transaction.
func (tx *Tx) AgendaTarget(ctx context.Context, id uuid.UUID) (*sparki.AgendaTarget, error) {
	return collectOne(ctx, tx.Tx, pgx.RowToAddrOfStructByPos[sparki.AgendaTarget],
		`select `+targetColumns+` from agenda_targets where portal_id = $1 and id = $2`, tx.portal, id)
}

// UpsertTargets makes an integration's agenda targets the given ones. Those that are missing are not
// available any more.
func (tx *Tx) UpsertTargets(ctx context.Context, integration uuid.UUID, targets []sparki.AgendaTarget) (counts sparki.SyncRunCounts, err error) {
	n := len(targets)
	ids, external, names, kinds := make([]uuid.UUID, n), make([]string, n), make([]string, n), make([]string, n)
	afdelingen, medewerkers, available := make([]*string, n), make([]*string, n), make([]bool, n)
	for i, t := range targets {
		ids[i], external[i], names[i], kinds[i] = sparki.NewID(), t.ExternalID, clean(t.Name), string(t.Kind)
		afdelingen[i], medewerkers[i], available[i] = t.AfdelingCode, t.MedewerkerID, t.Available
	}
	created, err := collect(ctx, tx.Tx, pgx.RowTo[bool], `
		insert into agenda_targets as a (portal_id, id, integration_id, external_id, name, kind, afdeling_code, medewerker_id, available)
		select distinct on (t.external_id) $1, t.id, $2, t.external_id, t.name, t.kind, t.afdeling, t.medewerker, t.available
		from unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::boolean[])
			as t(id, external_id, name, kind, afdeling, medewerker, available)
		order by t.external_id
		on conflict (portal_id, integration_id, external_id) do update set name = excluded.name, kind = excluded.kind,
			afdeling_code = excluded.afdeling_code, medewerker_id = excluded.medewerker_id, available = excluded.available
		where (a.name, a.kind, a.afdeling_code, a.medewerker_id, a.available)
			is distinct from (excluded.name, excluded.kind, excluded.afdeling_code, excluded.medewerker_id, excluded.available)
		returning xmax = 0`, tx.portal, integration, ids, external, names, kinds, afdelingen, medewerkers, available)
	if err != nil {
		return counts, err
	}
	counts.Processed = n
	for _, isNew := range created {
		if isNew {
			counts.Created++
		} else {
			counts.Updated++
		}
	}
	tag, err := tx.Exec(ctx, `
		update agenda_targets set available = false
		where portal_id = $1 and integration_id = $2 and available and external_id <> all($3)`, tx.portal, integration, external)
	counts.Unchanged, counts.Deactivated = n-counts.Created-counts.Updated, int(tag.RowsAffected())
	return counts, err
}

const linkColumns = `id, integration_id, schedule_id, target_id, afdeling_code, medewerker_id, created_at`

// ScheduleLinks lists a portal's links, or those of one integration, oldest first.
func (d *DB) ScheduleLinks(ctx context.Context, portal uuid.UUID, integration *uuid.UUID) ([]*sparki.ScheduleLink, error) {
	return query(ctx, d, portal, pgx.RowToAddrOfStructByPos[sparki.ScheduleLink],
		`select `+linkColumns+` from schedule_links where portal_id = $1 and ($2::uuid is null or integration_id = $2) order by id`, portal, integration)
}

// LinksOfSchedules reads the links of these schedules; one without is left out.
func (d *DB) LinksOfSchedules(ctx context.Context, portal uuid.UUID, schedules []uuid.UUID) ([]*sparki.ScheduleLink, error) {
	return query(ctx, d, portal, pgx.RowToAddrOfStructByPos[sparki.ScheduleLink],
		`select `+linkColumns+` from schedule_links where portal_id = $1 and schedule_id = any($2)`, portal, schedules)
}

// ScheduleLink reads one link.
func (d *DB) ScheduleLink(ctx context.Context, portal, id uuid.UUID) (*sparki.ScheduleLink, error) {
	return one(ctx, d, portal, pgx.RowToAddrOfStructByPos[sparki.ScheduleLink],
		`select `+linkColumns+` from schedule_links where portal_id = $1 and id = $2`, portal, id)
}

// LinkOfSchedule reads a schedule's link inside the transaction; NotFound when it has none.
func (tx *Tx) LinkOfSchedule(ctx context.Context, schedule uuid.UUID) (*sparki.ScheduleLink, error) {
	return collectOne(ctx, tx.Tx, pgx.RowToAddrOfStructByPos[sparki.ScheduleLink],
		`select `+linkColumns+` from schedule_links where portal_id = $1 and schedule_id = $2`, tx.portal, schedule)
}

// ScheduleOfTarget finds the oldest schedule that is linked with this agenda; NotFound when none is.
func (tx *Tx) ScheduleOfTarget(ctx context.Context, integration uuid.UUID, externalID string) (uuid.UUID, error) {
	return collectOne(ctx, tx.Tx, pgx.RowTo[uuid.UUID], `
		select l.schedule_id from schedule_links l join agenda_targets t on t.portal_id = l.portal_id and t.id = l.target_id
		where l.portal_id = $1 and l.integration_id = $2 and t.external_id = $3 order by l.id limit 1`, tx.portal, integration, externalID)
}

// PutLink links a schedule, instead of what it was linked with before: it stays one link, with its id.
func (tx *Tx) PutLink(ctx context.Context, l *sparki.ScheduleLink) error {
	return tx.QueryRow(ctx, `
		insert into schedule_links (portal_id, id, integration_id, schedule_id, target_id, afdeling_code, medewerker_id)
		values ($1, $2, $3, $4, $5, $6, $7)
		on conflict (portal_id, schedule_id) do update set integration_id = excluded.integration_id, target_id = excluded.target_id,
			afdeling_code = excluded.afdeling_code, medewerker_id = excluded.medewerker_id, created_at = excluded.created_at
		returning id`, tx.portal, l.ID, l.IntegrationID, l.ScheduleID, l.TargetID, l.AfdelingCode, l.MedewerkerID).Scan(&l.ID)
}

// DropLink ends a schedule's link.
func (tx *Tx) DropLink(ctx context.Context, schedule uuid.UUID) error {
	_, err := tx.Exec(ctx, `delete from schedule_links where portal_id = $1 and schedule_id = $2`, tx.portal, schedule)
	return err
}

// AgendaSummary is what the troubleshooting page says about an integration's agenda.
type AgendaSummary struct {
	Targets int  // that can be linked
	Links   int  // of schedules
	Read    bool // its targets were read once
	Waiting int  // write-backs on their way
	Failed  int
	Unsure  int // with a lost answer
	Drifted int
}

// AgendaSummary counts what belongs to an integration's agenda.
func (d *DB) AgendaSummary(ctx context.Context, portal, integration uuid.UUID) (AgendaSummary, error) {
	return one(ctx, d, portal, pgx.RowToStructByPos[AgendaSummary], `
		select (select count(*) from agenda_targets where portal_id = $1 and integration_id = $2 and available),
			(select count(*) from schedule_links where portal_id = $1 and integration_id = $2),
			exists (select from sync_runs where portal_id = $1 and integration_id = $2 and domain = 'AGENDA' and state = 'SUCCEEDED'),
			count(*) filter (where state in ('QUEUED', 'SENDING')), count(*) filter (where state = 'FAILED'),
			count(*) filter (where state = 'UNKNOWN'), count(*) filter (where drift <> 'IN_SYNC')
		from write_backs where portal_id = $1 and integration_id = $2`, portal, integration)
}
