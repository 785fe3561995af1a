package kolibri

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/mockkit"
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
	value    any          // *mockAssignment, *mockRelation, *mockCategory, *mockAgendaEntry, mockConfig or mockkit.Delivery
}

// mockState is the store at one version, indexed to be served. It never changes.
type mockState struct {
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
	deliveries []mockkit.Delivery // newest first
}

// load gives the newest state.
func (m *Mock) load(ctx context.Context) (*mockState, error) { return m.mirror.Load(ctx) }

// mockWrappers names the key under which a read serves an entity (contract §2).
var mockWrappers = map[string]string{
	mockObjectKind: "objectAssignment", mockTypeKind: "objectTypeAssignment", mockProjectKind: "projectAssignment",
	mockEmployeeKind: "employee", mockOfficeKind: "office", mockAgendaKind: "agendaItem",
}

func (m *Mock) entry(d providers.MockDoc) (*mockEntry, error) {
	kind := d.Kind
	e := &mockEntry{kind: kind, id: d.ID, raw: d.JSON}
	var err error
	switch kind {
	case mockConfigKind:
		var c mockConfig
		err = json.Unmarshal(d.JSON, &c)
		e.value = c
		return e, err
	case mockWebhookKind:
		var w mockkit.Delivery
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

// newMockState makes the indexes.
func newMockState(entries map[string]map[string]*mockEntry) *mockState {
	s := &mockState{entries: entries}
	s.configs = mockValues[mockConfig](s, mockConfigKind)
	slices.SortFunc(s.configs, compareMockConfigs)
	s.deliveries = mockValues[mockkit.Delivery](s, mockWebhookKind)
	slices.SortFunc(s.deliveries, func(a, b mockkit.Delivery) int { return strings.Compare(b.ID, a.ID) })

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
	return s
}

// mockValues gives the decoded documents of a kind, ordered by id.
func mockValues[T any](s *mockState, kind string) []T {
	return mockkit.Values[T](s.entries[kind], func(e *mockEntry) any { return e.value })
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
// the order of the changes.
func (m *Mock) change(ctx context.Context, decide func(*mockState) (mockChange, error)) error {
	return m.mirror.Change(ctx, func(s *mockState) (mockkit.Change, error) {
		c, err := decide(s)
		for i := range c.events {
			c.events[i] = c.events[i].complete(m.now())
		}
		return mockkit.Change{Docs: c.docs, Stored: func() { m.sender.Queue(c.events) }}, err
	})
}

// mockDoc makes the stored form of an entity.
func mockDoc(kind, id string, d mockDocument) (providers.MockDoc, error) {
	text, err := mockkit.Marshal(d)
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
