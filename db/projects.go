package db

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
	"sparki.app/integrations/tracing"
)

var selectProject = `p.id, p.lifecycle, p.needs_review, p.appointment_minutes, p.created_at, p.updated_at,
	p.overrides, p.version, p.item_id, n.provider, i.source_type, i.external_id, i.object_code, i.afdeling_code, p.linked_at, p.refreshed_at, ` + selectCard("p.")

const fromProjects = ` from projects p
	left join items i on i.portal_id = p.portal_id and i.id = p.item_id
	left join integrations n on n.portal_id = i.portal_id and n.id = i.integration_id
	where p.portal_id = $1`

func scanProject(row pgx.CollectableRow, more ...any) (*sparki.Project, error) {
	var (
		p                                = &sparki.Project{}
		c                                card
		link                             sparki.ProjectLink
		item                             *uuid.UUID
		provider, sourceType, externalID *string
		linkedAt                         *time.Time
	)
	targets := append(make([]any, 0, rowColumns), &p.ID, &p.Lifecycle, &p.NeedsReview, &p.AppointmentMinutes, &p.CreatedAt, &p.UpdatedAt,
		&p.Overrides, &p.Version, &item, &provider, &sourceType, &externalID, &link.ObjectCode, &link.AfdelingCode, &linkedAt, &link.RefreshedAt)
	if err := row.Scan(append(c.appendTargets(targets), more...)...); err != nil {
		return nil, err
	}
	if item != nil {
		link.ItemID, link.Provider, link.SourceType, link.ExternalID, link.LinkedAt = *item, *provider, *sourceType, *externalID, *linkedAt
		p.Link = &link
	}
	p.Listing = c.read()
	return p, nil
}

func scanProjectCard(row pgx.CollectableRow) (*sparki.Project, error) { return scanProject(row) }

func scanWholeProject(row pgx.CollectableRow) (*sparki.Project, error) {
	var zipped []byte
	p, err := scanProject(row, &zipped)
	if err != nil {
		return nil, err
	}
	p.Listing, err = decodeListing(zipped)
	return p, err
}

func projectScan(whole bool) (columns string, scan pgx.RowToFunc[*sparki.Project]) {
	if whole {
		return selectProject + `, p.content`, scanWholeProject
	}
	return selectProject, scanProjectCard
}

// Project reads one project with its whole content.
func (d *DB) Project(ctx context.Context, portal, id uuid.UUID) (*sparki.Project, error) {
	return one(ctx, d, portal, scanWholeProject, `select `+selectProject+`, p.content`+fromProjects+` and p.id = $2`, portal, id)
}

// Project reads one project with its whole content and keeps others from changing it.
func (tx *Tx) Project(ctx context.Context, id uuid.UUID) (*sparki.Project, error) {
	return collectOne(ctx, tx.Tx, scanWholeProject, `select `+selectProject+`, p.content`+fromProjects+` and p.id = $2 for update of p`, tx.portal, id)
}

// ImportedProject finds the project that was imported from an item.
func (tx *Tx) ImportedProject(ctx context.Context, item uuid.UUID) (*sparki.Project, error) {
	return collectOne(ctx, tx.Tx, scanWholeProject, `select `+selectProject+`, p.content`+fromProjects+` and p.item_id = $2 and p.imported`, tx.portal, item)
}

// FollowingProjects reads the active projects that follow these items and keeps others from changing them.
func (tx *Tx) FollowingProjects(ctx context.Context, items []uuid.UUID) ([]*sparki.Project, error) {
	return collect(ctx, tx.Tx, scanWholeProject, `select `+selectProject+`, p.content`+fromProjects+`
		and p.item_id = any($2) and p.lifecycle <> 'ARCHIVED' order by p.id for update of p`, tx.portal, items)
}

// ProjectsOfItems reads the projects that follow these items, oldest first.
func (d *DB) ProjectsOfItems(ctx context.Context, portal uuid.UUID, items []uuid.UUID, whole bool) ([]*sparki.Project, error) {
	columns, scan := projectScan(whole)
	return query(ctx, d, portal, scan, `select `+columns+fromProjects+` and p.item_id = any($2) order by p.id`, portal, items)
}

