package db

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Seal is where a secret is stored, and the id of the key that seals it.
type Seal struct {
	KeyID       string
	Portal      uuid.UUID
	Integration uuid.UUID
	Setting     string
}

// SealingKeys gives one secret for each key that seals any.
func (d *DB) SealingKeys(ctx context.Context) (seals []Seal, err error) {
	err = d.system(ctx, func(tx pgx.Tx) error {
		seals, err = collect(ctx, tx, pgx.RowToStructByPos[Seal], `
			select distinct on (sealed_key) sealed_key, portal_id, integration_id, key
			from settings where sealed_key is not null order by sealed_key, portal_id, integration_id, key`)
		return err
	})
	return seals, err
}

// CountOtherSeals counts the settings that hold something which another key than this one seals.
func (d *DB) CountOtherSeals(ctx context.Context, keyID string) (n int, err error) {
	err = d.system(ctx, func(tx pgx.Tx) error {
		n, err = collectOne(ctx, tx, pgx.RowTo[int], `select count(*) from settings where sealed_key <> $1 or previous_key <> $1`, keyID)
		return err
	})
	return n, err
}

// OtherSeals lists settings that hold something which another key than this one seals, behind a place in
// their order; the zero Seal is before all.
func (d *DB) OtherSeals(ctx context.Context, keyID string, after Seal, limit int) (seals []Seal, err error) {
	err = d.system(ctx, func(tx pgx.Tx) error {
		seals, err = collect(ctx, tx, pgx.RowToStructByPos[Seal], `
			select coalesce(sealed_key, previous_key), portal_id, integration_id, key from settings
			where (sealed_key <> $1 or previous_key <> $1) and (portal_id, integration_id, key) > ($2, $3, $4)
			order by portal_id, integration_id, key limit $5`, keyID, after.Portal, after.Integration, after.Setting, limit)
		return err
	})
	return seals, err
}

// LockSetting reads one setting and keeps others from changing it until the transaction ends; NotFound
// when it was cleared.
func (tx *Tx) LockSetting(ctx context.Context, integration uuid.UUID, key string) (StoredSetting, error) {
	return collectOne(ctx, tx.Tx, pgx.RowToStructByPos[StoredSetting],
		`select `+settingColumns+` from settings where portal_id = $1 and integration_id = $2 and key = $3 for update`, tx.portal, integration, key)
}

// Reseal replaces the seals of a secret. The secret is the same, so the time of its change stays.
func (tx *Tx) Reseal(ctx context.Context, integration uuid.UUID, s StoredSetting) error {
	_, err := tx.Exec(ctx, `update settings set sealed = $4, previous = $5, previous_until = $6 where portal_id = $1 and integration_id = $2 and key = $3`,
		tx.portal, integration, s.Key, s.Sealed, s.Previous, s.PreviousUntil)
	return err
}
