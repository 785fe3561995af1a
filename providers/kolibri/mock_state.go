package kolibri

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"sparki.app/integrations/providers"
)

// The kinds of documents in the store. All but config and webhook hold a mockDocument.
const (
	mockConfigKind      = "config"
	mockObjectKind      = "object"
	mockTypeKind        = "object-type"
	mockProjectKind     = "project"
	mockAcquisitionKind = "acquisition"
	mockEmployeeKind    = "employee"
	mockOfficeKind      = "office"
	mockContactKind     = "contact"
	mockCategoryKind    = "category"
	mockAgendaKind      = "agenda-item"
	mockWebhookKind     = "webhook"
)

// mockKinds is the order in which a state is read: what others refer to comes first.
var mockKinds = []string{
	mockConfigKind, mockOfficeKind, mockEmployeeKind, mockContactKind, mockCategoryKind,
	mockProjectKind, mockTypeKind, mockObjectKind, mockAcquisitionKind, mockAgendaKind, mockWebhookKind,
}

// mockDocument is what the store keeps of an entity.
type mockDocument struct {
	// Deleted entities answer 404 until they are undeleted (contract §2).
	Deleted bool `json:"deleted,omitempty"`
	// Denied agenda items are somebody's private ones: listed without their content (contract §5.3).
	Denied bool `json:"denied,omitempty"`
	// Entity is as Kolibri serves it, but for the URLs of the mock's own media: they begin at
	// "/media/" and are made absolute when served.
	Entity json.RawMessage `json:"entity"`
}

// mockEntry is one document, decoded once. It never changes.
type mockEntry struct {
	kind, id string
	raw      []byte       // as the store gave it
	doc      mockDocument // without its Entity, which is in raw and in answer
	answer   []byte       // what a read of it serves
	value    any          // *mockAssignment, *mockRelation, *mockCategory, *mockAgendaEntry, mockConfig or mockDelivery
}

// mockState is the store at one version, ready to be served. It never changes.
type mockState struct {
	version int64
	entries map[string]map[string]*mockEntry // by kind and id
	configs []mockConfig                     // the one to hand out first

	assignments []*mockAssignment // deleted ones too, by kind and id
	byID        map[string]*mockAssignment
	orders      [mockOrders]struct {
		once sync.Once
		list []*mockAssignment
	}
	relations  []*mockRelation
	categories []*mockCategory
	agenda     []*mockAgendaEntry // deleted ones too, by start
	deliveries []mockDelivery     // newest first
}

// load gives the newest state. It asks the store for its version each time, so that changes of
// other processes are seen at once, and reads documents only when the version moved.
func (m *Mock) load(ctx context.Context) (*mockState, error) {
	version, err := m.store.Version(ctx)
	if err != nil {
		return nil, fmt.Errorf("read mock store: %w", err)
	}
	if s := m.state.Load(); s != nil && s.version == version {
		return s, nil
	}
	m.loading.Lock()
	defer m.loading.Unlock()
	s, err := m.reload(ctx)
	if err != nil {
		return nil, fmt.Errorf("read mock store: %w", err)
	}
	return s, nil
}

// reload makes the state of now, and fills the store first when it is empty. The caller holds loading.
func (m *Mock) reload(ctx context.Context) (*mockState, error) {
	for range 2 {
		version, err := m.store.Version(ctx)
		if err != nil {
			return nil, err
		}
		old := m.state.Load()
		if old != nil && old.version == version {
			return old, nil
		}
		if old == nil {
			old = &mockState{}
		}
		// The documents may be newer than the version; then the next load reads them again.
		s := &mockState{version: version, entries: make(map[string]map[string]*mockEntry, len(mockKinds))}
		for _, kind := range mockKinds {
			docs, err := m.store.List(ctx, kind)
			if err != nil {
				return nil, err
			}
			if s.entries[kind], err = m.decode(kind, docs, old.entries[kind]); err != nil {
				return nil, err
			}
			if kind == mockConfigKind && len(docs) == 0 {
				break
			}
		}
		if len(s.entries[mockConfigKind]) == 0 {
			docs, err := mockSeed(m.now())
			if err != nil {
				return nil, err
			}
			if err := m.store.Put(ctx, docs...); err != nil {
				return nil, err
			}
			continue
		}
		s.finish()
		m.state.Store(s)
		return s, nil
	}
	return nil, fmt.Errorf("the seed cannot be found after it was stored")
}

