package realworks

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/mockkit"
)

// The office's own labels (contract §4.1), the same in each afdeling.
var (
	mockAgendaTypes    = []string{"Bezichtiging", "Bezichtiging blokken", "Waardebepaling", "Verkoopgesprek", "Open huis"}
	mockAgendaStatuses = []string{"Definitief", "Wacht op bevestiging", mockCancelled}
)

const mockCancelled = "Geannuleerd"

// The labels of an item's relations.
const (
	mockRelationFor      = "Agendapunt voor"
	mockRelationCustomer = "Id van de gekoppelde relatie"
	mockRelationBy       = "Geplaatst door (medewerker)"
)

// mockAgendaItem is an agenda item as it is read. What is empty is absent (contract §4.1).
type mockAgendaItem struct {
	ID          int64               `json:"id"`
	Code        string              `json:"agendacode"`
	Type        string              `json:"agendatype"`
	Status      string              `json:"status"`
	Start       string              `json:"begintijd"`
	End         string              `json:"eindtijd"`
	Subject     string              `json:"korteOmschrijving"`
	Description string              `json:"extraInfo,omitempty"`
	Place       string              `json:"locatie,omitempty"`
	Project     *mockAgendaProject  `json:"project,omitempty"`
	Relations   []mockAgendaRelated `json:"relaties"`
	AllDay      bool                `json:"afspraakGeheleDag"`
	Reminder    string              `json:"popupHerinnering"`
	Bedrijf     string              `json:"bedrijfscode"`
	Moved       bool                `json:"vrijgegevenMove"`
	Created     string              `json:"invoerdatum"`
	Changed     string              `json:"tijdstipLaatsteWijziging"`
}

type mockAgendaProject struct {
	Code string `json:"projectcode"`
	Type string `json:"type"`
}

type mockAgendaRelated struct {
	ID   *int64 `json:"id"`
	Type string `json:"type"`
}

// mockAgendaEntry is an agenda item in its place. It never changes.
type mockAgendaEntry struct {
	doc        mockDocument
	item       mockAgendaItem
	start, end time.Time
	bare       []byte // the item without description and place
}

func newMockAgendaEntry(stored []byte) (*mockAgendaEntry, error) {
	var e mockAgendaEntry
	if err := json.Unmarshal(stored, &e.doc); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(e.doc.Entity, &e.item); err != nil {
		return nil, err
	}
	e.start, e.end = mockTime(e.item.Start), mockTime(e.item.End)
	bare := e.item
	bare.Description, bare.Place = "", ""
	var err error
	e.bare, err = mockkit.Marshal(bare)
	return &e, err
}

// body is the item as the office lets it out.
func (e *mockAgendaEntry) body(s *mockState) []byte {
	if s.release.HideExtraInfo {
		return e.bare
	}
	return e.doc.Entity
}

// mockAgendaRequest is the body of a create or an update (contract §4.3). Fields that are not listed
// are kept as they were sent, and otherwise ignored.
type mockAgendaRequest struct {
	Afdeling    json.RawMessage    `json:"afdelingscode"` // text or number
	Medewerker  json.RawMessage    `json:"medewerkerId"`  // number or text
	Type        string             `json:"agendatype"`
	Status      string             `json:"status"`
	Subject     string             `json:"korteOmschrijving"`
	Description string             `json:"extraInfo"`
	Place       string             `json:"locatie"`
	Start       string             `json:"begintijd"`
	End         string             `json:"eindtijd"`
	AllDay      bool               `json:"afspraakGeheleDag"`
	Project     *mockAgendaProject `json:"project"`
	Customer    *struct {
		Name string `json:"naam"`
	} `json:"klant"`

	// Other names for four of the fields above.
	Subject2     string `json:"onderwerp"`
	Description2 string `json:"omschrijving"`
	Start2       string `json:"start"`
	End2         string `json:"eind"`
}

// mockMaxBody bounds a request's body, in bytes.
const mockMaxBody = 1 << 20

// readAgendaRequest reads and checks a body. An update has to be as complete as a create (assumed).
func readAgendaRequest(w http.ResponseWriter, r *http.Request) (q mockAgendaRequest, doc mockDocument, err error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mockMaxBody))
	if err != nil || json.Unmarshal(body, &q) != nil {
		return q, doc, mockInvalid("De inhoud van het verzoek is geen geldige JSON.")
	}
	q.Subject, q.Description = cmp.Or(q.Subject, q.Subject2), cmp.Or(q.Description, q.Description2)
	q.Start, q.End = cmp.Or(q.Start, q.Start2), cmp.Or(q.End, q.End2)
	doc = mockDocument{Sent: body, Afdeling: strings.Trim(string(q.Afdeling), `"`)}
	doc.Medewerker, _ = strconv.ParseInt(strings.Trim(string(q.Medewerker), `"`), 10, 64)
	if complaints := q.check(doc); len(complaints) > 0 {
		return q, doc, mockInvalid(complaints...)
	}
	return q, doc, nil
}

