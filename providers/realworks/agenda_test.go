package realworks

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/memstore"
	"sparki.app/integrations/providers/providertest"
)

func agendaMock(t *testing.T) (http.Handler, sparki.Settings) {
	t.Helper()
	mock := New().Mock(providers.MockOptions{Store: memstore.New(), BaseURL: "http://realworks.test"})
	s, err := mock.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return mock, s
}

func TestAgenda(t *testing.T) {
	t.Parallel()
	providertest.RunAgenda(t, providertest.AgendaCase{
		Provider: New(), Mock: agendaMock, Medewerker: "39220031",
		// The probe is refused with the rest: a token that is good for another API is no bad token.
		ReadOnly: func(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.Path != makelaarsPath },
	})
}

func connect(t *testing.T, s sparki.Settings, line http.RoundTripper) *conn {
	t.Helper()
	c, err := New().Connect(s, line)
	if err != nil {
		t.Fatal(err)
	}
	return c.(*conn)
}

// sampleEntry is the appointment of the contract's samples.
func sampleEntry() sparki.AgendaEntry {
	utc := time.Date(2026, 3, 12, 13, 0, 0, 0, time.UTC) // is written in the Netherlands' time
	return sparki.AgendaEntry{
		Reference: "8f1c2d7e-0001-4a6b-9c3d-1e2f3a4b5c6d", Subject: "Lindehof 12 A - Sanne de Wit", Location: "Lindehof 12 A, 3812 KL Bosveld",
		Description: "Bezichtiging via Sparki.\nKlant: Sanne de Wit, sanne@example.com, 06-00000000\nAfspraak: 8f1c2d7e-0001-4a6b-9c3d-1e2f3a4b5c6d\nObject: LM100231\n",
		Start:       utc, End: utc.Add(30 * time.Minute),
		Customer: sparki.Customer{Name: "Sanne de Wit", Email: new("sanne@example.com"), Phone: new("06-00000000")},
		Object:   &sparki.EntryObject{SourceType: "wonen-object", ExternalID: "10840231", ObjectCode: "LM100231", AfdelingCode: sampleAfdeling},
		Target: sparki.EntryTarget{ExternalID: "medewerker/39220031", Kind: sparki.TargetPerson, Name: "Jaap van Veen",
			AfdelingCode: sampleAfdeling, MedewerkerID: "39220031"},
	}
}

// office is a Realworks that says what a test wants, and what was sent to it.
type office struct {
	status   int
	location string
	body     string
	method   string
	path     string
	sent     []byte
}

func (o *office) RoundTrip(r *http.Request) (*http.Response, error) {
	return local(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == makelaarsPath {
			_, _ = io.WriteString(w, `{"resultaten":[]}`)
			return
		}
		o.method, o.path = r.Method, r.URL.Path
		o.sent, _ = io.ReadAll(r.Body)
		if o.location != "" {
			w.Header().Set("Location", o.location)
		}
		w.WriteHeader(o.status)
		_, _ = io.WriteString(w, o.body)
	})).RoundTrip(r)
}

// TestAgendaBodies compares what is sent with the contract's samples.
func TestAgendaBodies(t *testing.T) {
	t.Parallel()
	o := &office{status: 200, body: string(providertest.Sample(t, "agenda_v3_create_response"))}
	c := connect(t, liveSettings(), o)
	e := sampleEntry()
	sends := func(name, method, path string) {
		t.Helper()
		var got, want bytes.Buffer
		if err := json.Indent(&got, o.sent, "", "  "); err != nil {
			t.Fatal(err)
		}
		if err := json.Indent(&want, bytes.TrimSpace(providertest.Sample(t, name)), "", "  "); err != nil {
			t.Fatal(err)
		}
		if o.method != method || o.path != path || got.String() != want.String() {
			t.Errorf("%s %s:\n%s\nwant %s:\n%s", o.method, o.path, got.String(), name, want.String())
		}
	}
	id, err := c.Put(t.Context(), "", e)
	if err != nil || id != "241900455" {
		t.Fatalf("%q, %v", id, err)
	}
	sends("agenda_v3_create_request", "POST", "/agenda/v3")
	e.Start, e.End = e.Start.Add(time.Hour), e.End.Add(time.Hour)
	o.body = string(providertest.Sample(t, "agenda_v3_update_response"))
	if again, err := c.Put(t.Context(), id, e); err != nil || again != id {
		t.Fatalf("%q, %v", again, err)
	}
	sends("agenda_v3_update_request", "PUT", "/agenda/v3/241900455")
	if err := c.Cancel(t.Context(), id, sampleEntry()); err != nil {
		t.Fatal(err)
	}
	sends("agenda_v3_cancel_request", "PUT", "/agenda/v3/241900455")
}

