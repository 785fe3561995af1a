package realworks

import (
	"context"
	"encoding/json"
	"io"
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
	Status       *string      `json:"status"`
	Active       *bool        `json:"active"`
	Confidential *bool        `json:"confidential"`
	Deleted      *bool        `json:"deleted"`
	Text         *string      `json:"text"`   // aanbiedingstekst
	Photos       *int         `json:"photos"` // 1 adds a photo, -1 removes the last medium
	// Only for a new object.
	API  string `json:"api"` // wonen or bog; "" is wonen
	Town string `json:"town"`
	Rent bool   `json:"rent"` // the price is a monthly rent
}

const mockMaxText = 4000 // characters

var mockAmount = regexp.MustCompile(`^\d{1,9}$`)

// check refuses what no Realworks would hold.
func (q *mockWish) check() error {
	if q.Price != nil && !mockAmount.MatchString(q.Price.String()) {
		return mockInvalid("price: a whole number of at most 9 digits")
	}
	if q.Status != nil {
		status := strings.ToUpper(*q.Status)
		if !slices.Contains(mockStatuses, status) {
			return mockInvalid("status: one of " + strings.Join(mockStatuses, ", "))
		}
		q.Status = &status
	}
	if q.Text != nil && (utf8.RuneCountInString(*q.Text) > mockMaxText || strings.ContainsRune(*q.Text, 0)) {
		return mockInvalid("text: at most 4000 characters")
	}
	if q.API != "" && q.API != mockWonenKind && q.API != mockBogKind {
		return mockInvalid("api: wonen or bog")
	}
	return nil
}

// fulfil changes an object, with one later time of change and one webhook for everything.
func (m *Mock) fulfil(ctx context.Context, code string, q mockWish) error {
	if err := q.check(); err != nil {
		return err
	}
	return m.edit(ctx, code, func(e *mockEdit) error { return q.apply(e) })
}

func (q *mockWish) apply(e *mockEdit) error {
	if q.Deleted != nil {
		e.remove(*q.Deleted)
	}
	if q.Price != nil {
		e.price(*q.Price)
	}
	if q.Status != nil {
		e.set(e.api.status, *q.Status)
	}
	if q.Active != nil {
		e.set(e.api.active, *q.Active)
	}
	if q.Confidential != nil {
		if e.api.kind != mockWonenKind {
			return mockInvalid("confidential: only for wonen")
		}
		e.set("vertrouwelijk", *q.Confidential)
	}
	if q.Text != nil {
		e.set("teksten.aanbiedingstekst", *q.Text)
	}
	if q.Photos != nil && *q.Photos > 0 {
		e.photo()
	} else if q.Photos != nil && *q.Photos < 0 {
		e.unphoto()
	}
	return nil
}

// add makes a new object, made up but for what the wish says, and gives its code.
func (m *Mock) add(ctx context.Context, q mockWish) (code string, err error) {
	if err := q.check(); err != nil {
		return "", err
	}
	err = m.change(ctx, func(s *mockState) (c mockChange, err error) {
		spec := mockMadeUp(int(m.now().UnixNano() % math.MaxInt32))
		q.specify(spec)
		spec.ID = s.nextID(spec.API)
		spec.Code = s.nextCode(spec.API)
		spec.Changed = m.stampAfter("")
		spec.Created = spec.Changed[:len("2006-01-02")]
		code = spec.Code
		doc, err := spec.doc()
		if err != nil {
			return c, err
		}
		o, err := newMockObject(mockAPIOf(spec.API), doc.JSON)
		if err != nil {
			return c, err
		}
		return mockChange{docs: []providers.MockDoc{doc}, events: []WebhookMessage{m.event(o)}}, nil
	})
	return code, err
}

