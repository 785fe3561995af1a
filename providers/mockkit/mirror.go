package mockkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"sparki.app/integrations/providers"
)

// Mirror holds the documents of a store decoded, so that a mock serves from memory and still sees
// the writes of other processes at once. E is one decoded document, S the state made of all of them;
// neither ever changes. Set the exported fields before the first use.
type Mirror[E, S any] struct {
	Store providers.MockStore
	// Kinds is the order in which documents are read. A store without any of the first kind is empty.
	Kinds []string
	// Seed is what an empty store is filled with. Two processes may do so at once.
	Seed func() ([]providers.MockDoc, error)
	// Decode reads one document.
	Decode func(providers.MockDoc) (E, error)
	// Index makes the state of all documents, by kind and id.
	Index func(map[string]map[string]E) *S

	writing sync.Mutex // held from reading what is changed until it is stored
	loading sync.Mutex // held while a new snapshot is made
	current atomic.Pointer[snapshot[E, S]]
}

// snapshot is the store at one version.
type snapshot[E, S any] struct {
	version int64
	raw     map[string]map[string][]byte // as the store gave it, by kind and id
	entries map[string]map[string]E
	state   *S
}

// Change is what a call wants to store.
type Change struct {
	Docs []providers.MockDoc
	// Stored runs once they are stored, before the next change begins; nil is nothing.
	Stored func()
}

// Load gives the newest state. It asks the store for its version each time, so that changes of
// other processes are seen at once, and reads documents only when the version moved.
func (m *Mirror[E, S]) Load(ctx context.Context) (*S, error) {
	s, err := m.load(ctx)
	if err != nil {
		return nil, fmt.Errorf("read mock store: %w", err)
	}
	return s.state, nil
}

func (m *Mirror[E, S]) load(ctx context.Context) (*snapshot[E, S], error) {
	version, err := m.Store.Version(ctx)
	if err != nil {
		return nil, err
	}
	if s := m.current.Load(); s != nil && s.version == version {
		return s, nil
	}
	m.loading.Lock()
	defer m.loading.Unlock()
	return m.reload(ctx)
}

// reload makes the snapshot of now, and fills the store first when it is empty. The caller holds
// loading.
func (m *Mirror[E, S]) reload(ctx context.Context) (*snapshot[E, S], error) {
	for range 2 {
		version, err := m.Store.Version(ctx)
		if err != nil {
			return nil, err
		}
		old := m.current.Load()
		if old != nil && old.version == version {
			return old, nil
		}
		// The documents may be newer than the version; then the next load reads them again.
		s := &snapshot[E, S]{version: version, raw: map[string]map[string][]byte{}, entries: map[string]map[string]E{}}
		filled, err := m.read(ctx, s, old)
		if err != nil {
			return nil, err
		}
		if !filled {
			docs, err := m.Seed()
			if err != nil {
				return nil, err
			}
			if err := m.Store.Put(ctx, docs...); err != nil {
				return nil, err
			}
			continue
		}
		s.state = m.Index(s.entries)
		m.current.Store(s)
		return s, nil
	}
	return nil, errors.New("the seed cannot be found after it was stored")
}

// read fills a snapshot, and keeps the entries whose document did not change. It says whether the
// store was ever filled.
func (m *Mirror[E, S]) read(ctx context.Context, s, old *snapshot[E, S]) (filled bool, err error) {
	if old == nil {
		old = &snapshot[E, S]{}
	}
	for i, kind := range m.Kinds {
		docs, err := m.Store.List(ctx, kind)
		if err != nil {
			return false, err
		}
		if i == 0 && len(docs) == 0 {
			return false, nil
		}
		raw, entries := make(map[string][]byte, len(docs)), make(map[string]E, len(docs))
		for _, d := range docs {
			raw[d.ID] = d.JSON
			if before, ok := old.raw[kind][d.ID]; ok && bytes.Equal(before, d.JSON) {
				entries[d.ID] = old.entries[kind][d.ID]
				continue
			}
			if entries[d.ID], err = m.decode(d); err != nil {
				return false, err
			}
		}
		s.raw[kind], s.entries[kind] = raw, entries
	}
	return true, nil
}

func (m *Mirror[E, S]) decode(d providers.MockDoc) (E, error) {
	e, err := m.Decode(d)
	if err != nil {
		err = fmt.Errorf("read %s %s: %w", d.Kind, d.ID, err)
	}
	return e, err
}

// Change reads, decides and stores, one call at a time in this process. Between processes the last
// write of one document wins; the store has no way to refuse it.
func (m *Mirror[E, S]) Change(ctx context.Context, decide func(*S) (Change, error)) error {
	m.writing.Lock()
	defer m.writing.Unlock()
	s, err := m.load(ctx)
	if err != nil {
		return fmt.Errorf("read mock store: %w", err)
	}
	c, err := decide(s.state)
	if err != nil || len(c.Docs) == 0 {
		return err
	}
	if err := m.Store.Put(ctx, c.Docs...); err != nil {
		return fmt.Errorf("write mock store: %w", err)
	}
	if c.Stored != nil {
		c.Stored()
	}
	return m.advance(ctx, s, c.Docs)
}

// advance takes our own write into the snapshot without reading the store again, if nobody else
// wrote meanwhile.
func (m *Mirror[E, S]) advance(ctx context.Context, old *snapshot[E, S], docs []providers.MockDoc) error {
	m.loading.Lock()
	defer m.loading.Unlock()
	version, err := m.Store.Version(ctx)
	if err != nil || m.current.Load() != old || version != old.version+1 {
		return nil // stored it is; the next load reads it
	}
	s := &snapshot[E, S]{version: version, raw: maps.Clone(old.raw), entries: maps.Clone(old.entries)}
	for _, d := range docs {
		e, err := m.decode(d)
		if err != nil {
			return err
		}
		raw, entries := maps.Clone(s.raw[d.Kind]), maps.Clone(s.entries[d.Kind])
		raw[d.ID], entries[d.ID] = d.JSON, e
		s.raw[d.Kind], s.entries[d.Kind] = raw, entries
	}
	s.state = m.Index(s.entries)
	m.current.Store(s)
	return nil
}

// Log adds a document to a kind whose ids rise with time, and forgets the oldest ones beyond
// twice as many as are to be kept.
func (m *Mirror[E, S]) Log(ctx context.Context, d providers.MockDoc, keep int) error {
	err := m.Change(ctx, func(*S) (Change, error) { return Change{Docs: []providers.MockDoc{d}}, nil })
	if err != nil {
		return err
	}
	s, err := m.load(ctx)
	if err != nil {
		return fmt.Errorf("read mock store: %w", err)
	}
	ids := slices.Sorted(maps.Keys(s.raw[d.Kind]))
	if len(ids) <= 2*keep {
		return nil
	}
	for _, id := range ids[:len(ids)-keep] {
		if err := m.Store.Delete(ctx, d.Kind, id); err != nil {
			return fmt.Errorf("write mock store: %w", err)
		}
	}
	return nil
}

// Values gives the values of one type among the entries of a kind, ordered by id.
func Values[T, E any](entries map[string]E, value func(E) any) []T {
	values := make([]T, 0, len(entries))
	for _, id := range slices.Sorted(maps.Keys(entries)) {
		values = append(values, value(entries[id]).(T))
	}
	return values
}
