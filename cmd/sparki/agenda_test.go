package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sparki.app/integrations"
)

// diary is a portal with a mock CRM, whose targets are read, and a linked schedule.
type diary struct {
	*bundle
	provider    string
	integration string
	schedule    string
}

type appointment struct {
	ID        string
	Status    string
	StartsAt  time.Time
	EndsAt    time.Time
	WriteBack struct {
		State, Drift               string
		Action, ExternalID, Reason *string
		Message                    *string
		Attempts                   int
		Gates                      []struct {
			Gate   string
			Open   bool
			Remedy *string
		}
	}
}

const appointmentFields = `id status startsAt endsAt writeBack { state action externalId reason message attempts drift gates { gate open remedy } }`

// openDiary links a schedule with the first agenda of a mock CRM.
func openDiary(t *testing.T, b *bundle, provider string) *diary {
	t.Helper()
	d := &diary{bundle: b, provider: provider, integration: b.connectMock(t, provider)}
	d.schedule = d.newSchedule(t, "Bezichtigingen")
	d.link(t, d.schedule, d.targets(t)[0])
	return d
}

// keepDiary switches the agenda of a connected office on, and gives the portal one object of each kind
// that belongs to agendas. project may be "".
func (b *bundle) keepDiary(t *testing.T, integration, project string) *diary {
	t.Helper()
	b.save(t, map[string]any{}, func(input map[string]any) {
		input["domains"] = map[string]any{"listings": true, "agenda": true, "outbound": true}
	})
	d := &diary{bundle: b, integration: integration}
	d.schedule = d.newSchedule(t, "Bezichtigingen")
	d.link(t, d.schedule, d.targets(t)[0])
	a := d.book(t, d.schedule, "CONFIRMED")
	if project != "" {
		id, err := sparki.ProjectNode.Parse(project)
		if err != nil {
			t.Fatal(err)
		}
		appointment, err := sparki.AppointmentNode.Parse(a.ID)
		if err != nil {
			t.Fatal(err)
		}
		b.exec(t, `update appointments set project_id = $1 where id = $2`, id, appointment)
	}
	d.settles(t, a.ID, "SYNCED", "")
	return d
}

func (d *diary) newSchedule(t *testing.T, name string) string {
	t.Helper()
	var out struct {
		CreateSchedule struct{ Schedule struct{ ID string } }
	}
	d.query(t, d.token, `mutation ($name: String!) { createSchedule(input: {name: $name}) { schedule { id } userErrors { code } } }`, map[string]any{"name": name}, &out)
	return out.CreateSchedule.Schedule.ID
}

type target struct {
	ID, ExternalID, Name, Kind string
	Available                  bool
	MedewerkerID               *string
}

func (d *diary) targets(t *testing.T) (targets []target) {
	t.Helper()
	eventually(t, "agenda targets", func() bool {
		var out struct {
			Node struct{ AgendaTargets []target }
		}
		d.query(t, d.token, `query ($id: ID!) { node(id: $id) { ... on Integration { agendaTargets { id externalId name kind available medewerkerId } } } }`,
			map[string]any{"id": d.integration}, &out)
		targets = out.Node.AgendaTargets
		return len(targets) > 0
	})
	return targets
}

// link links a schedule, with a medewerker where the agenda names none and its CRM wants one.
func (d *diary) link(t *testing.T, schedule string, to target) string {
	t.Helper()
	var medewerker *string
	if d.provider == "realworks" && to.MedewerkerID == nil {
		medewerker = new("39220031")
	}
	var out struct {
		LinkSchedule struct {
			ScheduleLink *struct{ ID string }
			UserErrors   []userError
		}
	}
	d.query(t, d.token, `mutation ($s: ID!, $t: ID!, $m: String) { linkSchedule(input: {scheduleId: $s, agendaTargetId: $t, medewerkerId: $m}) {
		scheduleLink { id } schedule { id link { id } } userErrors { code message field } } }`, map[string]any{"s": schedule, "t": to.ID, "m": medewerker}, &out)
	if out.LinkSchedule.ScheduleLink == nil {
		t.Fatalf("link: %+v", out.LinkSchedule.UserErrors)
	}
	return out.LinkSchedule.ScheduleLink.ID
}