// specify writes a wish over a made-up object.
func (q *mockWish) specify(s *mockSpec) {
	s.API, s.Status = mockWonenKind, "BESCHIKBAAR"
	if q.API == mockBogKind {
		s.becomeShop()
	}
	if q.Status != nil {
		s.Status = *q.Status
	}
	for _, t := range mockTowns {
		if strings.EqualFold(t.name, q.Town) {
			s.Town, s.Province, s.Postcode = strings.ToUpper(t.name), t.province, t.postcode+" AB"
		}
	}
	price := 1250
	if q.Price != nil {
		n, _ := q.Price.Int64()
		price = int(n)
	}
	switch {
	case q.Rent:
		s.Sale, s.Rent = nil, &price
	case q.Price != nil:
		s.Sale, s.Rent = &price, nil
	}
	if q.Text != nil {
		s.Text = *q.Text
	}
	s.Confidential = q.Confidential != nil && *q.Confidential
	s.Inactive = q.Active != nil && !*q.Active
}

// nextID is an id above all of an API.
func (s *mockState) nextID(api string) int64 {
	list := s.objects[api]
	if len(list) == 0 {
		return 1
	}
	return list[len(list)-1].id + 1
}

// nextCode is an object code that is free.
func (s *mockState) nextCode(api string) string {
	letters := map[string]string{mockWonenKind: "LM", mockBogKind: "B"}[api]
	for n := 200001; ; n++ {
		if code := letters + strconv.Itoa(n); s.byCode[code] == nil {
			return code
		}
	}
}

// mockSummary is an object as the page and the JSON API list it.
type mockSummary struct {
	API          string       `json:"api"`
	Code         string       `json:"code"`
	Afdeling     string       `json:"afdeling"`
	ID           int64        `json:"id"`
	Title        string       `json:"title"`
	Type         string       `json:"type"`
	Price        *json.Number `json:"price"`
	Rent         bool         `json:"rent"` // the price is a rent
	Status       string       `json:"status"`
	Active       bool         `json:"active"`
	Confidential bool         `json:"confidential"`
	Deleted      bool         `json:"deleted"`
	Changed      string       `json:"changed"`

	agendaPlace string // "postcode  plaats straat nummer"; "" without a street
	photo       string // file name of its first medium; "" when it has none
}

func (o *mockObject) summarize(f mockFields) mockSummary {
	v := mockSummary{
		API: o.api.kind, Code: o.code, Afdeling: o.afdeling, ID: o.id, Status: o.status, Active: o.active,
		Confidential: o.confidential, Deleted: o.deleted, Changed: mockText(f, "tijdstipLaatsteWijziging"), Title: o.place(f),
	}
	switch o.api.kind {
	case mockWonenKind:
		v.Type = mockText(f, "object.type.objecttype")
	case mockBogKind:
		v.Type = mockText(f, "kenmerken.hoofdfunctie")
	default:
		v.Type = "PROJECT"
		v.Title = strings.TrimPrefix(mockText(f, "project.algemeen.omschrijving")+", "+v.Title, ", ")
	}
	for _, path := range []string{o.api.sale, o.api.rent} {
		if n := mockNumber(f, path); n > 0 && v.Price == nil {
			price := json.Number(strconv.FormatInt(n, 10))
			v.Price, v.Rent = &price, path == o.api.rent
		}
	}
	if o.api.street != "" {
		street, _, _ := strings.Cut(v.Title, ", ")
		v.agendaPlace = mockText(f, "adres.postcode") + "  " + mockText(f, "adres.plaats") + " " + street
	}
	for _, medium := range o.media {
		if v.photo == "" || medium.kind == "HOOFDFOTO" {
			v.photo = medium.name
		}
	}
	return v
}

// State is what the page shows first: deleted, inactive or confidential before the status.
func (v mockSummary) State() string {
	switch {
	case v.Deleted:
		return "deleted"
	case !v.Active:
		return "inactive"
	case v.Confidential:
		return "confidential"
	default:
		return v.Status
	}
}

