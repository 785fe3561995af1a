package kolibri

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/dutch"
	"sparki.app/integrations/providers/memstore"
	"sparki.app/integrations/providers/providertest"
	"sparki.app/integrations/providers/wire"
)

func agendaMock(t *testing.T) (http.Handler, sparki.Settings) {
	t.Helper()
	mock := New().Mock(providers.MockOptions{Store: memstore.New(), BaseURL: "http://kolibri.test"})
	s, err := mock.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return mock, s
}

func TestAgenda(t *testing.T) {
	t.Parallel()
	providertest.RunAgenda(t, providertest.AgendaCase{
		Provider: New(), Mock: agendaMock,
		ReadOnly: func(r *http.Request) bool {
			return r.Method == http.MethodGet || strings.HasSuffix(r.URL.Path, "/Search") || strings.HasSuffix(r.URL.Path, "/DefineNew") || strings.HasSuffix(r.URL.Path, "/token")
		},
	})
}

func agendaConn(t *testing.T, change func(*sparki.Settings)) *conn {
	t.Helper()
	mock, s := agendaMock(t)
	if change != nil {
		change(&s)
	}
	c, err := New().Connect(s, local(mock))
	if err != nil {
		t.Fatal(err)
	}
	return c.(*conn)
}

// Which employees' agendas are offered: those of the settings, else those of its offices, else all but
// the back office.
func TestTargets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		setting string
		ids     []string
		want    string
	}{
		"all":                {"", nil, "Jelle Hoekstra, Marit de Wit, (Ruben Postma), Sanne Verbruggen"},
		"of one office":      {settingOffices, []string{strings.ToUpper(mockUtrechtID)}, "Marit de Wit, Sanne Verbruggen"},
		"named":              {settingEmployees, []string{mockJelleID, " "}, "Jelle Hoekstra"},
		"of the back office": {settingEmployees, []string{mockMadeID("employee/ilse")}, "Ilse Brandsma"},
	} {
		conn := agendaConn(t, func(s *sparki.Settings) { s.Lists = map[string][]string{c.setting: c.ids} })
		targets, err := conn.Targets(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, target := range targets {
			if !target.Available {
				target.Name = "(" + target.Name + ")"
			}
			names = append(names, target.Name)
		}
		if got := strings.Join(names, ", "); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// An item is moved when only its time or person is another, and saved otherwise; what the office wrote
// into fields that we do not know stays either way.
func TestPutKeepsWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	mock, s := agendaMock(t)
	var paths []string
	line := roundTripper(func(r *http.Request) (*http.Response, error) {
		if path := r.URL.Path; r.Method == http.MethodPost && strings.Contains(path, "/AgendaItems") {
			paths = append(paths, path[strings.LastIndex(path, "/"):])
		}
		return local(mock).RoundTrip(r)
	})
	line2, err := New().Connect(s, line)
	if err != nil {
		t.Fatal(err)
	}
	c := line2.(*conn)
	e := sparki.AgendaEntry{Reference: "appointment_1", Subject: strings.Repeat("é", 300), Target: sparki.EntryTarget{ExternalID: mockSanneID},
		Object: &sparki.EntryObject{SourceType: "object-assignment", ExternalID: mockLindelaan},
		Start:  time.Date(2027, 4, 2, 14, 0, 0, 0, dutch.Time), End: time.Date(2027, 4, 2, 14, 30, 0, 0, dutch.Time)}
	id, err := c.Put(t.Context(), "", e)
	if err != nil {
		t.Fatal(err)
	}
	item, err := c.readItem(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if n := len([]rune(wire.Text(item.get("subject")))); n != maxSubject {
		t.Errorf("the subject has %d characters", n)
	}
	if category := guid(wire.Text(item.get("linkedAgendaItemCategory").Get("id"))); category != mockViewingID {
		t.Errorf("the category is %s", category)
	}
	if got := item.ids("linkedAssignments"); len(got) != 1 || got[0] != mockLindelaan || len(item.ids("linkedRelations")) != 0 || !item.get("isConfirmed").Bool() {
		t.Errorf("the item is %s", item)
	}
	item.set("priority", "High") // somebody in the office
	item.set("isPrivate", true)
	if _, err := c.save(t.Context(), item); err != nil {
		t.Fatal(err)
	}
	paths = nil
	e.Start, e.End, e.Target.ExternalID = e.Start.Add(time.Hour), e.End.Add(time.Hour), mockMaritID
	if _, err := c.Put(t.Context(), id, e); err != nil {
		t.Fatal(err)
	}
	e.Location = "Brink 1, Deventer"
	if _, err := c.Put(t.Context(), id, e); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(paths, " "); got != "/Move /AgendaItems" {
		t.Errorf("calls: %s", got)
	}
	if item, err = c.readItem(t.Context(), id); err != nil || wire.Text(item.get("priority")) != "High" || !item.get("isPrivate").Bool() || item.ids("linkedEmployees")[0] != mockMaritID {
		t.Errorf("the item is %s, %v", item, err)
	}
}

// The category is the first active one of viewings, else of others, else none.
func TestCategory(t *testing.T) {
	t.Parallel()
	const row = `{"id":"%s","categoryType":"%s"}`
	other, viewing, second := mockMadeID("category/other"), mockMadeID("category/viewing"), mockMadeID("category/second")
	rows := func(of ...string) string {
		var list []string
		for n := 0; n < len(of); n += 2 {
			list = append(list, fmt.Sprintf(row, of[n], of[n+1]))
		}
		return fmt.Sprintf(`{"totalResults":%d,"results":[%s]}`, len(list), strings.Join(list, ","))
	}
	for answer, want := range map[string]string{
		rows(other, "Other", viewing, "Viewing", second, "Viewing"): viewing,
		rows(second, "Survey", other, "Other"):                      other,
		rows(second, "Survey"):                                      "",
	} {
		mock, s := agendaMock(t)
		asked := ""
		line, err := New().Connect(s, roundTripper(func(r *http.Request) (*http.Response, error) {
			if !strings.HasSuffix(r.URL.Path, "/AgendaItemCategories/Search") {
				return local(mock).RoundTrip(r)
			}
			body, err := io.ReadAll(r.Body)
			asked = string(body)
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, err
		}))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := line.(*conn).viewing(t.Context()); err != nil || got != want || !strings.Contains(asked, `"filterByActive":"ActiveOnly"`) {
			t.Errorf("%s: %q, %v, asked %s", answer, got, err, asked)
		}
	}
}

// What somebody saved in between is not overwritten unseen: the change is made once more on top of it.
func TestSavedInBetween(t *testing.T) {
	t.Parallel()
	mock, s := agendaMock(t)
	conflicts := 0
	line, err := New().Connect(s, roundTripper(func(r *http.Request) (*http.Response, error) {
		if conflicts > 0 && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/AgendaItems") {
			conflicts--
			return &http.Response{StatusCode: http.StatusConflict, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
		}
		return local(mock).RoundTrip(r)
	}))
	if err != nil {
		t.Fatal(err)
	}
	c := line.(*conn)
	e := sparki.AgendaEntry{Reference: "appointment_1", Subject: "Lindelaan 14A", Target: sparki.EntryTarget{ExternalID: mockSanneID},
		Start: time.Date(2027, 4, 2, 14, 0, 0, 0, dutch.Time), End: time.Date(2027, 4, 2, 14, 30, 0, 0, dutch.Time)}
	id, err := c.Put(t.Context(), "", e)
	if err != nil {
		t.Fatal(err)
	}
	e.Subject, conflicts = "Brink 1", 1
	if _, err := c.Put(t.Context(), id, e); err != nil {
		t.Errorf("one conflict: %v", err)
	}
	if item, err := c.readItem(t.Context(), id); err != nil || wire.Text(item.get("subject")) != "Brink 1" {
		t.Errorf("the item is %s, %v", item, err)
	}
	e.Subject, conflicts = "Brink 2", 2
	if _, err := c.Put(t.Context(), id, e); sparki.KindOf(err) != sparki.Rejected || sparki.Lost(err) {
		t.Errorf("two conflicts: %v", err)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