// book adds an appointment tomorrow.
func (d *diary) book(t *testing.T, schedule, status string) appointment {
	t.Helper()
	var out struct {
		CreateAppointment struct {
			Appointment *appointment
			UserErrors  []userError
		}
	}
	d.query(t, d.token, `mutation ($s: ID!, $status: AppointmentStatus!, $at: DateTime!) { createAppointment(input: {scheduleId: $s, status: $status, startsAt: $at,
		customer: {name: "Noor Beekman", email: "noor@mail.example", phone: "06 5550 3301"}}) { appointment { `+appointmentFields+` } userErrors { code message field } } }`,
		map[string]any{"s": schedule, "status": status, "at": tomorrow().Format(time.RFC3339)}, &out)
	if out.CreateAppointment.Appointment == nil {
		t.Fatalf("book: %+v", out.CreateAppointment.UserErrors)
	}
	return *out.CreateAppointment.Appointment
}

func tomorrow() time.Time { return time.Now().Add(24 * time.Hour).UTC().Truncate(time.Hour) }

// change sends an updateAppointment with this patch.
func (d *diary) change(t *testing.T, id, patch string) {
	t.Helper()
	var out struct {
		UpdateAppointment struct{ UserErrors []userError }
	}
	d.query(t, d.token, `mutation ($id: ID!) { updateAppointment(appointmentId: $id, input: {`+patch+`}) { appointment { id } userErrors { code message field } } }`,
		map[string]any{"id": id}, &out)
	if len(out.UpdateAppointment.UserErrors) > 0 {
		t.Fatalf("change: %+v", out.UpdateAppointment.UserErrors)
	}
}

func (d *diary) read(t *testing.T, id string) appointment {
	t.Helper()
	var out struct{ Node appointment }
	d.query(t, d.token, `query ($id: ID!) { node(id: $id) { ... on Appointment { `+appointmentFields+` } } }`, map[string]any{"id": id}, &out)
	return out.Node
}

// settles waits until an appointment's write-back is in this state with this action.
func (d *diary) settles(t *testing.T, id, state, action string) (a appointment) {
	t.Helper()
	eventually(t, "write-back of "+id+" to be "+state+" "+action, func() bool {
		a = d.read(t, id)
		return a.WriteBack.State == state && (action == "" || a.WriteBack.Action != nil && *a.WriteBack.Action == action)
	})
	return a
}

// kolibriItem reads an item straight from the mock Kolibri.
func (d *diary) kolibriItem(t *testing.T, id string) (item struct {
	Subject, Description, StartDateTime, EndDateTime string
	IsCanceled                                       bool
	LinkedEmployees                                  []struct{ ID string }
}) {
	t.Helper()
	status, content := d.kolibri(t, http.MethodGet, "AgendaItems?id="+id, "")
	if status != http.StatusOK {
		t.Fatalf("read item: %d %s", status, content)
	}
	var out struct{ AgendaItem json.RawMessage }
	if err := json.Unmarshal(content, &out); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out.AgendaItem, &item); err != nil {
		t.Fatal(err)
	}
	return item
}

