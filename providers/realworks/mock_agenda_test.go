package realworks

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sparki.app/integrations/providers/mockkit"
)

// mockAppointment is the body of a good create, with changes; nil removes a field.
func mockAppointment(changes mockFields) mockFields {
	f := mockFields{
		"afdelingscode": "935001", "medewerkerId": 39220031, "agendatype": "Bezichtiging", "status": "Definitief",
		"privacy": "Iedereen", "korteOmschrijving": "Lindehof 12 A - Sanne de Wit",
		"extraInfo": "Klant: Sanne de Wit\nSparki: appointment_1", "locatie": "Lindehof 12 A, 3812 KL Bosveld",
		"begintijd": "2026-12-12 14:00:00", "eindtijd": "2026-12-12 14:30:00", "afspraakGeheleDag": false,
		"project": mockFields{"projectcode": "LM100231", "type": "WONEN"}, "externeReferentie": "appointment_1",
		"klant": mockFields{"naam": "Sanne de Wit", "email": "sanne@example.com"},
	}
	for k, v := range changes {
		if v == nil {
			delete(f, k)
		} else {
			f[k] = v
		}
	}
	return f
}

func TestMockAgendaLife(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	created := r.call(200, "POST", "/agenda/v3", mockAppointment(nil))
	id := mockNumber(created, "id")
	if id == 0 || created["locatie"] != "3812 KL  BOSVELD Lindehof 12 A" || created["bedrijfscode"] != mockBedrijf || created["afdelingscode"] != nil {
		t.Fatalf("created: %v", created)
	}
	relations := fmt.Sprint(created["relaties"])
	if relations != "[map[id:<nil> type:Id van de gekoppelde relatie] map[id:39220031 type:Agendapunt voor] map[id:39220031 type:Geplaatst door (medewerker)]]" {
		t.Errorf("relations: %s", relations)
	}
	path := fmt.Sprintf("/agenda/v3/%d", id)
	read := func() mockFields { return r.get(fmt.Sprintf("/agenda/v3/afdeling/935001/agenda/%d", id)) }
	if !maps.EqualFunc(read(), created, func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Errorf("read: %v", read())
	}

	updated := r.call(200, "PUT", path, mockAppointment(mockFields{"begintijd": "2026-12-12 15:00:00", "eindtijd": "2026-12-12 15:30:00", "medewerkerId": "39220044"}))
	if mockNumber(updated, "id") != id || updated["begintijd"] != "2026-12-12 15:00:00" || updated["invoerdatum"] != created["invoerdatum"] ||
		mockText(updated, "tijdstipLaatsteWijziging") <= mockText(created, "tijdstipLaatsteWijziging") {
		t.Errorf("updated: %v", updated)
	}
	if cancelled := r.call(200, "PUT", path, mockAppointment(mockFields{"status": mockCancelled})); cancelled["status"] != mockCancelled {
		t.Errorf("cancelled: %v", cancelled)
	}

	// Lost at the office: reads and writes say so, and it can be found again.
	r.text(200, "POST", fmt.Sprintf("/admin/agenda/%d", id), mockFields{"deleted": true})
	for _, method := range []string{"GET", "PUT"} {
		at := path
		if method == "GET" {
			at = fmt.Sprintf("/agenda/v3/afdeling/935001/agenda/%d", id)
		}
		status, body := r.do(method, at, mockAppointment(nil))
		if want := fmt.Sprintf(`{"foutmeldingen":["Agendapunt %d niet gevonden."]}`, id); status != 404 || string(body) != want {
			t.Errorf("%s of a lost item: %d %s", method, status, body)
		}
	}
	r.text(200, "POST", fmt.Sprintf("/admin/agenda/%d", id), mockFields{"deleted": false})
	if read()["status"] != mockCancelled {
		t.Error("the item did not come back")
	}
	if second := r.call(200, "POST", "/agenda/v3", mockAppointment(nil)); mockNumber(second, "id") <= id {
		t.Errorf("second id: %v", second["id"])
	}
}