// TestAgendaSettings: the office's own labels, the mark of a test, and what an afdeling's own agenda and
// an appointment about nothing leave out.
func TestAgendaSettings(t *testing.T) {
	t.Parallel()
	s := liveSettings()
	for key, value := range map[string]string{settingAgendaType: " 1e bezichtiging ", settingAgendaStatus: "Vast", settingAgendaCancelled: "Vervallen",
		settingAgendaPrivacy: "Alleen afdeling", settingTestPrefix: "[PROEF]"} {
		s.Text[key] = value
	}
	o := &office{status: 200, body: `{"id":7}`}
	c := connect(t, s, o)
	e := sampleEntry()
	e.Test, e.Object, e.Location, e.Customer, e.Target.Name = true, nil, "", sparki.Customer{Name: "Sanne"}, ""
	e.Target.Kind, e.Target.ExternalID = sparki.TargetOffice, afdelingTarget(sampleAfdeling)
	e.Description = "Sparki: 1"
	if _, err := c.Put(t.Context(), "", e); err != nil {
		t.Fatal(err)
	}
	want := `{"afdelingscode":"935001","medewerkerId":39220031,"agendatype":"1e bezichtiging","status":"Vast","privacy":"Alleen afdeling",` +
		`"korteOmschrijving":"[PROEF] Lindehof 12 A - Sanne de Wit","extraInfo":"Sparki: 1","begintijd":"2026-03-12 14:00:00","eindtijd":"2026-03-12 14:30:00",` +
		`"afspraakGeheleDag":false,"externeReferentie":"8f1c2d7e-0001-4a6b-9c3d-1e2f3a4b5c6d","klant":{"naam":"Sanne"},` +
		`"agenda":{"soort":"afdeling","afdelingscode":"935001","medewerkerId":null}}`
	if string(o.sent) != want {
		t.Errorf("sent\n%s\nwant\n%s", o.sent, want)
	}
	if err := c.Cancel(t.Context(), "7", e); err != nil || !strings.Contains(string(o.sent), `"status":"Vervallen"`) {
		t.Errorf("cancelled with %s, %v", o.sent, err)
	}
	o.sent = nil
	e.Target.MedewerkerID = ""
	if _, err := c.Put(t.Context(), "", e); sparki.KindOf(err) != sparki.Misconfigured || sparki.Lost(err) || o.sent != nil {
		t.Errorf("without a medewerker: %v, sent %s", err, o.sent)
	}
}

// TestAgendaAnswers: where the id of a new item is found, and what a refusal means.
func TestAgendaAnswers(t *testing.T) {
	t.Parallel()
	const gone, noPath = `{"foutmeldingen":["Agendapunt 7 niet gevonden."]}`, `{"error":"Resource not found"}`
	for name, test := range map[string]struct {
		office
		create, change sparki.Kind // "" for none
		id             string
		lost           bool // the create; a change may be repeated
	}{
		"id":                    {office: office{status: 201, body: `{"id":12,"agendaId":13}`}, id: "12"},
		"id as text":            {office: office{status: 200, body: `{"id":"12"}`}, id: "12"},
		"agendaId":              {office: office{status: 200, body: `{"agendaId":13}`}, id: "13"},
		"no number":             {office: office{status: 200, body: `{"id":"x","agendaId":13}`}, id: "13"},
		"location":              {office: office{status: 201, location: "https://api.realworks.nl/agenda/v3/14"}, id: "14"},
		"location with a slash": {office: office{status: 202, location: "/agenda/v3/14/", body: `{}`}, id: "14"},
		"accepted, no more":     {office: office{status: 202}, create: sparki.Unavailable, lost: true},
		"no id":                 {office: office{status: 200, body: `[]`, location: "/agenda/v3"}, create: sparki.Unavailable, lost: true},
		"gone":                  {office: office{status: 404, body: gone}, create: sparki.Misconfigured, change: sparki.NotFound},
		"no such path":          {office: office{status: 404, body: noPath}, create: sparki.Misconfigured, change: sparki.Misconfigured},
		"no words":              {office: office{status: 404}, create: sparki.Misconfigured, change: sparki.Misconfigured},
		"a page":                {office: office{status: 404, body: "<html>"}, create: sparki.Misconfigured, change: sparki.Misconfigured},
		"refused":               {office: office{status: 400, body: string(providertest.Sample(t, "agenda_v3_error_validation"))}, create: sparki.Rejected, change: sparki.Rejected},
		"another API's token":   {office: office{status: 401}, create: sparki.Misconfigured, change: sparki.Misconfigured},
		"IP range":              {office: office{status: 403, body: string(providertest.Sample(t, "error_403_ip"))}, create: sparki.Misconfigured, change: sparki.Misconfigured},
		"not JSON":              {office: office{status: 200, body: "<html>"}, create: sparki.Unavailable, change: sparki.Unavailable, lost: true},
	} {
		o := test.office
		c := connect(t, liveSettings(), &o)
		id, err := c.Put(t.Context(), "", sampleEntry())
		if id != test.id || sparki.KindOf(err) != test.create || sparki.Lost(err) != test.lost {
			t.Errorf("create, %s: %q, %v", name, id, err)
		}
		if _, err := c.Put(t.Context(), "7", sampleEntry()); sparki.KindOf(err) != test.change {
			t.Errorf("change, %s: %v", name, err)
		}
		if err := c.Cancel(t.Context(), "7", sampleEntry()); sparki.KindOf(err) != test.change {
			t.Errorf("cancel, %s: %v", name, err)
		}
		if name == "refused" && !strings.Contains(sparki.TextOf(err), "Onbekend agendatype 'Kijkmoment'") {
			t.Errorf("the office's words: %s", sparki.TextOf(err))
		}
	}
}

