package realworks

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"strings"

	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/mockkit"
)

// mockEdit is one object while it is changed.
type mockEdit struct {
	api     *mockAPI
	doc     mockDocument
	fields  mockFields
	changed bool
}

// edit changes one object: stores it with a later time of change and tells the webhook. A call that
// changes nothing stores and tells nothing.
func (m *Mock) edit(ctx context.Context, code string, do func(*mockEdit) error) error {
	return m.change(ctx, func(s *mockState) (c mockChange, err error) {
		o := s.byCode[strings.ToUpper(code)]
		if o == nil {
			return c, mockNotFound("Object " + code + " niet gevonden.")
		}
		e := &mockEdit{api: o.api}
		e.doc.Deleted = o.deleted
		if err := mockkit.Unmarshal(o.entity, &e.fields); err != nil {
			return c, err
		}
		if err := do(e); err != nil || !e.changed {
			return c, err
		}
		stamp := m.stampAfter(mockText(e.fields, "tijdstipLaatsteWijziging"))
		e.fields["tijdstipLaatsteWijziging"] = stamp
		mockSet(e.fields, o.api.codes+".wijzigingsdatum", stamp)
		if e.doc.Entity, err = mockkit.Marshal(e.fields); err != nil {
			return c, err
		}
		doc, err := mockDoc(o.api.kind, o.code, e.doc)
		return mockChange{docs: []providers.MockDoc{doc}, events: []WebhookMessage{m.event(o)}}, err
	})
}

// set writes one field, if that changes anything.
func (e *mockEdit) set(path string, value any) {
	old, err1 := json.Marshal(mockAt(e.fields, path))
	now, err2 := json.Marshal(value)
	if err1 == nil && err2 == nil && string(old) == string(now) {
		return
	}
	mockSet(e.fields, path, value)
	e.changed = true
}

// remove takes an object out of the API, or brings it back.
func (e *mockEdit) remove(deleted bool) {
	e.changed = e.changed || e.doc.Deleted != deleted
	e.doc.Deleted = deleted
}

// price writes what is asked: the sale price, or the rent of what is only for rent.
func (e *mockEdit) price(price json.Number) {
	path := e.api.sale
	if mockNumber(e.fields, e.api.sale) == 0 && mockNumber(e.fields, e.api.rent) > 0 {
		path = e.api.rent
	}
	e.set(path, price)
}

// photo adds a photo at the end, of which nothing is told.
func (e *mockEdit) photo() {
	media, _ := e.fields["media"].([]any)
	stamp := mockText(e.fields, "tijdstipLaatsteWijziging")
	spec := mockSpec{ID: 90_000_000_000 + rand.Int64N(1_000_000_000), Created: stamp[:min(len(stamp), len("2006-01-02"))], Photos: []string{""}}
	added := spec.media()[0].(mockFields)
	added["soort"], added["volgnummer"] = "FOTO", len(media)+1
	e.set("media", append(media[:len(media):len(media)], added))
}

// unphoto removes the last medium.
func (e *mockEdit) unphoto() {
	if media, _ := e.fields["media"].([]any); len(media) > 0 {
		e.set("media", media[:len(media)-1])
	}
}
