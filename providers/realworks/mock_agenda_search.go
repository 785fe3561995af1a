package realworks

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sparki.app/integrations/providers/mockkit"
)

// mockAgendaSearch is the filters of a list of agenda items (contract §4.1).
type mockAgendaSearch struct {
	from, until   time.Time // bounds of the start, both included (assumed); zero is none
	types, status []string
	inactive      bool
}

func mockAgendaSearchOf(q url.Values, status string) (f mockAgendaSearch, complaints []string) {
	for key, at := range map[string]*time.Time{"begintijdVanaf": &f.from, "begintijdTot": &f.until} {
		text := q.Get(key)
		if *at = mockTime(text); text != "" && at.IsZero() {
			complaints = append(complaints, "Ongeldige waarde "+text+" voor parameter "+key+".")
		}
	}
	slices.Sort(complaints)
	list := func(key string) []string {
		if q.Get(key) == "" {
			return nil
		}
		return strings.Split(strings.Join(q[key], ","), ",")
	}
	f.types, f.status = list("agendatypes"), list(status)
	f.inactive = q.Get("actief") == "false"
	return f, complaints
}

func (f *mockAgendaSearch) matches(e *mockAgendaEntry) bool {
	return !f.inactive && // the mock has none
		(f.from.IsZero() || !e.start.Before(f.from)) && (f.until.IsZero() || !e.start.After(f.until)) &&
		(f.types == nil || slices.Contains(f.types, e.item.Type)) && (f.status == nil || slices.Contains(f.status, e.item.Status))
}

// readable says whether the office lets an item out.
func (m *Mock) readable(s *mockState, e *mockAgendaEntry) bool {
	now := m.now()
	return !e.doc.Deleted && !s.closed(mockAgendaAPI) &&
		(s.release.DaysBack == 0 || e.start.After(now.AddDate(0, 0, -s.release.DaysBack))) &&
		(s.release.DaysAhead == 0 || e.start.Before(now.AddDate(0, 0, s.release.DaysAhead)))
}

// listAgenda lists the readable items for which keep holds.
func (m *Mock) listAgenda(w http.ResponseWriter, r *http.Request, s *mockState, status string, keep func(*mockAgendaEntry) bool) error {
	cursor, complaints := mockCursorOf(r.URL.Query())
	filter, more := mockAgendaSearchOf(r.URL.Query(), status)
	if complaints = append(complaints, more...); len(complaints) > 0 {
		return mockInvalid(complaints...)
	}
	var rows []mockRow
	for _, e := range s.agenda {
		if keep(e) && m.readable(s, e) && filter.matches(e) {
			rows = append(rows, mockRow{e.item.ID, mockBody(e.body(s))})
		}
	}
	return m.answerPage(w, r, s, rows, cursor, "aantal") // which the live API does not repeat here
}

func (m *Mock) listAfdelingAgenda(w http.ResponseWriter, r *http.Request, s *mockState) error {
	afdeling, err := mockKnownAfdeling(r)
	if err != nil {
		return err
	}
	return m.listAgenda(w, r, s, "agendastatus", func(e *mockAgendaEntry) bool { return e.doc.Afdeling == afdeling })
}

func (m *Mock) listMedewerkerAgenda(w http.ResponseWriter, r *http.Request, s *mockState) error {
	id, err := strconv.ParseInt(r.PathValue("medewerker"), 10, 64)
	if err != nil || mockMedewerkerOf(id) == nil {
		return mockNotFound("Medewerker " + r.PathValue("medewerker") + " niet gevonden.")
	}
	return m.listAgenda(w, r, s, "status", func(e *mockAgendaEntry) bool { return e.doc.Medewerker == id })
}

func mockKnownAfdeling(r *http.Request) (string, error) {
	code := r.PathValue("afdeling")
	if !slices.Contains(mockAfdelingCodes(), code) {
		return "", mockNotFound("Afdeling " + code + " niet gevonden.")
	}
	return code, nil
}

func (m *Mock) readAgendaItem(w http.ResponseWriter, r *http.Request, s *mockState) error {
	id, err := mockAgendaID(r)
	if err != nil {
		return err
	}
	e := s.agendaEntry(id)
	if e == nil || e.doc.Afdeling != r.PathValue("afdeling") || !m.readable(s, e) {
		return mockNoAgendaItem(id)
	}
	mockkit.Write(w, http.StatusOK, e.body(s))
	return nil
}

// agendaLabels answers with the labels of types or statuses, a bare array (contract §4.1).
func (m *Mock) agendaLabels(key string, first int, labels []string) mockHandler {
	return func(w http.ResponseWriter, r *http.Request, s *mockState) error {
		if _, err := mockKnownAfdeling(r); err != nil {
			return err
		}
		list := []mockFields{}
		for i, label := range labels {
			if !s.closed(mockAgendaAPI) {
				list = append(list, mockFields{"systemid": first + i, key: label})
			}
		}
		return mockkit.Answer(w, list)
	}
}
