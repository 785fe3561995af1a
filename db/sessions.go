package db

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
)

// Session is a browser that signed in. The cookie itself is not stored: only its hash.
type Session struct {
	ID          uuid.UUID
	Hash        []byte     // sha256
	TokenID     *uuid.UUID // the API token that it was traded for; nil for one of the identity provider
	Subject     string     // who this is to the identity provider; "" for an API token
	Name        string
	Permissions []sparki.Permission
	ExpiresAt   time.Time
}

// CreateSession adds a session to a portal, and removes those that have expired there.
func (d *DB) CreateSession(ctx context.Context, portal uuid.UUID, s *Session) error {
	return d.Tx(ctx, portal, func(tx *Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(`delete from sessions where portal_id = $1 and expires_at < now()`, portal)
		batch.Queue(`insert into sessions (portal_id, id, hash, token_id, subject, name, permissions, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8)`,
			portal, s.ID, s.Hash, s.TokenID, s.Subject, s.Name, s.Permissions, s.ExpiresAt)
		return tx.SendBatch(ctx, batch).Close()
	})
}

// Session reads a session that still holds; NotFound for one that has expired or was given back, and
// when the token that it was traded for has ended.
func (d *DB) Session(ctx context.Context, portal, id uuid.UUID) (*Session, error) {
	return one(ctx, d, portal, pgx.RowToAddrOfStructByPos[Session], `
		select s.id, s.hash, s.token_id, s.subject, s.name, s.permissions, s.expires_at
		from sessions s left join api_tokens t on t.portal_id = s.portal_id and t.id = s.token_id
		where s.portal_id = $1 and s.id = $2 and s.expires_at > now()
			and t.revoked_at is null and (t.expires_at is null or t.expires_at > now())`, portal, id)
}

// DeleteSession ends a session; one that is not there is no error.
func (d *DB) DeleteSession(ctx context.Context, portal, id uuid.UUID) error {
	_, err := d.exec(ctx, portal, `delete from sessions where portal_id = $1 and id = $2`, portal, id)
	return err
}
