package kolibri

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/mockkit"
)

// mockWish is what a person wants changed, by form or by JSON. Nil is left alone.
type mockWish struct {
	Price        *json.Number `json:"price"`
	Availability *string      `json:"availability"`
	Archived     *bool        `json:"archived"`
	Deleted      *bool        `json:"deleted"`
	Title        *string      `json:"title"`
	// Only for a new object.
	ListingType *string `json:"listingType"`
	Town        *string `json:"town"`
	Rent        bool    `json:"rent"` // the price is a monthly rent
}

const mockMaxTitle = 200

var mockAmount = regexp.MustCompile(`^\d{1,12}(\.\d{1,2})?$`)

// check puts the wish into the API's own words.
func (q *mockWish) check() error {
	if q.Price != nil {
		if !mockAmount.MatchString(q.Price.String()) {
			return mockInvalid("price", "A price has at most 12 digits, and 2 after the point.")
		}
	}
	if q.Availability != nil {
		i := slices.IndexFunc(mockEnums["AvailabilityStatus"], func(v string) bool { return strings.EqualFold(v, *q.Availability) })
		if i < 0 {
			return mockInvalid("availability", "Use one of "+strings.Join(mockEnums["AvailabilityStatus"], ", ")+".")
		}
		q.Availability = &mockEnums["AvailabilityStatus"][i]
	}
	if q.Title != nil {
		title := strings.TrimSpace(*q.Title)
		if title == "" || utf8.RuneCountInString(title) > mockMaxTitle || strings.ContainsRune(title, 0) {
			return mockInvalid("title", "A title has 1 to 200 characters.")
		}
		q.Title = &title
	}
	if q.ListingType != nil && !slices.Contains(mockEnums["ListingType"], *q.ListingType) {
		return mockInvalid("listingType", "Error converting value "+mockQuote(*q.ListingType)+" to type ListingType.")
	}
	return nil
}

// fulfil changes an object, with one later dateTimeModified and one webhook for everything.
func (m *Mock) fulfil(ctx context.Context, id string, q mockWish) error {
	if err := q.check(); err != nil {
		return err
	}
	kinds := []string{mockObjectKind, mockTypeKind, mockProjectKind, mockAcquisitionKind}
	return m.edit(ctx, id, kinds, true, func(e *mockEdit) error {
		if q.Deleted != nil {
			e.remove(*q.Deleted)
		}
		if q.Price != nil {
			e.price(*q.Price)
		}
		if q.Availability != nil {
			e.availability(*q.Availability, "")
		}
		if q.Archived != nil {
			e.archive(*q.Archived)
		}
		if q.Title != nil {
			e.title(*q.Title)
		}
		return nil
	})
}

// add makes a new object, made up but for what the wish says, and gives its id.
func (m *Mock) add(ctx context.Context, q mockWish) (string, error) {
	if err := q.check(); err != nil {
		return "", err
	}
	s := mockMadeUp(int(m.now().UnixNano() % math.MaxInt32))
	s.Ref = "NEW-" + strconv.FormatInt(m.now().UnixNano(), 36)
	s.Created = m.stampAfter("")
	s.Modified = s.Created
	available := "Available"
	s.Status = &available
	if q.Town != nil {
		if i := slices.IndexFunc(mockTownNames(), func(t string) bool { return strings.EqualFold(t, *q.Town) }); i >= 0 {
			town := mockTowns[i]
			s.Town, s.Province, s.Postcode = town.name, town.province, town.postcode+" AB"
			s.At = [2]float64{town.latitude, town.longitude}
		}
	}
	if q.ListingType != nil {
		s.Type = *q.ListingType
	}
	if q.Price != nil {
		price, err := q.Price.Float64()
		if err != nil {
			return "", err
		}
		s.Sale, s.Rent = &price, nil
		if q.Rent {
			s.Sale, s.Rent = nil, &price
		}
	} else if q.Rent && s.Rent == nil {
		price := 1250.0
		s.Sale, s.Rent = nil, &price
	}
	if q.Title != nil {
		s.Title = map[string]string{"nl": *q.Title}
	}
	e := &mockEdit{kind: mockObjectKind, fields: s.entity(""), stamp: s.Created, event: "Add"}
	if q.Availability != nil {
		e.availability(*q.Availability, "")
	}
	if q.Archived != nil {
		e.archive(*q.Archived)
	}
	doc, err := mockEntityDoc(mockObjectKind, s.id(), e.fields)
	if err != nil {
		return "", err
	}
	return s.id(), m.change(ctx, func(*mockState) (mockChange, error) {
		return mockChange{docs: []providers.MockDoc{doc}, events: []WebhookMessage{mockAssignmentEvent(mockObjectKind, e.fields, "Add")}}, nil
	})
}

