package kolibri

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/dutch"
	"sparki.app/integrations/providers/rest"
	"sparki.app/integrations/providers/wire"
)

// The operations on the agenda (contract §5.1, §5.4, §6).
var (
	searchRelations  = operation{http.MethodPost, "Relations/Search", false, "relation.search"}
	defineAgendaItem = operation{http.MethodPost, "AgendaItems/DefineNew", false, "agendaitem.write"}
	saveAgendaItem   = operation{http.MethodPost, "AgendaItems", false, "agendaitem.write"}
	moveAgendaItem   = operation{http.MethodPost, "AgendaItems/Move", false, "agendaitem.write"}
	cancelAgendaItem = operation{http.MethodPost, "AgendaItems/Cancel", false, "agendaitem.write"}
	readAgendaItem   = operation{http.MethodGet, "AgendaItems", false, "agendaitem.read"}
	searchAgenda     = operation{http.MethodPost, "AgendaItems/Search", false, "agendaitem.search"}
	searchCategories = operation{http.MethodPost, "AgendaItemCategories/Search", false, "agendaitemcategory.search"}
)

const (
	// maxSubject is in characters (contract §5.3).
	maxSubject = 250
	// maxRelations and maxCandidates bound lists that never end.
	maxRelations  = 5000
	maxCandidates = 500
	// categoryLasts is how long the category of viewings is remembered.
	categoryLasts = 10 * time.Minute
)

// listRequest is what every search of the agenda sends (contract §2).
type listRequest struct {
	Skip           int    `json:"skip"`
	Take           int    `json:"take"`
	Order          string `json:"order"`
	OrderBy        string `json:"orderBy"`
	FilterByActive string `json:"filterByActive"`
}

// pages reads a list page by page until each says that it is enough, or the list ends.
func (c *conn) pages(ctx context.Context, op operation, limit int, request func(skip int) any, each func(row gjson.Result) bool) error {
	for skip := 0; skip < limit; {
		found, err := c.search(ctx, op, request(skip))
		if err != nil {
			return err
		}
		rows, enough := 0, false
		found.rows.ForEach(func(_, row gjson.Result) bool {
			rows++
			enough = !each(row)
			return !enough
		})
		skip += rows
		if enough || rows == 0 || found.total >= 0 && float64(skip) >= found.total {
			return nil
		}
	}
	return nil
}

// Targets lists the employees whose agendas appointments can be written to: those of the settings, else
// those of the settings' offices, else all (contract §6). An item needs an attendee, so an office is no
// target of its own.
func (c *conn) Targets(ctx context.Context) ([]sparki.AgendaTarget, error) {
	type relationsRequest struct {
		listRequest
		Types      []string `json:"filterByRelationTypes"`
		BackOffice bool     `json:"includeBackOfficeEmployees"`
		Statistics bool     `json:"includeStatistics"`
	}
	targets := []sparki.AgendaTarget{}
	err := c.pages(ctx, searchRelations, maxRelations, func(skip int) any {
		return relationsRequest{listRequest: listRequest{skip, pageSize, "Ascending", "DisplayName", "ActiveOrInactive"}, Types: []string{"Employee"}, BackOffice: len(c.account.employeeIDs) > 0}
	}, func(row gjson.Result) bool {
		if id := guid(wire.Text(row.Get("id"))); id != "" && c.account.allows(id, row.Get("linkedOffices")) {
			targets = append(targets, sparki.AgendaTarget{
				ExternalID: id, Name: cmp.Or(rest.OneLine(wire.Text(row.Get("displayName")), 200), id), Kind: sparki.TargetPerson,
				Available: row.Get("isActive").Bool(),
			})
		}
		return true
	})
	return targets, err
}

// allows says whether the settings let appointments be written to an employee's agenda.
func (a *account) allows(employee string, offices gjson.Result) bool {
	if len(a.employeeIDs) > 0 {
		return slices.Contains(a.employeeIDs, employee)
	}
	return len(a.officeIDs) == 0 || slices.ContainsFunc(offices.Array(), func(o gjson.Result) bool {
		return slices.Contains(a.officeIDs, guid(wire.Text(o.Get("id"))))
	})
}