// TestTargets: the agendas that are offered, by what the tokens and the settings let through.
func TestTargets(t *testing.T) {
	t.Parallel()
	const people = "medewerker/39220031 Jaap van Veen, medewerker/39220044 Noor Bakker, medewerker/39220050 Binnendienst, " +
		"medewerker/39220061 Tess de Haan, medewerker/39220075 Medewerker 39220075"
	const both = "afdeling/935001 Afdeling 935001, afdeling/935002 Afdeling 935002"
	for name, test := range map[string]struct {
		change func(*sparki.Settings)
		want   string
		kind   sparki.Kind
	}{
		"all":              {func(*sparki.Settings) {}, both + ", " + people, ""},
		"one afdeling":     {func(s *sparki.Settings) { s.Lists[settingAfdelingen] = []string{"935002", "935002"} }, "afdeling/935002 Afdeling 935002, " + people, ""},
		"no codes":         {func(s *sparki.Settings) { delete(s.Lists, settingAfdelingen) }, both + ", " + people, ""},
		"without Relaties": {func(s *sparki.Settings) { delete(s.Secrets, settingRelatiesToken) }, both, ""},
		"Relaties refused": {func(s *sparki.Settings) { s.Secrets[settingRelatiesToken] = []sparki.Secret{"wrong"} }, both, ""},
		"no token is good": {func(s *sparki.Settings) { s.Secrets = map[string][]sparki.Secret{settingToken: {"wrong"}} }, "", sparki.Unauthorized},
	} {
		mock, s := agendaMock(t)
		test.change(&s)
		targets, err := connect(t, s, local(mock)).Targets(t.Context())
		if sparki.KindOf(err) != test.kind {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, target := range targets {
			got = append(got, target.ExternalID+" "+target.Name)
			person := target.Kind == sparki.TargetPerson
			if !target.Available || target.AfdelingCode == nil || person != (target.MedewerkerID != nil) || person && *target.AfdelingCode != *targets[0].AfdelingCode {
				t.Errorf("%s: %+v", name, target)
			}
		}
		slices.Sort(got) // Realworks's lists are in no order
		if err == nil && strings.Join(got, ", ") != test.want {
			t.Errorf("%s: %s", name, strings.Join(got, ", "))
		}
	}
	var normalised struct {
		Targets []struct {
			Soort         string
			Afdelingscode string
			MedewerkerID  *int64 `json:"medewerkerId"`
			Naam          string
		}
	}
	if err := json.Unmarshal(providertest.Sample(t, "agenda_targets_normalised"), &normalised); err != nil {
		t.Fatal(err)
	}
	s := liveSettings()
	s.Lists[settingAfdelingen] = []string{sampleAfdeling}
	targets, err := connect(t, s, &office{status: 200, body: string(providertest.Sample(t, "relaties_v1_medewerker_list"))}).Targets(t.Context())
	if err != nil || len(targets) != len(normalised.Targets) {
		t.Fatalf("%+v, %v", targets, err)
	}
	for i, want := range normalised.Targets {
		if got := targets[i]; got.Name != want.Naam || *got.AfdelingCode != want.Afdelingscode || !strings.HasPrefix(got.ExternalID, want.Soort) {
			t.Errorf("target %d is %+v, want %+v", i, got, want)
		}
	}
}

// TestFindWhatIsHidden: an office that does not let out the extra information leaves nothing to find an
// item by. One that could be the appointment's is neither adopted nor taken for none.
func TestFindWhatIsHidden(t *testing.T) {
	t.Parallel()
	row := func(id int, changes mockFields) mockFields {
		f := mockFields{"id": id, "status": "Definitief", "korteOmschrijving": "Lindehof 12 A - Sanne de Wit", "begintijd": "2026-03-12 14:00:00", "eindtijd": "2026-03-12 14:30:00"}
		for k, v := range changes {
			f[k] = v
		}
		return f
	}
	ours := mockFields{"extraInfo": "Klant: Sanne\r\n" + sparki.ReferenceLine(sampleEntry().Reference)}
	for name, test := range map[string]struct {
		listed, read mockFields
		id           string
		kind         sparki.Kind
	}{
		"listed":               {row(1, ours), nil, "1", ""},
		"by its own reference": {row(1, mockFields{"externeReferentie": sampleEntry().Reference}), nil, "1", ""},
		"read":                 {row(1, nil), row(1, ours), "1", ""},
		"hidden":               {row(1, nil), row(1, nil), "", sparki.Rejected},
		"hidden, another time": {row(1, nil), row(1, mockFields{"begintijd": "2026-03-12 13:00:00"}), "", sparki.NotFound},
		"gone by now":          {row(1, nil), nil, "", sparki.NotFound},
		"another's":            {row(1, mockFields{"extraInfo": "Sparki: appointment_2"}), nil, "", sparki.NotFound},
		"another subject":      {row(1, mockFields{"korteOmschrijving": "Overleg"}), nil, "", sparki.NotFound},
		"cancelled":            {row(1, mockFields{"status": "geannuleerd"}), nil, "", sparki.NotFound},
		"cancelled by now":     {row(1, nil), row(1, mockFields{"status": "Geannuleerd"}), "", sparki.NotFound},
	} {
		line := local(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var said any = test.read
			switch {
			case r.URL.Path == "/agenda/v3/medewerker/39220031":
				if q := r.URL.Query(); q.Get("begintijdVanaf") != "2026-03-11 14:00:00" || q.Get("begintijdTot") != "2026-03-13 14:30:00" {
					t.Errorf("it looks at %v", q)
				}
				said = mockFields{"resultaten": []any{test.listed}}
			case r.URL.Path != "/agenda/v3/afdeling/935001/agenda/1":
				t.Errorf("%s is read", r.URL.Path)
			case test.read == nil:
				w.WriteHeader(http.StatusNotFound)
				said = json.RawMessage(providertest.Sample(t, "agenda_v3_error_not_found"))
			}
			_ = json.NewEncoder(w).Encode(said)
		}))
		id, err := connect(t, liveSettings(), line).Find(t.Context(), sampleEntry())
		if id != test.id || sparki.KindOf(err) != test.kind {
			t.Errorf("%s: %q, %v", name, id, err)
		}
	}
}

