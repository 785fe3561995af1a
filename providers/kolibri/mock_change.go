package kolibri

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/mockkit"
)

// mockEdit is one assignment while it is changed.
type mockEdit struct {
	kind    string
	doc     mockDocument
	fields  mockFields
	stamp   string // the new dateTimeModified
	event   string // of the webhook: Update, Delete, Add
	changed bool
}

// edit changes one assignment of the given kinds: stores it with a later dateTimeModified and tells
// the webhook. Deleted ones are only found when deletedToo is set. A call that changes nothing
// stores and tells nothing.
func (m *Mock) edit(ctx context.Context, id string, kinds []string, deletedToo bool, do func(*mockEdit) error) error {
	return m.change(ctx, func(s *mockState) (c mockChange, err error) {
		a := s.byID[strings.ToLower(id)]
		if a == nil || !slices.Contains(kinds, a.kind) || a.deleted && !deletedToo {
			return c, mockNotFound(mockMissing(kinds[0]))
		}
		entry := s.entries[a.kind][a.ID]
		e := &mockEdit{kind: a.kind, doc: entry.doc, stamp: m.stampAfter(a.DateTimeModified), event: "Update"}
		if e.fields, err = entry.fields(); err != nil {
			return c, err
		}
		if err := do(e); err != nil || !e.changed {
			return c, err
		}
		e.fields["dateTimeModified"] = e.stamp
		if e.doc.Entity, err = mockkit.Marshal(e.fields); err != nil {
			return c, err
		}
		doc, err := mockDoc(a.kind, a.ID, e.doc)
		return mockChange{docs: []providers.MockDoc{doc}, events: []WebhookMessage{mockAssignmentEvent(e.kind, e.fields, e.event)}}, err
	})
}

// mockEntityTypes is the entityType of webhook messages by kind (contract §8.1).
var mockEntityTypes = map[string]string{
	mockObjectKind: "ObjectAssignment", mockTypeKind: "ObjectTypeAssignment", mockProjectKind: "ProjectAssignment",
	mockAcquisitionKind: "AcquisitionAssignment", mockAgendaKind: "Agendaitem",
}

func mockMissing(kind string) string { return mockEntityTypes[kind] + " not found." }

// mockAssignmentEvent is the webhook message about a changed assignment.
func mockAssignmentEvent(kind string, f mockFields, event string) WebhookMessage {
	text := func(key string) string {
		s, _ := f[key].(string)
		return s
	}
	return WebhookMessage{
		EntityType: mockEntityTypes[kind], EntityID: text("id"), Event: event,
		Created: text("dateTimeCreated"), Modified: text("dateTimeModified"),
	}
}

// set writes one field and says whether that changed anything.
func (e *mockEdit) set(f mockFields, key string, value any) bool {
	old, err1 := json.Marshal(f[key])
	now, err2 := json.Marshal(value)
	if err1 == nil && err2 == nil && string(old) == string(now) {
		return false
	}
	f[key] = value
	e.changed = true
	return true
}

func (e *mockEdit) archive(archived bool) { e.set(e.fields, "isActive", !archived) }

// remove deletes or brings back. Kolibri has no event of its own for undelete; that it is Add is
// assumed (contract §8.1).
func (e *mockEdit) remove(deleted bool) {
	if e.doc.Deleted == deleted {
		return
	}
	e.doc.Deleted, e.changed, e.event = deleted, true, "Add"
	if deleted {
		e.event = "Delete"
	}
}

// title writes the Dutch title and leaves other languages alone.
func (e *mockEdit) title(title string) {
	texts, _ := e.fields["titleText"].([]any)
	texts = slices.Clone(texts)
	dutch := slices.IndexFunc(texts, func(t any) bool {
		f, _ := t.(mockFields)
		return f["language"] == "Dutch"
	})
	text := mockFields{"language": "Dutch", "text": title}
	if dutch < 0 {
		texts = append([]any{text}, texts...)
	} else {
		texts[dutch] = text
	}
	e.set(e.fields, "titleText", texts)
}

// offer is the sale or rent offer, made when it is missing.
func (e *mockEdit) offer(key string) mockFields {
	o, _ := e.fields[key].(mockFields)
	if o == nil {
		o = mockFields{}
		e.fields[key] = o
	}
	return o
}

// price writes what is asked: the sale price, or the rent of what is only for rent.
func (e *mockEdit) price(price json.Number) {
	offer, key := "saleOffer", "salePrice"
	if e.fields["forSale"] != true && e.fields["forRent"] == true {
		offer, key = "rentOffer", "rentPrice"
	}
	o := e.offer(offer)
	before := o[key]
	if !e.set(o, key, price) {
		return
	}
	history, _ := o["priceHistory"].([]any)
	o["priceHistory"] = append(slices.Clone(history), mockFields{
		"event": "Changed", "dateTimeModified": e.stamp,
		"oldPrice": before, "oldPriceMax": nil, "newPrice": price, "newPriceMax": nil,
	})
}