var projectOrders = map[string]sortColumn[*sparki.Project]{
	"UPDATED_AT": {"p.updated_at", "timestamptz", false, func(p *sparki.Project) *string { return timeText(p.UpdatedAt) }},
	"TITLE":      {"p.title", "text", false, func(p *sparki.Project) *string { return &p.Title }},
	"CITY":       {"p.city", "text", true, func(p *sparki.Project) *string { return p.Address.City }},
	"PRICE":      {"p.price_amount", "numeric", true, func(p *sparki.Project) *string { return amountText(p.Listing) }},
}

// Projects lists projects; whole reads their content too.
func (d *DB) Projects(ctx context.Context, portal uuid.UUID, f sparki.ProjectFilter, o sparki.Order, page sparki.PageArgs, whole bool) (*sparki.Page[*sparki.Project], error) {
	where := newConditions(portal)
	addEqual(where, "n.provider", f.Provider)
	addEqual(where, "p.lifecycle", f.Lifecycle)
	addEqual(where, "p.needs_review", f.NeedsReview)
	if err := d.addSearch(ctx, portal, where, "p", "found_projects", f.Search); err != nil {
		return nil, err
	}
	columns, scan := projectScan(whole)
	return list(ctx, d, portal, listQuery[*sparki.Project]{
		columns: columns, from: fromProjects, id: "p.id", scan: scan, where: where, sort: projectOrders[o.Field], desc: o.Desc,
		nodeID: func(p *sparki.Project) uuid.UUID { return p.ID },
	}, page)
}

var insertProject = `
	insert into projects (portal_id, id, item_id, linked_at, refreshed_at, imported, lifecycle, appointment_minutes, content, ` + cardNames("") + `)
	select $1, $2, $3::uuid, case when $3 is not null then now() end, case when $3 is not null then now() end, $3 is not null, 'DRAFT', $4, $5, ` +
	cardCasts() + ` from (select ` + cardParams(6) + `) as t`

// InsertProject adds a project: one that is imported from an item, or one made by hand when item is nil.
func (tx *Tx) InsertProject(ctx context.Context, id uuid.UUID, item *uuid.UUID, minutes int, content *sparki.Listing) error {
	encoded, err := EncodeListing(content)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, insertProject, appendCard([]any{tx.portal, id, item, minutes, compress(encoded)}, content)...)
	return err
}

var updateProject = func() string {
	sets := make([]string, len(cardColumns))
	for i, c := range cardColumns {
		sets[i] = c.name + " = t." + c.name + "::" + c.cast
	}
	return `update projects p set content = $3, overrides = $4, refreshed_at = case when $5 then now() else p.refreshed_at end,
			appointment_minutes = $6, updated_at = now(), version = p.version + 1, ` + strings.Join(sets, ", ") + `
		from (select ` + cardParams(7) + `) as t where p.portal_id = $1 and p.id = $2`
}()

// UpdateProject stores a project's content, overrides and appointment length. refreshed says that it
// took something over from the CRM. What CRM agendas say of it is compared anew if that changed.
func (tx *Tx) UpdateProject(ctx context.Context, p *sparki.Project, refreshed bool) error {
	encoded, err := EncodeListing(p.Listing)
	if err != nil {
		return err
	}
	if p.Overrides == nil {
		p.Overrides = sparki.Overrides{}
	}
	batch := &pgx.Batch{}
	batch.Queue(compareItems+` and p.id = $3 and (p.title, p.address_label) is distinct from ($4, $5)`, tx.portal, tracing.Place(ctx), p.ID, p.Title, p.Address.Label)
	args := []any{tx.portal, p.ID, compress(encoded), p.Overrides, refreshed, p.AppointmentMinutes}
	batch.Queue(updateProject, appendCard(args, p.Listing)...)
	return tx.SendBatch(ctx, batch).Close()
}

// cardParams selects the card's values from parameters that start at $from.
func cardParams(from int) string {
	params := make([]string, len(cardColumns))
	for i, c := range cardColumns {
		params[i] = "$" + itoa(from+i) + "::text as " + c.name
	}
	return strings.Join(params, ", ")
}

func appendCard(args []any, content *sparki.Listing) []any {
	for _, v := range cardValues(content) {
		args = append(args, v)
	}
	return args
}

