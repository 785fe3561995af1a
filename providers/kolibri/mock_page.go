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

var mockPages = mockkit.Pages(mockPageHTML, template.FuncMap{"stamp": mockStampText})

// head is the top of a page.
func (m *Mock) head(tab, message string) mockkit.Head {
	return mockkit.Head{CRM: "Kolibri", Office: mockAgencyName, Tab: tab, Tabs: []string{"Agenda", "Webhooks"}, Message: message}
}

// mockPerPage is how many objects one page shows.
const mockPerPage = 50

// mockObjectsPage is what the list of objects shows.
type mockObjectsPage struct {
	Head    mockkit.Head
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
		Head: m.head("", query.Get("error")), Query: query.Get("q"), State: query.Get("state"),
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
		Head  mockkit.Head
		Lines []mockAgendaLine
	}{m.head("Agenda", ""), lines})
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
	return mockkit.Render(w, mockPages, "webhooks", mockkit.Webhooks{
		Head: m.head("Webhooks", ""), URL: m.sender.URL, Pending: m.sender.Pending(), Deliveries: s.log(),
	})
}

// formChange is a button of the list: its value names the field, and back says where to return.
func (m *Mock) formChange(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	form, err := mockReadForm(w, r)
	if err != nil {
		return err
	}
	err = m.fulfil(r.Context(), r.PathValue("id"), mockWished(form))
	return m.formDone(w, form, r.PathValue("id"), err)
}

// formAdd is the form for a new object.
func (m *Mock) formAdd(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	form, err := mockReadForm(w, r)
	if err != nil {
		return err
	}
	id, err := m.add(r.Context(), mockWished(form))
	return m.formDone(w, form, id, err)
}

func mockReadForm(w http.ResponseWriter, r *http.Request) (mockkit.Form, error) {
	form, err := mockkit.ReadForm(w, r)
	if err != nil {
		return nil, mockInvalid("form", "The form could not be read.")
	}
	return form, nil
}

// mockWished is what a form asks for.
func mockWished(f mockkit.Form) mockWish {
	return mockWish{
		Price: f.Price("price"), Availability: f.Text("availability"), Archived: f.Flag("archived"), Deleted: f.Flag("deleted"),
		Title: f.Text("title"), ListingType: f.Text("listingType"), Town: f.Text("town"), Rent: f.Value("rent") == "true",
	}
}

// formDone goes back to the list, at the object that was changed, with what was wrong if anything was.
func (m *Mock) formDone(w http.ResponseWriter, f mockkit.Form, id string, err error) error {
	problem, anchor := "", ""
	if err != nil {
		p, ok := errors.AsType[*mockProblem](err)
		if !ok {
			return err
		}
		problem = p.message
		for _, rule := range p.rules {
			problem = rule
		}
	}
	if mockIsGUID(id) {
		anchor = "#o-" + id
	}
	m.site.Return(w, f, "", anchor, problem)
	return nil
}

// mockStampText writes one of Kolibri's times as an office reads it.
func mockStampText(stamp string) string {
	t := mockTime(stamp, time.UTC)
	if t.IsZero() {
		return "–"
	}
	return t.In(mockkit.Amsterdam()).Format("2 Jan 2006 15:04:05")
}
