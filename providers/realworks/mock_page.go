package realworks

import (
	_ "embed"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sparki.app/integrations/providers/mockkit"
)

//go:embed mock/page.html
var mockPageHTML string

var mockPages = mockkit.Pages(mockPageHTML, nil)

// head is the top of a page.
func (m *Mock) head(tab string, r *http.Request) mockkit.Head {
	return mockkit.Head{
		CRM: "Realworks", Office: mockOfficeName, Tab: tab, Tabs: []string{"Agenda", "Webhooks", "Faults"},
		Message: r.URL.Query().Get("error"),
	}
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
	Objects []mockPageObject
	Back    string // the query of this page, for the forms
	Earlier string
	Later   string
	Towns   []string
	Choices []string
	// Sends is whether changes are sent on as webhooks.
	Sends bool
}

type mockPageObject struct {
	mockSummary
	Photo string // relative to the page
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
		Head: m.head("", r), Query: query.Get("q"), State: query.Get("state"),
		States: append([]string{"deleted", "inactive", "confidential"}, mockStatuses...), Choices: mockStatuses,
		Total: len(found), Back: at(page), Towns: mockTownNames(), Sends: m.sender.URL != "",
	}
	if page > 0 {
		p.Earlier = at(page - 1)
	}
	found = found[page*mockPerPage:]
	if len(found) > mockPerPage {
		found, p.Later = found[:mockPerPage], at(page+1)
	}
	for _, v := range found {
		o := mockPageObject{mockSummary: v}
		if v.photo != "" && strings.HasSuffix(v.photo, ".jpg") {
			o.Photo = strings.TrimPrefix(m.mediaURL(s, v.photo), m.site.URL+"/")
		}
		p.Objects = append(p.Objects, o)
	}
	return mockkit.Render(w, mockPages, "objects", p)
}

// mockAgendaLine is an agenda item as the page shows it.
type mockAgendaLine struct {
	*mockAgendaItem
	From, Until time.Time
	Who         string
	Afdeling    string
	State       string
}

// pageAgenda shows the agenda, the latest first.
func (m *Mock) pageAgenda(w http.ResponseWriter, r *http.Request, s *mockState) error {
	entries := slices.Clone(s.agenda)
	slices.SortStableFunc(entries, func(a, b *mockAgendaEntry) int { return b.start.Compare(a.start) })
	lines := []mockAgendaLine{}
	for _, e := range entries[:min(len(entries), 200)] {
		line := mockAgendaLine{
			mockAgendaItem: &e.item, From: e.start, Until: e.end, Afdeling: e.doc.Afdeling, State: e.item.Status,
		}
		if p := mockMedewerkerOf(e.doc.Medewerker); p != nil {
			line.Who = strings.Join(strings.Fields(p.First+" "+p.Middle+" "+p.Last), " ")
		}
		switch {
		case e.doc.Deleted:
			line.State = "deleted"
		case e.item.Status == mockCancelled:
			line.State = "cancelled"
		}
		lines = append(lines, line)
	}
	return mockkit.Render(w, mockPages, "agenda", struct {
		Head  mockkit.Head
		Lines []mockAgendaLine
	}{m.head("Agenda", r), lines})
}

// pageWebhooks shows the log of what was sent.
func (m *Mock) pageWebhooks(w http.ResponseWriter, r *http.Request, s *mockState) error {
	page := mockkit.Webhooks{Head: m.head("Webhooks", r), URL: m.sender.URL, Pending: m.sender.Pending(), Deliveries: s.log()}
	if s.hook.off() {
		page.Off = strconv.Itoa(s.hook.Failures) + " deliveries failed. Changes are not told until it is on again."
	}
	return mockkit.Render(w, mockPages, "webhooks", page)
}