// TestFindManyPages: an item on a later page is found, in an afdeling's agenda and in a medewerker's.
func TestFindManyPages(t *testing.T) {
	t.Parallel()
	mock, s := agendaMock(t)
	c := connect(t, s, local(mock))
	e := sampleEntry()
	var ids []string
	var entries []sparki.AgendaEntry
	for range 130 {
		e.Reference = sparki.AppointmentNode.ID(sparki.NewID())
		e.Description = sparki.ReferenceLine(e.Reference)
		id, err := c.Put(t.Context(), "", e)
		if err != nil {
			t.Fatal(err)
		}
		ids, entries = append(ids, id), append(entries, e)
	}
	last := entries[len(entries)-1]
	for _, kind := range []sparki.AgendaTargetKind{sparki.TargetPerson, sparki.TargetOffice} {
		last.Target.Kind = kind
		if id, err := c.Find(t.Context(), last); err != nil || id != ids[len(ids)-1] {
			t.Errorf("%s: %q, %v", kind, id, err)
		}
	}
	last.Target.AfdelingCode = "1"
	if _, err := c.Find(t.Context(), last); sparki.KindOf(err) != sparki.Misconfigured {
		t.Errorf("an agenda that is not there: %v", err)
	}
}

// TestListsThatGoAstray: a list is followed within itself, and not for ever.
func TestListsThatGoAstray(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]string{
		"another host": "https://realworks.example/agenda/v3/medewerker/39220031?vanaf=1",
		"another list": "https://api.realworks.nl/agenda/v3/medewerker/1?vanaf=1",
		"no query":     "https://api.realworks.nl/agenda/v3/medewerker/39220031",
		"itself":       "https://api.realworks.nl/agenda/v3/medewerker/39220031?vanaf=1",
	} {
		calls := 0
		line := local(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls++
			_ = json.NewEncoder(w).Encode(mockFields{"resultaten": []any{}, "paginering": mockFields{"volgende": next}})
		}))
		if _, err := connect(t, liveSettings(), line).Find(t.Context(), sampleEntry()); sparki.KindOf(err) != sparki.Rejected || calls > 2 {
			t.Errorf("%s: %v after %d calls", name, err, calls)
		}
	}
}

