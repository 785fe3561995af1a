package db

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations/providers"
)

// MockStore keeps the documents of one integration's mock CRM, so that every process sees the same.
type MockStore struct {
	db                  *DB
	portal, integration uuid.UUID
}

// MockStore gives the store of one integration's mock CRM.
func (d *DB) MockStore(portal, integration uuid.UUID) *MockStore {
	return &MockStore{db: d, portal: portal, integration: integration}
}

// Version rises with every Put and Delete.
func (s *MockStore) Version(ctx context.Context) (int64, error) {
	return one(ctx, s.db, s.portal, pgx.RowTo[int64],
		`select coalesce(max(version), 0) from mock_versions where portal_id = $1 and integration_id = $2`, s.portal, s.integration)
}

// List gives all documents of a kind, ordered by id.
func (s *MockStore) List(ctx context.Context, kind string) ([]providers.MockDoc, error) {
	return query(ctx, s.db, s.portal, func(row pgx.CollectableRow) (doc providers.MockDoc, err error) {
		var zipped []byte
		if err = row.Scan(&doc.Kind, &doc.ID, &zipped); err == nil {
			doc.JSON, err = decompress(zipped)
		}
		return doc, err
	}, `select kind, id, document from mock_documents where portal_id = $1 and integration_id = $2 and kind = $3 order by id collate "C"`,
		s.portal, s.integration, kind)
}

// Put adds or replaces documents, all or none.
func (s *MockStore) Put(ctx context.Context, docs ...providers.MockDoc) error {
	kinds, ids, bodies := make([]string, len(docs)), make([]string, len(docs)), make([][]byte, len(docs))
	for i, doc := range docs {
		kinds[i], ids[i], bodies[i] = doc.Kind, doc.ID, compress(doc.JSON)
	}
	return s.change(ctx, `
		insert into mock_documents (portal_id, integration_id, kind, id, document)
		select $1, $2, * from unnest($3::text[], $4::text[], $5::bytea[])
		on conflict (portal_id, integration_id, kind, id) do update set document = excluded.document`, kinds, ids, bodies)
}

// Delete removes a document.
func (s *MockStore) Delete(ctx context.Context, kind, id string) error {
	return s.change(ctx, `delete from mock_documents where portal_id = $1 and integration_id = $2 and kind = $3 and id = $4`, kind, id)
}

// change raises the version first: its row is the lock under which writers take turns.
func (s *MockStore) change(ctx context.Context, sql string, args ...any) error {
	return s.db.Tx(ctx, s.portal, func(tx *Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(`
			insert into mock_versions as v (portal_id, integration_id, version) values ($1, $2, 1)
			on conflict (portal_id, integration_id) do update set version = v.version + 1`, s.portal, s.integration)
		batch.Queue(sql, append([]any{s.portal, s.integration}, args...)...)
		return tx.SendBatch(ctx, batch).Close()
	})
}
