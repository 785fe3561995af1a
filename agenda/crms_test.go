package agenda

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/kolibri"
	"sparki.app/integrations/providers/realworks"
	"sparki.app/integrations/providers/rest"
)

// crm is a kind of CRM, as tests see it. A new one is one entry more in crms.
type crm struct {
	provider providers.Provider
	// medewerker is given where linking asks for one.
	medewerker string
	// refusal is the body of a 400 that says "Onbekend agendatype".
	refusal string
	// sends says whether a call changes the agenda.
	sends func(*http.Request) bool
	// agenda looks into a mock's agenda, past the client.
	agenda func(t testing.TB, mock http.Handler, s sparki.Settings) agendaOf
}

// agendaOf is what people see and do in the CRM itself.
type agendaOf interface {
	// live lists the items that are not cancelled and carry a reference of ours.
	live(t testing.TB) []item
	// remove deletes an item.
	remove(t testing.TB, id string)
	// move puts an item at another time; cancel cancels it.
	move(t testing.TB, id string, start, end time.Time)
	cancel(t testing.TB, id string)
	// give puts an item into another agenda.
	give(t testing.TB, id, target string)
}

// item is an item in a CRM's agenda.
type item struct {
	id, reference, target, subject, location string
	start, end                               time.Time
}

var crms = map[string]*crm{
	"kolibri": {provider: kolibri.New(), refusal: `{"message":"Onbekend agendatype"}`, sends: func(r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/AgendaItems") && r.Method == http.MethodPost ||
			strings.HasSuffix(r.URL.Path, "/AgendaItems/Move") || strings.HasSuffix(r.URL.Path, "/AgendaItems/Cancel")
	}, agenda: func(_ testing.TB, mock http.Handler, s sparki.Settings) agendaOf {
		return &kolibriAgenda{transport: rest.Local(mock), settings: s}
	}},
	"realworks": {provider: realworks.New(), medewerker: "39220044", refusal: `{"foutmeldingen":["Onbekend agendatype"]}`, sends: func(r *http.Request) bool {
		return strings.Contains(r.URL.Path, "/agenda/") && r.Method != http.MethodGet
	}, agenda: func(_ testing.TB, mock http.Handler, s sparki.Settings) agendaOf {
		return &realworksAgenda{transport: rest.Local(mock), settings: s}
	}},
}

// kolibriAgenda speaks with the mock Kolibri by itself.
type kolibriAgenda struct {
	transport http.RoundTripper
	settings  sparki.Settings
	token     string
}

func (k *kolibriAgenda) do(t testing.TB, method, target, contentType, body string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Authorization", "Bearer "+k.token)
	resp, err := k.transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %d %s %v", method, target, resp.StatusCode, content, err)
	}
	return content
}

// signIn fetches a token, once.
func (k *kolibriAgenda) signIn(t testing.TB) {
	t.Helper()
	if k.token == "" {
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {k.settings.Text["clientId"]}, "client_secret": {k.settings.Secret("clientSecret").Reveal()}}
		var said struct {
			Token string `json:"access_token"`
		}
		if err := json.Unmarshal(k.do(t, http.MethodPost, k.settings.Text["tokenUrl"], "application/x-www-form-urlencoded", form.Encode()), &said); err != nil {
			t.Fatal(err)
		}
		k.token = said.Token
	}
}

func (k *kolibriAgenda) call(t testing.TB, method, path, body string, into any) {
	t.Helper()
	k.signIn(t)
	content := k.do(t, method, k.path(path), "application/json", body)
	if into != nil {
		if err := json.Unmarshal(content, into); err != nil {
			t.Fatal(err)
		}
	}
}

func (k *kolibriAgenda) live(t testing.TB) (items []item) {
	t.Helper()
	for skip := 0; ; skip += 100 {
		var page struct {
			TotalResults int
			Results      []struct {
				ID     string
				Denied bool `json:"accessDeniedForCurrentUser"`
			}
		}
		query, err := json.Marshal(map[string]any{"skip": skip, "take": 100, "order": "Ascending", "orderBy": "StartDateTime", "filterByActive": "ActiveOrInactive",
			"periodDateTimeMin": "2000-01-01T00:00:00Z", "periodDateTimeMax": "2200-01-01T00:00:00Z", "isCanceled": false})
		if err != nil {
			t.Fatal(err)
		}
		k.call(t, http.MethodPost, "AgendaItems/Search", string(query), &page)
		for _, row := range page.Results {
			if row.Denied {
				continue
			}
			var said struct {
				AgendaItem struct {
					ID, Subject, Description, Location, StartDateTime, EndDateTime string
					LinkedEmployees                                                []struct{ ID string }
				}
			}
			k.call(t, http.MethodGet, "AgendaItems?id="+row.ID, "", &said)
			_, reference, ours := strings.Cut(said.AgendaItem.Description, "Sparki: ")
			if !ours {
				continue
			}
			i := item{id: said.AgendaItem.ID, reference: strings.TrimSpace(reference), subject: said.AgendaItem.Subject, location: said.AgendaItem.Location,
				start: kolibriTime(t, said.AgendaItem.StartDateTime), end: kolibriTime(t, said.AgendaItem.EndDateTime)}
			if len(said.AgendaItem.LinkedEmployees) == 1 {
				i.target = said.AgendaItem.LinkedEmployees[0].ID
			}
			items = append(items, i)
		}
		if skip+100 >= page.TotalResults {
			return items
		}
	}
}

