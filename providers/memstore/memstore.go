// Package memstore keeps the documents of a mock CRM in memory, for tests and for runs without a
// database. Its suite, Run, says what every other store of mock documents has to do as well.
package memstore

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"sparki.app/integrations/providers"
)

// Store is a providers.MockStore. Several mocks may share one, as several processes share a database.
type Store struct {
	mu      sync.RWMutex
	version int64
	kinds   map[string]map[string][]byte
}

var _ providers.MockStore = (*Store)(nil)

// New makes an empty store.
func New() *Store { return &Store{kinds: map[string]map[string][]byte{}} }

// Version rises by one with every Put and Delete.
func (s *Store) Version(ctx context.Context) (int64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.version, ctx.Err()
}

// List gives all documents of a kind, ordered by the bytes of their ids. The JSON is the store's
// own: read it, do not write into it.
func (s *Store) List(ctx context.Context, kind string) ([]providers.MockDoc, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	docs := make([]providers.MockDoc, 0, len(s.kinds[kind]))
	for _, id := range slices.Sorted(maps.Keys(s.kinds[kind])) {
		docs = append(docs, providers.MockDoc{Kind: kind, ID: id, JSON: s.kinds[kind][id]})
	}
	return docs, nil
}

// Put adds or replaces documents, all or none. It keeps copies.
func (s *Store) Put(ctx context.Context, docs ...providers.MockDoc) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, d := range docs {
		if d.Kind == "" || d.ID == "" {
			return fmt.Errorf("put document %q of kind %q: both need a name", d.ID, d.Kind)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range docs {
		if s.kinds[d.Kind] == nil {
			s.kinds[d.Kind] = map[string][]byte{}
		}
		s.kinds[d.Kind][d.ID] = bytes.Clone(d.JSON)
	}
	s.version++
	return nil
}

// Delete removes a document; one that is not there is no error.
func (s *Store) Delete(ctx context.Context, kind, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.kinds[kind], id)
	s.version++
	return nil
}
