package realworks

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/mockkit"
)

// The kinds of documents in the store. Objects and agenda items are a mockDocument.
const (
	mockConfigKind    = "config"
	mockReleaseKind   = "release"
	mockFaultKind     = "fault"
	mockWonenKind     = "wonen"
	mockBogKind       = "bog"
	mockNieuwbouwKind = "nieuwbouw"
	mockAgendaKind    = "agenda-item"
	mockSwitchKind    = "webhook-switch"
	mockWebhookKind   = "webhook"
)

// mockKinds is the order in which a state is read.
var mockKinds = []string{
	mockConfigKind, mockReleaseKind, mockFaultKind, mockWonenKind, mockBogKind, mockNieuwbouwKind,
	mockAgendaKind, mockSwitchKind, mockWebhookKind,
}

// mockDocument is what the store keeps of an object or an agenda item.
type mockDocument struct {
	// Deleted ones are not there for the API.
	Deleted bool `json:"deleted,omitempty"`
	// Afdeling and Medewerker say in whose agenda an item stands; 0 is nobody's.
	Afdeling   string `json:"afdeling,omitempty"`
	Medewerker int64  `json:"medewerker,omitempty"`
	// Sent is the last body that an agenda item was written with; null for those of the seed.
	Sent json.RawMessage `json:"sent,omitempty"`
	// Entity is as the newest version of Realworks' API serves it, but for the links of media: they
	// begin at mockMediaPath, and become absolute and signed when served.
	Entity json.RawMessage `json:"entity"`
}

// mockEntry is one document, decoded once. It never changes.
type mockEntry struct {
	value any // mockConfig, mockRelease, mockSwitch, *mockStoredFault, *mockObject, *mockAgendaEntry or mockkit.Delivery
}

// mockRelease is what the office lets out ("vrijgave", contract §1).
type mockRelease struct {
	// Closed are the APIs whose release is not set: their lists are empty.
	Closed []string `json:"closed"`
	// Archive lets inactive objects into lists.
	Archive bool `json:"archive"`
	// DaysBack and DaysAhead bound which agenda items can be read; 0 is no bound.
	DaysBack  int `json:"daysBack"`
	DaysAhead int `json:"daysAhead"`
	// HideExtraInfo leaves description and place out of agenda items (contract §4.1).
	HideExtraInfo bool `json:"hideExtraInfo"`
}

// mockState is the store at one version, indexed to be served. It never changes.
type mockState struct {
	configs    []mockConfig // the one to hand out first
	release    mockRelease
	hook       mockSwitch
	faults     []*mockStoredFault       // in the order in which they were armed
	objects    map[string][]*mockObject // deleted ones too, by kind, each ordered by id
	byCode     map[string]*mockObject   // also by the codes of building types and units
	media      map[string]*mockMedium   // by media id
	agenda     []*mockAgendaEntry       // deleted ones too, by id
	deliveries []mockkit.Delivery       // newest first
}

// load gives the newest state.
func (m *Mock) load(ctx context.Context) (*mockState, error) { return m.mirror.Load(ctx) }

func newMockEntry(d providers.MockDoc) (*mockEntry, error) {
	var err error
	e := &mockEntry{}
	switch d.Kind {
	case mockConfigKind:
		e.value, err = mockDecoded[mockConfig](d.JSON)
	case mockReleaseKind:
		e.value, err = mockDecoded[mockRelease](d.JSON)
	case mockSwitchKind:
		e.value, err = mockDecoded[mockSwitch](d.JSON)
	case mockFaultKind:
		e.value, err = mockDecoded[*mockStoredFault](d.JSON)
	case mockWebhookKind:
		e.value, err = mockDecoded[mockkit.Delivery](d.JSON)
	case mockAgendaKind:
		e.value, err = newMockAgendaEntry(d.JSON)
	default:
		e.value, err = newMockObject(mockAPIOf(d.Kind), d.JSON)
	}
	return e, err
}

func mockDecoded[T any](text []byte) (v T, err error) {
	err = json.Unmarshal(text, &v)
	return v, err
}

