package db

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
	"sparki.app/integrations/tracing"
)

// Situation is all that decides about one appointment's write-back, read at one moment.
type Situation struct {
	*sparki.Appointment
	// TimeZone is the portal's.
	TimeZone string
	// RootID is the parent schedule, or the appointment's own when that is one.
	RootID   uuid.UUID
	RootName string
	// Link and Target are nil while the parent schedule is not linked.
	Link   *sparki.ScheduleLink
	Target *sparki.AgendaTarget
	// ProjectTitle and ProjectAddress are nil without a project.
	ProjectTitle, ProjectAddress *string
	// Object is the CRM object that the project follows, while it is active there; nil for none.
	Object            *sparki.EntryObject
	ObjectIntegration *uuid.UUID
	Item              AgendaItem
	// Seq counts the changes that this situation covers.
	Seq int64
	// IntegrationID is whose turn it is, as it was decided last.
	IntegrationID *uuid.UUID
	// Leased: a worker is at it.
	Leased bool
}

// AgendaItem is what we know of an appointment's item in a CRM.
type AgendaItem struct {
	// Live: it stands there, as far as we know.
	Live     bool
	RemoteID *string
	// IntegrationID and ScheduleID say where it stands and for which parent schedule it was made; the
	// same goes for an Intent. Nil for none.
	IntegrationID, ScheduleID *uuid.UUID
	// OriginLinked: that schedule is still linked.
	OriginLinked bool
	// Sent is what the CRM confirmed last.
	Sent *sparki.AgendaEntry
	// Intent is what was to be created, while nobody knows whether it was.
	Intent *sparki.AgendaEntry
	// Tried are the changes and cancellations that may have been done since Sent: their answers got lost.
	Tried []sparki.AgendaItem
	// Look: the CRM says that it changed.
	Look  bool
	Drift *sparki.AgendaItem // as somebody left it; nil while in sync
}

const selectSituation = selectAppointment + `, p.time_zone, r.id, r.name,
	l.id, l.integration_id, l.schedule_id, l.target_id, l.afdeling_code, l.medewerker_id, l.created_at,
	t.id, t.integration_id, t.external_id, t.name, t.kind, t.afdeling_code, t.medewerker_id, t.available,
	j.title, j.address_label, i.integration_id, i.source_type, i.external_id, coalesce(i.object_code, ''), coalesce(i.afdeling_code, ''),
	w.live, w.item_integration_id, w.item_schedule_id,
	exists (select from schedule_links o where o.portal_id = w.portal_id and o.schedule_id = w.item_schedule_id),
	w.sent, w.intent, w.tried, w.look, w.drift_item, w.seq, w.integration_id, coalesce(w.lease_until > now(), false)`

const fromSituations = ` from appointments a
	join write_backs w on w.portal_id = a.portal_id and w.appointment_id = a.id
	join portals p on p.portal_id = a.portal_id
	join schedules s on s.portal_id = a.portal_id and s.id = a.schedule_id
	join schedules r on r.portal_id = s.portal_id and r.id = coalesce(s.parent_id, s.id)
	left join schedule_links l on l.portal_id = r.portal_id and l.schedule_id = r.id
	left join agenda_targets t on t.portal_id = l.portal_id and t.id = l.target_id
	left join projects j on j.portal_id = a.portal_id and j.id = a.project_id
	left join items i on i.portal_id = j.portal_id and i.id = j.item_id and i.state = 'ACTIVE'
	where a.portal_id = $1 and a.id = any($2)`

