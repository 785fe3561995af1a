package db

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
)

// keptChanges is how many changes of an item are kept (product.md §10).
const keptChanges = 50

// WriteHistory notes what changed on items, and forgets what is older than the latest fifty.
func (tx *Tx) WriteHistory(ctx context.Context, cause sparki.ChangeCause, changes map[uuid.UUID][]*sparki.FieldChange) error {
	if len(changes) == 0 {
		return nil
	}
	items, ids, diffs := make([]uuid.UUID, 0, len(changes)), make([]uuid.UUID, 0, len(changes)), make([][]*sparki.FieldChange, 0, len(changes))
	for item, diff := range changes {
		items, ids, diffs = append(items, item), append(ids, sparki.NewID()), append(diffs, diff)
	}
	batch := &pgx.Batch{}
	batch.Queue(`
		insert into item_changes (portal_id, item_id, id, cause, changes)
		select $1, t.item, t.id, $2, t.changes from unnest($3::uuid[], $4::uuid[], $5::jsonb[]) as t(item, id, changes)`,
		tx.portal, cause, items, ids, diffs)
	// Item by item through the key: a window over them all is a join that Postgres gets badly wrong
	// while it has no statistics of a young table.
	batch.Queue(`
		delete from item_changes c using unnest($2::uuid[]) as t(item), lateral (
			select id from item_changes where portal_id = $1 and item_id = t.item order by id desc offset $3 limit 1
		) oldest
		where c.portal_id = $1 and c.item_id = t.item and c.id <= oldest.id`, tx.portal, items, keptChanges)
	return tx.SendBatch(ctx, batch).Close()
}

// History lists what changed on an item, newest first.
func (d *DB) History(ctx context.Context, portal, item uuid.UUID, page sparki.PageArgs) (*sparki.Page[*sparki.ItemChange], error) {
	where := newConditions(portal)
	where.add("item_id = ?", item)
	return list(ctx, d, portal, listQuery[*sparki.ItemChange]{
		columns: `id, at, cause, changes`, from: ` from item_changes where portal_id = $1`, id: "id", where: where, desc: true,
		scan:   pgx.RowToAddrOfStructByPos[sparki.ItemChange],
		sort:   sortColumn[*sparki.ItemChange]{"id", "uuid", false, func(c *sparki.ItemChange) *string { s := c.ID.String(); return &s }},
		nodeID: func(c *sparki.ItemChange) uuid.UUID { return c.ID },
	}, page)
}
