package integrations

import (
	"context"
	"fmt"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// CheckKeys opens one stored secret of every key that seals any, so that a program with wrong keys does not
// start. The error names key ids, never a key.
func CheckKeys(ctx context.Context, d *db.DB, keys *Keys) error {
	seals, err := d.SealingKeys(ctx)
	if err != nil {
		return err
	}
	for _, seal := range seals {
		if _, known := keys.aead[seal.KeyID]; !known {
			return fmt.Errorf("SECRET_KEYS has no key %q, which stored secrets are sealed with", seal.KeyID)
		}
		stored, err := d.Settings(ctx, seal.Portal, seal.Integration)
		if err != nil {
			return err
		}
		s, held := settingsByKey(stored)[seal.Setting]
		if !held || s.Sealed == nil { // cleared a moment ago
			continue
		}
		if _, err := keys.open(s.Sealed, place{seal.Portal, seal.Integration, seal.Setting}); err != nil {
			return fmt.Errorf("SECRET_KEYS: key %q is not the one that stored secrets are sealed with", seal.KeyID)
		}
	}
	return nil
}

// OldSeals counts the secrets that are not sealed with the first key.
func OldSeals(ctx context.Context, d *db.DB, keys *Keys) (int, error) {
	return d.CountOtherSeals(ctx, keys.first)
}

const rotateAtOnce = 200

// Rotate seals every stored secret with the first key that is not. The program may run meanwhile; broken
// off, it goes on where it stopped when it is run again. It tells how many secrets it sealed.
func Rotate(ctx context.Context, d *db.DB, keys *Keys) (sealed int, err error) {
	var after db.Seal
	for {
		page, err := d.OtherSeals(ctx, keys.first, after, rotateAtOnce)
		if err != nil || len(page) == 0 {
			return sealed, err
		}
		for _, seal := range page {
			if err := reseal(ctx, d, keys, seal); err != nil {
				return sealed, err
			}
			sealed++
		}
		after = page[len(page)-1]
	}
}

func reseal(ctx context.Context, d *db.DB, keys *Keys, seal db.Seal) error {
	at := place{seal.Portal, seal.Integration, seal.Setting}
	err := d.Tx(ctx, seal.Portal, func(tx *db.Tx) error {
		s, err := tx.LockSetting(ctx, seal.Integration, seal.Setting)
		if err != nil {
			return err
		}
		if s.PreviousUntil != nil && s.PreviousUntil.Before(time.Now()) {
			s.Previous, s.PreviousUntil = nil, nil
		}
		for _, sealed := range []*[]byte{&s.Sealed, &s.Previous} {
			if *sealed == nil {
				continue
			}
			secret, err := keys.open(*sealed, at)
			if err != nil {
				return fmt.Errorf("setting %s of %s: %w", seal.Setting, sparki.IntegrationNode.ID(seal.Integration), err)
			}
			*sealed = keys.seal(secret, at)
		}
		return tx.Reseal(ctx, seal.Integration, s)
	})
	if sparki.KindOf(err) == sparki.NotFound { // cleared a moment ago
		return nil
	}
	return err
}