// agendaItem is an item as Kolibri gave it: what we do not know is sent back as it came, because a save
// replaces the whole item (contract §2).
type agendaItem map[string]json.RawMessage

func (i agendaItem) get(key string) gjson.Result { return gjson.ParseBytes(i[key]) }

func (i agendaItem) set(key string, value any) {
	i[key], _ = json.Marshal(value) // texts, times and ids
}

func (i agendaItem) id() string { return guid(wire.Text(i.get("id"))) }

// link is a reference to an entity (contract §2).
type link struct {
	ID string `json:"id"`
}

// assignmentLink is a reference to an assignment.
type assignmentLink struct {
	ID   string `json:"id"`
	Type string `json:"typeOfAssignment"`
}

// stamp is a time as Kolibri wants it: with an offset (contract §5.3).
func stamp(t time.Time) string { return t.Format(time.RFC3339) }

// agendaCall makes a call whose answer holds an item.
func (c *conn) agendaCall(ctx context.Context, op operation, query url.Values, request any) (agendaItem, error) {
	var body []byte
	if request != nil {
		var err error
		if body, err = json.Marshal(request); err != nil {
			return nil, fmt.Errorf("write request of %s: %w", op.resource, err)
		}
	}
	answer, err := c.call(ctx, op, query, body)
	if err != nil {
		return nil, err
	}
	var said struct {
		Item agendaItem `json:"agendaItem"`
	}
	if json.Unmarshal(answer, &said) != nil || said.Item == nil {
		return nil, &sparki.Error{Kind: sparki.Unavailable, Text: "Kolibri sent an agenda item that cannot be read", Lost: op.changes()}
	}
	return said.Item, nil
}

// changes says whether an operation changes something in Kolibri.
func (op operation) changes() bool {
	return op == saveAgendaItem || op == moveAgendaItem || op == cancelAgendaItem
}

// Put adds an item, or changes the one that is there.
func (c *conn) Put(ctx context.Context, remoteID string, e sparki.AgendaEntry) (string, error) {
	if remoteID == "" {
		return c.createItem(ctx, &e)
	}
	id, err := c.changeItem(ctx, remoteID, &e)
	if rest.StatusOf(err) == http.StatusConflict {
		id, err = c.changeItem(ctx, remoteID, &e) // somebody saved it in between: once more on top (contract §7)
	}
	return id, err
}

// createItem lets Kolibri define an item with its defaults, fills it in and saves it (contract §2).
func (c *conn) createItem(ctx context.Context, e *sparki.AgendaEntry) (string, error) {
	category, err := c.viewing(ctx)
	if err != nil {
		return "", sparki.Undone(err)
	}
	item, err := c.agendaCall(ctx, defineAgendaItem, nil, struct {
		Subject   string   `json:"subject"`
		Start     string   `json:"startDateTime"`
		End       string   `json:"endDateTime"`
		AllDay    bool     `json:"allDayEvent"`
		Employees []string `json:"linkedEmployeeIds"`
	}{subject(e), stamp(e.Start), stamp(e.End), false, []string{e.Target.ExternalID}})
	if err != nil {
		return "", sparki.Undone(err)
	}
	item.fill(e)
	if category != "" {
		item.set("linkedAgendaItemCategory", link{category})
	}
	item.set("isNew", true)
	return c.save(ctx, item)
}

// changeItem reads an item, changes it and saves it. Where only the time or the person is another, it
// is moved: that leaves alone whatever else the office wrote.
func (c *conn) changeItem(ctx context.Context, remoteID string, e *sparki.AgendaEntry) (string, error) {
	item, err := c.readItem(ctx, remoteID)
	if err != nil {
		return "", sparki.Undone(err)
	}
	if item.says(e) {
		if item.at(e) {
			return item.id(), nil
		}
		moved, err := c.agendaCall(ctx, moveAgendaItem, nil, struct {
			ID        string   `json:"id"`
			Start     string   `json:"startDateTime"`
			End       string   `json:"endDateTime"`
			AllDay    *bool    `json:"allDayEvent"`
			Employees []string `json:"linkedEmployeeIds"`
		}{remoteID, stamp(e.Start), stamp(e.End), nil, []string{e.Target.ExternalID}})
		if err != nil {
			return "", err
		}
		return cmp.Or(moved.id(), remoteID), nil
	}
	item.fill(e)
	item.set("isNew", false)
	return c.save(ctx, item)
}