func scanSituation(row pgx.CollectableRow) (*Situation, error) {
	s := &Situation{Appointment: &sparki.Appointment{}}
	var link struct {
		id, integration, schedule, target *uuid.UUID
		created                           *time.Time
		afdeling, medewerker              *string
	}
	var target struct {
		id, integration                         *uuid.UUID
		external, name, kind, afdeling, workers *string
		available                               *bool
	}
	var sourceType, externalID *string
	object := sparki.EntryObject{}
	err := row.Scan(append(appointmentTargets(s.Appointment), &s.TimeZone, &s.RootID, &s.RootName,
		&link.id, &link.integration, &link.schedule, &link.target, &link.afdeling, &link.medewerker, &link.created,
		&target.id, &target.integration, &target.external, &target.name, &target.kind, &target.afdeling, &target.workers, &target.available,
		&s.ProjectTitle, &s.ProjectAddress, &s.ObjectIntegration, &sourceType, &externalID, &object.ObjectCode, &object.AfdelingCode,
		&s.Item.Live, &s.Item.IntegrationID, &s.Item.ScheduleID, &s.Item.OriginLinked,
		&s.Item.Sent, &s.Item.Intent, &s.Item.Tried, &s.Item.Look, &s.Item.Drift, &s.Seq, &s.IntegrationID, &s.Leased)...)
	if err != nil {
		return nil, err
	}
	s.Item.RemoteID = s.WriteBack.ExternalID
	if link.id != nil {
		s.Link = &sparki.ScheduleLink{ID: *link.id, IntegrationID: *link.integration, ScheduleID: *link.schedule, TargetID: *link.target,
			AfdelingCode: link.afdeling, MedewerkerID: link.medewerker, CreatedAt: *link.created}
		s.Target = &sparki.AgendaTarget{ID: *target.id, IntegrationID: *target.integration, ExternalID: *target.external, Name: *target.name,
			Kind: sparki.AgendaTargetKind(*target.kind), AfdelingCode: target.afdeling, MedewerkerID: target.workers, Available: *target.available}
	}
	if externalID != nil {
		object.SourceType, object.ExternalID = *sourceType, *externalID
		s.Object = &object
	}
	return s, nil
}

// Situations reads what decides about these appointments, in no order.
func (d *DB) Situations(ctx context.Context, portal uuid.UUID, ids []uuid.UUID) ([]*Situation, error) {
	return query(ctx, d, portal, scanSituation, `select `+selectSituation+fromSituations, portal, ids)
}

// Situations reads what decides about these appointments, as the transaction sees it.
func (tx *Tx) Situations(ctx context.Context, ids []uuid.UUID) ([]*Situation, error) {
	return collect(ctx, tx.Tx, scanSituation, `select `+selectSituation+fromSituations, tx.portal, ids)
}

// Integrations reads the portal's integrations, by provider, inside the transaction.
func (tx *Tx) Integrations(ctx context.Context) ([]*sparki.Integration, error) {
	return collect(ctx, tx.Tx, scanIntegration, `select `+integrationColumns+` from integrations where portal_id = $1 order by provider`, tx.portal)
}

// ShareIntegrations reads the portal's integrations, by provider, and keeps others from changing them
// until the transaction ends.
func (tx *Tx) ShareIntegrations(ctx context.Context) ([]*sparki.Integration, error) {
	return collect(ctx, tx.Tx, scanIntegration, `select `+integrationColumns+` from integrations where portal_id = $1 order by provider for share`, tx.portal)
}

// Verdict is what was decided about an appointment.
type Verdict struct {
	State sparki.WriteBackState
	// Action is nil when nothing is to be sent: the last one stays.
	Action  *sparki.WriteBackAction
	Reason  *sparki.WriteBackReason
	Message *string
	// IntegrationID is whose turn is next.
	IntegrationID *uuid.UUID
}

// TouchWriteBacks says that something changed that decides about these appointments: whatever is being
// sent settles nothing any more. One that waits for its next try keeps waiting. The context's trace goes on
// with what is sent.
func (tx *Tx) TouchWriteBacks(ctx context.Context, ids []uuid.UUID) error {
	_, err := tx.Exec(ctx, `
		update write_backs set seq = seq + 1, attempts = 0, changed_at = clock_timestamp(), trace = nullif($3, ''),
			due_at = case when state in ('QUEUED', 'UNKNOWN', 'SENDING') then due_at else now() end
		where portal_id = $1 and appointment_id = any($2)`, tx.portal, ids, tracing.Place(ctx))
	return err
}

