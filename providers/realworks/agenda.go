package realworks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/dutch"
	"sparki.app/integrations/providers/rest"
	"sparki.app/integrations/providers/wire"
)

const (
	agendaPath      = "/agenda/v3" // contract §1.1
	medewerkersPath = "/relaties/v1/medewerker"
	makelaarsPath   = "/makelaars/v1"

	agendaTimeForm = time.DateTime // in the Netherlands' time (contract §4.1)
	// maxAgendaPages bounds lists that never end.
	maxAgendaPages = 50
	// maxOmschrijving is in characters; nothing public states a limit, assumed.
	maxOmschrijving = 250
	// relationFor is the label of the relation that an item is for (contract §4.1).
	relationFor = "Agendapunt voor"
)

// The soort of an agenda, which the ids of targets begin with.
const (
	soortAfdeling   = "afdeling"
	soortMedewerker = "medewerker"
)

func afdelingTarget(code string) string { return soortAfdeling + "/" + code }
func medewerkerTarget(id string) string { return soortMedewerker + "/" + id }

// afspraak is the body of a create and an update (contract §4.3). No public source shows one: its names
// are those of the read model where that has them.
type afspraak struct {
	Afdeling     string     `json:"afdelingscode"`
	Medewerker   int64      `json:"medewerkerId"`
	Type         string     `json:"agendatype"`
	Status       string     `json:"status"`
	Privacy      string     `json:"privacy"`
	Omschrijving string     `json:"korteOmschrijving"`
	ExtraInfo    string     `json:"extraInfo"`
	Locatie      string     `json:"locatie,omitempty"`
	Begin        string     `json:"begintijd"`
	Eind         string     `json:"eindtijd"`
	HeleDag      bool       `json:"afspraakGeheleDag"`
	Project      *project   `json:"project,omitempty"`
	Referentie   string     `json:"externeReferentie"`
	Klant        klant      `json:"klant"`
	Object       *gekoppeld `json:"object,omitempty"`
	Agenda       agendaOf   `json:"agenda"`
}

type project struct {
	Code string `json:"projectcode"`
	Type string `json:"type"`
}

type klant struct {
	Naam     string  `json:"naam"`
	Email    *string `json:"email,omitempty"`
	Telefoon *string `json:"telefoon,omitempty"`
}

type gekoppeld struct {
	ID       any    `json:"id"` // a number where it is one
	Type     string `json:"type"`
	Code     string `json:"objectcode,omitempty"`
	Afdeling string `json:"afdelingscode,omitempty"`
}

type agendaOf struct {
	Soort      string `json:"soort"`
	Afdeling   string `json:"afdelingscode"`
	Medewerker *int64 `json:"medewerkerId"` // null for an afdeling's own
	Naam       string `json:"naam,omitempty"`
}

// afspraak is what an entry is in Realworks's words; status is one of the labels. Its error is
// Misconfigured.
func (a *account) afspraak(e *sparki.AgendaEntry, status string) (*afspraak, error) {
	medewerker, err := strconv.ParseInt(e.Target.MedewerkerID, 10, 64)
	if err != nil || !isAfdeling(e.Target.AfdelingCode) {
		return nil, sparki.Errorf(sparki.Misconfigured, "the schedule's link names no afdeling or no medewerker ID; link the schedule again")
	}
	body := &afspraak{
		Afdeling: e.Target.AfdelingCode, Medewerker: medewerker,
		Type: a.labels.kind, Status: status, Privacy: a.labels.privacy,
		Omschrijving: a.omschrijving(e), ExtraInfo: strings.TrimSpace(e.Description), Locatie: e.Location,
		Begin: agendaStamp(e.Start), Eind: agendaStamp(e.End),
		Referentie: e.Reference, Klant: klant{e.Customer.Name, e.Customer.Email, e.Customer.Phone},
		Agenda: agendaOf{Soort: soortAfdeling, Afdeling: e.Target.AfdelingCode, Naam: e.Target.Name},
	}
	if e.Target.Kind == sparki.TargetPerson {
		body.Agenda.Soort, body.Agenda.Medewerker = soortMedewerker, &medewerker
	}
	body.Project, body.Object = projectOf(e.Object), gekoppeldOf(e.Object)
	return body, nil
}