func (d *diary) mockSettings(t *testing.T) sparki.Settings {
	t.Helper()
	id, err := sparki.IntegrationNode.Parse(d.integration)
	if err != nil {
		t.Fatal(err)
	}
	i, err := d.db.Integration(t.Context(), d.portal.ID, id)
	if err != nil {
		t.Fatal(err)
	}
	provider, err := d.integrations.Provider(i.Provider)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := d.integrations.Mock(provider, i).Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// kolibri calls the mock Kolibri's API with its own credentials.
func (d *diary) kolibri(t *testing.T, method, path, body string) (int, []byte) {
	t.Helper()
	base := d.url + "/mock/kolibri/" + d.integration
	settings := d.mockSettings(t)
	form := strings.NewReader(url.Values{"grant_type": {"client_credentials"}, "client_id": {settings.Text["clientId"]},
		"client_secret": {settings.Secret("clientSecret").Reveal()}}.Encode())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/connect/token", form)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, content := do(t, req)
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(content, &token); err != nil || status != http.StatusOK {
		t.Fatalf("sign in to the mock: %d %s", status, content)
	}
	req, err = http.NewRequestWithContext(t.Context(), method, base+"/v3/5b0c9a2e-7d41-4c36-9f58-1e2a6c3d4b70/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token.AccessToken)
	req.Header.Set("Content-Type", "application/json")
	return do(t, req)
}

// diaryItem is an item in a mock CRM's agenda.
type diaryItem struct {
	subject, description string
	start                time.Time
	cancelled            bool
}

// item reads an item straight from the mock CRM.
func (d *diary) item(t *testing.T, id string) diaryItem {
	t.Helper()
	if d.provider == "realworks" {
		return d.realworksItem(t, id)
	}
	found := d.kolibriItem(t, id)
	start, err := time.Parse(time.RFC3339, found.StartDateTime)
	if err != nil {
		t.Fatal(err)
	}
	return diaryItem{found.Subject, found.Description, start, found.IsCanceled}
}

// realworksItem reads an item as a person at the office sees it.
func (d *diary) realworksItem(t *testing.T, id string) diaryItem {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+"/mock/realworks/"+d.integration+"/admin/agenda", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	status, content := do(t, req)
	var rows []struct {
		Item struct {
			ID                                              json.Number
			Status, KorteOmschrijving, ExtraInfo, Begintijd string
		}
	}
	if err := json.Unmarshal(content, &rows); err != nil || status != http.StatusOK {
		t.Fatalf("read the agenda: %d %s", status, content)
	}
	zone, err := time.LoadLocation("Europe/Amsterdam")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row.Item.ID.String() != id {
			continue
		}
		start, err := time.ParseInLocation(time.DateTime, row.Item.Begintijd, zone)
		if err != nil {
			t.Fatal(err)
		}
		return diaryItem{row.Item.KorteOmschrijving, row.Item.ExtraInfo, start, row.Item.Status == "Geannuleerd"}
	}
	t.Fatalf("no item %s", id)
	return diaryItem{}
}

// A confirmed appointment appears in the CRM's agenda, follows every change, and disappears when cancelled.
func TestAgendaRoad(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.key, func(t *testing.T) {
			t.Parallel()
			agendaRoad(t, openDiary(t, setup(t), k.key))
		})
	}
}

func agendaRoad(t *testing.T, d *diary) {
	t.Helper()
	a := d.book(t, d.schedule, "PENDING")
	if a.WriteBack.State != "NOT_NEEDED" || a.WriteBack.ExternalID != nil {
		t.Errorf("a pending appointment: %+v", a.WriteBack)
	}
	d.change(t, a.ID, "status: CONFIRMED")
	created := d.settles(t, a.ID, "SYNCED", "CREATE")
	item := d.item(t, *created.WriteBack.ExternalID)
	if !strings.Contains(item.description, "Sparki: "+a.ID) || item.subject != "Bezichtigingen – Noor Beekman" || item.cancelled {
		t.Errorf("the item is %+v", item)
	}

	later := created.StartsAt.Add(3 * time.Hour)
	d.change(t, a.ID, fmt.Sprintf(`startsAt: %q`, later.Format(time.RFC3339)))
	moved := d.settles(t, a.ID, "SYNCED", "UPDATE")
	item = d.item(t, *moved.WriteBack.ExternalID)
	if !item.start.Equal(later) || *moved.WriteBack.ExternalID != *created.WriteBack.ExternalID {
		t.Errorf("moved to %s: %+v", later, item)
	}

	var out struct {
		CancelAppointment struct{ Appointment appointment }
	}
	d.query(t, d.token, `mutation ($id: ID!) { cancelAppointment(appointmentId: $id) { appointment { id } userErrors { code } } }`, map[string]any{"id": a.ID}, &out)
	d.settles(t, a.ID, "SYNCED", "CANCEL")
	if item = d.item(t, *created.WriteBack.ExternalID); !item.cancelled {
		t.Errorf("a cancelled appointment's item: %+v", item)
	}
}

