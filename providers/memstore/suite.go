package memstore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"

	"sparki.app/integrations/providers"
)

// Run checks a store against the contract of providers.MockStore. newStore makes an empty one; it
// is called once for each case.
func Run(t *testing.T, newStore func(t *testing.T) providers.MockStore) {
	t.Helper()
	cases := map[string]func(*testing.T, providers.MockStore){
		"Empty":                   suiteEmpty,
		"PutListReplaceDelete":    suitePutListReplaceDelete,
		"ListIsOrderedByBytes":    suiteOrder,
		"KindsAreSeparate":        suiteKinds,
		"VersionRises":            suiteVersion,
		"KeepsItsOwnCopy":         suiteCopy,
		"KeepsJSON":               suiteJSON,
		"LargeBatch":              suiteLargeBatch,
		"ConcurrentWrites":        suiteConcurrentWrites,
		"BatchesAreSeenWhole":     suiteAtomic,
		"ChangeIsSeenWithVersion": suiteSeen,
		"CancelledContext":        suiteCancelled,
	}
	for name, check := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, newStore(t))
		})
	}
}

func doc(kind, id, text string) providers.MockDoc {
	return providers.MockDoc{Kind: kind, ID: id, JSON: []byte(text)}
}

func put(t *testing.T, s providers.MockStore, docs ...providers.MockDoc) {
	t.Helper()
	if err := s.Put(t.Context(), docs...); err != nil {
		t.Fatalf("put: %v", err)
	}
}

func list(t *testing.T, s providers.MockStore, kind string) []providers.MockDoc {
	t.Helper()
	docs, err := s.List(t.Context(), kind)
	if err != nil {
		t.Fatalf("list %s: %v", kind, err)
	}
	return docs
}

func version(t *testing.T, s providers.MockStore) int64 {
	t.Helper()
	v, err := s.Version(t.Context())
	if err != nil {
		t.Fatalf("version: %v", err)
	}
	return v
}

// same compares documents by kind, id and meaning: a store may write JSON in its own way.
func same(t *testing.T, got []providers.MockDoc, want ...providers.MockDoc) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d documents, want %d: %s", len(got), len(want), got)
	}
	for i := range want {
		if got[i].Kind != want[i].Kind || got[i].ID != want[i].ID || !sameJSON(t, got[i].JSON, want[i].JSON) {
			t.Errorf("document %d: got %s, want %s", i, got[i], want[i])
		}
	}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	decode := func(text []byte) (v any) {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("not JSON: %v: %q", err, text)
		}
		return v
	}
	return reflect.DeepEqual(decode(a), decode(b))
}

func suiteEmpty(t *testing.T, s providers.MockStore) {
	same(t, list(t, s, "object"))
	if err := s.Delete(t.Context(), "object", "absent"); err != nil {
		t.Errorf("delete of a missing document: %v", err)
	}
	version(t, s)
}

func suitePutListReplaceDelete(t *testing.T, s providers.MockStore) {
	put(t, s, doc("object", "b", `{"n":2}`), doc("object", "a", `{"n":1}`))
	same(t, list(t, s, "object"), doc("object", "a", `{"n":1}`), doc("object", "b", `{"n":2}`))
	put(t, s, doc("object", "a", `{"n":3}`), doc("object", "c", `{"n":4}`))
	same(t, list(t, s, "object"), doc("object", "a", `{"n":3}`), doc("object", "b", `{"n":2}`), doc("object", "c", `{"n":4}`))
	if err := s.Delete(t.Context(), "object", "b"); err != nil {
		t.Fatalf("delete: %v", err)
	}
	same(t, list(t, s, "object"), doc("object", "a", `{"n":3}`), doc("object", "c", `{"n":4}`))
}

// suiteOrder finds a store that sorts by the rules of a language instead of by bytes.
func suiteOrder(t *testing.T, s providers.MockStore) {
	ids := []string{"a-c", "ab", "B", "a", "é", "A", "a b", "10", "9", "_x"}
	for _, id := range ids {
		put(t, s, doc("object", id, `{}`))
	}
	slices.Sort(ids)
	var got []string
	for _, d := range list(t, s, "object") {
		got = append(got, d.ID)
	}
	if !slices.Equal(got, ids) {
		t.Errorf("got %q, want %q", got, ids)
	}
}

func suiteKinds(t *testing.T, s providers.MockStore) {
	put(t, s, doc("object", "1", `{"is":"object"}`), doc("project", "1", `{"is":"project"}`))
	if err := s.Delete(t.Context(), "object", "1"); err != nil {
		t.Fatalf("delete: %v", err)
	}
	same(t, list(t, s, "object"))
	same(t, list(t, s, "project"), doc("project", "1", `{"is":"project"}`))
}