func (q *mockAgendaRequest) check(doc mockDocument) (complaints []string) {
	complain := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	need := func(field, value string) bool {
		if value == "" || value == "null" {
			complain("Veld '%s' is verplicht.", field)
			return false
		}
		return true
	}
	if need("afdelingscode", doc.Afdeling) && !slices.Contains(mockAfdelingCodes(), doc.Afdeling) {
		complain("Onbekende afdeling '%s'.", doc.Afdeling)
	}
	if need("medewerkerId", string(q.Medewerker)) && mockMedewerkerOf(doc.Medewerker) == nil {
		complain("Onbekende medewerker %s.", q.Medewerker)
	}
	if need("agendatype", q.Type) && !slices.Contains(mockAgendaTypes, q.Type) {
		complain("Onbekend agendatype '%s' voor afdeling %s.", q.Type, doc.Afdeling)
	}
	if need("status", q.Status) && !slices.Contains(mockAgendaStatuses, q.Status) {
		complain("Onbekende status '%s' voor afdeling %s.", q.Status, doc.Afdeling)
	}
	need("korteOmschrijving", q.Subject)
	start, end := mockTime(q.Start), mockTime(q.End)
	if need("begintijd", q.Start) && start.IsZero() {
		complain("Veld 'begintijd' is geen geldig tijdstip.")
	}
	if need("eindtijd", q.End) && end.IsZero() {
		complain("Veld 'eindtijd' is geen geldig tijdstip.")
	}
	if !start.IsZero() && !end.IsZero() && !start.Before(end) {
		complain("De eindtijd moet na de begintijd liggen.")
	}
	return complaints
}

// write puts a request into an item. The place of a linked object is written as Realworks does:
// "postcode  plaats straat nummer".
func (q *mockAgendaRequest) write(item *mockAgendaItem, s *mockState, medewerker int64) {
	item.Type, item.Status, item.Subject, item.Description = q.Type, q.Status, q.Subject, q.Description
	item.Start, item.End = mockTime(q.Start).Format(mockStampLayout), mockTime(q.End).Format(mockStampLayout)
	item.AllDay, item.Place, item.Project = q.AllDay, q.Place, q.Project
	if q.Project != nil {
		if o := s.byCode[strings.ToUpper(q.Project.Code)]; o != nil && o.summary.agendaPlace != "" {
			item.Place = o.summary.agendaPlace
		}
	}
	item.Relations = []mockAgendaRelated{}
	if q.Customer != nil {
		item.Relations = append(item.Relations, mockAgendaRelated{nil, mockRelationCustomer})
	}
	item.Relations = append(item.Relations, mockAgendaRelated{&medewerker, mockRelationFor}, mockAgendaRelated{&medewerker, mockRelationBy})
}

// createAgendaItem answers with the new item (contract §4.3; that the answer is the item is assumed).
func (m *Mock) createAgendaItem(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	q, doc, err := readAgendaRequest(w, r)
	if err != nil {
		return err
	}
	return m.storeAgendaItem(r.Context(), w, doc, func(s *mockState) (*mockAgendaItem, error) {
		item := newMockAgendaItem(s.nextAgendaID())
		item.Created = m.stampAfter("")
		q.write(item, s, doc.Medewerker)
		return item, nil
	})
}

// nextAgendaID is an id that no item ever had.
func (s *mockState) nextAgendaID() int64 {
	if len(s.agenda) == 0 {
		return 241900000
	}
	return s.agenda[len(s.agenda)-1].item.ID + 7
}

func newMockAgendaItem(id int64) *mockAgendaItem {
	return &mockAgendaItem{ID: id, Code: strconv.FormatInt(id%900000+100000, 10), Reminder: "T10_MINUTEN_ERVOOR", Bedrijf: mockBedrijf}
}

func (m *Mock) updateAgendaItem(w http.ResponseWriter, r *http.Request, s *mockState) error {
	id, err := mockAgendaID(r)
	if err != nil {
		return err
	}
	if s.agendaEntry(id) == nil { // before the body is looked at
		return mockNoAgendaItem(id)
	}
	q, doc, err := readAgendaRequest(w, r)
	if err != nil {
		return err
	}
	return m.storeAgendaItem(r.Context(), w, doc, func(s *mockState) (*mockAgendaItem, error) {
		old := s.agendaEntry(id)
		if old == nil {
			return nil, mockNoAgendaItem(id)
		}
		item := old.item
		q.write(&item, s, doc.Medewerker)
		return &item, nil
	})
}

// mockAgendaID reads the id in a path; a path without a number is none that the API has.
func mockAgendaID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, mockNoPath()
	}
	return id, nil
}

func mockNoAgendaItem(id int64) error {
	return mockNotFound("Agendapunt " + strconv.FormatInt(id, 10) + " niet gevonden.")
}