// SetProjectLink lets a project follow an item, or none. What CRM agendas say of it is compared anew.
func (tx *Tx) SetProjectLink(ctx context.Context, id uuid.UUID, item *uuid.UUID) error {
	batch := &pgx.Batch{}
	batch.Queue(compareItems+` and p.id = $3`, tx.portal, tracing.Place(ctx), id)
	batch.Queue(`
		update projects set item_id = $3, imported = false, needs_review = false, updated_at = now(), version = version + 1, overrides = '{}',
			linked_at = case when $3::uuid is not null then now() end, refreshed_at = null
		where portal_id = $1 and id = $2`, tx.portal, id, item)
	return tx.SendBatch(ctx, batch).Close()
}

// SetNeedsReview raises or settles the question what to do with the active projects of items.
func (tx *Tx) SetNeedsReview(ctx context.Context, items []uuid.UUID, needed bool) error {
	_, err := tx.Exec(ctx, `
		update projects set needs_review = $3, updated_at = now()
		where portal_id = $1 and item_id = any($2) and lifecycle <> 'ARCHIVED' and needs_review <> $3`, tx.portal, items, needed)
	return err
}

// ReplaceManagedMedia makes a project's managed media of these kinds the given ones. Media keep their
// id while the CRM's id stays; manual media are not touched. The same CRM id is the same picture, so
// a new URL changes nothing for one that is copied, and is a new chance for one that is not. Only a
// medium without an id of its own is another picture when its URL is another.
func (tx *Tx) ReplaceManagedMedia(ctx context.Context, project uuid.UUID, media []sparki.ProjectMedia, of []sparki.MediaKind) error {
	n := len(media)
	ids, kinds, externals, urls := make([]uuid.UUID, n), make([]string, n), make([]*string, n), make([]string, n)
	titles, positions, types := make([]*string, n), make([]int32, n), make([]*string, n)
	for i, m := range media {
		ids[i], kinds[i], externals[i], urls[i] = sparki.NewID(), string(m.Kind), m.ExternalID, m.URL
		titles[i], positions[i], types[i] = m.Title, int32(m.Position), m.MimeType
	}
	batch := &pgx.Batch{}
	batch.Queue(`
		delete from project_media where portal_id = $1 and project_id = $2 and origin = 'MANAGED' and kind = any($5)
			and (kind, external_id) not in (select * from unnest($3::text[], $4::text[]))`, tx.portal, project, kinds, externals, of)
	batch.Queue(`
		insert into project_media as m (portal_id, id, project_id, kind, origin, external_id, url, title, position, mime_type)
		select distinct on (t.kind, t.external) $1, t.id, $2, t.kind, 'MANAGED', t.external, t.url, t.title, t.position, t.mime_type
		from unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int[], $9::text[])
			as t(id, kind, external, url, title, position, mime_type)
		order by t.kind, t.external, t.position
		on conflict (portal_id, project_id, kind, external_id) do update set
			url = excluded.url, title = excluded.title, position = excluded.position, mime_type = excluded.mime_type,
			blob_id = case when m.url = excluded.url or m.external_id <> $10 then m.blob_id end,
			copy_due_at = case when m.url = excluded.url or m.blob_id is not null and m.external_id <> $10 then m.copy_due_at else now() end,
			copy_attempts = case when m.url = excluded.url then m.copy_attempts else 0 end,
			copy_fence = m.copy_fence + case when m.url = excluded.url then 0 else 1 end -- whoever reads the old URL is too late
		where (m.url, m.title, m.position, m.mime_type) is distinct from (excluded.url, excluded.title, excluded.position, excluded.mime_type)`,
		tx.portal, project, ids, kinds, externals, urls, titles, positions, types, sparki.AnonymousMedium)
	return tx.SendBatch(ctx, batch).Close()
}

// FreeManagedMedia turns a project's managed media into manual ones. They stay before the others.
func (tx *Tx) FreeManagedMedia(ctx context.Context, project uuid.UUID) error {
	_, err := tx.Exec(ctx, `
		update project_media m set origin = 'MANUAL', external_id = null, position = o.position
		from (
			select id, row_number() over (partition by kind order by origin, position, id) - 1 as position
			from project_media where portal_id = $1 and project_id = $2
		) o
		where m.portal_id = $1 and m.id = o.id`, tx.portal, project)
	return err
}