// Decide stores a verdict. An update waits until so long after the last send.
func (tx *Tx) Decide(ctx context.Context, id uuid.UUID, v Verdict, between time.Duration) error {
	_, err := tx.Exec(ctx, `
		update write_backs set state = $3, action = coalesce($4, action), reason = $5, message = $6, integration_id = $7, changed_at = clock_timestamp(),
			due_at = case when $3 = 'QUEUED' and $4 = 'UPDATE' then greatest(due_at, synced_at + $8::interval) else due_at end
		where portal_id = $1 and appointment_id = $2`, tx.portal, id, v.State, v.Action, v.Reason, v.Message, v.IntegrationID, between)
	return err
}

// QueueWriteBacks lets the worker look anew at the appointments of an integration that are not settled:
// a switch was turned, or the settings were saved. Those that are over stay as they are, unless
// their turn was now anyway.
func (tx *Tx) QueueWriteBacks(ctx context.Context, integration uuid.UUID) error {
	_, err := tx.Exec(ctx, `
		update write_backs w set seq = w.seq + 1, attempts = 0, due_at = now(), changed_at = clock_timestamp(), trace = nullif($3, ''),
			state = case when w.state in ('SKIPPED', 'FAILED') then case when w.intent is null then 'QUEUED' else 'UNKNOWN' end else w.state end
		from appointments a
		where w.portal_id = $1 and w.integration_id = $2 and a.portal_id = w.portal_id and a.id = w.appointment_id
			and (w.state in ('QUEUED', 'UNKNOWN', 'SENDING') or w.state in ('SKIPPED', 'FAILED') and a.ends_at > now())`, tx.portal, integration, tracing.Place(ctx))
	return err
}

// UnsettledOfSchedule lists the appointments of a parent schedule and its separated ones that its link
// decides about: those that are not over, and those that are being sent.
func (tx *Tx) UnsettledOfSchedule(ctx context.Context, root uuid.UUID) ([]uuid.UUID, error) {
	return collect(ctx, tx.Tx, pgx.RowTo[uuid.UUID], `
		select a.id from appointments a
		join schedules s on s.portal_id = a.portal_id and s.id = a.schedule_id
		join write_backs w on w.portal_id = a.portal_id and w.appointment_id = a.id
		where a.portal_id = $1 and (s.id = $2 or s.parent_id = $2 or w.item_schedule_id = $2)
			and (a.ends_at > now() or w.state in ('QUEUED', 'UNKNOWN', 'SENDING')) order by a.id`, tx.portal, root)
}

// compareItems is followed by which projects: a worker compares anew what CRM agendas say of their
// appointments that are not over. The sweep rings for it. What is SKIPPED is compared when its reason
// is gone; every other row is touched too, so that whoever is sending waits for us, and looks again.
const compareItems = `
	update write_backs w set seq = w.seq + 1, attempts = 0, changed_at = clock_timestamp(), trace = nullif($2, ''),
		due_at = case when w.state in ('QUEUED', 'UNKNOWN', 'SENDING') then w.due_at else now() end,
		state = case when w.state = 'FAILED' and w.intent is not null then 'UNKNOWN' when w.state = 'FAILED' or w.state = 'SYNCED' and w.live then 'QUEUED' else w.state end
	from appointments a join projects p on p.portal_id = a.portal_id and p.id = a.project_id
	where a.portal_id = $1 and a.ends_at > now() and w.portal_id = a.portal_id and w.appointment_id = a.id`

// CompareObjects lets what CRM agendas say of the objects of these items be compared anew: one came,
// went, or has another code.
func (tx *Tx) CompareObjects(ctx context.Context, items []uuid.UUID) error {
	_, err := tx.Exec(ctx, compareItems+` and p.item_id = any($3)`, tx.portal, tracing.Place(ctx), items)
	return err
}