// omschrijving is an entry's subject as it stands in the agenda.
func (a *account) omschrijving(e *sparki.AgendaEntry) string {
	subject := e.Subject
	if e.Test {
		subject = a.test.prefix + " " + subject
	}
	if runes := []rune(subject); len(runes) > maxOmschrijving {
		return string(runes[:maxOmschrijving-1]) + "…"
	}
	return subject
}

// agendaStamp writes a time as an item has it.
func agendaStamp(t time.Time) string { return t.In(dutch.Time).Format(agendaTimeForm) }

// agendaTime reads a time of an item; zero for none.
func agendaTime(v gjson.Result) time.Time {
	at, _ := wire.Moment(v, dutch.Time)
	return at
}

// projectOf links the object; its type is the API's name in capitals, of which WONEN is seen.
func projectOf(o *sparki.EntryObject) *project {
	if o == nil || o.ObjectCode == "" {
		return nil
	}
	api := findAPI(func(api *objectAPI) bool { return api.source == o.SourceType })
	if api == nil {
		return nil
	}
	return &project{o.ObjectCode, strings.ToUpper(api.segments[0])}
}

func gekoppeldOf(o *sparki.EntryObject) *gekoppeld {
	if o == nil {
		return nil
	}
	linked := &gekoppeld{o.ExternalID, o.SourceType, o.ObjectCode, o.AfdelingCode}
	if number, err := strconv.ParseInt(o.ExternalID, 10, 64); err == nil {
		linked.ID = number
	}
	return linked
}

// agendaCall makes a call of the API Agenda. A token that is good elsewhere is not refused for all.
func (c *conn) agendaCall(ctx context.Context, call rest.Call) (rest.Answer, error) {
	answer, err := c.answer(ctx, c.account.agendaToken, call)
	return answer, c.agendaError(ctx, c.account.agendaToken, "Agenda", err)
}

// agendaError says what an error of a call beside the objects means. A call that is refused did nothing.
func (c *conn) agendaError(ctx context.Context, token sparki.Secret, api string, err error) error {
	switch status := rest.StatusOf(err); {
	case status == http.StatusUnauthorized:
		err = sparki.Undone(c.refused(ctx, token, api, err))
		switch {
		case errors.Is(err, errNotIncluded):
			return &sparki.Error{Kind: sparki.Misconfigured, Text: sparki.TextOf(err), Err: err}
		case sparki.KindOf(err) == sparki.Unauthorized && token != c.account.token:
			return &sparki.Error{Kind: sparki.Unauthorized, Err: err,
				Text: fmt.Sprintf("Realworks does not accept the token for the API %s; check it, or clear it to use the API token", api)}
		}
		return err
	case status == http.StatusForbidden:
		return forbidden(api, err)
	case isMissing(err) && rest.CodeOf(err) != codeGone:
		return wrongAddress(err) // nothing says that what was asked for is gone
	}
	return err
}

// errNoAgenda: the agenda that an entry belongs into is not there.
func errNoAgenda(err error) error {
	return &sparki.Error{Kind: sparki.Misconfigured, Err: err,
		Text: "Realworks does not know this agenda any more; sync the agendas, and link the schedule with another one"}
}

// Put adds an item, or changes the one that is there. An update is as complete as a create: whether
// Realworks keeps what a body leaves out is not known (contract §4.3).
func (c *conn) Put(ctx context.Context, remoteID string, e sparki.AgendaEntry) (string, error) {
	body, err := c.account.afspraak(&e, c.account.labels.status)
	if err != nil {
		return "", err
	}
	if remoteID != "" {
		return remoteID, c.update(ctx, remoteID, body)
	}
	answer, err := c.write(ctx, http.MethodPost, agendaPath, body)
	if sparki.KindOf(err) == sparki.NotFound {
		return "", errNoAgenda(err)
	}
	if err != nil {
		return "", err
	}
	id := idFrom(answer)
	if id == "" {
		return "", &sparki.Error{Kind: sparki.Unavailable, Text: "Realworks accepted an agenda item without telling its id", Lost: true}
	}
	return id, nil
}