// newMockState makes the indexes.
func newMockState(entries map[string]map[string]*mockEntry) *mockState {
	s := &mockState{
		objects: map[string][]*mockObject{}, byCode: map[string]*mockObject{}, media: map[string]*mockMedium{},
	}
	s.configs = mockValues[mockConfig](entries[mockConfigKind])
	slices.SortFunc(s.configs, compareMockConfigs)
	for _, release := range mockValues[mockRelease](entries[mockReleaseKind]) {
		s.release = release
	}
	for _, hook := range mockValues[mockSwitch](entries[mockSwitchKind]) {
		s.hook = hook
	}
	s.faults = mockValues[*mockStoredFault](entries[mockFaultKind])
	s.deliveries = mockValues[mockkit.Delivery](entries[mockWebhookKind])
	slices.Reverse(s.deliveries)
	for _, api := range mockAPIs {
		list := mockValues[*mockObject](entries[api.kind])
		slices.SortFunc(list, func(a, b *mockObject) int { return cmp.Compare(a.id, b.id) })
		s.objects[api.kind] = list
		for _, o := range list {
			for _, code := range o.codes {
				s.byCode[strings.ToUpper(code)] = o
			}
			for _, medium := range o.media {
				s.media[medium.id] = medium
			}
		}
	}
	s.agenda = mockValues[*mockAgendaEntry](entries[mockAgendaKind])
	slices.SortFunc(s.agenda, func(a, b *mockAgendaEntry) int { return cmp.Compare(a.item.ID, b.item.ID) })
	return s
}

// mockValues gives the decoded documents of a kind, ordered by id.
func mockValues[T any](entries map[string]*mockEntry) []T {
	return mockkit.Values[T](entries, func(e *mockEntry) any { return e.value })
}

// closed says whether the release of an API is not set.
func (s *mockState) closed(api string) bool { return slices.Contains(s.release.Closed, api) }

// mockChange is what a call wants to store and to tell.
type mockChange struct {
	docs   []providers.MockDoc
	events []WebhookMessage
}

// change reads, decides and stores, one call at a time in this process, and queues the webhooks in
// the order of the changes, unless they are switched off.
func (m *Mock) change(ctx context.Context, decide func(*mockState) (mockChange, error)) error {
	return m.mirror.Change(ctx, func(s *mockState) (mockkit.Change, error) {
		c, err := decide(s)
		if s.hook.off() {
			c.events = nil
		}
		return mockkit.Change{Docs: c.docs, Stored: func() { m.queue(c.events) }}, err
	})
}

// mockDoc makes the stored form of anything.
func mockDoc(kind, id string, v any) (providers.MockDoc, error) {
	text, err := mockkit.Marshal(v)
	return providers.MockDoc{Kind: kind, ID: id, JSON: text}, err
}

// mockStampLayout is how Realworks writes times: local, without a zone (contract §2.2).
const mockStampLayout = "2006-01-02 15:04:05"

// stampAfter is the time of a change: now, and later than the change before it.
func (m *Mock) stampAfter(before string) string {
	now := m.now().In(mockkit.Amsterdam()).Truncate(time.Second)
	if last := mockTime(before); !now.After(last) {
		now = last.Add(time.Second)
	}
	return now.Format(mockStampLayout)
}

// mockTime reads a time, with a blank or a T in the middle; zero when it is neither.
func mockTime(text string) time.Time {
	for _, layout := range []string{mockStampLayout, "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, mockkit.Amsterdam()); err == nil {
			return t
		}
	}
	return time.Time{}
}

// mockFields is an entity whose fields are to be set or changed.
type mockFields = map[string]any

// mockAt gives the value at a path of keys, such as "financieel.overdracht.status"; nil when there
// is none.
func mockAt(f mockFields, path string) any {
	for {
		key, rest, more := strings.Cut(path, ".")
		if !more {
			return f[key]
		}
		f, _ = f[key].(mockFields)
		path = rest
	}
}

// mockText is mockAt for a text; "" when it is none.
func mockText(f mockFields, path string) string {
	text, _ := mockAt(f, path).(string)
	return text
}

// mockNumber is mockAt for a number, also one in a text; 0 when it is none.
func mockNumber(f mockFields, path string) int64 {
	switch v := mockAt(f, path).(type) {
	case json.Number:
		n, _ := v.Int64()
		return n
	case string:
		n, _ := json.Number(v).Int64()
		return n
	}
	return 0
}

// mockSet writes the value at a path, and makes what is missing on the way.
func mockSet(f mockFields, path string, value any) {
	for {
		key, rest, more := strings.Cut(path, ".")
		if !more {
			f[key] = value
			return
		}
		next, _ := f[key].(mockFields)
		if next == nil {
			next = mockFields{}
			f[key] = next
		}
		f, path = next, rest
	}
}

// mockUnset removes the field at a path.
func mockUnset(f mockFields, path string) {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		delete(f, path)
	} else if parent, ok := mockAt(f, path[:i]).(mockFields); ok {
		delete(parent, path[i+1:])
	}
}
