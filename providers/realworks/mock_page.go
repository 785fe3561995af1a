package realworks

import (
	_ "embed"
	"errors"
	"html/template"
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

var mockPages = template.Must(template.New("").Funcs(template.FuncMap{
	"euro":   mockkit.Euro,
	"moment": func(t time.Time) string { return t.In(mockkit.Amsterdam()).Format("2 Jan 2006 15:04:05") },
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
		Tab: "objects", Message: query.Get("error"), Query: query.Get("q"), State: query.Get("state"),
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
			o.Photo = strings.TrimPrefix(m.mediaURL(s, v.photo), m.baseURL+"/")
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
		Tab, Message string
		Lines        []mockAgendaLine
	}{"agenda", r.URL.Query().Get("error"), lines})
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

// pageFaults shows what is armed to fail, and what the office lets out.
func (m *Mock) pageFaults(w http.ResponseWriter, r *http.Request, s *mockState) error {
	return mockkit.Render(w, mockPages, "faults", struct {
		Tab, Message string
		Names, APIs  []string
		Armed        []*mockStoredFault
		Release      mockRelease
		Closed       map[string]bool
	}{"faults", r.URL.Query().Get("error"), mockFaultNames(), mockReleasable, s.armed(), s.release, mockSetOf(s.release.Closed)})
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
	q, err := mockForm(w, r)
	if err != nil {
		return err
	}
	code := r.PathValue("code")
	return m.formDone(w, r, "", "#o-"+url.PathEscape(code), m.fulfil(r.Context(), code, q))
}

// formAdd is the form for a new object.
func (m *Mock) formAdd(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	q, err := mockForm(w, r)
	if err != nil {
		return err
	}
	code, err := m.add(r.Context(), q)
	return m.formDone(w, r, "", "#o-"+code, err)
}

// formAgenda loses an agenda item, or finds it again.
func (m *Mock) formAgenda(w http.ResponseWriter, r *http.Request, _ *mockState) error {
	id, err := mockAgendaID(r)
	if err != nil {
		return err
	}
	if err := mockParseForm(w, r); err != nil {
		return err
	}
	return m.formDone(w, r, "agenda", "", m.removeAgendaItem(r.Context(), id, r.PostForm.Get("deleted") == "true"))
}

// formFaults arms a fault, forgets all, or says what is let out, by the value of "do".
func (m *Mock) formFaults(w http.ResponseWriter, r *http.Request, s *mockState) error {
	if err := mockParseForm(w, r); err != nil {
		return err
	}
	var err error
	switch r.PostForm.Get("do") {
	case "arm":
		times, _ := strconv.Atoi(r.PostForm.Get("times"))
		err = m.arm(r, mockStoredFault{Name: r.PostForm.Get("fault"), Path: r.PostForm.Get("path"), Times: times})
	case "disarm":
		err = m.disarm(r, s)
	case "release":
		release := s.release
		release.Closed, release.Archive = append([]string{}, r.PostForm["closed"]...), r.PostForm.Get("archive") == "true"
		err = m.setRelease(r, release)
	default:
		err = mockInvalid("do: arm, disarm or release")
	}
	return m.formDone(w, r, "faults", "", err)
}

func mockParseForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		return mockInvalid("The form could not be read.")
	}
	return nil
}

func mockForm(w http.ResponseWriter, r *http.Request) (q mockWish, err error) {
	if err := mockParseForm(w, r); err != nil {
		return q, err
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
		Status: text("status"), Active: flag("active"), Confidential: flag("confidential"), Deleted: flag("deleted"),
		Text: text("text"), API: r.PostForm.Get("api"), Town: r.PostForm.Get("town"), Rent: r.PostForm.Get("rent") == "true",
	}
	if v := text("price"); v != nil {
		price := mockkit.Price(*v)
		q.Price = &price
	}
	if n, err := strconv.Atoi(r.PostForm.Get("photos")); err == nil {
		q.Photos = &n
	}
	return q, nil
}

// formDone goes back to the page, at what was changed, with what was wrong if anything was.
func (m *Mock) formDone(w http.ResponseWriter, r *http.Request, page, anchor string, err error) error {
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
		back.Set("error", p.error+strings.Join(p.complaints, " "))
	}
	w.Header().Set("Location", m.basePath+"/"+page+"?"+back.Encode()+anchor)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}