// LookAtItems says that messages told of changes of items: those that we wrote are looked at. It tells
// which are ours.
func (tx *Tx) LookAtItems(ctx context.Context, integration uuid.UUID, messages []InboxMessage) (ours []string, err error) {
	traces := make(map[string]string, len(messages)) // the latest of each item
	for _, m := range messages {
		traces[m.Ref.ID] = m.Trace
	}
	ids := slices.Sorted(maps.Keys(traces))
	places := make([]string, len(ids))
	for n, id := range ids {
		places[n] = traces[id]
	}
	return collect(ctx, tx.Tx, pgx.RowTo[string], `
		update write_backs w set look = true, seq = seq + 1, integration_id = item_integration_id, trace = nullif(t.trace, ''),
			due_at = case when state in ('QUEUED', 'UNKNOWN', 'SENDING') then due_at else now() end
		from unnest($3::text[], $4::text[]) as t(id, trace)
		where w.portal_id = $1 and w.item_integration_id = $2 and w.external_id = t.id and w.live
		returning w.external_id`, tx.portal, integration, ids, places)
}

// Claim is an appointment whose write-back a worker holds the lease of.
type Claim struct {
	AppointmentID uuid.UUID
	Fence         int64
	Attempts      int // this one included
	// Trace is where whatever changed the appointment last is in its trace, see tracing.Place.
	Trace string
}

// ClaimWriteBacks takes the lease of at most limit appointments of an integration that are due, or whose
// worker let its lease run out. Of one that was being created meanwhile nobody knows whether it was.
func (d *DB) ClaimWriteBacks(ctx context.Context, portal, integration uuid.UUID, lease time.Duration, limit int) ([]Claim, error) {
	return query(ctx, d, portal, pgx.RowToStructByPos[Claim], `
		with due as materialized (
			select appointment_id from write_backs
			where portal_id = $1 and integration_id = $2 and (state in ('QUEUED', 'UNKNOWN', 'SENDING') or look)
				and due_at <= now() and (lease_until is null or lease_until < now())
			order by due_at limit $4 for update skip locked
		)
		update write_backs w set lease_until = now() + $3::interval, fence = w.fence + 1, attempts = w.attempts + 1,
			state = case when w.state = 'SENDING' then case when w.intent is null then 'QUEUED' else 'UNKNOWN' end else w.state end
		from due where w.portal_id = $1 and w.appointment_id = due.appointment_id
		returning w.appointment_id, w.fence, w.attempts, coalesce(w.trace, '')`, portal, integration, lease, limit)
}

// NextWriteBack says how long the next update of an integration's appointments still waits, of those that
// wait less than this long for nothing but the time since their last send; 0 when there is none.
func (d *DB) NextWriteBack(ctx context.Context, portal, integration uuid.UUID, within time.Duration) (time.Duration, error) {
	return one(ctx, d, portal, pgx.RowTo[time.Duration], `
		select coalesce(min(due_at) - now(), interval '0') from write_backs
		where portal_id = $1 and integration_id = $2 and state = 'QUEUED' and attempts = 0 and due_at > now() and due_at <= now() + $3::interval and lease_until is null`,
		portal, integration, within)
}

// Sending is a call that begins.
type Sending struct {
	// State is "" for a call that only reads: what is shown stays.
	State  sparki.WriteBackState
	Action *sparki.WriteBackAction
	// Intent is what is to be created, for which schedule and where; nil for anything else.
	Intent                    *sparki.AgendaEntry
	IntegrationID, ScheduleID uuid.UUID
	// Try is how the item stands in the CRM if a change or a cancellation of it is done; nil for anything else.
	Try *sparki.AgendaItem
}

// BeginSending prolongs the lease for a call and stores what it is going to do.
func (d *DB) BeginSending(ctx context.Context, portal uuid.UUID, c Claim, s Sending, lease time.Duration) error {
	n, err := d.exec(ctx, portal, `
		update write_backs set state = coalesce(nullif($4, ''), state), action = coalesce($5, action), lease_until = now() + $6::interval,
			reason = case when $4 = '' then reason end, message = case when $4 = '' then message end,
			intent = coalesce($7, intent), changed_at = clock_timestamp(),
			tried = case when $10::jsonb is null or tried @> jsonb_build_array($10::jsonb) then tried else tried || $10::jsonb end,
			item_integration_id = case when $7::jsonb is null then item_integration_id else $8 end,
			item_schedule_id = case when $7::jsonb is null then item_schedule_id else $9 end
		where portal_id = $1 and appointment_id = $2 and fence = $3 and lease_until > now()`,
		portal, c.AppointmentID, c.Fence, s.State, s.Action, lease, s.Intent, s.IntegrationID, s.ScheduleID, s.Try)
	if err == nil && n == 0 {
		err = ErrLeaseLost
	}
	return err
}

