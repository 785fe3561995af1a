package db

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
)

// keepDeliveries stores deliveries with their messages in one statement. A message that is known
// already is left out; a delivery's outcome follows from the messages that are new.
const keepDeliveries = `
	with kept as (
		insert into messages (portal_id, integration_id, external_id, delivery_id, kind, source_type, object_id, note, outcome, reason)
		select $1, m.integration_id, m.external_id, m.delivery_id, m.kind, m.source_type, m.object_id, m.note, m.outcome, m.reason
		from unnest($8::uuid[], $9::text[], $10::uuid[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[])
			as m(integration_id, external_id, delivery_id, kind, source_type, object_id, note, outcome, reason)
		order by m.integration_id, m.external_id -- one order of locks for everybody
		on conflict do nothing
		returning delivery_id, outcome, reason
	), counted as (
		select delivery_id, bool_or(outcome = 'PENDING') as pending, bool_or(outcome = 'FAILED') as failed, min(reason) as reason
		from kept group by delivery_id
	)
	insert into deliveries (portal_id, id, integration_id, body, signed, messages, replay_of, trace, outcome, reason, processed_at)
	select $1, d.id, d.integration_id, d.body, d.signed, d.messages, d.replay_of, nullif(d.trace, ''), o.outcome,
		case when d.reason <> '' then d.reason when c is null and d.messages > 0 then 'received before' else coalesce(c.reason, '') end,
		case when o.outcome <> 'PENDING' then now() end
	from unnest($2::uuid[], $3::uuid[], $4::bytea[], $5::boolean[], $6::text[], $7::text[], $17::int[], $18::uuid[], $19::text[])
		as d(id, integration_id, body, signed, outcome, reason, messages, replay_of, trace)
	left join counted c on c.delivery_id = d.id,
	lateral (select case when d.outcome <> '' then d.outcome when c.pending then 'PENDING' when c.failed then 'FAILED' else 'IGNORED' end as outcome) o`

// KeepDeliveries stores deliveries of one or more portals, durably, in one round trip: all or none. Those
// that cannot be read are told of, and stored first, each by itself.
func (d *DB) KeepDeliveries(ctx context.Context, deliveries []*sparki.Delivery) error {
	batch := &pgx.Batch{}
	byPortal := map[uuid.UUID][]*sparki.Delivery{}
	for _, delivery := range deliveries {
		if delivery.Outcome == sparki.OutcomeFailed {
			if err := d.keepRejected(ctx, delivery); err != nil {
				return err
			}
			continue
		}
		byPortal[delivery.PortalID] = append(byPortal[delivery.PortalID], delivery)
	}
	for portal, mine := range byPortal {
		batch.Queue(setPortal, portal.String())
		batch.Queue(keepDeliveries, deliveryArgs(portal, mine)...)
	}
	return classify(d.pool.SendBatch(ctx, batch).Close())
}

func (d *DB) keepRejected(ctx context.Context, delivery *sparki.Delivery) error {
	return d.Tx(ctx, delivery.PortalID, func(tx *Tx) error {
		tx.Tell(sparki.Activity{Type: sparki.DeliveryRejected, Actor: sparki.SyncActor, Params: map[string]string{"problem": delivery.Reason},
			IntegrationID: &delivery.IntegrationID, SubjectKind: sparki.DeliveryNode, SubjectID: delivery.ID})
		_, err := tx.Exec(ctx, keepDeliveries, deliveryArgs(delivery.PortalID, []*sparki.Delivery{delivery})...)
		return err
	})
}

func deliveryArgs(portal uuid.UUID, deliveries []*sparki.Delivery) []any {
	n := len(deliveries)
	var (
		ids, integrations                           = make([]uuid.UUID, n), make([]uuid.UUID, n)
		bodies, signed, counts                      = make([][]byte, n), make([]*bool, n), make([]int32, n)
		outcomes, reasons                           = make([]string, n), make([]string, n)
		replays, traces                             = make([]*uuid.UUID, n), make([]string, n)
		owners, parents                             []uuid.UUID
		external, kinds, types, objects, notes, out []string
		why                                         []string
	)
	for i, d := range deliveries {
		ids[i], integrations[i], bodies[i], signed[i], counts[i] = d.ID, d.IntegrationID, d.Body, d.Signed, int32(len(d.Messages))
		outcomes[i], reasons[i], replays[i], traces[i] = string(d.Outcome), clean(d.Reason), d.ReplayOf, d.Trace
		for n, m := range d.Messages {
			id := clean(m.ExternalID)
			if id == "" {
				id = d.ID.String() + " " + strconv.Itoa(n)
			}
			owners, parents = append(owners, d.IntegrationID), append(parents, d.ID)
			external, kinds = append(external, id), append(kinds, string(m.Kind))
			types, objects, notes = append(types, m.Ref.Type), append(objects, clean(m.Ref.ID)), append(notes, clean(m.Ref.Note))
			out, why = append(out, string(m.Outcome)), append(why, clean(m.Reason))
		}
	}
	return []any{portal, ids, integrations, bodies, signed, outcomes, reasons,
		owners, external, parents, kinds, types, objects, notes, out, why, counts, replays, traces}
}

