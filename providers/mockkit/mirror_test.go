package mockkit_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/memstore"
	"sparki.app/integrations/providers/mockkit"
)

// state is all documents of kind "note", by id.
type state map[string]string

func newMirror(store providers.MockStore) *mockkit.Mirror[string, state] {
	return &mockkit.Mirror[string, state]{
		Store: store,
		Kinds: []string{"config", "note", "log"},
		Seed: func() ([]providers.MockDoc, error) {
			return []providers.MockDoc{doc("config", "1", `"on"`), doc("note", "a", `"first"`)}, nil
		},
		Decode: func(d providers.MockDoc) (string, error) {
			if string(d.JSON) == `"broken"` {
				return "", errors.New("no note")
			}
			return strings.Trim(string(d.JSON), `"`), nil
		},
		Index: func(entries map[string]map[string]string) *state {
			s := state(maps.Clone(entries["note"]))
			return &s
		},
	}
}

func doc(kind, id, text string) providers.MockDoc {
	return providers.MockDoc{Kind: kind, ID: id, JSON: []byte(text)}
}

func notes(t *testing.T, m *mockkit.Mirror[string, state]) string {
	t.Helper()
	s, err := m.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(*s)
}

func write(ctx context.Context, m *mockkit.Mirror[string, state], id, text string) error {
	return m.Change(ctx, func(*state) (mockkit.Change, error) {
		return mockkit.Change{Docs: []providers.MockDoc{doc("note", id, `"`+text+`"`)}}, nil
	})
}

func TestMirrorFollowsItsStore(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	one, two := newMirror(store), newMirror(store)
	if got := notes(t, one) + notes(t, two); got != "map[a:first]map[a:first]" {
		t.Fatalf("seed: %s", got)
	}
	if err := write(t.Context(), one, "b", "second"); err != nil {
		t.Fatal(err)
	}
	if got := notes(t, one) + notes(t, two); got != "map[a:first b:second]map[a:first b:second]" {
		t.Errorf("after a change: %s", got)
	}
	if err := store.Delete(t.Context(), "note", "a"); err != nil {
		t.Fatal(err)
	}
	if got := notes(t, one); got != "map[b:second]" {
		t.Errorf("after a delete elsewhere: %s", got)
	}
	refusal := errors.New("no")
	err := one.Change(t.Context(), func(s *state) (mockkit.Change, error) {
		return mockkit.Change{Docs: []providers.MockDoc{doc("note", "c", `"x"`)}, Stored: func() { t.Error("not stored") }}, refusal
	})
	if !errors.Is(err, refusal) || notes(t, two) != "map[b:second]" {
		t.Errorf("a refused change: %v, %s", err, notes(t, two))
	}
	if err := store.Put(t.Context(), doc("note", "d", `"broken"`)); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Load(t.Context()); err == nil || !strings.Contains(err.Error(), "read note d: no note") {
		t.Errorf("a document that cannot be read: %v", err)
	}
}

// TestMirrorChangesOneByOne: each change sees the ones before it, and Stored runs in their order.
func TestMirrorChangesOneByOne(t *testing.T) {
	t.Parallel()
	m := newMirror(memstore.New())
	var order []int // guarded by the mirror: one Stored at a time
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			err := m.Change(t.Context(), func(s *state) (mockkit.Change, error) {
				n := len(*s)
				return mockkit.Change{
					Docs:   []providers.MockDoc{doc("note", fmt.Sprintf("n%03d", n), `"x"`)},
					Stored: func() { order = append(order, n) },
				}, nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(order) != 40 || !slices.IsSorted(order) || order[39] != 40 {
		t.Errorf("order: %v", order)
	}
}

func TestMirrorForgetsOldLogs(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	m := newMirror(store)
	for i := range 11 {
		if err := m.Log(t.Context(), doc("log", fmt.Sprintf("%02d", i), `"line"`), 5); err != nil {
			t.Fatal(err)
		}
	}
	docs, err := store.List(t.Context(), "log")
	if err != nil {
		t.Fatal(err)
	}
	if len(docs) != 5 || docs[0].ID != "06" || docs[4].ID != "10" {
		t.Errorf("log: %v", docs)
	}
}
