package kolibri

import (
	_ "embed"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sparki.app/integrations/providers/mockkit"
)

//go:embed mock/page.html
var mockPageHTML string

var mockPages = template.Must(template.New("").Funcs(template.FuncMap{
	"euro":   mockkit.Euro,
	"moment": mockMoment,
	"day":    func(t time.Time) string { return t.In(mockkit.Amsterdam()).Format("Mon 2 Jan 2006") },
	"hours":  func(t time.Time) string { return t.In(mockkit.Amsterdam()).Format("15:04") },
}).Parse(mockPageHTML))

// mockPerPage is how many objects one page shows.
const mockPerPage = 50

// mockObjectsPage is what the list of objects shows.
type mockObjectsPage struct {
	Tab     string
	Message string
	Query   string
	State   string
	States  []string
	Total   int
	Objects []mockSummary
	Back    string // the query of this page, for the forms
	Earlier string
	Later   string
	Towns   []string
	Types   []string
	Choices []string
	// Sends is whether changes are sent on as webhooks.
	Sends bool
}

// pageObjects lists the objects with what can be done to each.
func (m *Mock) pageObjects(w http.ResponseWriter, r *http.Request, s *mockState) error {
	query := r.URL.Query()
	found := s.summaries(query.Get("q"), query.Get("state"))
	page, _ := strconv.Atoi(query.Get("page"))
	page = max(0, min(page, (len(found)-1)/mockPerPage))
	at := func(n int) string {
		return "?" + url.Values{"q": {query.Get("q")}, "state": {query.Get("state")}, "page": {strconv.Itoa(n)}}.Encode()
	}
	p := mockObjectsPage{
		Tab: "objects", Message: query.Get("error"), Query: query.Get("q"), State: query.Get("state"),
		States: append([]string{"archived", "deleted"}, mockEnums["AvailabilityStatus"]...),
		Total:  len(found), Back: at(page), Towns: mockTownNames(), Sends: m.sender.URL != "",
		Types:   []string{"House", "Apartment", "Parking", "Plot", "Office", "RetailSpace", "Other"},
		Choices: []string{"Available", "UnderOption", "Sold", "Rented", "Withdrawn"},
	}
	if page > 0 {
		p.Earlier = at(page - 1)
	}
	p.Objects = found[page*mockPerPage:]
	if len(p.Objects) > mockPerPage {
		p.Objects, p.Later = p.Objects[:mockPerPage], at(page+1)
	}
	return mockkit.Render(w, mockPages, "objects", p)
}

// mockAgendaLine is an appointment as the page shows it.
type mockAgendaLine struct {
	Start, End                     time.Time
	AllDay                         bool
	Subject, Location, Description string
	Category, People, Assignments  string
	State                          string
}

// pageAgenda shows the agenda, the latest first.
func (m *Mock) pageAgenda(w http.ResponseWriter, _ *http.Request, s *mockState) error {
	lines := []mockAgendaLine{}
	for i := len(s.agenda) - 1; i >= 0 && len(lines) < 200; i-- {
		e := s.agenda[i]
		a := &e.item
		line := mockAgendaLine{
			Start: e.start, End: e.end, AllDay: a.AllDayEvent, Subject: mockValue(a.Subject), Location: mockValue(a.Location),
			Description: mockValue(a.Description), Category: e.category.DisplayName,
			People: mockLinkNames(a.LinkedEmployees), Assignments: mockLinkNames(a.LinkedAssignments), State: "planned",
		}
		switch {
		case e.deleted:
			line.State = "deleted"
		case a.IsCanceled:
			line.State = "cancelled"
		case a.IsConfirmed:
			line.State = "confirmed"
		}
		if e.denied {
			line.Subject, line.Location, line.Description = "(private)", "", ""
		}
		lines = append(lines, line)
	}
	return mockkit.Render(w, mockPages, "agenda", struct {
		Tab   string
		Lines []mockAgendaLine
	}{"agenda", lines})
}

func mockLinkNames(links []json.RawMessage) string {
	var names []string
	for _, l := range links {
		var link struct {
			DisplayName string `json:"displayName"`
		}
		if json.Unmarshal(l, &link) == nil && link.DisplayName != "" {
			names = append(names, link.DisplayName)
		}
	}
	return strings.Join(names, ", ")
}

// pageWebhooks shows the log of what was sent.
func (m *Mock) pageWebhooks(w http.ResponseWriter, _ *http.Request, s *mockState) error {
	return mockkit.Render(w, mockPages, "webhooks", struct {
		Tab        string
		URL        string
		Pending    int
		Deliveries []mockkit.Delivery
	}{"webhooks", m.sender.URL, m.sender.Pending(), s.log()})
}

// formChange is a button of the list: its value names the field, and back says where to return.
func (m *Mock) formChange(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	q, err := mockForm(w, r)
	if err != nil {
		return err
	}
	err = m.fulfil(r.Context(), r.PathValue("id"), q)
	return m.formDone(w, r, r.PathValue("id"), err)
}

// formAdd is the form for a new object.
func (m *Mock) formAdd(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	q, err := mockForm(w, r)
	if err != nil {
		return err
	}
	id, err := m.add(r.Context(), q)
	return m.formDone(w, r, id, err)
}

func mockForm(w http.ResponseWriter, r *http.Request) (q mockWish, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		return q, mockInvalid("form", "The form could not be read.")
	}
	text := func(key string) *string {
		if v := strings.TrimSpace(r.PostForm.Get(key)); v != "" {
			return &v
		}
		return nil
	}
	flag := func(key string) *bool {
		if v, err := strconv.ParseBool(r.PostForm.Get(key)); err == nil {
			return &v
		}
		return nil
	}
	q = mockWish{
		Availability: text("availability"), Archived: flag("archived"), Deleted: flag("deleted"), Title: text("title"),
		ListingType: text("listingType"), Town: text("town"), Rent: r.PostForm.Get("rent") == "true",
	}
	if v := text("price"); v != nil {
		price := mockkit.Price(*v)
		q.Price = &price
	}
	return q, nil
}

// formDone goes back to the list, at the object that was changed, with what was wrong if anything was.
func (m *Mock) formDone(w http.ResponseWriter, r *http.Request, id string, err error) error {
	back, parseErr := url.ParseQuery(strings.TrimPrefix(r.PostForm.Get("back"), "?"))
	if parseErr != nil {
		back = url.Values{}
	}
	back.Del("error")
	if err != nil {
		p, ok := errors.AsType[*mockProblem](err)
		if !ok {
			return err
		}
		text := p.message
		for _, rule := range p.rules {
			text = rule
		}
		back.Set("error", text)
	}
	target := m.basePath + "/?" + back.Encode()
	if mockIsGUID(id) {
		target += "#o-" + id
	}
	w.Header().Set("Location", target)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// mockMoment writes a time as an office reads it.
func mockMoment(v any) string {
	t, ok := v.(time.Time)
	if s, isText := v.(string); isText {
		t, ok = mockTime(s, time.UTC), true
	}
	if !ok || t.IsZero() {
		return "–"
	}
	return t.In(mockkit.Amsterdam()).Format("2 Jan 2006 15:04:05")
}
