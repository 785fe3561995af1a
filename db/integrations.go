package db

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
)

const integrationColumns = `id, portal_id, provider, enabled, mock, listings, agenda, outbound,
	connection_state, connection_checked_at, connection_problem, created_at, updated_at`

func scanIntegration(row pgx.CollectableRow) (*sparki.Integration, error) {
	i := &sparki.Integration{}
	return i, row.Scan(&i.ID, &i.PortalID, &i.Provider, &i.Enabled, &i.Mock, &i.Domains.Listings, &i.Domains.Agenda, &i.Domains.Outbound,
		&i.Connection.State, &i.Connection.CheckedAt, &i.Connection.Problem, &i.CreatedAt, &i.UpdatedAt)
}

// Integrations lists a portal's integrations by provider.
func (d *DB) Integrations(ctx context.Context, portal uuid.UUID) ([]*sparki.Integration, error) {
	return query(ctx, d, portal, scanIntegration,
		`select `+integrationColumns+` from integrations where portal_id = $1 order by provider`, portal)
}

// Integration reads one integration.
func (d *DB) Integration(ctx context.Context, portal, id uuid.UUID) (*sparki.Integration, error) {
	return one(ctx, d, portal, scanIntegration,
		`select `+integrationColumns+` from integrations where portal_id = $1 and id = $2`, portal, id)
}

// LockIntegration reads one integration and keeps others from changing it until the transaction ends.
func (tx *Tx) LockIntegration(ctx context.Context, id uuid.UUID) (*sparki.Integration, error) {
	return collectOne(ctx, tx.Tx, scanIntegration,
		`select `+integrationColumns+` from integrations where portal_id = $1 and id = $2 for no key update`, tx.portal, id)
}

// ShareIntegration reads one integration and keeps others from changing it, but not from reading it,
// until the transaction ends: what is decided by its switches holds when it is written.
func (tx *Tx) ShareIntegration(ctx context.Context, id uuid.UUID) (*sparki.Integration, error) {
	return collectOne(ctx, tx.Tx, scanIntegration,
		`select `+integrationColumns+` from integrations where portal_id = $1 and id = $2 for share`, tx.portal, id)
}

// PortalOfIntegration finds the portal of an integration's id: a webhook's URL names only the id.
func (d *DB) PortalOfIntegration(ctx context.Context, id uuid.UUID) (portal uuid.UUID, err error) {
	err = d.system(ctx, func(tx pgx.Tx) error {
		portal, err = collectOne(ctx, tx, pgx.RowTo[uuid.UUID], `select portal_id from integrations where id = $1`, id)
		return err
	})
	return portal, err
}

// StoredSetting is a setting as it lies in the database: a plain value or a sealed one.
type StoredSetting struct {
	Key           string
	Value         any // string, []any of strings or bool; nil for a secret
	Sealed        []byte
	Previous      []byte
	PreviousUntil *time.Time
	UpdatedAt     time.Time
}

const settingColumns = `key, value, sealed, previous, previous_until, updated_at`

// Settings reads what is stored for an integration.
func (d *DB) Settings(ctx context.Context, portal, integration uuid.UUID) ([]StoredSetting, error) {
	return query(ctx, d, portal, pgx.RowToStructByPos[StoredSetting],
		`select `+settingColumns+` from settings where portal_id = $1 and integration_id = $2`, portal, integration)
}

// UpsertIntegration creates the portal's integration with a provider or changes its switches, and
// locks it. created tells which. A crawl of everything is due at once.
func (tx *Tx) UpsertIntegration(ctx context.Context, i *sparki.Integration) (stored *sparki.Integration, created bool, err error) {
	stored, err = collectOne(ctx, tx.Tx, scanIntegration, `
		insert into integrations as i (portal_id, id, provider, enabled, mock, listings, agenda, outbound)
		values ($1, $2, $3, $4, $5, $6, $7, $8)
		on conflict (portal_id, provider) do update set
			enabled = excluded.enabled, mock = excluded.mock, listings = excluded.listings, agenda = excluded.agenda,
			outbound = excluded.outbound, updated_at = now()
		returning `+integrationColumns,
		tx.portal, i.ID, i.Provider, i.Enabled, i.Mock, i.Domains.Listings, i.Domains.Agenda, i.Domains.Outbound)
	if err != nil {
		return nil, false, err
	}
	return stored, stored.ID == i.ID, nil
}

// Settings reads what is stored, inside the transaction.
func (tx *Tx) Settings(ctx context.Context, integration uuid.UUID) ([]StoredSetting, error) {
	return collect(ctx, tx.Tx, pgx.RowToStructByPos[StoredSetting],
		`select `+settingColumns+` from settings where portal_id = $1 and integration_id = $2`, tx.portal, integration)
}

// PutSettings stores settings; one whose value and seal are both nil is removed.
func (tx *Tx) PutSettings(ctx context.Context, integration uuid.UUID, settings []StoredSetting) error {
	batch := &pgx.Batch{}
	for _, s := range settings {
		if s.Value == nil && s.Sealed == nil {
			batch.Queue(`delete from settings where portal_id = $1 and integration_id = $2 and key = $3`, tx.portal, integration, s.Key)
			continue
		}
		value, err := jsonOf(s.Value)
		if err != nil {
			return err
		}
		batch.Queue(`
			insert into settings (portal_id, integration_id, key, value, sealed, previous, previous_until)
			values ($1, $2, $3, $4, $5, $6, $7)
			on conflict (portal_id, integration_id, key) do update set value = excluded.value, sealed = excluded.sealed,
				previous = excluded.previous, previous_until = excluded.previous_until, updated_at = now()`,
			tx.portal, integration, s.Key, value, s.Sealed, s.Previous, s.PreviousUntil)
	}
	return tx.SendBatch(ctx, batch).Close()
}

// jsonOf writes a value for a jsonb column: pgx would take a string for JSON that is written already.
func jsonOf(value any) ([]byte, error) {
	if value == nil {
		return nil, nil
	}
	return json.Marshal(value)
}

// SetEnabled turns the master switch.
func (tx *Tx) SetEnabled(ctx context.Context, id uuid.UUID, enabled bool) error {
	_, err := tx.Exec(ctx, `update integrations set enabled = $3, updated_at = now() where portal_id = $1 and id = $2`, tx.portal, id, enabled)
	return err
}

// SetConnection stores what an answer of the CRM told about the line. It tells whether the state or
// the problem is another than before.
func (tx *Tx) SetConnection(ctx context.Context, id uuid.UUID, c sparki.Connection) (changed bool, err error) {
	return collectOne(ctx, tx.Tx, pgx.RowTo[bool], `
		update integrations i set connection_state = $3, connection_checked_at = $4, connection_problem = $5
		from (select * from integrations where portal_id = $1 and id = $2 for no key update) o
		where i.portal_id = o.portal_id and i.id = o.id
		returning (o.connection_state, o.connection_problem) is distinct from ($3, $5)`,
		tx.portal, id, c.State, c.CheckedAt, c.Problem)
}

// UnparkFetches makes everything due at once that waits or has run out of tries, for an integration
// whose settings were saved, or whose CRM answers again.
func (tx *Tx) UnparkFetches(ctx context.Context, integration uuid.UUID) error {
	_, err := tx.Exec(ctx, `
		update fetches set state = 'WAITING', attempts = 0, due_at = now()
		where portal_id = $1 and integration_id = $2 and state <> 'RUNNING'`, tx.portal, integration)
	return err
}