// decode makes entries of documents, and keeps the old ones whose document did not change.
func (m *Mock) decode(kind string, docs []providers.MockDoc, old map[string]*mockEntry) (map[string]*mockEntry, error) {
	entries := make(map[string]*mockEntry, len(docs))
	for _, d := range docs {
		if e := old[d.ID]; e != nil && bytes.Equal(e.raw, d.JSON) {
			entries[d.ID] = e
			continue
		}
		e, err := m.entry(kind, d)
		if err != nil {
			return nil, fmt.Errorf("read %s %s: %w", kind, d.ID, err)
		}
		entries[d.ID] = e
	}
	return entries, nil
}

// mockWrappers names the key under which a read serves an entity (contract §2).
var mockWrappers = map[string]string{
	mockObjectKind: "objectAssignment", mockTypeKind: "objectTypeAssignment", mockProjectKind: "projectAssignment",
	mockEmployeeKind: "employee", mockOfficeKind: "office", mockAgendaKind: "agendaItem",
}

func (m *Mock) entry(kind string, d providers.MockDoc) (*mockEntry, error) {
	e := &mockEntry{kind: kind, id: d.ID, raw: d.JSON}
	var err error
	switch kind {
	case mockConfigKind:
		var c mockConfig
		err = json.Unmarshal(d.JSON, &c)
		e.value = c
		return e, err
	case mockWebhookKind:
		var w mockDelivery
		err = json.Unmarshal(d.JSON, &w)
		e.value = w
		return e, err
	}
	if err := json.Unmarshal(d.JSON, &e.doc); err != nil {
		return nil, err
	}
	entity := m.absolute(e.doc.Entity)
	if wrapper := mockWrappers[kind]; wrapper != "" {
		e.answer = slices.Concat([]byte(`{"`+wrapper+`":`), entity, []byte(`}`))
	}
	switch kind {
	case mockObjectKind, mockTypeKind, mockProjectKind, mockAcquisitionKind:
		e.value, err = newMockAssignment(kind, e.doc.Deleted, entity)
	case mockEmployeeKind, mockOfficeKind, mockContactKind:
		e.value, err = newMockRelation(kind, entity)
	case mockCategoryKind:
		e.value, err = newMockCategory(entity)
	case mockAgendaKind:
		e.value, err = newMockAgendaEntry(e.doc, entity)
	}
	e.doc.Entity = nil
	return e, err
}

// fields decodes the stored entity, to change it. Numbers keep their digits.
func (e *mockEntry) fields() (mockFields, error) {
	var doc struct {
		Entity mockFields `json:"entity"`
	}
	d := json.NewDecoder(bytes.NewReader(e.raw))
	d.UseNumber()
	err := d.Decode(&doc)
	return doc.Entity, err
}

// mockFields is an entity whose fields are to be set or changed.
type mockFields = map[string]any

// mockMediaPrefix is how the URLs of the mock's own media begin in the store.
const mockMediaPrefix = `"/media/`

// absolute turns the stored media URLs into those of this mock; relative is its reverse.
func (m *Mock) absolute(entity []byte) []byte {
	return bytes.ReplaceAll(entity, []byte(mockMediaPrefix), m.mediaPrefix)
}

func (m *Mock) relative(entity []byte) []byte {
	return bytes.ReplaceAll(entity, m.mediaPrefix, []byte(mockMediaPrefix))
}

// finish makes the indexes.
func (s *mockState) finish() {
	s.configs = mockValues[mockConfig](s, mockConfigKind)
	slices.SortFunc(s.configs, compareMockConfigs)
	s.deliveries = mockValues[mockDelivery](s, mockWebhookKind)
	slices.SortFunc(s.deliveries, func(a, b mockDelivery) int { return strings.Compare(b.ID, a.ID) })

	count := 0
	for kind := range mockAssignmentTypes {
		count += len(s.entries[kind])
	}
	s.byID = make(map[string]*mockAssignment, count)
	s.assignments = make([]*mockAssignment, 0, count)
	for _, kind := range []string{mockProjectKind, mockTypeKind, mockObjectKind, mockAcquisitionKind} {
		for _, a := range mockValues[*mockAssignment](s, kind) {
			if kind == mockTypeKind {
				a = a.within(s.byID[a.project])
			}
			s.byID[a.ID] = a
			s.assignments = append(s.assignments, a)
		}
	}
	s.relations = slices.Concat(mockValues[*mockRelation](s, mockEmployeeKind),
		mockValues[*mockRelation](s, mockOfficeKind), mockValues[*mockRelation](s, mockContactKind))
	s.categories = mockValues[*mockCategory](s, mockCategoryKind)
	s.agenda = mockValues[*mockAgendaEntry](s, mockAgendaKind)
	slices.SortFunc(s.agenda, func(a, b *mockAgendaEntry) int {
		return cmp.Or(a.start.Compare(b.start), strings.Compare(a.item.ID, b.item.ID))
	})
}

