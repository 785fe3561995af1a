package db

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
)

// CreatePortal adds a portal.
func (d *DB) CreatePortal(ctx context.Context, p *sparki.Portal) error {
	return d.Tx(ctx, p.ID, func(tx *Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(`insert into portals (portal_id, name, time_zone, add_ons) values ($1, $2, $3, $4)`, p.ID, p.Name, p.TimeZone, p.AddOns)
		batch.Queue(`insert into activity_heads (portal_id) values ($1)`, p.ID)
		return tx.SendBatch(ctx, batch).Close()
	})
}

// Portal reads one portal.
func (d *DB) Portal(ctx context.Context, portal uuid.UUID) (*sparki.Portal, error) {
	return one(ctx, d, portal, func(row pgx.CollectableRow) (*sparki.Portal, error) {
		p := &sparki.Portal{}
		return p, row.Scan(&p.ID, &p.Name, &p.TimeZone, &p.AddOns)
	}, `select portal_id, name, time_zone, add_ons from portals where portal_id = $1`, portal)
}

// Portals lists the ids of all portals, oldest first.
func (d *DB) Portals(ctx context.Context) (ids []uuid.UUID, err error) {
	err = d.system(ctx, func(tx pgx.Tx) error {
		ids, err = collect(ctx, tx, pgx.RowTo[uuid.UUID], `select portal_id from portals order by created_at`)
		return err
	})
	return ids, err
}

// Token is a stored API token. The token itself is not: only its hash.
type Token struct {
	ID          uuid.UUID
	Name        string
	Hash        []byte // sha256
	Permissions []sparki.Permission
	CreatedAt   time.Time
	ExpiresAt   *time.Time
	RevokedAt   *time.Time
}

// CreateToken adds a token to a portal; NotFound when there is no such portal.
func (d *DB) CreateToken(ctx context.Context, portal uuid.UUID, t *Token) error {
	n, err := d.exec(ctx, portal, `
		insert into api_tokens (portal_id, id, name, hash, permissions, expires_at)
		select portal_id, $2, $3, $4, $5, $6 from portals where portal_id = $1`,
		portal, t.ID, t.Name, t.Hash, t.Permissions, t.ExpiresAt)
	if err == nil && n == 0 {
		return errNotFound
	}
	return err
}

const tokenColumns = `id, name, hash, permissions, created_at, expires_at, revoked_at`

// Token reads one token.
func (d *DB) Token(ctx context.Context, portal, id uuid.UUID) (*Token, error) {
	return one(ctx, d, portal, pgx.RowToAddrOfStructByPos[Token],
		`select `+tokenColumns+` from api_tokens where portal_id = $1 and id = $2`, portal, id)
}

// Tokens lists a portal's tokens, oldest first.
func (d *DB) Tokens(ctx context.Context, portal uuid.UUID) ([]*Token, error) {
	return query(ctx, d, portal, pgx.RowToAddrOfStructByPos[Token],
		`select `+tokenColumns+` from api_tokens where portal_id = $1 order by id`, portal)
}

// RevokeToken ends a token at once; NotFound when there is none.
func (d *DB) RevokeToken(ctx context.Context, portal, id uuid.UUID) error {
	n, err := d.exec(ctx, portal, `update api_tokens set revoked_at = coalesce(revoked_at, now()) where portal_id = $1 and id = $2`, portal, id)
	if err == nil && n == 0 {
		return errNotFound
	}
	return err
}
