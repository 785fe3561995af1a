package db

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"sparki.app/integrations"
)

// KnownItem is what is stored for an object: enough to decide whether something changed.
type KnownItem struct {
	ID               uuid.UUID
	SourceType       string
	ExternalID       string
	State            sparki.ItemState
	InactiveReason   *sparki.InactiveReason
	Title            string
	ObjectCode       string // "" for none
	AfdelingCode     string // "" for none
	ContentHash      []byte
	ListingHash      []byte
	SourceModifiedAt *time.Time
	SyncError        *string
}

const knownItems = `
	select id, source_type, external_id, state, inactive_reason, title, coalesce(object_code, ''), coalesce(afdeling_code, ''), content_hash, listing_hash, source_modified_at, sync_error
	from items where portal_id = $1 and integration_id = $2 and (source_type, external_id) in (select * from unnest($3::text[], $4::text[]))`

// KnownItems finds the items of these objects, by Ref.Key, and the database's clock at that moment.
func (d *DB) KnownItems(ctx context.Context, portal, integration uuid.UUID, refs []sparki.Ref) (map[string]KnownItem, time.Time, error) {
	var known []KnownItem
	var now time.Time
	types, ids := refColumns(refs)
	batch := &pgx.Batch{}
	batch.Queue(setPortal, portal.String())
	batch.Queue(`select clock_timestamp()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	batch.Queue(knownItems, portal, integration, types, ids).Query(func(rows pgx.Rows) (err error) {
		known, err = pgx.CollectRows(rows, pgx.RowToStructByPos[KnownItem])
		return err
	})
	if err := d.pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, now, classify(err)
	}
	return byKey(known), now, nil
}

// KnownItems finds the items of these objects, by Ref.Key.
func (tx *Tx) KnownItems(ctx context.Context, integration uuid.UUID, refs []sparki.Ref) (map[string]KnownItem, error) {
	types, ids := refColumns(refs)
	known, err := collect(ctx, tx.Tx, pgx.RowToStructByPos[KnownItem], knownItems, tx.portal, integration, types, ids)
	return byKey(known), err
}

func byKey(known []KnownItem) map[string]KnownItem {
	m := make(map[string]KnownItem, len(known))
	for _, k := range known {
		m[sparki.Ref{Type: k.SourceType, ID: k.ExternalID}.Key()] = k
	}
	return m
}

func refColumns(refs []sparki.Ref) (types, ids []string) {
	types, ids = make([]string, len(refs)), make([]string, len(refs))
	for i, r := range refs {
		types[i], ids[i] = r.Type, r.ID
	}
	return types, ids
}

// ItemWrite is one object to store as an item.
type ItemWrite struct {
	// ID is the id that a new item gets.
	ID    uuid.UUID
	Found *sparki.Found // Listing is not nil
	// Encoded is the listing by EncodeListing.
	Encoded     []byte
	ContentHash []byte
	ListingHash []byte
	// MappingVersion is the version of the mapping that made the listing.
	MappingVersion int
	// ReadAt is when the read began, by the database's clock.
	ReadAt time.Time
}

// Written is an item that was really stored: not one that the database has in a newer version.
type Written struct {
	ID      uuid.UUID
	Key     string // Ref.Key
	Created bool
}

// itemColumns are the columns of an item that are no card, in the order of upsertItems.
var itemColumns = []struct{ name, arrayType, expr string }{
	{"id", "uuid", "t.id"},
	{"source_type", "text", "t.source_type"},
	{"external_id", "text", "t.external_id"},
	{"object_code", "text", "nullif(t.object_code, '')"},
	{"afdeling_code", "text", "nullif(t.afdeling_code, '')"},
	{"agency_id", "text", "nullif(t.agency_id, '')"},
	{"office_id", "text", "nullif(t.office_id, '')"},
	{"employee_ids", "text", "string_to_array(t.employee_ids, chr(31))"}, // an array of arrays would have to be square
	{"state", "text", "t.state"},
	{"inactive_reason", "text", "nullif(t.inactive_reason, '')"},
	{"listing", "bytea", "t.listing"},
	{"raw", "bytea", "t.raw"},
	{"content_hash", "bytea", "t.content_hash"},
	{"listing_hash", "bytea", "t.listing_hash"},
	{"mapping_version", "int", "t.mapping_version"},
	{"source_modified_at", "timestamptz", "t.source_modified_at"},
	{"read_at", "timestamptz", "t.read_at"},
	{"provenance", "jsonb", "t.provenance"},
}

// upsertItems stores any number of items in one statement. An item is replaced only by something
// newer: by the CRM's modification time, then by when it was read; and one that was seen deleted,
// only by a later read.
var upsertItems = func() string {
	var names, columns, exprs, sets []string
	arg := 2 // $1 portal, $2 integration
	param := func(name, arrayType string) {
		arg++
		names = append(names, name)
		columns = append(columns, "$"+itoa(arg)+"::"+arrayType+"[]")
	}
	for _, c := range itemColumns {
		param(c.name, c.arrayType)
		exprs = append(exprs, c.expr)
	}
	for _, c := range cardColumns {
		param(c.name, "text")
	}
	for _, name := range names[3:] { // all but the key
		value := "excluded." + name
		if name == "provenance" { // who maps a stored answer again does not know it
			value = "coalesce(excluded.provenance, items.provenance)"
		}
		sets = append(sets, name+" = "+value)
	}
	list := strings.Join(names, ", ")
	return `
		insert into items (portal_id, integration_id, synced_at, ` + list + `)
		select $1, $2, now(), ` + strings.Join(exprs, ", ") + ", " + cardCasts() + `
		from unnest(` + strings.Join(columns, ", ") + `) as t(` + list + `)
		order by t.source_type, t.external_id -- one order of locks for everybody
		on conflict (portal_id, integration_id, source_type, external_id) do update set
			synced_at = now(), sync_error = null, version = items.version + 1, ` + strings.Join(sets, ", ") + `
		where case
			when items.inactive_reason = 'DELETED' or items.source_modified_at is null or excluded.source_modified_at is null
				or items.source_modified_at = excluded.source_modified_at
			then excluded.read_at > items.read_at
			else excluded.source_modified_at > items.source_modified_at
		end
		returning id, source_type || '/' || external_id, xmax = 0`
}()

// UpsertItems stores objects as items and tells which of them it really wrote.
func (tx *Tx) UpsertItems(ctx context.Context, integration uuid.UUID, writes []ItemWrite) ([]Written, error) {
	n := len(writes)
	var (
		ids                                        = make([]uuid.UUID, n)
		sourceTypes, externalIDs                   = make([]string, n), make([]string, n)
		objectCodes, afdelingCodes                 = make([]string, n), make([]string, n)
		agencyIDs, officeIDs, employeeIDs          = make([]string, n), make([]string, n), make([]string, n)
		states, reasons                            = make([]string, n), make([]string, n)
		listings, raws, contentHashes, listingHash = make([][]byte, n), make([][]byte, n), make([][]byte, n), make([][]byte, n)
		versions                                   = make([]int32, n)
		modifieds, reads                           = make([]*time.Time, n), make([]time.Time, n)
		provenances                                = make([]*sparki.Provenance, n)
		cards                                      = make([][]*string, len(cardColumns))
	)
	for c := range cards {
		cards[c] = make([]*string, n)
	}
	for i, w := range writes {
		f := w.Found
		ids[i], sourceTypes[i], externalIDs[i] = w.ID, f.Ref.Type, f.Ref.ID
		objectCodes[i], afdelingCodes[i] = f.ObjectCode, f.AfdelingCode
		agencyIDs[i], officeIDs[i], employeeIDs[i] = f.AgencyID, f.OfficeID, strings.Join(f.EmployeeIDs, "\x1f")
		states[i], reasons[i] = string(StateOf(f)), string(f.Inactive)
		listings[i], raws[i] = compress(w.Encoded), compressRaw(f.Raw)
		contentHashes[i], listingHash[i], versions[i] = w.ContentHash, w.ListingHash, int32(w.MappingVersion)
		if !f.ModifiedAt.IsZero() {
			modifieds[i] = &f.ModifiedAt
		}
		reads[i], provenances[i] = w.ReadAt, f.Provenance
		for c, v := range cardValues(f.Listing, f.Ref.ID, f.ObjectCode) {
			cards[c][i] = v
		}
	}
	args := []any{tx.portal, integration, ids, sourceTypes, externalIDs, objectCodes, afdelingCodes, agencyIDs, officeIDs,
		employeeIDs, states, reasons, listings, raws, contentHashes, listingHash, versions, modifieds, reads, provenances}
	for _, column := range cards {
		args = append(args, column)
	}
	return collect(ctx, tx.Tx, pgx.RowToStructByPos[Written], upsertItems, args...)
}

// StateOf is the state that an item gets from what was found.
func StateOf(f *sparki.Found) sparki.ItemState {
	if f.Inactive != "" {
		return sparki.ItemInactive
	}
	return sparki.ItemActive
}

// DeactivateItems marks active items as inactive without touching their listing. Items that were
// read later stay as they are. It tells which items it changed.
func (tx *Tx) DeactivateItems(ctx context.Context, ids []uuid.UUID, reason sparki.InactiveReason, readAt time.Time) ([]uuid.UUID, error) {
	return collect(ctx, tx.Tx, pgx.RowTo[uuid.UUID], `
		update items set state = 'INACTIVE', inactive_reason = $3, read_at = $4, synced_at = now(), sync_error = null, version = version + 1,
			content_hash = '', listing_hash = '' -- whatever comes back is a change
		where portal_id = $1 and id = any($2) and read_at < $4 and (state = 'ACTIVE' or inactive_reason <> $3)
		returning id`, tx.portal, ids, reason, readAt)
}

// SetSyncError notes on an item why its latest fetch failed; nil clears it. No item is no error.
func (tx *Tx) SetSyncError(ctx context.Context, integration uuid.UUID, ref sparki.Ref, problem *string) error {
	_, err := tx.Exec(ctx, `
		update items set sync_error = $5
		where portal_id = $1 and integration_id = $2 and source_type = $3 and external_id = $4 and sync_error is distinct from $5`,
		tx.portal, integration, ref.Type, ref.ID, problem)
	return err
}

var selectItem = `i.id, i.integration_id, n.provider, i.source_type, i.external_id, i.object_code, i.afdeling_code, i.agency_id,
	i.office_id, i.employee_ids, i.state, i.inactive_reason, i.source_modified_at, i.synced_at, i.sync_error, i.provenance, i.version, ` + selectCard("i.")

const fromItems = ` from items i join integrations n on n.portal_id = i.portal_id and n.id = i.integration_id where i.portal_id = $1`

// scanItem reads selectItem, and whatever follows it into more.
func scanItem(row pgx.CollectableRow, more ...any) (*sparki.Item, error) {
	i, c := &sparki.Item{}, &card{}
	targets := append(make([]any, 0, rowColumns), &i.ID, &i.IntegrationID, &i.Provider, &i.SourceType, &i.ExternalID, &i.ObjectCode, &i.AfdelingCode, &i.AgencyID,
		&i.OfficeID, &i.EmployeeIDs, &i.State, &i.InactiveReason, &i.SourceModifiedAt, &i.SyncedAt, &i.SyncError, &i.Provenance, &i.Version)
	if err := row.Scan(append(c.appendTargets(targets), more...)...); err != nil {
		return nil, err
	}
	i.Listing = c.read()
	return i, nil
}

func scanItemCard(row pgx.CollectableRow) (*sparki.Item, error) { return scanItem(row) }

func scanWholeItem(row pgx.CollectableRow) (*sparki.Item, error) {
	var zipped []byte
	i, err := scanItem(row, &zipped)
	if err != nil {
		return nil, err
	}
	i.Listing, err = decodeListing(zipped)
	return i, err
}

// Item reads one item with its whole listing.
func (d *DB) Item(ctx context.Context, portal, id uuid.UUID) (*sparki.Item, error) {
	return one(ctx, d, portal, scanWholeItem, `select `+selectItem+`, i.listing`+fromItems+` and i.id = $2`, portal, id)
}

// Item reads one item with its whole listing and keeps others from changing it.
func (tx *Tx) Item(ctx context.Context, id uuid.UUID) (*sparki.Item, error) {
	return collectOne(ctx, tx.Tx, scanWholeItem, `select `+selectItem+`, i.listing`+fromItems+` and i.id = $2 for update of i`, tx.portal, id)
}

// ItemsByID reads these items; whole reads their listings too. Ids without an item are left out.
func (d *DB) ItemsByID(ctx context.Context, portal uuid.UUID, ids []uuid.UUID, whole bool) ([]*sparki.Item, error) {
	columns, scan := itemScan(whole)
	return query(ctx, d, portal, scan, `select `+columns+fromItems+` and i.id = any($2)`, portal, ids)
}

func itemScan(whole bool) (columns string, scan pgx.RowToFunc[*sparki.Item]) {
	if whole {
		return selectItem + `, i.listing`, scanWholeItem
	}
	return selectItem, scanItemCard
}

// RawAnswer is the CRM's answer that an item was made from, as received; empty when there was none.
type RawAnswer struct {
	ItemID uuid.UUID
	JSON   []byte
}

// RawItems reads the answers that these items were made from.
func (d *DB) RawItems(ctx context.Context, portal uuid.UUID, ids []uuid.UUID) ([]*RawAnswer, error) {
	return query(ctx, d, portal, func(row pgx.CollectableRow) (*RawAnswer, error) {
		var zipped []byte
		a := &RawAnswer{}
		err := row.Scan(&a.ItemID, &zipped)
		if err == nil {
			a.JSON, err = decompress(zipped)
		}
		return a, err
	}, `select id, raw from items where portal_id = $1 and id = any($2)`, portal, ids)
}

// itemOrders says by which column and type each order sorts, and where a node has its value.
var itemOrders = map[string]sortColumn[*sparki.Item]{
	"SYNCED_AT": {"i.synced_at", "timestamptz", false, func(i *sparki.Item) *string { return timeText(i.SyncedAt) }},
	"TITLE":     {"i.title", "text", false, func(i *sparki.Item) *string { return &i.Listing.Title }},
	"CITY":      {"i.city", "text", true, func(i *sparki.Item) *string { return i.Listing.Address.City }},
	"PRICE":     {"i.price_amount", "numeric", true, func(i *sparki.Item) *string { return amountText(i.Listing) }},
}

// Items lists items; whole reads their listings too.
func (d *DB) Items(ctx context.Context, portal uuid.UUID, f sparki.ItemFilter, o sparki.Order, page sparki.PageArgs, whole bool) (*sparki.Page[*sparki.Item], error) {
	where := newConditions(portal)
	addEqual(where, "n.provider", f.Provider)
	addEqual(where, "i.integration_id", f.IntegrationID)
	addEqual(where, "i.state", f.State)
	addEqual(where, "i.category", f.Category)
	if f.Linked != nil {
		exists := "exists (select from projects p where p.portal_id = i.portal_id and p.item_id = i.id)"
		where.add(map[bool]string{true: exists, false: "not " + exists}[*f.Linked])
	}
	if err := d.addSearch(ctx, portal, where, "i", "found_items", f.Search); err != nil {
		return nil, err
	}
	columns, scan := itemScan(whole)
	return list(ctx, d, portal, listQuery[*sparki.Item]{
		columns: columns, from: fromItems, id: "i.id", scan: scan, where: where, sort: itemOrders[o.Field], desc: o.Desc,
		nodeID: func(i *sparki.Item) uuid.UUID { return i.ID },
	}, page)
}

// ItemCounts counts an integration's items.
func (d *DB) ItemCounts(ctx context.Context, portal, integration uuid.UUID) (sparki.ItemCounts, error) {
	return one(ctx, d, portal, pgx.RowToStructByPos[sparki.ItemCounts], `
		select count(*) filter (where state = 'ACTIVE'), count(*) filter (where state = 'INACTIVE'),
			(select count(distinct p.item_id) from projects p join items l on l.portal_id = p.portal_id and l.id = p.item_id
				where p.portal_id = $1 and l.integration_id = $2),
			(select count(*) from fetches f where f.portal_id = $1 and f.integration_id = $2 and f.state = 'FAILED')
		from items where portal_id = $1 and integration_id = $2`, portal, integration)
}

// EncodedListings reads the listings of these items as EncodeListing wrote them, by item.
func (tx *Tx) EncodedListings(ctx context.Context, items []uuid.UUID) (map[uuid.UUID][]byte, error) {
	out := make(map[uuid.UUID][]byte, len(items))
	_, err := collect(ctx, tx.Tx, func(row pgx.CollectableRow) (none struct{}, err error) {
		var id uuid.UUID
		var zipped pgtype.DriverBytes // lies in the connection's buffer
		if err = row.Scan(&id, &zipped); err == nil {
			out[id], err = decompressListing(zipped)
		}
		return none, err
	}, `select id, listing from items where portal_id = $1 and id = any($2)`, tx.portal, items)
	return out, err
}