// mockValues gives the decoded documents of a kind, ordered by id.
func mockValues[T any](s *mockState, kind string) []T {
	values := make([]T, 0, len(s.entries[kind]))
	for _, id := range slices.Sorted(maps.Keys(s.entries[kind])) {
		values = append(values, s.entries[kind][id].value.(T))
	}
	return values
}

// entry finds a document that is not deleted; nil when there is none.
func (s *mockState) entry(kind, id string) *mockEntry {
	if e := s.entries[kind][strings.ToLower(id)]; e != nil && !e.doc.Deleted {
		return e
	}
	return nil
}

// mockChange is what a call wants to store and to tell.
type mockChange struct {
	docs   []providers.MockDoc
	events []WebhookMessage
}

// change reads, decides and stores, one call at a time in this process, and queues the webhooks in
// the order of the changes. Between processes the last write of one document wins; the store has no
// way to refuse it.
func (m *Mock) change(ctx context.Context, decide func(*mockState) (mockChange, error)) error {
	m.writing.Lock()
	defer m.writing.Unlock()
	s, err := m.load(ctx)
	if err != nil {
		return err
	}
	c, err := decide(s)
	if err != nil || len(c.docs) == 0 {
		return err
	}
	if err := m.store.Put(ctx, c.docs...); err != nil {
		return fmt.Errorf("write mock store: %w", err)
	}
	m.sender.queue(c.events)
	return m.advance(ctx, s, c.docs)
}

// advance takes our own write into the state without reading the store again, if nobody else
// wrote meanwhile.
func (m *Mock) advance(ctx context.Context, old *mockState, docs []providers.MockDoc) error {
	m.loading.Lock()
	defer m.loading.Unlock()
	version, err := m.store.Version(ctx)
	if err != nil || m.state.Load() != old || version != old.version+1 {
		return nil // stored it is; the next load reads it
	}
	s := &mockState{version: version, entries: maps.Clone(old.entries)}
	for _, d := range docs {
		e, err := m.entry(d.Kind, d)
		if err != nil {
			return fmt.Errorf("read %s %s: %w", d.Kind, d.ID, err)
		}
		entries := maps.Clone(s.entries[d.Kind])
		entries[d.ID] = e
		s.entries[d.Kind] = entries
	}
	s.finish()
	m.state.Store(s)
	return nil
}

// mockDoc makes the stored form of an entity.
func mockDoc(kind, id string, d mockDocument) (providers.MockDoc, error) {
	text, err := mockMarshal(d)
	return providers.MockDoc{Kind: kind, ID: id, JSON: text}, err
}

// mockStampLayout is .NET's: seven digits of a second.
const mockStampLayout = "2006-01-02T15:04:05.0000000Z"

// stampAfter is the time of a change: now, and later than the change before it, so that
// dateTimeModified rises with each (contract §10.4).
func (m *Mock) stampAfter(before string) string {
	const tick = 100 * time.Nanosecond
	now := m.now().UTC().Truncate(tick)
	if last := mockTime(before, time.UTC); !now.After(last) {
		now = last.UTC().Add(tick)
	}
	return now.Format(mockStampLayout)
}

// mockTime reads a date-time in any of the forms of contract §2; zero when it is none of them.
// zone is where a time without one is meant.
func mockTime(text string, zone *time.Location) time.Time {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t
	}
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t
		}
	}
	return time.Time{}
}

// mockAmsterdam is where agenda times without a zone are meant (contract §2).
var mockAmsterdam = sync.OnceValue(func() *time.Location {
	if zone, err := time.LoadLocation("Europe/Amsterdam"); err == nil {
		return zone
	}
	return time.FixedZone("CET", 3600)
})