// clean makes any text fit for a text column: valid UTF-8 without NUL, which Postgres refuses.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

// InboxMessage is a message that waits to be turned into a fetch.
type InboxMessage struct {
	ExternalID string
	Kind       sparki.MessageKind
	DeliveryID uuid.UUID
	Ref        sparki.Ref
	Trace      string // of the delivery, see tracing.Place
	// Cause is MANUAL when a person had the delivery read again.
	Cause sparki.ChangeCause
}

// ClaimMessages locks at most limit messages of an integration that wait, oldest delivery first.
func (tx *Tx) ClaimMessages(ctx context.Context, integration uuid.UUID, limit int) ([]InboxMessage, error) {
	return collect(ctx, tx.Tx, func(row pgx.CollectableRow) (m InboxMessage, err error) {
		return m, row.Scan(&m.ExternalID, &m.Kind, &m.DeliveryID, &m.Ref.Type, &m.Ref.ID, &m.Ref.Note, &m.Trace, &m.Cause)
	}, `
		select external_id, kind, delivery_id, source_type, object_id, note,
			coalesce((select d.trace from deliveries d where d.portal_id = $1 and d.id = delivery_id), ''),
			(select case when d.replay_of is null then 'WEBHOOK' else 'MANUAL' end from deliveries d where d.portal_id = $1 and d.id = delivery_id)
		from messages where portal_id = $1 and integration_id = $2 and outcome = 'PENDING' and fetch_id is null
		order by delivery_id limit $3 for update skip locked`, tx.portal, integration, limit)
}

// AwaitFetch says which fetch settles which message.
func (tx *Tx) AwaitFetch(ctx context.Context, integration uuid.UUID, messages []InboxMessage, hints map[string]Hint) error {
	ids, fetches, seqs := make([]string, len(messages)), make([]uuid.UUID, len(messages)), make([]int64, len(messages))
	for i, m := range messages {
		hint := hints[m.Ref.Key()]
		ids[i], fetches[i], seqs[i] = m.ExternalID, hint.FetchID, hint.Seq
	}
	_, err := tx.Exec(ctx, `
		update messages m set fetch_id = t.fetch_id, fetch_seq = t.seq from unnest($3::text[], $4::uuid[], $5::bigint[]) as t(id, fetch_id, seq)
		where m.portal_id = $1 and m.integration_id = $2 and m.external_id = t.id`, tx.portal, integration, ids, fetches, seqs)
	return err
}

// SettleMessages settles messages that nothing has to be fetched for.
func (tx *Tx) SettleMessages(ctx context.Context, integration uuid.UUID, messages []InboxMessage, outcome sparki.DeliveryOutcome, reason string) error {
	if len(messages) == 0 {
		return nil
	}
	ids, deliveries := make([]string, len(messages)), make([]uuid.UUID, len(messages))
	for i, m := range messages {
		ids[i], deliveries[i] = m.ExternalID, m.DeliveryID
	}
	if _, err := tx.Exec(ctx, `update messages set outcome = $4, reason = $5 where portal_id = $1 and integration_id = $2 and external_id = any($3)`,
		tx.portal, integration, ids, outcome, reason); err != nil {
		return err
	}
	return tx.settleDeliveries(ctx, deliveries)
}

// settleMessages settles the messages that a fetch covers: those that came before it began.
func (tx *Tx) settleMessages(ctx context.Context, fetch uuid.UUID, seq int64, outcome sparki.DeliveryOutcome, reason string) error {
	deliveries, err := collect(ctx, tx.Tx, pgx.RowTo[uuid.UUID], `
		update messages set outcome = $4, reason = $5 where portal_id = $1 and fetch_id = $2 and fetch_seq <= $3 and outcome = 'PENDING'
		returning delivery_id`, tx.portal, fetch, seq, outcome, reason)
	if err != nil || len(deliveries) == 0 {
		return err
	}
	return tx.settleDeliveries(ctx, deliveries)
}