func mockTownNames() []string {
	towns := make([]string, len(mockTowns))
	for i, t := range mockTowns {
		towns[i] = t.name
	}
	return towns
}

// mockSummary is an assignment as the page and the JSON API list it.
type mockSummary struct {
	ID       string       `json:"id"`
	Type     string       `json:"type"` // AssignmentType
	Title    string       `json:"title"`
	Place    string       `json:"place"`
	Price    *json.Number `json:"price"`
	Rent     bool         `json:"rent"` // the price is a rent
	State    string       `json:"state"`
	Phase    string       `json:"phase"`
	Archived bool         `json:"archived"`
	Deleted  bool         `json:"deleted"`
	Modified string       `json:"modified"`
	Photo    string       `json:"-"` // relative to the page
}

// summary of an assignment. Its state is deleted, archived, or the availability status.
func (a *mockAssignment) summary() mockSummary {
	v := mockSummary{
		ID: a.ID, Type: a.search.TypeOfAssignment, Title: a.title(), Price: a.search.SalePrice, State: mockValue(a.search.AvailabilityStatus),
		Phase: a.search.AssignmentPhase, Archived: !a.IsActive, Deleted: a.deleted, Modified: a.DateTimeModified,
	}
	if v.Price == nil || !a.ForSale && a.ForRent {
		v.Price, v.Rent = a.search.RentPrice, a.search.RentPrice != nil
	}
	v.Place = strings.Trim(mockValue(a.search.StreetNameAndNumber)+", "+mockValue(a.search.Locality), ", ")
	switch {
	case a.deleted:
		v.State = "deleted"
	case !a.IsActive:
		v.State = "archived"
	case v.State == "":
		v.State = "none"
	}
	_ = json.Unmarshal(a.search.Photo1URL, &v.Photo)
	if _, photo, ours := strings.Cut(v.Photo, "/media/"); ours {
		v.Photo = "media/" + strings.Replace(photo, "/medium/", "/preview/", 1)
	}
	return v
}

// adminList answers GET /admin/objects: all assignments, deleted ones too, last changed first. q
// searches, state filters.
func (m *Mock) adminList(w http.ResponseWriter, r *http.Request, s *mockState) error {
	return mockkit.Answer(w, s.summaries(r.URL.Query().Get("q"), r.URL.Query().Get("state")))
}

// summaries lists the assignments that a search finds, last changed first.
func (s *mockState) summaries(term, state string) []mockSummary {
	term = strings.ToLower(strings.TrimSpace(term))
	found := []mockSummary{}
	for _, a := range slices.Backward(s.ordered("ModificationDate")) {
		v := a.summary()
		text := strings.ToLower(v.Title + "\n" + v.Place + "\n" + a.ID + "\n" + mockValue(a.PublicReference))
		if strings.Contains(text, term) && (state == "" || strings.EqualFold(v.State, state)) {
			found = append(found, v)
		}
	}
	return found
}

// adminAdd answers POST /admin/objects with the new object.
func (m *Mock) adminAdd(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	var q mockWish
	if r.ContentLength != 0 {
		if err := mockRead(w, r, &q, "", mockSchema{"price": "decimal", "availability": "string", "archived": "bool", "title": "string", "listingType": "string", "town": "string", "rent": "bool"}); err != nil {
			return err
		}
	}
	id, err := m.add(r.Context(), q)
	if err != nil {
		return err
	}
	return m.adminShow(w, r, id)
}

// adminChange answers POST /admin/objects/{id} with the object as it is now.
func (m *Mock) adminChange(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	var q mockWish
	if err := mockRead(w, r, &q, "", mockSchema{"price": "decimal", "availability": "string", "archived": "bool", "deleted": "bool", "title": "string"}); err != nil {
		return err
	}
	if err := m.fulfil(r.Context(), r.PathValue("id"), q); err != nil {
		return err
	}
	return m.adminShow(w, r, r.PathValue("id"))
}

func (m *Mock) adminShow(w http.ResponseWriter, r *http.Request, id string) error {
	s, err := m.load(r.Context())
	if err != nil {
		return err
	}
	a := s.byID[strings.ToLower(id)]
	if a == nil {
		return mockNotFound(mockMissing(mockObjectKind))
	}
	return mockkit.Answer(w, a.summary())
}

// adminWebhooks answers GET /admin/webhooks: the log, newest first.
func (m *Mock) adminWebhooks(w http.ResponseWriter, _ *http.Request, s *mockState) error {
	return mockkit.Answer(w, map[string]any{"pending": m.sender.Pending(), "deliveries": s.log()})
}

// log is the part of the webhook log that is shown.
func (s *mockState) log() []mockkit.Delivery {
	return s.deliveries[:min(len(s.deliveries), mockkit.LogLength)]
}