// agendaEntry finds an item that is there; nil when there is none.
func (s *mockState) agendaEntry(id int64) *mockAgendaEntry {
	i, found := slices.BinarySearchFunc(s.agenda, id, func(e *mockAgendaEntry, id int64) int { return cmp.Compare(e.item.ID, id) })
	if !found || s.agenda[i].doc.Deleted {
		return nil
	}
	return s.agenda[i]
}

// storeAgendaItem stores the item that next makes, and answers with it.
func (m *Mock) storeAgendaItem(ctx context.Context, w http.ResponseWriter, doc mockDocument, next func(*mockState) (*mockAgendaItem, error)) error {
	err := m.change(ctx, func(s *mockState) (c mockChange, err error) {
		item, err := next(s)
		if err != nil {
			return c, err
		}
		item.Changed = m.stampAfter(item.Changed)
		stored, err := item.doc(&doc)
		return mockChange{docs: []providers.MockDoc{stored}}, err
	})
	if err != nil {
		return err
	}
	mockkit.Write(w, http.StatusOK, doc.Entity)
	return nil
}

// doc is the stored form of an item, whose entity it puts into d.
func (a *mockAgendaItem) doc(d *mockDocument) (stored providers.MockDoc, err error) {
	if d.Entity, err = mockkit.Marshal(a); err != nil {
		return stored, err
	}
	return mockDoc(mockAgendaKind, strconv.FormatInt(a.ID, 10), d)
}

// removeAgendaItem takes an item away, or brings it back. The API cannot do that (contract §1.1); a
// person at the office can.
func (m *Mock) removeAgendaItem(ctx context.Context, id int64, deleted bool) error {
	return m.change(ctx, func(s *mockState) (c mockChange, err error) {
		i := slices.IndexFunc(s.agenda, func(e *mockAgendaEntry) bool { return e.item.ID == id })
		if i < 0 {
			return c, mockNoAgendaItem(id)
		}
		doc := s.agenda[i].doc
		doc.Deleted = deleted
		stored, err := mockDoc(mockAgendaKind, strconv.FormatInt(id, 10), doc)
		return mockChange{docs: []providers.MockDoc{stored}}, err
	})
}

// mockSeedAgenda is the agenda of a new store: some days around now.
func mockSeedAgenda(now time.Time) (docs []providers.MockDoc, err error) {
	day := func(days, hour, minute int) time.Time {
		t := now.In(mockkit.Amsterdam())
		return time.Date(t.Year(), t.Month(), t.Day()+days, hour, minute, 0, 0, t.Location())
	}
	seeds := []struct {
		days, hour, minutes   int
		kind, status, subject string
		medewerker            int64
		code                  string
		afdeling              int
		allDay                bool
	}{
		{-20, 10, 30, "Bezichtiging", "Definitief", "Parklaan 7-II - familie Post", 39220031, "LM100214", 0, false},
		{-6, 9, 60, "Waardebepaling", "Definitief", "Kadeweg 5, Waterstad", 39220044, "LM100225", 0, false},
		{1, 9, 60, "Waardebepaling", "Wacht op bevestiging", "Meerkoetstraat 64", 39220031, "LM100242", 0, false},
		{2, 14, 30, "Bezichtiging", "Definitief", "Rozenstraat 14 bis - M. Kok", 39220044, "LM100220", 0, false},
		{2, 15, 30, "Bezichtiging", mockCancelled, "Lindehof 12 A - P. de Jong", 39220031, "LM100231", 0, false},
		{4, 0, 1439, "Open huis", "Definitief", "Open huis Rietpark", 39220044, "N100012", 0, true},
		{5, 11, 45, "Verkoopgesprek", "Definitief", "Gesprek aan de balie", 39220050, "", 0, false},
		{3, 16, 30, "Bezichtiging", "Definitief", "Esdoornpad 21 - J. Smit", 39220061, "LM100233", 1, false},
		{30, 10, 30, "Bezichtiging blokken", "Definitief", "Blok voor bezichtigingen", 39220061, "", 1, false},
	}
	for i, seed := range seeds {
		item := newMockAgendaItem(241870001 + 131*int64(i))
		start := day(seed.days, seed.hour, 0)
		item.Type, item.Status, item.Subject, item.AllDay = seed.kind, seed.status, seed.subject, seed.allDay
		item.Start, item.End = start.Format(mockStampLayout), start.Add(time.Duration(seed.minutes)*time.Minute).Format(mockStampLayout)
		item.Created = day(-30, 8, i).Format(mockStampLayout)
		item.Changed = item.Created
		item.Relations = []mockAgendaRelated{{&seed.medewerker, mockRelationFor}, {&seed.medewerker, mockRelationBy}}
		if seed.code != "" {
			item.Project = &mockAgendaProject{seed.code, map[bool]string{true: "NIEUWBOUW", false: "WONEN"}[seed.code[0] == 'N']}
		}
		doc, e := item.doc(&mockDocument{Afdeling: mockAfdelingen[seed.afdeling].Code, Medewerker: seed.medewerker})
		docs, err = append(docs, doc), cmp.Or(err, e)
	}
	return docs, err
}
