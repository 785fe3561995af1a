package db

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
)

// CountGaps adds to what an integration's mapping does not know. At most a thousand names are kept of
// each kind: a CRM that makes up names must not fill the table.
func (tx *Tx) CountGaps(ctx context.Context, integration uuid.UUID, gaps map[sparki.MappingGap]int) error {
	if len(gaps) == 0 {
		return nil
	}
	cleaned := make(map[sparki.MappingGap]int, len(gaps)) // two names may become one
	for gap, n := range gaps {
		gap.Name = clean(gap.Name)
		cleaned[gap] += n
	}
	kinds, names, counts := make([]string, 0, len(cleaned)), make([]string, 0, len(cleaned)), make([]int64, 0, len(cleaned))
	for gap, n := range cleaned {
		kinds, names, counts = append(kinds, string(gap.Kind)), append(names, gap.Name), append(counts, int64(n))
	}
	_, err := tx.Exec(ctx, `
		insert into mapping_gaps as g (portal_id, integration_id, kind, name, objects)
		select $1, $2, t.kind, t.name, t.n from unnest($3::text[], $4::text[], $5::bigint[]) as t(kind, name, n)
		where (select count(*) from mapping_gaps k where k.portal_id = $1 and k.integration_id = $2 and k.kind = t.kind) < 1000
			or exists (select from mapping_gaps k where k.portal_id = $1 and k.integration_id = $2 and k.kind = t.kind and k.name = t.name)
		order by t.kind, t.name -- one order of locks for everybody
		on conflict (portal_id, integration_id, kind, name) do update set objects = g.objects + excluded.objects, last_seen_at = now()`,
		tx.portal, integration, kinds, names, counts)
	return err
}

// MappingGaps lists what an integration's mapping does not know, most frequent first.
func (d *DB) MappingGaps(ctx context.Context, portal, integration uuid.UUID) ([]*sparki.MappingGapCount, error) {
	return query(ctx, d, portal, func(row pgx.CollectableRow) (*sparki.MappingGapCount, error) {
		g := &sparki.MappingGapCount{}
		return g, row.Scan(&g.Kind, &g.Name, &g.Objects, &g.FirstSeenAt, &g.LastSeenAt)
	}, `
		select kind, name, objects, first_seen_at, last_seen_at from mapping_gaps
		where portal_id = $1 and integration_id = $2 order by objects desc, kind, name limit 500`, portal, integration)
}

// GapTotal is how much an integration's mapping does not know, of one kind.
type GapTotal struct {
	IntegrationID uuid.UUID
	Provider      string
	Kind          sparki.MappingGapKind
	// Names are how many things there are, Objects how often one was met.
	Names, Objects int64
}

// GapTotals sums up the mapping gaps of every portal's integrations. It cannot see their names.
func (d *DB) GapTotals(ctx context.Context) (totals []GapTotal, err error) {
	err = d.system(ctx, func(tx pgx.Tx) error {
		totals, err = collect(ctx, tx, pgx.RowToStructByPos[GapTotal], `
			select g.integration_id, n.provider, g.kind, count(*), sum(g.objects)::bigint
			from mapping_gaps g join integrations n on n.portal_id = g.portal_id and n.id = g.integration_id
			group by g.integration_id, n.provider, g.kind`)
		return err
	})
	return totals, err
}

// OldMappings lists a bell for each integration with items that an older mapping made. versions are
// the current ones, by provider.
func (d *DB) OldMappings(ctx context.Context, versions map[string]int) (bells []sparki.Bell, err error) {
	for provider, version := range versions {
		err = d.system(ctx, func(tx pgx.Tx) error {
			found, err := collect(ctx, tx, pgx.RowToStructByPos[sparki.Bell], `
				select distinct 'mapping:renew', i.portal_id, i.integration_id
				from items i join integrations n on n.portal_id = i.portal_id and n.id = i.integration_id
				where i.mapping_version < $2 and n.provider = $1`, provider, version)
			bells = append(bells, found...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return bells, nil
}

// OldItem is an item that an older mapping made.
type OldItem struct {
	ID     uuid.UUID
	Ref    sparki.Ref
	Raw    []byte // nil when there is none
	ReadAt time.Time
}

// OldItems locks at most limit items of an integration that a mapping before version made.
func (tx *Tx) OldItems(ctx context.Context, integration uuid.UUID, version, limit int) ([]OldItem, error) {
	return collect(ctx, tx.Tx, func(row pgx.CollectableRow) (i OldItem, err error) {
		var zipped []byte
		if err = row.Scan(&i.ID, &i.Ref.Type, &i.Ref.ID, &zipped, &i.ReadAt); err == nil {
			i.Raw, err = decompress(zipped)
		}
		return i, err
	}, `
		select id, source_type, external_id, raw, read_at from items
		where portal_id = $1 and integration_id = $2 and mapping_version < $3 order by source_type, external_id limit $4 for update skip locked`,
		tx.portal, integration, version, limit)
}

// SetMappingVersion notes that these items have been looked at by a mapping.
func (tx *Tx) SetMappingVersion(ctx context.Context, ids []uuid.UUID, version int) error {
	_, err := tx.Exec(ctx, `update items set mapping_version = $3 where portal_id = $1 and id = any($2) and mapping_version < $3`, tx.portal, ids, version)
	return err
}