func (c *conn) update(ctx context.Context, remoteID string, body *afspraak) error {
	_, err := c.write(ctx, http.MethodPut, agendaPath+"/"+url.PathEscape(remoteID), body)
	return err
}

// write sends an item. Its answer may be empty (contract §4.3).
func (c *conn) write(ctx context.Context, method, path string, body *afspraak) (rest.Answer, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return rest.Answer{}, fmt.Errorf("write an agenda item: %w", err)
	}
	return c.agendaCall(ctx, rest.Call{Method: method, Path: path, Body: text, Changes: true, MayBeEmpty: true})
}

var idForm = regexp.MustCompile(`^[1-9][0-9]{0,17}$`)

// idFrom is the id in the answer to a create, wherever it stands; "" for none (contract §4.3).
func idFrom(answer rest.Answer) string {
	said := gjson.ParseBytes(answer.Body)
	place := strings.TrimRight(answer.Location, "/")
	for _, id := range []string{wire.Text(said.Get("id")), wire.Text(said.Get("agendaId")), place[strings.LastIndex(place, "/")+1:]} {
		if idForm.MatchString(id) {
			return id
		}
	}
	return ""
}

// Cancel gives an item the status of the cancelled ones: nothing can be deleted (contract §4.3).
func (c *conn) Cancel(ctx context.Context, remoteID string, e sparki.AgendaEntry) error {
	e.Subject = "[GEANNULEERD] " + e.Subject
	body, err := c.account.afspraak(&e, c.account.labels.cancelled)
	if err != nil {
		return err
	}
	return c.update(ctx, remoteID, body)
}

// Read reads an item. What the office does not let out is not there: an item outside the days that it
// shows is NotFound too (contract §1).
func (c *conn) Read(ctx context.Context, remoteID string, e sparki.AgendaEntry) (*sparki.AgendaItem, error) {
	item, err := c.readItem(ctx, e.Target.AfdelingCode, remoteID)
	if err != nil {
		return nil, err
	}
	return &sparki.AgendaItem{
		RemoteID: remoteID, Target: targetFrom(item, e.Target), Cancelled: c.isCancelled(item),
		Start: agendaTime(item.Get("begintijd")), End: agendaTime(item.Get("eindtijd")),
	}, nil
}

func (c *conn) readItem(ctx context.Context, afdeling, id string) (gjson.Result, error) {
	answer, err := c.agendaCall(ctx, rest.Call{
		Method: http.MethodGet, Path: agendaPath + "/afdeling/" + url.PathEscape(afdeling) + "/agenda/" + url.PathEscape(id),
	})
	return gjson.ParseBytes(answer.Body), err
}

func (c *conn) isCancelled(item gjson.Result) bool {
	return strings.EqualFold(wire.Text(item.Get("status")), c.account.labels.cancelled)
}

// targetFrom is the agenda that an item stands in. It was read in the afdeling of the one that was asked
// for, so only another medewerker makes another agenda.
func targetFrom(item gjson.Result, asked sparki.EntryTarget) string {
	other := ""
	for _, relation := range item.Get("relaties").Array() {
		id := wire.Text(relation.Get("id"))
		switch {
		case id == "" || wire.Text(relation.Get("type")) != relationFor:
		case id == asked.MedewerkerID:
			return asked.ExternalID
		default:
			other = cmp.Or(other, id)
		}
	}
	if other == "" || asked.Kind == sparki.TargetOffice {
		return asked.ExternalID
	}
	return medewerkerTarget(other)
}