// availability writes a status and what goes with it: the phase, the day of sale, the withdrawal
// (assumed; the contract names only the fields).
func (e *mockEdit) availability(status, reason string) {
	if !e.set(e.fields, "availabilityStatus", status) {
		return
	}
	if e.kind == mockObjectKind {
		e.fields["calculatedAvailabilityStatus"] = status
	}
	day := e.stamp[:len("2006-01-02")] + "T00:00:00Z"
	phase := "Initiated"
	e.fields["withdrawnDateTime"], e.fields["withdrawReason"] = nil, nil
	switch status {
	case "Withdrawn":
		phase = "Completed"
		if reason == "" {
			reason = "AssignmentTerminatedByRealtor"
		}
		e.fields["withdrawnDateTime"], e.fields["withdrawReason"] = day, reason
	case "Sold":
		phase = "Completed"
		e.offer("saleOffer")["dateSold"] = day
	case "Rented":
		phase = "Completed"
		e.offer("rentOffer")["rentedFrom"] = day
	case "SoldUnderCondition":
		e.offer("saleOffer")["dateReservation"] = day
	case "RentedUnderCondition":
		e.offer("rentOffer")["dateReservation"] = day
	}
	e.fields["assignmentPhase"] = phase
}

// readAssignment serves one full entity; a deleted one is gone (contract §10.4).
func (m *Mock) readAssignment(kind string) mockHandler {
	return func(w http.ResponseWriter, r *http.Request, s *mockState) error {
		id, err := mockQueryID(r)
		if err != nil {
			return err
		}
		e := s.entry(kind, id)
		if e == nil {
			return mockNotFound(mockMissing(kind))
		}
		mockkit.Write(w, http.StatusOK, e.answer)
		return nil
	}
}

// deleteAssignment deletes softly (contract §2). 204 for answers without a body is assumed.
func (m *Mock) deleteAssignment(kind string) mockHandler {
	return func(w http.ResponseWriter, r *http.Request, _ *mockState) error {
		id, err := mockQueryID(r)
		if err != nil {
			return err
		}
		return mockDone(w, m.edit(r.Context(), id, []string{kind}, false, func(e *mockEdit) error {
			e.remove(true)
			return nil
		}))
	}
}

func (m *Mock) undeleteAssignment(kind string) mockHandler {
	return func(w http.ResponseWriter, r *http.Request, _ *mockState) error {
		id, err := mockBodyID(w, r)
		if err != nil {
			return err
		}
		return mockDone(w, m.edit(r.Context(), id, []string{kind}, true, func(e *mockEdit) error {
			e.remove(false)
			return nil
		}))
	}
}

func (m *Mock) archiveAssignment(kind string, archived bool) mockHandler {
	return func(w http.ResponseWriter, r *http.Request, _ *mockState) error {
		id, err := mockBodyID(w, r)
		if err != nil {
			return err
		}
		return mockDone(w, m.edit(r.Context(), id, []string{kind}, false, func(e *mockEdit) error {
			e.archive(archived)
			return nil
		}))
	}
}

// mockDone answers a call that has nothing to say.
func mockDone(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// mockActions is the status after an UpdateAvailabilityAction; UnderBid for ToUnderOffer is assumed.
var mockActions = map[string]string{
	"ToAvailable": "Available", "ToUnderOffer": "UnderBid", "ToUnderOption": "UnderOption",
	"ToSold": "Sold", "ToRented": "Rented", "ToWithdrawn": "Withdrawn",
}

// updateAvailability changes the status and answers with the entity (contract §3.1).
func (m *Mock) updateAvailability(kind string) mockHandler {
	return func(w http.ResponseWriter, r *http.Request, _ *mockState) error {
		var q struct {
			mockID
			Action    string `json:"updateAvailabilityAction"`
			Withdrawn struct {
				Reason string `json:"withdrawReason"`
			} `json:"withdrawnSettings"`
		}
		err := mockRead(w, r, &q, "", mockSchema{
			"id": "guid!", "updateAvailabilityAction": "UpdateAvailabilityAction!", "withdrawnSettings": "object",
			"availableSettings": "object", "soldSettings": "object", "rentedSettings": "object",
		})
		if err != nil {
			return err
		}
		if reason := q.Withdrawn.Reason; reason != "" && !slices.Contains(mockEnums["WithdrawReason"], reason) {
			return mockInvalid("withdrawnSettings.withdrawReason", "Error converting value "+mockQuote(reason)+" to type WithdrawReason.")
		}
		err = m.edit(r.Context(), q.ID, []string{kind}, false, func(e *mockEdit) error {
			e.availability(mockActions[q.Action], q.Withdrawn.Reason)
			return nil
		})
		if err != nil {
			return err
		}
		s, err := m.load(r.Context())
		if err != nil {
			return err
		}
		e := s.entry(kind, q.ID)
		if e == nil {
			return mockNotFound(mockMissing(kind))
		}
		mockkit.Write(w, http.StatusOK, e.answer)
		return nil
	}
}