// kolibriTime reads a time with a zone, or one that is meant in Amsterdam.
func kolibriTime(t testing.TB, s string) time.Time {
	t.Helper()
	if at, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return at
	}
	zone, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02T15:04:05.999999999", s, zone)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func (k *kolibriAgenda) remove(t testing.TB, id string) {
	t.Helper()
	k.signIn(t)
	k.do(t, http.MethodDelete, k.path("AgendaItems?id="+id), "application/json", "")
}

func (k *kolibriAgenda) path(path string) string {
	return strings.TrimSuffix(k.settings.Text["apiBaseUrl"], "/v3") + "/v3/" + k.settings.Text["realEstateAgencyId"] + "/" + path
}

func (k *kolibriAgenda) move(t testing.TB, id string, start, end time.Time) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"id": id, "startDateTime": start.Format(time.RFC3339), "endDateTime": end.Format(time.RFC3339)})
	if err != nil {
		t.Fatal(err)
	}
	k.call(t, http.MethodPost, "AgendaItems/Move", string(body), nil)
}

func (k *kolibriAgenda) cancel(t testing.TB, id string) {
	t.Helper()
	k.call(t, http.MethodPost, "AgendaItems/Cancel", `{"id":"`+id+`"}`, nil)
}

func (k *kolibriAgenda) give(t testing.TB, id, target string) {
	t.Helper()
	k.call(t, http.MethodPost, "AgendaItems/Move", `{"id":"`+id+`","linkedEmployeeIds":["`+target+`"]}`, nil)
}

// realworksAgenda looks at the mock Realworks as a person at the office does.
type realworksAgenda struct {
	transport http.RoundTripper
	settings  sparki.Settings
}

func (r *realworksAgenda) do(t testing.TB, method, path, body string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, r.settings.Text["apiBaseUrl"]+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, content, err)
	}
	return content
}

func (r *realworksAgenda) live(t testing.TB) (items []item) {
	t.Helper()
	var rows []struct {
		Afdeling   string
		Medewerker int64
		Deleted    bool
		Item       struct {
			ID                                                                 int64
			Status, KorteOmschrijving, ExtraInfo, Locatie, Begintijd, Eindtijd string
		}
		Sent struct{ Agenda struct{ Soort string } }
	}
	if err := json.Unmarshal(r.do(t, http.MethodGet, "/admin/agenda", ""), &rows); err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		t.Fatal(err)
	}
	at := func(text string) time.Time {
		when, err := time.ParseInLocation(time.DateTime, text, zone)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	for _, row := range rows {
		_, reference, ours := strings.Cut(row.Item.ExtraInfo, "Sparki: ")
		if row.Deleted || row.Item.Status == "Geannuleerd" || !ours {
			continue
		}
		target := "afdeling/" + row.Afdeling
		if row.Sent.Agenda.Soort == "medewerker" {
			target = "medewerker/" + strconv.FormatInt(row.Medewerker, 10)
		}
		items = append(items, item{id: strconv.FormatInt(row.Item.ID, 10), reference: reference, target: target, subject: row.Item.KorteOmschrijving, location: row.Item.Locatie,
			start: at(row.Item.Begintijd), end: at(row.Item.Eindtijd)})
	}
	return items
}

func (r *realworksAgenda) remove(t testing.TB, id string) {
	t.Helper()
	r.do(t, http.MethodPost, "/admin/agenda/"+id, `{"deleted":true}`)
}

// move, cancel and give: Realworks tells nobody of a change in its agenda, so nothing is tested with one.
func (r *realworksAgenda) move(t testing.TB, _ string, _, _ time.Time) {
	t.Helper()
	t.Fatal("a mock Realworks cannot move an item by itself")
}

func (r *realworksAgenda) cancel(t testing.TB, _ string) {
	t.Helper()
	t.Fatal("a mock Realworks cannot cancel an item by itself")
}

func (r *realworksAgenda) give(t testing.TB, _, _ string) {
	t.Helper()
	t.Fatal("a mock Realworks cannot give an item away by itself")
}