// settleDeliveries decides the outcome of deliveries whose messages are all decided. The rows are
// locked first, so that of two who settle the last two messages, one sees the other's.
func (tx *Tx) settleDeliveries(ctx context.Context, ids []uuid.UUID) error {
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	ids = slices.Compact(ids)
	batch := &pgx.Batch{}
	batch.Queue(`select from deliveries where portal_id = $1 and id = any($2) order by id for update`, tx.portal, ids)
	batch.Queue(`
		update deliveries d set processed_at = now(), reason = coalesce(m.reason, ''),
			outcome = case when m.failed then 'FAILED' when m.processed then 'PROCESSED' else 'IGNORED' end
		from (
			select delivery_id, bool_or(outcome = 'PENDING') as pending, bool_or(outcome = 'FAILED') as failed,
				bool_or(outcome = 'PROCESSED') as processed, min(nullif(reason, '')) as reason
			from messages where portal_id = $1 and delivery_id = any($2) group by delivery_id
		) m
		where d.portal_id = $1 and d.id = m.delivery_id and not m.pending and d.outcome = 'PENDING'`, tx.portal, ids)
	return tx.SendBatch(ctx, batch).Close()
}

// PendingDeliveries counts an integration's deliveries that wait.
func (d *DB) PendingDeliveries(ctx context.Context, portal, integration uuid.UUID) (int, error) {
	return one(ctx, d, portal, pgx.RowTo[int],
		`select count(*) from deliveries where portal_id = $1 and integration_id = $2 and outcome = 'PENDING'`, portal, integration)
}

// countAttempt notes on the deliveries that wait for a fetch that it was tried.
func (tx *Tx) countAttempt(ctx context.Context, fetch uuid.UUID) error {
	_, err := tx.Exec(ctx, `
		update deliveries set attempts = attempts + 1 where portal_id = $1 and id in (
			select delivery_id from messages where portal_id = $1 and fetch_id = $2 and outcome = 'PENDING'
		)`, tx.portal, fetch)
	return err
}

const deliveryColumns = `id, portal_id, integration_id, signed, outcome, reason, messages, attempts, replay_of, received_at, processed_at`

func scanDelivery(row pgx.CollectableRow) (*sparki.Delivery, error) {
	d := &sparki.Delivery{}
	return d, row.Scan(&d.ID, &d.PortalID, &d.IntegrationID, &d.Signed, &d.Outcome, &d.Reason, &d.Count, &d.Attempts, &d.ReplayOf, &d.ReceivedAt, &d.ProcessedAt)
}

// Deliveries lists an integration's deliveries without their bodies, newest first; outcome nil means all.
func (d *DB) Deliveries(ctx context.Context, portal, integration uuid.UUID, outcome *sparki.DeliveryOutcome, page sparki.PageArgs) (*sparki.Page[*sparki.Delivery], error) {
	where := newConditions(portal)
	where.add("integration_id = ?", integration)
	addEqual(where, "outcome", outcome)
	return list(ctx, d, portal, listQuery[*sparki.Delivery]{
		columns: deliveryColumns, from: ` from deliveries where portal_id = $1`, id: "id", scan: scanDelivery, where: where, desc: true,
		sort:   sortColumn[*sparki.Delivery]{"id", "uuid", false, func(d *sparki.Delivery) *string { s := d.ID.String(); return &s }},
		nodeID: func(d *sparki.Delivery) uuid.UUID { return d.ID },
	}, page)
}

// DeliveriesByID reads these deliveries without their bodies. Ids without a delivery are left out.
func (d *DB) DeliveriesByID(ctx context.Context, portal uuid.UUID, ids []uuid.UUID) ([]*sparki.Delivery, error) {
	return query(ctx, d, portal, scanDelivery, `select `+deliveryColumns+` from deliveries where portal_id = $1 and id = any($2)`, portal, ids)
}

// DeliveryBody is a delivery's body as it was received; nil when it is no longer kept.
func (d *DB) DeliveryBody(ctx context.Context, portal, id uuid.UUID) ([]byte, error) {
	return one(ctx, d, portal, pgx.RowTo[[]byte], `select body from deliveries where portal_id = $1 and id = $2`, portal, id)
}

// ItemsOfDelivery reads the items of the objects that a delivery named.
func (d *DB) ItemsOfDelivery(ctx context.Context, portal, id uuid.UUID, whole bool) ([]*sparki.Item, error) {
	columns, scan := itemScan(whole)
	return query(ctx, d, portal, scan, `select `+columns+fromItems+` and exists (
		select from messages m where m.portal_id = $1 and m.delivery_id = $2 and m.integration_id = i.integration_id
			and m.source_type = i.source_type and m.object_id = i.external_id) order by i.id`, portal, id)
}

// ReceivedWithin says whether the CRM sent a delivery for an integration in this last while.
func (d *DB) ReceivedWithin(ctx context.Context, portal, integration uuid.UUID, while time.Duration) (bool, error) {
	return one(ctx, d, portal, pgx.RowTo[bool],
		`select exists (select from deliveries where portal_id = $1 and integration_id = $2 and replay_of is null and received_at > now() - $3::interval)`, portal, integration, while)
}