// Somebody moves an item in the CRM: its webhook lets us see it, followers hear of it, and a person says
// whose word holds. Our own echoes raise nothing.
func TestAgendaDrift(t *testing.T) {
	t.Parallel()
	d := openDiary(t, setup(t), "kolibri")
	a := d.book(t, d.schedule, "CONFIRMED")
	created := d.settles(t, a.ID, "SYNCED", "CREATE")
	s := subscribe(t, d.url, d.token, fmt.Sprintf(`subscription { appointmentChanged(scheduleId: %q) { id startsAt writeBack { state drift } } }`, d.schedule), nil)
	for follows, n := false, 0; !follows; n++ { // it begins with what is true then, and that must not be the move
		d.change(t, a.ID, fmt.Sprintf(`notes: "Bel aan, %d"`, n))
		follows = s.await(time.Second, func() bool { return len(s.events) > 0 })
	}
	d.settles(t, a.ID, "SYNCED", "")
	start := created.StartsAt.Add(4 * time.Hour)
	status, content := d.kolibri(t, http.MethodPost, "AgendaItems/Move", fmt.Sprintf(`{"id": %q, "startDateTime": %q, "endDateTime": %q}`,
		*created.WriteBack.ExternalID, start.Format(time.RFC3339), start.Add(time.Hour).Format(time.RFC3339)))
	if status != http.StatusOK {
		t.Fatalf("move: %d %s", status, content)
	}
	for seen := ""; !strings.Contains(seen, "MOVED_IN_CRM"); {
		seen = string(s.next(t, "next").payload.Data)
	}
	var out struct {
		ResolveDrift struct {
			Appointment appointment
			UserErrors  []userError
		}
	}
	d.query(t, d.token, `mutation ($id: ID!) { resolveDrift(appointmentId: $id, keep: CRM) { appointment { `+appointmentFields+` } userErrors { code } } }`, map[string]any{"id": a.ID}, &out)
	if got := out.ResolveDrift.Appointment; !got.StartsAt.Equal(start) || got.WriteBack.Drift != "IN_SYNC" {
		t.Errorf("resolved, it is %+v", got)
	}
	if now := d.settles(t, a.ID, "SYNCED", ""); now.WriteBack.Drift != "IN_SYNC" || *now.WriteBack.ExternalID != *created.WriteBack.ExternalID {
		t.Errorf("it ends as %+v", now)
	}
}

// A project whose listing is withdrawn can take its appointments with it.
func TestReviewCancelsAppointments(t *testing.T) {
	t.Parallel()
	d := openDiary(t, setup(t), "kolibri")
	var project struct {
		CreateProject struct{ Project struct{ ID string } }
	}
	d.query(t, d.token, `mutation { createProject(input: {title: "Lindelaan 14A", appointmentMinutes: 45}) { project { id } } }`, nil, &project)
	id := project.CreateProject.Project.ID
	var booked struct {
		CreateAppointment struct{ Appointment appointment }
	}
	d.query(t, d.token, `mutation ($s: ID!, $p: ID!, $at: DateTime!) { createAppointment(input: {scheduleId: $s, projectId: $p, status: CONFIRMED, startsAt: $at,
		customer: {name: "Noor Beekman"}}) { appointment { `+appointmentFields+` } userErrors { code } } }`,
		map[string]any{"s": d.schedule, "p": id, "at": tomorrow().Format(time.RFC3339)}, &booked)
	a := booked.CreateAppointment.Appointment
	if length := a.EndsAt.Sub(a.StartsAt); length != 45*time.Minute {
		t.Errorf("it takes %v", length)
	}
	created := d.settles(t, a.ID, "SYNCED", "CREATE")
	if item := d.kolibriItem(t, *created.WriteBack.ExternalID); item.Subject != "Lindelaan 14A – Noor Beekman" {
		t.Errorf("the item is %+v", item)
	}
	upcoming := func() int {
		var out struct {
			Node struct{ UpcomingAppointments int }
		}
		d.query(t, d.token, `query ($id: ID!) { node(id: $id) { ... on Project { upcomingAppointments } } }`, map[string]any{"id": id}, &out)
		return out.Node.UpcomingAppointments
	}
	if n := upcoming(); n != 1 {
		t.Errorf("%d upcoming appointments", n)
	}
	d.query(t, d.token, `mutation ($id: ID!) { reviewProject(projectId: $id, decision: ARCHIVE, cancelAppointments: true) { project { id } userErrors { code } } }`, map[string]any{"id": id}, &struct{}{})
	d.settles(t, a.ID, "SYNCED", "CANCEL")
	if item := d.kolibriItem(t, *created.WriteBack.ExternalID); !item.IsCanceled || upcoming() != 0 {
		t.Errorf("reviewed, the item is %+v, %d upcoming", item, upcoming())
	}
	var refused struct {
		CreateAppointment struct{ UserErrors []userError }
	}
	d.query(t, d.token, `mutation ($s: ID!, $p: ID!, $at: DateTime!) { createAppointment(input: {scheduleId: $s, projectId: $p, status: DRAFT, startsAt: $at,
		customer: {name: "Noor Beekman"}}) { userErrors { code field } } }`, map[string]any{"s": d.schedule, "p": id, "at": tomorrow().Format(time.RFC3339)}, &refused)
	if e := refused.CreateAppointment.UserErrors; len(e) != 1 || e[0].Code != "PROJECT_ARCHIVED" || strings.Join(e[0].Field, ".") != "input.projectId" {
		t.Errorf("an archived project: %+v", e)
	}
}