// GuardSending checks at the last moment that what was decided about an appointment still holds: the
// lease, with enough of it left for the call, the appointment itself, and the integration's switches
// and settings. Nobody changes any of it until release. ErrLeaseLost when it does not hold.
func (d *DB) GuardSending(ctx context.Context, portal uuid.UUID, c Claim, seq int64, i *sparki.Integration, enough time.Duration) (release func(), err error) {
	tx, err := d.pool.Begin(ctx)
	if err != nil {
		return nil, classify(err)
	}
	release = func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }
	held := 0
	batch := &pgx.Batch{}
	count := func(row pgx.Row) error {
		err := row.Scan(new(int))
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		held++
		return err
	}
	batch.Queue(setPortal, portal.String())
	batch.Queue(`select 1 from integrations where portal_id = $1 and id = $2 and updated_at = $3 and connection_state not in ('UNAUTHORIZED', 'REVOKED') for share`,
		portal, i.ID, i.UpdatedAt).QueryRow(count)
	batch.Queue(`
		select 1 from write_backs where portal_id = $1 and appointment_id = $2 and fence = $3 and seq = $4 and lease_until > clock_timestamp() + $5::interval for share`,
		portal, c.AppointmentID, c.Fence, seq, enough).QueryRow(count)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		release()
		return nil, classify(err)
	}
	if held != 2 {
		release()
		return nil, ErrLeaseLost
	}
	return release, nil
}

// Outcome is what a call told about an appointment's item.
type Outcome struct {
	// Created or changed: Live with its id and what was sent. Otherwise there is no live item any more.
	Live     bool
	RemoteID *string // nil keeps the id that is shown
	Sent     *sparki.AgendaEntry
	// Gone: it vanished there. Before Gone is created anew, the agenda is searched for it.
	Gone   *sparki.AgendaEntry
	Action *sparki.WriteBackAction
	// Confirmed: the CRM has what we want it to have, as of now.
	Confirmed bool
	// Look: it has to be looked at before anything is sent. Otherwise it still has to be if it had to be
	// before, unless it was Looked at and nothing changed since the situation of this Seq.
	Look, Looked bool
	Seq          int64
	Drift        sparki.Drift
	Item         *sparki.AgendaItem // as somebody left it; nil while in sync
}

// Record stores what a call told, and ends the lease. What is to be done next has to be decided anew.
func (tx *Tx) Record(ctx context.Context, c Claim, o Outcome) error {
	return tx.endSending(ctx, c, `
		live = $4, external_id = coalesce($5, external_id), sent = $6, tried = case when $8 or not $4 then '[]' else tried end, intent = $14, action = coalesce($7, action),
		synced_at = case when $8 then now() else synced_at end, drift = $9, drift_item = $10, attempts = 0, due_at = now(),
		look = $4 and ($11 or look and not ($12 and seq = $13))`,
		o.Live, o.RemoteID, o.Sent, o.Action, o.Confirmed, o.Drift, o.Item, o.Look, o.Looked, o.Seq, o.Gone)
}

// Undone forgets what was to be created or changed, because it surely was not: before stays of the changes.
func (tx *Tx) Undone(ctx context.Context, c Claim, before []sparki.AgendaItem) error {
	if before == nil {
		before = []sparki.AgendaItem{}
	}
	_, err := tx.Exec(ctx, `update write_backs set intent = null, tried = $4 where portal_id = $1 and appointment_id = $2 and fence = $3`,
		tx.portal, c.AppointmentID, c.Fence, before)
	return err
}

