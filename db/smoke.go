package db

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
)

// SmokeTest is one that may have left an item in a CRM's agenda.
type SmokeTest struct {
	ID       uuid.UUID
	Entry    sparki.AgendaEntry
	RemoteID *string // nil while nobody knows it
}

// BeginSmokeTest stores what a smoke test is going to create.
func (d *DB) BeginSmokeTest(ctx context.Context, portal, integration, id uuid.UUID, e *sparki.AgendaEntry, lease time.Duration) error {
	_, err := d.exec(ctx, portal, `
		insert into smoke_tests (portal_id, id, integration_id, entry, lease_until) values ($1, $2, $3, $4, now() + $5::interval)`, portal, id, integration, e, lease)
	return err
}

// KnowSmokeTest stores the id of what a smoke test created.
func (d *DB) KnowSmokeTest(ctx context.Context, portal, id uuid.UUID, remoteID string) error {
	_, err := d.exec(ctx, portal, `update smoke_tests set external_id = $3 where portal_id = $1 and id = $2`, portal, id, remoteID)
	return err
}

// PostponeSmokeTest says when to clean up after a smoke test that could not.
func (d *DB) PostponeSmokeTest(ctx context.Context, portal, id uuid.UUID, delay time.Duration) error {
	_, err := d.exec(ctx, portal, `update smoke_tests set lease_until = now() + $3::interval where portal_id = $1 and id = $2`, portal, id, delay)
	return err
}

// EndSmokeTest forgets a smoke test that left nothing.
func (d *DB) EndSmokeTest(ctx context.Context, portal, id uuid.UUID) error {
	_, err := d.exec(ctx, portal, `delete from smoke_tests where portal_id = $1 and id = $2`, portal, id)
	return err
}

// ClaimSmokeTest takes the lease of a smoke test that has to be cleaned up after; nil when there is none.
func (d *DB) ClaimSmokeTest(ctx context.Context, portal, integration uuid.UUID, lease time.Duration) (*SmokeTest, error) {
	rows, err := query(ctx, d, portal, pgx.RowToAddrOfStructByPos[SmokeTest], `
		update smoke_tests set lease_until = now() + $3::interval where portal_id = $1 and id = (
			select id from smoke_tests where portal_id = $1 and integration_id = $2 and lease_until < now() order by id limit 1 for update skip locked)
		returning id, entry, external_id`, portal, integration, lease)
	return first(rows), err
}