// text is call for answers that are no object.
func (r *mockRig) text(status int, method, path string, body any) []byte {
	r.t.Helper()
	got, text := r.do(method, path, body)
	if got != status {
		r.t.Fatalf("%s %s: status %d, want %d: %.300s", method, path, got, status, text)
	}
	return text
}

func TestMockAgendaChecks(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	cases := []struct {
		name   string
		body   any
		status int
		want   string
	}{
		{"good", mockAppointment(nil), 200, `"id":`},
		{"without what is not needed", mockAppointment(mockFields{"project": nil, "klant": nil, "extraInfo": nil, "locatie": nil}), 200, `"relaties":[{"id":39220031`},
		{"other names", mockAppointment(mockFields{
			"korteOmschrijving": nil, "onderwerp": "A", "extraInfo": nil, "omschrijving": "B", "begintijd": nil, "start": "2026-12-12T10:00:00",
			"eindtijd": nil, "eind": "2026-12-12T11:00:00",
		}), 200, `"begintijd":"2026-12-12 10:00:00","eindtijd":"2026-12-12 11:00:00","korteOmschrijving":"A","extraInfo":"B"`},
		{"unknown fields", mockAppointment(mockFields{"nieuw": mockFields{"a": 1}}), 200, `"id":`},
		{"unknown project", mockAppointment(mockFields{"project": mockFields{"projectcode": "XX1", "type": "WONEN"}}), 200, `"locatie":"Lindehof 12 A, 3812 KL Bosveld"`},
		{"afdeling as a number", mockAppointment(mockFields{"afdelingscode": 935001}), 200, `"id":`},
		{"no medewerker", mockAppointment(mockFields{"medewerkerId": nil}), 400, `{"foutmeldingen":["Veld 'medewerkerId' is verplicht."]}`},
		{"two complaints", mockAppointment(mockFields{"medewerkerId": nil, "agendatype": "Kijkmoment"}), 400, `["Veld 'medewerkerId' is verplicht.","Onbekend agendatype 'Kijkmoment' voor afdeling 935001."]`},
		{"unknown medewerker", mockAppointment(mockFields{"medewerkerId": 1}), 400, "Onbekende medewerker 1."},
		{"unknown status", mockAppointment(mockFields{"status": "Klaar"}), 400, "Onbekende status 'Klaar'"},
		{"unknown afdeling", mockAppointment(mockFields{"afdelingscode": "1"}), 400, "Onbekende afdeling '1'."},
		{"no subject", mockAppointment(mockFields{"korteOmschrijving": ""}), 400, "korteOmschrijving"},
		{"no time", mockAppointment(mockFields{"begintijd": "morgen"}), 400, "begintijd"},
		{"ends first", mockAppointment(mockFields{"eindtijd": "2026-12-12 14:00:00"}), 400, "De eindtijd"},
		{"not JSON", "<a>", 400, "JSON"},
		{"empty", "", 400, "JSON"},
	}
	for _, c := range cases {
		status, body := r.do("POST", "/agenda/v3", c.body)
		if status != c.status || !strings.Contains(string(body), c.want) {
			t.Errorf("%s: %d %s", c.name, status, body)
		}
	}
	if status, body := r.do("PUT", "/agenda/v3/1", `{}`); status != 404 || string(body) != `{"foutmeldingen":["Agendapunt 1 niet gevonden."]}` {
		t.Errorf("update of nothing: %d %s", status, body)
	}
	if status, body := r.do("PUT", "/agenda/v3/x", mockAppointment(nil)); status != 404 || string(body) != `{"error":"Resource not found"}` {
		t.Errorf("wrong path: %d %s", status, body)
	}
	if status, body := r.do("PUT", "/agenda/v3/241870001", mockAppointment(mockFields{"agendatype": nil})); status != 400 {
		t.Errorf("half an update: %d %s", status, body)
	}
}