// summaries lists the objects that a search finds, last changed first.
func (s *mockState) summaries(term, state string) []mockSummary {
	term = strings.ToLower(strings.TrimSpace(term))
	found := []mockSummary{}
	for _, api := range mockAPIs {
		for _, o := range s.objects[api.kind] {
			v := o.summary
			text := strings.ToLower(v.Title + "\n" + strings.Join(o.codes, "\n") + "\n" + v.Type + "\n" + v.API)
			if strings.Contains(text, term) && (state == "" || strings.EqualFold(v.State(), state) || strings.EqualFold(v.Status, state)) {
				found = append(found, v)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b mockSummary) int { return strings.Compare(b.Changed, a.Changed) })
	return found
}

// mockReadJSON reads a body of the JSON admin API. Unknown keys are refused: they are typing errors.
func mockReadJSON(w http.ResponseWriter, r *http.Request, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, mockMaxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil && err != io.EOF {
		return mockInvalid(err.Error())
	}
	return nil
}

// adminNow answers from the state after a change.
func (m *Mock) adminNow(w http.ResponseWriter, r *http.Request, h mockHandler) error {
	s, err := m.load(r.Context())
	if err != nil {
		return err
	}
	return h(w, r, s)
}

// adminList answers GET /admin/objects: all objects, deleted ones too, last changed first. q
// searches, state filters.
func (m *Mock) adminList(w http.ResponseWriter, r *http.Request, s *mockState) error {
	return mockkit.Answer(w, s.summaries(r.URL.Query().Get("q"), r.URL.Query().Get("state")))
}

// adminAdd answers POST /admin/objects with the new object.
func (m *Mock) adminAdd(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	var q mockWish
	if err := mockReadJSON(w, r, &q); err != nil {
		return err
	}
	code, err := m.add(r.Context(), q)
	if err != nil {
		return err
	}
	return m.adminShow(w, r, code)
}

// adminChange answers POST /admin/objects/{code} with the object as it is now.
func (m *Mock) adminChange(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	var q mockWish
	if err := mockReadJSON(w, r, &q); err != nil {
		return err
	}
	if err := m.fulfil(r.Context(), r.PathValue("code"), q); err != nil {
		return err
	}
	return m.adminShow(w, r, r.PathValue("code"))
}

func (m *Mock) adminShow(w http.ResponseWriter, r *http.Request, code string) error {
	return m.adminNow(w, r, func(w http.ResponseWriter, _ *http.Request, s *mockState) error {
		o := s.byCode[strings.ToUpper(code)]
		if o == nil {
			return mockNotFound("Object " + code + " niet gevonden.")
		}
		return mockkit.Answer(w, o.summary)
	})
}

// mockAgendaView is an agenda item as the JSON admin API shows it.
type mockAgendaView struct {
	Afdeling   string          `json:"afdeling"`
	Medewerker int64           `json:"medewerker"`
	Deleted    bool            `json:"deleted"`
	Item       json.RawMessage `json:"item"`
	Sent       json.RawMessage `json:"sent"` // the last body it was written with; null for the seed's
}

// adminAgenda answers GET /admin/agenda: all items, deleted ones too, by id.
func (m *Mock) adminAgenda(w http.ResponseWriter, _ *http.Request, s *mockState) error {
	list := []mockAgendaView{}
	for _, e := range s.agenda {
		list = append(list, mockAgendaView{e.doc.Afdeling, e.doc.Medewerker, e.doc.Deleted, e.doc.Entity, e.doc.Sent})
	}
	return mockkit.Answer(w, list)
}

// adminAgendaChange answers POST /admin/agenda/{id} {"deleted": true}: loses an item, or finds it.
func (m *Mock) adminAgendaChange(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	id, err := mockAgendaID(r)
	if err != nil {
		return err
	}
	var q struct {
		Deleted bool `json:"deleted"`
	}
	if err := mockReadJSON(w, r, &q); err != nil {
		return err
	}
	if err := m.removeAgendaItem(r.Context(), id, q.Deleted); err != nil {
		return err
	}
	return m.adminNow(w, r, m.adminAgenda)
}

// adminWebhooks answers GET /admin/webhooks: the log, newest first.
func (m *Mock) adminWebhooks(w http.ResponseWriter, _ *http.Request, s *mockState) error {
	return mockkit.Answer(w, mockFields{"pending": m.sender.Pending(), "off": s.hook.off(), "deliveries": s.log()})
}

// adminSwitchOn answers POST /admin/webhooks: switches the webhook on again.
func (m *Mock) adminSwitchOn(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	if err := m.switchOn(r.Context()); err != nil {
		return err
	}
	return m.adminNow(w, r, m.adminWebhooks)
}

// log is the part of the webhook log that is shown.
func (s *mockState) log() []mockkit.Delivery {
	return s.deliveries[:min(len(s.deliveries), mockkit.LogLength)]
}