func (c *conn) save(ctx context.Context, item agendaItem) (string, error) {
	saved, err := c.agendaCall(ctx, saveAgendaItem, nil, map[string]any{"agendaItem": item})
	if err != nil {
		return "", err
	}
	if saved.id() == "" {
		return "", &sparki.Error{Kind: sparki.Unavailable, Text: "Kolibri saved an agenda item without telling its id", Lost: true}
	}
	return saved.id(), nil
}

// subject is an entry's subject as Kolibri takes it.
func subject(e *sparki.AgendaEntry) string {
	if runes := []rune(e.Subject); len(runes) > maxSubject {
		return string(runes[:maxSubject-1]) + "…"
	}
	return e.Subject
}

// description has Kolibri's line ends (contract, agenda-item-save-request.json).
func description(e *sparki.AgendaEntry) string {
	return strings.ReplaceAll(strings.TrimSpace(e.Description), "\n", "\r\n")
}

// assignmentLinks are the links to the object that an entry is about. Customers are never linked: Kolibri
// may write to a linked relation by itself (contract §5.4).
func assignmentLinks(e *sparki.AgendaEntry) []assignmentLink {
	if e.Object == nil {
		return []assignmentLink{}
	}
	kind := findKind(func(k *assignmentKind) bool { return k.source == e.Object.SourceType })
	if kind == nil {
		return []assignmentLink{}
	}
	return []assignmentLink{{e.Object.ExternalID, kind.row}}
}

// fill makes an item say what an entry says.
func (i agendaItem) fill(e *sparki.AgendaEntry) {
	i.set("subject", subject(e))
	i.set("description", description(e))
	i.set("location", e.Location)
	i.set("startDateTime", stamp(e.Start))
	i.set("endDateTime", stamp(e.End))
	i.set("allDayEvent", false)
	i.set("isCanceled", false)
	i.set("isConfirmed", true)
	i.set("linkedEmployees", []link{{e.Target.ExternalID}})
	i.set("linkedAssignments", assignmentLinks(e))
}

// says says whether an item says what an entry says, but for the time and the person.
func (i agendaItem) says(e *sparki.AgendaEntry) bool {
	return !i.get("isCanceled").Bool() && !i.get("allDayEvent").Bool() &&
		wire.Text(i.get("subject")) == subject(e) && wire.Text(i.get("description")) == wire.Clean(description(e)) && wire.Text(i.get("location")) == e.Location &&
		slices.Equal(i.ids("linkedAssignments"), idsOf(assignmentLinks(e)))
}

// at says whether an item stands where and when an entry says.
func (i agendaItem) at(e *sparki.AgendaEntry) bool {
	found := i.read("", e)
	return found.Start.Equal(e.Start) && found.End.Equal(e.End) && slices.Equal(i.ids("linkedEmployees"), []string{e.Target.ExternalID})
}

func (i agendaItem) ids(key string) []string {
	ids := []string{}
	i.get(key).ForEach(func(_, v gjson.Result) bool {
		ids = append(ids, guid(wire.Text(v.Get("id"))))
		return true
	})
	return ids
}

func idsOf(links []assignmentLink) []string {
	ids := make([]string, len(links))
	for n, l := range links {
		ids[n] = l.ID
	}
	return ids
}

// Cancel cancels an item; one that is cancelled stays so (contract §5.1).
func (c *conn) Cancel(ctx context.Context, remoteID string, _ sparki.AgendaEntry) error {
	_, err := c.agendaCall(ctx, cancelAgendaItem, nil, link{remoteID})
	return err
}

// Read reads an item.
func (c *conn) Read(ctx context.Context, remoteID string, e sparki.AgendaEntry) (*sparki.AgendaItem, error) {
	item, err := c.readItem(ctx, remoteID)
	if err != nil {
		return nil, err
	}
	return item.read(remoteID, &e), nil
}

func (c *conn) readItem(ctx context.Context, remoteID string) (agendaItem, error) {
	return c.agendaCall(ctx, readAgendaItem, url.Values{"id": {remoteID}}, nil)
}