// pageFaults shows what is armed to fail, and what the office lets out.
func (m *Mock) pageFaults(w http.ResponseWriter, r *http.Request, s *mockState) error {
	return mockkit.Render(w, mockPages, "faults", struct {
		Head        mockkit.Head
		Names, APIs []string
		Armed       []*mockStoredFault
		Release     mockRelease
		Closed      map[string]bool
	}{m.head("Faults", r), mockFaultNames(), mockReleasable, s.armed(), s.release, mockSetOf(s.release.Closed)})
}

// mockReleasable are the APIs that the page can close.
var mockReleasable = []string{mockWonenKind, mockBogKind, mockNieuwbouwKind, mockAgendaAPI, mockRelatiesAPI}

func mockSetOf(list []string) map[string]bool {
	set := map[string]bool{}
	for _, v := range list {
		set[v] = true
	}
	return set
}

// formChange is a button of the list: its value names the field, and back says where to return.
func (m *Mock) formChange(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	form, err := mockReadForm(w, r)
	if err != nil {
		return err
	}
	code := r.PathValue("code")
	return m.formDone(w, form, "", "#o-"+url.PathEscape(code), m.fulfil(r.Context(), code, mockWished(form)))
}

// formAdd is the form for a new object.
func (m *Mock) formAdd(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	form, err := mockReadForm(w, r)
	if err != nil {
		return err
	}
	code, err := m.add(r.Context(), mockWished(form))
	return m.formDone(w, form, "", "#o-"+code, err)
}

// formAgenda loses an agenda item, or finds it again.
func (m *Mock) formAgenda(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	id, err := mockAgendaID(r)
	if err != nil {
		return err
	}
	form, err := mockReadForm(w, r)
	if err != nil {
		return err
	}
	return m.formDone(w, form, "agenda", "", m.removeAgendaItem(r.Context(), id, form.Value("deleted") == "true"))
}

// formWebhooks switches the webhook on again.
func (m *Mock) formWebhooks(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	form, err := mockReadForm(w, r)
	if err != nil {
		return err
	}
	return m.formDone(w, form, "webhooks", "", m.switchOn(r.Context()))
}

// formFaults arms a fault, forgets all, or says what is let out, by the value of "do".
func (m *Mock) formFaults(w http.ResponseWriter, r *http.Request, s *mockState) error {
	form, err := mockReadForm(w, r)
	if err != nil {
		return err
	}
	switch form.Value("do") {
	case "arm":
		times, _ := strconv.Atoi(form.Value("times"))
		err = m.arm(r, mockStoredFault{Name: form.Value("fault"), Path: form.Value("path"), Times: times})
	case "disarm":
		err = m.disarm(r, s)
	case "release":
		release := s.release
		release.Closed, release.Archive = append([]string{}, form["closed"]...), form.Value("archive") == "true"
		err = m.setRelease(r, release)
	default:
		err = mockInvalid("do: arm, disarm or release")
	}
	return m.formDone(w, form, "faults", "", err)
}

func mockReadForm(w http.ResponseWriter, r *http.Request) (mockkit.Form, error) {
	form, err := mockkit.ReadForm(w, r)
	if err != nil {
		return nil, mockInvalid("The form could not be read.")
	}
	return form, nil
}

// mockWished is what a form of the list asks for.
func mockWished(f mockkit.Form) mockWish {
	q := mockWish{
		Price: f.Price("price"), Status: f.Text("status"), Active: f.Flag("active"), Confidential: f.Flag("confidential"),
		Deleted: f.Flag("deleted"), Text: f.Text("text"), API: f.Value("api"), Town: f.Value("town"), Rent: f.Value("rent") == "true",
	}
	if n, err := strconv.Atoi(f.Value("photos")); err == nil {
		q.Photos = &n
	}
	return q
}

// formDone goes back to the page, at what was changed, with what was wrong if anything was.
func (m *Mock) formDone(w http.ResponseWriter, f mockkit.Form, page, anchor string, err error) error {
	problem := ""
	if err != nil {
		p, ok := errors.AsType[*mockProblem](err)
		if !ok {
			return err
		}
		problem = p.error + strings.Join(p.complaints, " ")
	}
	m.site.Return(w, f, page, anchor, problem)
	return nil
}