const mediaColumns = `id, project_id, kind, origin, external_id, url, title, position, mime_type, blob_id is not null`

// MediaOfProjects reads the media of these projects, in order: the CRM's (MANAGED) and then the others.
func (d *DB) MediaOfProjects(ctx context.Context, portal uuid.UUID, projects []uuid.UUID) ([]*sparki.ProjectMedia, error) {
	return query(ctx, d, portal, pgx.RowToAddrOfStructByPos[sparki.ProjectMedia],
		`select `+mediaColumns+` from project_media where portal_id = $1 and project_id = any($2) order by project_id, kind, origin, position, id`, portal, projects)
}

// Media reads one medium.
func (d *DB) Media(ctx context.Context, portal, id uuid.UUID) (*sparki.ProjectMedia, error) {
	return one(ctx, d, portal, pgx.RowToAddrOfStructByPos[sparki.ProjectMedia],
		`select `+mediaColumns+` from project_media where portal_id = $1 and id = $2`, portal, id)
}

// ProjectsByID reads these projects with their whole content. Ids without a project are left out.
func (d *DB) ProjectsByID(ctx context.Context, portal uuid.UUID, ids []uuid.UUID) ([]*sparki.Project, error) {
	columns, scan := projectScan(true)
	return query(ctx, d, portal, scan, `select `+columns+fromProjects+` and p.id = any($2)`, portal, ids)
}

// SetLifecycle moves a project to another stage.
func (tx *Tx) SetLifecycle(ctx context.Context, id uuid.UUID, to sparki.ProjectLifecycle) error {
	_, err := tx.Exec(ctx, `
		update projects set lifecycle = $3, needs_review = needs_review and $3 <> 'ARCHIVED', updated_at = now(), version = version + 1
		where portal_id = $1 and id = $2`, tx.portal, id, to)
	return err
}

// SettleReview says that a person decided about a project.
func (tx *Tx) SettleReview(ctx context.Context, id uuid.UUID) error {
	_, err := tx.Exec(ctx, `update projects set needs_review = false, updated_at = now() where portal_id = $1 and id = $2`, tx.portal, id)
	return err
}

// MediaOf reads a project's media, in order, inside the transaction.
func (tx *Tx) MediaOf(ctx context.Context, project uuid.UUID) ([]*sparki.ProjectMedia, error) {
	return collect(ctx, tx.Tx, pgx.RowToAddrOfStructByPos[sparki.ProjectMedia],
		`select `+mediaColumns+` from project_media where portal_id = $1 and project_id = $2 order by kind, origin, position, id`, tx.portal, project)
}

// AddMedia adds a manual medium behind the others of its kind; a thumbnail takes the others' place.
func (tx *Tx) AddMedia(ctx context.Context, m *sparki.ProjectMedia) error {
	if m.Kind == sparki.MediaThumbnail {
		if _, err := tx.Exec(ctx, `delete from project_media where portal_id = $1 and project_id = $2 and kind = 'THUMBNAIL'`, tx.portal, m.ProjectID); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `
		insert into project_media (portal_id, id, project_id, kind, origin, url, title, position)
		select $1, $2, $3, $4, 'MANUAL', $5, $6, coalesce(max(position) + 1, 0) from project_media where portal_id = $1 and project_id = $3 and kind = $4`,
		tx.portal, m.ID, m.ProjectID, m.Kind, m.URL, m.Title)
	return err
}

// Media reads one medium inside the transaction.
func (tx *Tx) Media(ctx context.Context, id uuid.UUID) (*sparki.ProjectMedia, error) {
	return collectOne(ctx, tx.Tx, pgx.RowToAddrOfStructByPos[sparki.ProjectMedia],
		`select `+mediaColumns+` from project_media where portal_id = $1 and id = $2`, tx.portal, id)
}

// RemoveMedia takes a medium off its project.
func (tx *Tx) RemoveMedia(ctx context.Context, id uuid.UUID) error {
	_, err := tx.Exec(ctx, `delete from project_media where portal_id = $1 and id = $2`, tx.portal, id)
	return err
}