// Find searches an agenda around an entry's time. What does not say in the list which appointment it is
// of, but could be this one, is read by itself: lists leave out what the office does not let out.
func (c *conn) Find(ctx context.Context, e sparki.AgendaEntry) (string, error) {
	const around = 24 * time.Hour
	path := agendaPath + "/afdeling/" + url.PathEscape(e.Target.AfdelingCode)
	if e.Target.Kind == sparki.TargetPerson {
		path = agendaPath + "/medewerker/" + url.PathEscape(e.Target.MedewerkerID)
	}
	query := url.Values{
		"begintijdVanaf": {agendaStamp(e.Start.Add(-around))}, "begintijdTot": {agendaStamp(e.End.Add(around))}, "aantal": {"100"},
	}
	found := ""
	var silent []string
	err := c.pages(ctx, c.account.agendaToken, "Agenda", path, query.Encode(), func(row gjson.Result) bool {
		id := wire.Text(row.Get("id"))
		switch {
		case !idForm.MatchString(id), c.isCancelled(row):
		case isOf(row, e.Reference):
			found = id
		case isSilent(row) && wire.Text(row.Get("korteOmschrijving")) == wire.Clean(c.account.omschrijving(&e)):
			silent = append(silent, id)
		}
		return found == ""
	})
	if sparki.KindOf(err) == sparki.NotFound {
		return "", errNoAgenda(err)
	}
	if err != nil || found != "" {
		return found, err
	}
	return c.findSilent(ctx, &e, silent)
}

// findSilent reads items of which the list did not say whose they are. If none says so, one at the very
// same time could be it or not, and nobody can tell.
func (c *conn) findSilent(ctx context.Context, e *sparki.AgendaEntry, ids []string) (string, error) {
	unclear := false
	for _, id := range ids {
		item, err := c.readItem(ctx, e.Target.AfdelingCode, id)
		switch {
		case sparki.KindOf(err) == sparki.NotFound:
			continue
		case err != nil:
			return "", err
		case c.isCancelled(item):
		case isOf(item, e.Reference):
			return id, nil
		case isSilent(item) && agendaTime(item.Get("begintijd")).Equal(e.Start) && agendaTime(item.Get("eindtijd")).Equal(e.End):
			unclear = true
		}
	}
	if unclear {
		return "", sparki.Errorf(sparki.Rejected, "Realworks's agenda has an item that looks like this appointment, but does not show its extra information; ask the office to release (vrijgave) the extra information of agenda items, then try again")
	}
	return "", sparki.Errorf(sparki.NotFound, "Realworks's agenda has no item of this appointment")
}

// isOf says whether an item says that it is of an appointment.
func isOf(item gjson.Result, reference string) bool {
	return wire.Text(item.Get("externeReferentie")) == reference ||
		slices.Contains(strings.Split(wire.Text(item.Get("extraInfo")), "\n"), sparki.ReferenceLine(reference))
}

// isSilent says whether an item shows nothing that could name an appointment.
func isSilent(item gjson.Result) bool {
	return wire.Text(item.Get("externeReferentie")) == "" && wire.Text(item.Get("extraInfo")) == ""
}

// pages reads a list page by page until each says that it is enough, or the list ends (contract §2.1).
func (c *conn) pages(ctx context.Context, token sparki.Secret, api, path, query string, each func(row gjson.Result) bool) error {
	for range maxAgendaPages {
		answer, err := c.call(ctx, token, path, query)
		if err != nil {
			return c.agendaError(ctx, token, api, err)
		}
		said, err := listFrom(answer)
		if err != nil {
			return err
		}
		for _, row := range said.Get("resultaten").Array() {
			if !each(row) {
				return nil
			}
		}
		next := said.Get("paginering.volgende").Str
		if next == "" {
			return nil
		}
		below, following, err := rest.Below(c.account.baseURL, next)
		if err != nil || below != path {
			return sparki.Errorf(sparki.Rejected, "Realworks names a next page that does not belong to the list; it is not followed")
		}
		if following == query || following == "" {
			break
		}
		query = following
	}
	return sparki.Errorf(sparki.Rejected, "Realworks's list repeats the same page")
}