// The smoke test of Realworks needs dev mode, and leaves nothing but a cancelled item with its mark, which
// no appointment has. Kolibri has none.
func TestAgendaSmokeTest(t *testing.T) {
	t.Parallel()
	d := openDiary(t, setup(t), "realworks")
	type smokeTest struct {
		RunAgendaSmokeTest struct {
			SmokeTest *struct {
				Succeeded bool
				Steps     []struct {
					Action     string
					Succeeded  bool
					ExternalID string
				}
			}
			UserErrors []userError
		}
	}
	run := func(integration string) (out smokeTest) {
		d.query(t, d.token, `mutation ($id: ID!) { runAgendaSmokeTest(integrationId: $id) {
			smokeTest { succeeded steps { action succeeded externalId } } userErrors { code message field } } }`, map[string]any{"id": integration}, &out)
		return out
	}
	for _, integration := range []string{d.integration, d.connectMock(t, "kolibri")} {
		if got := run(integration).RunAgendaSmokeTest; got.SmokeTest != nil || len(got.UserErrors) != 1 || got.UserErrors[0].Code != "DEV_MODE_OFF" {
			t.Errorf("without dev mode: %+v", got)
		}
	}
	d.query(t, d.token, `mutation { saveIntegration(input: {provider: "realworks", mock: true, domains: {listings: true, agenda: true, outbound: true},
		settings: {devMode: true}}) { userErrors { code } } }`, nil, &struct{}{})
	got := run(d.integration).RunAgendaSmokeTest.SmokeTest
	if got == nil || !got.Succeeded || len(got.Steps) != 3 {
		t.Fatalf("it says %+v", got)
	}
	if item := d.item(t, got.Steps[0].ExternalID); !item.cancelled || !strings.Contains(item.subject, "[SPARKI TEST]") {
		t.Errorf("it left %+v", item)
	}
	a := d.settles(t, d.book(t, d.schedule, "CONFIRMED").ID, "SYNCED", "CREATE")
	if item := d.item(t, *a.WriteBack.ExternalID); strings.Contains(item.subject, "SPARKI TEST") {
		t.Errorf("an appointment in dev mode: %+v", item)
	}
}

// An item says what its project is called now, whoever changed that.
func TestAgendaFollowsProjects(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.key, func(t *testing.T) {
			t.Parallel()
			d := openDiary(t, setup(t), k.key)
			d.waitForSync(t, d.integration)
			p := d.imported(t, k.house)
			var booked struct {
				CreateAppointment struct{ Appointment appointment }
			}
			d.query(t, d.token, `mutation ($s: ID!, $p: ID!, $at: DateTime!) { createAppointment(input: {scheduleId: $s, projectId: $p, status: CONFIRMED, startsAt: $at,
				customer: {name: "Noor Beekman"}}) { appointment { id } userErrors { code } } }`, map[string]any{"s": d.schedule, "p": p.ID, "at": tomorrow().Format(time.RFC3339)}, &booked)
			a := d.settles(t, booked.CreateAppointment.Appointment.ID, "SYNCED", "CREATE")
			d.query(t, d.token, `mutation ($id: ID!) { updateProject(projectId: $id, input: {title: "Villa Linde"}) { userErrors { code } } }`, map[string]any{"id": p.ID}, &struct{}{})
			eventually(t, "the item to follow", func() bool { return d.item(t, *a.WriteBack.ExternalID).subject == "Villa Linde – Noor Beekman" })
			d.query(t, d.token, `mutation ($id: ID!) { disconnectProject(projectId: $id) { userErrors { code } } }`, map[string]any{"id": p.ID}, &struct{}{})
			eventually(t, "the object's line to go", func() bool { return !strings.Contains(d.item(t, *a.WriteBack.ExternalID).description, "Object: ") })
		})
	}
}