func suiteVersion(t *testing.T, s providers.MockStore) {
	last := version(t, s)
	if v := version(t, s); v != last {
		t.Errorf("reading moved the version from %d to %d", last, v)
	}
	steps := []struct {
		name string
		do   func() error
	}{
		{"put", func() error { return s.Put(t.Context(), doc("object", "1", `{}`)) }},
		{"put the same", func() error { return s.Put(t.Context(), doc("object", "1", `{}`)) }},
		{"put many", func() error { return s.Put(t.Context(), doc("object", "1", `{}`), doc("object", "2", `{}`)) }},
		{"delete", func() error { return s.Delete(t.Context(), "object", "1") }},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		v := version(t, s)
		if v <= last {
			t.Errorf("%s: version %d is not above %d", step.name, v, last)
		}
		last = v
	}
}

func suiteCopy(t *testing.T, s providers.MockStore) {
	text := []byte(`{"n":1}`)
	put(t, s, providers.MockDoc{Kind: "object", ID: "1", JSON: text})
	copy(text, `{"n":9}`)
	same(t, list(t, s, "object"), doc("object", "1", `{"n":1}`))
}

func suiteJSON(t *testing.T, s providers.MockStore) {
	texts := []string{
		`{"price":585000.0,"big":12345678901234567890,"small":0.1}`,
		`{"text":"Café “De Linde” 😀 \"x\" \\ \/ \n <b>&amp;</b>","null":null,"empty":"","list":[]}`,
		`{"deep":{"er":[[[{"x":[1,2,3]}]]]}}`,
	}
	for i, text := range texts {
		put(t, s, doc("object", fmt.Sprint(i), text))
	}
	for i, d := range list(t, s, "object") {
		if !sameJSON(t, d.JSON, []byte(texts[i])) {
			t.Errorf("got %s, want %s", d.JSON, texts[i])
		}
	}
}

func suiteLargeBatch(t *testing.T, s providers.MockStore) {
	filling := bytes.Repeat([]byte("x"), 8<<10)
	docs := make([]providers.MockDoc, 500)
	for i := range docs {
		docs[i] = doc("object", fmt.Sprintf("%04d", i), fmt.Sprintf(`{"text":"%s"}`, filling))
	}
	put(t, s, docs...)
	got := list(t, s, "object")
	if len(got) != len(docs) || len(got[499].JSON) < 8<<10 {
		t.Errorf("got %d documents, the last of %d bytes", len(got), len(got[len(got)-1].JSON))
	}
}

func suiteConcurrentWrites(t *testing.T, s providers.MockStore) {
	const writers, each = 8, 20
	before := version(t, s)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := s.Put(t.Context(), doc("object", fmt.Sprintf("%d-%02d", w, i), `{}`), doc("shared", "one", `{}`)); err != nil {
					t.Errorf("put: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(list(t, s, "object")); n != writers*each {
		t.Errorf("got %d documents, want %d", n, writers*each)
	}
	if v := version(t, s); v < before+writers*each {
		t.Errorf("version %d, want at least %d", v, before+writers*each)
	}
}

// suiteAtomic reads while batches are written: a batch is seen whole or not at all.
func suiteAtomic(t *testing.T, s providers.MockStore) {
	const size = 5
	batch := func(n int) []providers.MockDoc {
		docs := make([]providers.MockDoc, size)
		for i := range docs {
			docs[i] = doc("object", fmt.Sprint(i), fmt.Sprintf(`{"n":%d}`, n))
		}
		return docs
	}
	put(t, s, batch(0)...)
	done := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		defer close(done)
		for n := 1; n <= 50; n++ {
			if err := s.Put(t.Context(), batch(n)...); err != nil {
				t.Errorf("put: %v", err)
				return
			}
		}
	})
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		docs := list(t, s, "object")
		if len(docs) != size {
			t.Fatalf("got %d documents, want %d", len(docs), size)
		}
		for _, d := range docs {
			if !sameJSON(t, d.JSON, docs[0].JSON) {
				t.Fatalf("a batch was seen in part: %s and %s", docs[0].JSON, d.JSON)
			}
		}
	}
}

// suiteSeen: whoever sees a version sees the documents that made it.
func suiteSeen(t *testing.T, s providers.MockStore) {
	start := version(t, s)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for n := range 50 {
			if err := s.Put(t.Context(), doc("object", fmt.Sprintf("%02d", n), `{}`)); err != nil {
				t.Errorf("put: %v", err)
				return
			}
		}
	})
	for seen := 0; seen < 50 && !t.Failed(); {
		changed := version(t, s) != start
		seen = len(list(t, s, "object"))
		if changed && seen == 0 {
			t.Fatal("the version moved before its document could be read")
		}
	}
}

func suiteCancelled(t *testing.T, s providers.MockStore) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, versionErr := s.Version(ctx)
	_, listErr := s.List(ctx, "object")
	for name, err := range map[string]error{
		"version": versionErr, "list": listErr,
		"put":    s.Put(ctx, doc("object", "1", `{}`)),
		"delete": s.Delete(ctx, "object", "1"),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	same(t, list(t, s, "object"))
}