// Targets lists the agendas of the afdelingen, those of the settings or else all, and of the
// medewerkers. There is no list of agendas (contract §4.2), and none that says which afdeling a
// medewerker belongs to: their items are written into the first one. Without access to the API
// Relaties there are only the afdelingen.
func (c *conn) Targets(ctx context.Context) ([]sparki.AgendaTarget, error) {
	afdelingen, err := c.knownAfdelingen(ctx)
	if err != nil {
		return nil, err
	}
	targets := []sparki.AgendaTarget{}
	for _, code := range afdelingen {
		targets = append(targets, sparki.AgendaTarget{
			ExternalID: afdelingTarget(code), Name: "Afdeling " + code, Kind: sparki.TargetOffice, AfdelingCode: &code, Available: true,
		})
	}
	err = c.pages(ctx, c.account.relatiesToken, "Relaties", medewerkersPath, "aantal=100", func(row gjson.Result) bool {
		if id := wire.Text(row.Get("id")); idForm.MatchString(id) {
			targets = append(targets, sparki.AgendaTarget{
				ExternalID: medewerkerTarget(id), Name: cmp.Or(personName(row), "Medewerker "+id), Kind: sparki.TargetPerson,
				AfdelingCode: &afdelingen[0], MedewerkerID: &id, Available: true,
			})
		}
		return true
	})
	if c.lacksRelaties(err) {
		return targets[:len(afdelingen)], nil
	}
	return targets, err
}

// lacksRelaties says whether an error means that the relations are not ours to read, and nothing about
// the agenda.
func (c *conn) lacksRelaties(err error) bool {
	own := c.account.relatiesToken != c.account.token
	return errors.Is(err, errNotIncluded) || own && sparki.KindOf(err) == sparki.Unauthorized ||
		rest.StatusOf(err) == http.StatusForbidden && rest.CodeOf(err) == ""
}

// personName is the name of a medewerker; "" when all its parts are empty (contract §4.2).
func personName(row gjson.Result) string {
	var parts []string
	for _, key := range []string{"roepnaam", "tussenvoegsel", "achternaam"} {
		if part := wire.Line(row.Get(key)); part != "" {
			parts = append(parts, part)
		}
	}
	return wire.OneLine(strings.Join(parts, " "))
}

// knownAfdelingen are those of the settings, else those that the office has. There is at least one. The
// shape of the answer is assumed.
func (c *conn) knownAfdelingen(ctx context.Context) ([]string, error) {
	var codes []string
	for _, code := range c.account.afdelingen {
		if !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	if len(codes) > 0 {
		return codes, nil
	}
	err := c.pages(ctx, c.account.agendaToken, "Makelaars", makelaarsPath, "", func(row gjson.Result) bool {
		if code := wire.Text(row.Get("afdelingscode")); isAfdeling(code) && !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
		return true
	})
	switch {
	case sparki.KindOf(err) == sparki.NotFound:
		err = wrongAddress(err)
	case err == nil && len(codes) == 0:
		err = sparki.Errorf(sparki.Misconfigured, "Realworks does not tell which afdelingen the office has; fill in the afdeling codes")
	}
	return codes, err
}

// TestTarget is the test agenda of the settings.
func (c *conn) TestTarget() (sparki.EntryTarget, error) {
	test := c.account.test
	switch {
	case !test.on:
		return sparki.EntryTarget{}, sparki.Errorf(sparki.Conflict, "dev mode is off: switch it on in the settings first")
	case !isAfdeling(test.afdeling):
		return sparki.EntryTarget{}, misconfigured(settingTestAfdeling, "%s must be a number")
	case !idForm.MatchString(test.medewerker):
		return sparki.EntryTarget{}, misconfigured(settingTestMedewerker, "%s must be a number")
	}
	return sparki.EntryTarget{
		ExternalID: medewerkerTarget(test.medewerker), Kind: sparki.TargetPerson, AfdelingCode: test.afdeling, MedewerkerID: test.medewerker,
	}, nil
}