func (i agendaItem) read(remoteID string, e *sparki.AgendaEntry) *sparki.AgendaItem {
	found := &sparki.AgendaItem{RemoteID: remoteID, Target: e.Target.ExternalID, Cancelled: i.get("isCanceled").Bool(),
		Start: agendaTime(i.get("startDateTime")), End: agendaTime(i.get("endDateTime"))}
	if employees := i.ids("linkedEmployees"); len(employees) > 0 && !slices.Contains(employees, found.Target) {
		found.Target = employees[0]
	}
	return found
}

// agendaTime reads a time of an item; without a zone it is the office's (contract §2). Zero for none.
func agendaTime(v gjson.Result) time.Time {
	at, _ := wire.Moment(v, dutch.Time)
	return at
}

// Find searches an employee's agenda around an entry's time and reads what could be its item: the rows
// of the search have no description (contract §5.3).
func (c *conn) Find(ctx context.Context, e sparki.AgendaEntry) (string, error) {
	type agendaRequest struct {
		listRequest
		Employees  []string `json:"employeeIds"`
		Min        string   `json:"periodDateTimeMin"`
		Max        string   `json:"periodDateTimeMax"`
		IsCanceled bool     `json:"isCanceled"`
	}
	const around = 24 * time.Hour
	var likely, others []string
	err := c.pages(ctx, searchAgenda, maxCandidates, func(skip int) any {
		return agendaRequest{listRequest: listRequest{skip, pageSize, "Ascending", "StartDateTime", "ActiveOrInactive"},
			Employees: []string{e.Target.ExternalID}, Min: stamp(e.Start.Add(-around)), Max: stamp(e.End.Add(around))}
	}, func(row gjson.Result) bool {
		id := guid(wire.Text(row.Get("id")))
		switch {
		case id == "" || row.Get("accessDeniedForCurrentUser").Bool() || row.Get("isCanceled").Bool():
		case agendaTime(row.Get("startDateTime")).Equal(e.Start) && wire.Text(row.Get("subject")) == subject(&e):
			likely = append(likely, id)
		default:
			others = append(others, id)
		}
		return true
	})
	if err != nil {
		return "", err
	}
	for _, id := range slices.Concat(likely, others) {
		item, err := c.readItem(ctx, id)
		if sparki.KindOf(err) == sparki.NotFound {
			continue
		}
		if err != nil {
			return "", err
		}
		lines := strings.Split(wire.Text(item.get("description")), "\n")
		if slices.Contains(lines, sparki.ReferenceLine(e.Reference)) && !item.get("isCanceled").Bool() {
			return id, nil
		}
	}
	return "", sparki.Errorf(sparki.NotFound, "Kolibri's agenda has no item of this appointment")
}

// TestTarget says that Kolibri has no smoke test.
func (c *conn) TestTarget() (sparki.EntryTarget, error) {
	return sparki.EntryTarget{}, sparki.Errorf(sparki.Conflict, "Kolibri has no dev mode")
}

// category is the agenda category of viewings, as it was looked up last.
type category struct {
	mu    sync.Mutex
	id    string
	until time.Time
}

// viewing is the first active category of viewings, else of others; "" when there is neither (contract §5.4).
func (c *conn) viewing(ctx context.Context) (string, error) {
	c.category.mu.Lock()
	defer c.category.mu.Unlock()
	if time.Now().Before(c.category.until) {
		return c.category.id, nil
	}
	type categoriesRequest struct {
		listRequest
		Statistics bool `json:"includeStatistics"`
	}
	first := map[string]string{}
	err := c.pages(ctx, searchCategories, maxRelations, func(skip int) any {
		return categoriesRequest{listRequest: listRequest{skip, pageSize, "Ascending", "DisplayName", "ActiveOnly"}}
	}, func(row gjson.Result) bool {
		kind, id := wire.Text(row.Get("categoryType")), guid(wire.Text(row.Get("id")))
		if first[kind] == "" {
			first[kind] = id
		}
		return first["Viewing"] == ""
	})
	if err != nil {
		return "", err
	}
	c.category.id, c.category.until = cmp.Or(first["Viewing"], first["Other"]), time.Now().Add(categoryLasts)
	return c.category.id, nil
}