// Again gives a claim back that did not succeed: its turn comes after the delay, or at once when
// something changed since the situation of this seq. An UNKNOWN one always waits.
func (tx *Tx) Again(ctx context.Context, c Claim, seq int64, state sparki.WriteBackState, delay time.Duration, reason sparki.WriteBackReason, message string) error {
	return tx.endSending(ctx, c, `state = $4, reason = $6, message = $7,
		due_at = case when seq = $8 or $4 = 'UNKNOWN' then now() + $5::interval else now() end`, state, delay, reason, message, seq)
}

// LookAgain gives a claim back whose item could not be looked at.
func (tx *Tx) LookAgain(ctx context.Context, c Claim, delay time.Duration) error {
	return tx.endSending(ctx, c, `due_at = now() + $4::interval`, delay)
}

// NoTry says that a claim, which is yet to be given back, spent no try.
func (tx *Tx) NoTry(ctx context.Context, c Claim) error {
	_, err := tx.Exec(ctx, `update write_backs set attempts = greatest(attempts - 1, 0) where portal_id = $1 and appointment_id = $2 and fence = $3`,
		tx.portal, c.AppointmentID, c.Fence)
	return err
}

// Unused gives a claim back that needed no call.
func (tx *Tx) Unused(ctx context.Context, c Claim, seq int64) error {
	return tx.endSending(ctx, c, `attempts = greatest(attempts - 1, 0), look = look and seq <> $4,
		state = case when state = 'SENDING' then 'QUEUED' else state end`, seq)
}

func (tx *Tx) endSending(ctx context.Context, c Claim, set string, args ...any) error {
	tag, err := tx.Exec(ctx, `update write_backs set lease_until = null, changed_at = clock_timestamp(), `+set+`
		where portal_id = $1 and appointment_id = $2 and fence = $3`, append([]any{tx.portal, c.AppointmentID, c.Fence}, args...)...)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrLeaseLost
	}
	return err
}

// PauseWriteBacks lets everything that waits for an integration wait at least this long, as its CRM asked or
// because that is left alone.
func (tx *Tx) PauseWriteBacks(ctx context.Context, integration uuid.UUID, wait time.Duration) error {
	_, err := tx.Exec(ctx, `
		update write_backs set due_at = now() + $3::interval
		where portal_id = $1 and integration_id = $2 and state in ('QUEUED', 'UNKNOWN') and due_at < now() + $3::interval`, tx.portal, integration, wait)
	return err
}

// ResolveDrift ends a drift: from now on the CRM is taken to say sent, for this parent schedule; nothing
// when sent is nil.
func (tx *Tx) ResolveDrift(ctx context.Context, id uuid.UUID, sent *sparki.AgendaEntry, schedule *uuid.UUID) error {
	_, err := tx.Exec(ctx, `
		update write_backs set drift = 'IN_SYNC', drift_item = null, live = $3::jsonb is not null, sent = $3, tried = '[]', look = false,
			item_schedule_id = $4, fence = fence + 1, lease_until = null, -- whoever looks at it now is too late
			changed_at = clock_timestamp()
		where portal_id = $1 and appointment_id = $2`, tx.portal, id, sent, schedule)
	return err
}

// HurryWriteBack lets an appointment's turn come at once, unless its CRM may still be at it.
func (tx *Tx) HurryWriteBack(ctx context.Context, id uuid.UUID) error {
	_, err := tx.Exec(ctx, `update write_backs set due_at = now() where portal_id = $1 and appointment_id = $2 and state = 'QUEUED'`, tx.portal, id)
	return err
}

// PendingWriteBacks counts the appointments that wait to be written to an integration's CRM.
func (d *DB) PendingWriteBacks(ctx context.Context, portal, integration uuid.UUID) (int, error) {
	return one(ctx, d, portal, pgx.RowTo[int], `
		select count(*) from write_backs where portal_id = $1 and integration_id = $2 and state in ('QUEUED', 'UNKNOWN', 'SENDING')`, portal, integration)
}