func TestMockAgendaLists(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	day := func(days int) string { return time.Now().AddDate(0, 0, days).Format("2006-01-02") + "+00:00:00" }
	for path, want := range map[string]int{
		"afdeling/935001": 7, "afdeling/935002": 2, "medewerker/39220031": 3, "medewerker/39220075": 0,
		"afdeling/935001?agendatypes=Bezichtiging,Open+huis":              4,
		"afdeling/935001?agendastatus=Geannuleerd":                        1,
		"afdeling/935001?status=Geannuleerd":                              7, // is the other list's parameter
		"medewerker/39220031?status=Geannuleerd":                          1,
		"afdeling/935001?begintijdVanaf=" + day(0):                        5,
		"afdeling/935001?begintijdTot=" + day(0):                          2,
		"afdeling/935001?actief=false":                                    0,
		"afdeling/935002?agendatypes=Bezichtiging&begintijdTot=" + day(9): 1,
	} {
		if got := r.rows("/agenda/v3/" + path); len(got) != want {
			t.Errorf("%s: %d items, want %d", path, len(got), want)
		}
	}
	pages := r.crawl("/agenda/v3/afdeling/935001?begintijdVanaf=2020-01-01+00:00:00&agendatypes=Bezichtiging,Waardebepaling&aantal=2", "id")
	if found := slices.Concat(pages...); len(found) != 5 || len(pages) != 2 || len(pages[0]) != 2 {
		t.Errorf("pages: %v", pages)
	}
	for _, path := range []string{"afdeling/1", "medewerker/1", "types/1", "afdeling/935001/agenda/1"} {
		if status, body := r.do("GET", "/agenda/v3/"+path, nil); status != 404 || !strings.Contains(string(body), "foutmeldingen") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, body := r.do("GET", "/agenda/v3/afdeling/935001?begintijdVanaf=morgen", nil); status != 400 {
		t.Errorf("wrong time: %d %s", status, body)
	}
	if status, body := r.do("GET", "/agenda/v1/statussen/935001", nil); status != 200 || !strings.HasPrefix(string(body), `[{"status":"Definitief","systemid":2001}`) {
		t.Errorf("v1: %d %s", status, body)
	}

	// The office may let out a window only.
	r.call(200, "POST", "/admin/release", mockFields{"daysAhead": 3, "daysBack": 10})
	if got := r.rows("/agenda/v3/afdeling/935001"); len(got) != 4 {
		t.Errorf("%d items in the window", len(got))
	}

	// And without what an item says.
	item := r.call(200, "POST", "/agenda/v3", mockAppointment(nil))
	r.call(200, "POST", "/admin/release", mockFields{"daysAhead": 0, "daysBack": 0, "hideExtraInfo": true})
	bare := r.get("/agenda/v3/afdeling/935001/agenda/" + fmt.Sprint(item["id"]))
	if bare["extraInfo"] != nil || bare["locatie"] != nil || bare["korteOmschrijving"] != item["korteOmschrijving"] {
		t.Errorf("item without extra info: %v", bare)
	}
}

// TestMockAgendaConcurrency: many creates at once give as many items with ids of their own.
func TestMockAgendaConcurrency(t *testing.T) {
	t.Parallel()
	r := newMockRig(t, nil, "")
	var mu sync.Mutex
	ids := map[int64]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				status, body := r.do("POST", "/agenda/v3", mockAppointment(nil))
				var f mockFields
				if err := mockkit.Unmarshal(body, &f); status != 200 || err != nil {
					t.Errorf("%d %s", status, body)
					return
				}
				mu.Lock()
				ids[mockNumber(f, "id")] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(ids) != 80 {
		t.Errorf("%d ids for 80 items", len(ids))
	}
	var all []mockAgendaView
	if err := json.Unmarshal(r.text(http.StatusOK, "GET", "/admin/agenda", nil), &all); err != nil || len(all) != 89 {
		t.Errorf("%d items in all, %v", len(all), err)
	}
}