// TestClockChange: times are written as the clock in the Netherlands shows them, whatever zone they came in.
func TestClockChange(t *testing.T) {
	t.Parallel()
	mock, s := agendaMock(t)
	c := connect(t, s, local(mock))
	for start, want := range map[string]string{
		"2027-03-28T00:30:00Z":      "2027-03-28 01:30:00",
		"2027-03-28T01:30:00Z":      "2027-03-28 03:30:00",
		"2027-10-31T12:00:00+01:00": "2027-10-31 12:00:00",
		"2027-06-30T23:45:00-04:00": "2027-07-01 05:45:00",
	} {
		e := sampleEntry()
		var err error
		if e.Start, err = time.Parse(time.RFC3339, start); err != nil {
			t.Fatal(err)
		}
		e.End = e.Start.Add(time.Hour)
		if got := agendaStamp(e.Start); got != want {
			t.Errorf("%s: %s, want %s", start, got, want)
		}
		id, err := c.Put(t.Context(), "", e)
		if err != nil {
			t.Fatal(err)
		}
		if item, err := c.Read(t.Context(), id, e); err != nil || !item.Start.Equal(e.Start) || !item.End.Equal(e.End) {
			t.Errorf("%s: %+v, %v", start, item, err)
		}
	}
}

// TestTargetOfAnItem: an item that somebody gave to a colleague stands in another agenda.
func TestTargetOfAnItem(t *testing.T) {
	t.Parallel()
	mock, s := agendaMock(t)
	c := connect(t, s, local(mock))
	e := sampleEntry()
	id, err := c.Put(t.Context(), "", e)
	if err != nil {
		t.Fatal(err)
	}
	moved := e
	moved.Target.MedewerkerID, moved.Target.ExternalID = "39220044", "medewerker/39220044"
	if _, err := c.Put(t.Context(), id, moved); err != nil {
		t.Fatal(err)
	}
	if item, err := c.Read(t.Context(), id, e); err != nil || item.Target != moved.Target.ExternalID {
		t.Errorf("%+v, %v", item, err)
	}
	e.Target.Kind, e.Target.ExternalID = sparki.TargetOffice, afdelingTarget(sampleAfdeling)
	if item, err := c.Read(t.Context(), id, e); err != nil || item.Target != e.Target.ExternalID {
		t.Errorf("%+v, %v", item, err)
	}
}

func TestTestTarget(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		on                   bool
		afdeling, medewerker string
		kind                 sparki.Kind
	}{
		"off":           {false, "935002", "39220061", sparki.Conflict},
		"no afdeling":   {true, "", "39220061", sparki.Misconfigured},
		"no medewerker": {true, "935002", "x", sparki.Misconfigured},
		"on":            {true, " 935002", "39220061 ", ""},
	} {
		mock, s := agendaMock(t)
		s.Toggles[settingDevMode], s.Text[settingTestAfdeling], s.Text[settingTestMedewerker] = test.on, test.afdeling, test.medewerker
		c := connect(t, s, local(mock))
		target, err := c.TestTarget()
		if sparki.KindOf(err) != test.kind {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		e := sampleEntry()
		e.Target, e.Test = target, true
		if _, err := c.Put(t.Context(), "", e); err != nil {
			t.Error(err)
		}
		found, err := c.Find(t.Context(), e)
		if sparki.KindOf(err) != sparki.NotFound || target.AfdelingCode != "935002" || target.MedewerkerID != "39220061" {
			t.Errorf("%+v, found %q, %v", target, found, err)
		}
	}
}
