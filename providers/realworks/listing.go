package realworks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/dutch"
	"sparki.app/integrations/providers/rest"
	"sparki.app/integrations/providers/wire"
)

// listQuery asks for archived objects too: they are read and marked, not lost sight of (contract §2.1).
const listQuery = "actief=all"

// position is where a crawl stands: the lists of the APIs one after another, each along its own cursors.
type position struct {
	api *objectAPI
	// version and query lead to a page behind an API's first one; "" for the first one.
	version, query string
	total          int // objects in all; -1 when it is not known
}

// cursor writes a position, "45 /wonen/v3/objecten?…" or "45 bog".
func (p position) cursor() string {
	if p.query == "" {
		return strconv.Itoa(p.total) + " " + p.api.segments[0]
	}
	return strconv.Itoa(p.total) + " " + p.api.listPath(p.version) + "?" + p.query
}

func positionFrom(cursor string) (p position, err error) {
	if cursor == "" {
		return position{api: &objectAPIs[0], total: -1}, nil
	}
	none := sparki.Errorf(sparki.Invalid, "no page of Realworks's lists begins at %.20q", cursor)
	total, target, _ := strings.Cut(cursor, " ")
	if p.total, err = strconv.Atoi(total); err != nil || p.total < -1 {
		return p, none
	}
	path, query, deeper := strings.Cut(target, "?")
	for i := range objectAPIs {
		p.api = &objectAPIs[i]
		if !deeper && target == p.api.segments[0] {
			return p, nil
		}
		for _, p.version = range p.api.versions {
			if p.query = query; query != "" && path == p.api.listPath(p.version) {
				return p, nil
			}
		}
	}
	return p, none
}

// after is where the next API's list begins; nil behind the last one.
func (p position) after() *position {
	if i := slices.IndexFunc(objectAPIs, func(api objectAPI) bool { return api.source == p.api.source }); i+1 < len(objectAPIs) {
		return &position{api: &objectAPIs[i+1], total: p.total}
	}
	return nil
}

// Page reads one page of one of the lists, whose rows are whole objects (contract §2.1). An API that
// the token is not for is passed over.
func (c *conn) Page(ctx context.Context, crawl providers.Crawl) (providers.Page, error) {
	p, err := positionFrom(crawl.Cursor)
	if err != nil {
		return providers.Page{}, err
	}
	for {
		said, err := c.read(ctx, &p, crawl.Since)
		next := p.after()
		switch {
		case errors.Is(err, errNotIncluded) && p.query == "" && next != nil:
			p = *next
			continue
		case errors.Is(err, errNotIncluded) && crawl.Cursor == "":
			return providers.Page{}, errNoAPI
		case errors.Is(err, errNotIncluded) && p.query == "":
			return providers.Page{Total: p.total}, nil
		case err != nil:
			return providers.Page{}, err
		}
		if crawl.Cursor == "" && crawl.Since.IsZero() {
			if p.total, err = c.total(ctx, said, next); err != nil {
				return providers.Page{}, err
			}
		}
		return c.pageFrom(said, p, crawl.Since)
	}
}

// read asks for the page at a position, and finds out the version where that is open.
func (c *conn) read(ctx context.Context, p *position, since time.Time) (said gjson.Result, err error) {
	if p.query != "" {
		return c.list(ctx, p.api, p.version, p.query)
	}
	said, p.version, err = c.firstPage(ctx, p.api, firstQuery(p.api, since))
	return said, err
}

func firstQuery(api *objectAPI, since time.Time) string {
	query := fmt.Sprintf("%s&aantal=%d", listQuery, api.pageSize)
	if !since.IsZero() {
		query += "&gewijzigdNa=" + localTime(since)
	}
	return query
}

// localTime writes a moment as gewijzigdNa wants it, without a zone (contract §2.1), a second early
// because "after" may mean it. An hour that comes twice is begun with the hour before.
func localTime(t time.Time) string {
	const form = "2006-01-02T15:04:05"
	t = t.In(dutch.Time).Add(-time.Second)
	if t.Add(time.Hour).Format(form) == t.Format(form) {
		t = t.Add(-time.Hour)
	}
	return t.Format(form)
}

// total sums up how many objects there are, in the list that was begun and in those to come.
func (c *conn) total(ctx context.Context, said gjson.Result, rest *position) (int, error) {
	total := totalFrom(said)
	for ; rest != nil; rest = rest.after() {
		n, err := c.count(ctx, rest.api)
		switch {
		case errors.Is(err, errNotIncluded):
		case err != nil:
			return 0, err
		case n < 0 || total < 0:
			total = -1
		default:
			total += n
		}
	}
	return total, nil
}

const maxTotal = 1_000_000 // objects; more is a mistake

// totalFrom is how many objects a list has; -1 when it does not tell.
func totalFrom(said gjson.Result) int {
	if n, ok := wire.Count(said.Get("paginering.totaalAantal"), 0, maxTotal); ok {
		return n
	}
	return -1
}

// pageFrom reads a list's answer: its objects, and where the next page begins.
func (c *conn) pageFrom(said gjson.Result, p position, since time.Time) (providers.Page, error) {
	page := providers.Page{Total: p.total}
	rows, named := 0, 0
	wire.Elements(said.Get("resultaten"), func(row gjson.Result) {
		rows++
		o := objectFrom(p.api, row)
		d, ok := o.detail()
		if !ok {
			return
		}
		named++
		if at := o.modifiedAt(); !c.account.hasAfdeling(d.afdeling) || !at.IsZero() && at.Before(since) {
			return // of an API that does not know the filter, assumed
		}
		d.version = p.version
		found := c.account.found(o, d, []byte(row.Raw))
		h := hint{Version: p.version}
		found.Ref.Note, found.Provenance = h.note(), h.provenance(c.account.baseURL+d.path())
		page.Refs, page.Found = append(page.Refs, found.Ref), append(page.Found, found)
	})
	if rows > 0 && named == 0 {
		return page, sparki.Errorf(sparki.Misconfigured, "Realworks shows the objects of the API %s without their codes; ask the office to set the release level (vrijgave) of its objects", p.api.name)
	}
	next := said.Get("paginering.volgende").Str
	if next == "" {
		if after := p.after(); after != nil {
			page.Next = after.cursor()
		}
		return page, nil
	}
	path, query, err := rest.Below(c.account.baseURL, next)
	if err != nil || path != p.api.listPath(p.version) || query == "" {
		return page, sparki.Errorf(sparki.Rejected, "Realworks names a next page that does not belong to the list; it is not followed")
	}
	at := p
	if at.query == "" {
		at.query = firstQuery(p.api, since)
	}
	if query == at.query {
		return page, sparki.Errorf(sparki.Rejected, "Realworks's list repeats the same page")
	}
	at.query = query
	page.Next = at.cursor()
	return page, nil
}

// Listing reads one object.
func (c *conn) Listing(ctx context.Context, ref sparki.Ref) (*sparki.Found, error) {
	d, err := detailOf(ref)
	if err != nil {
		return nil, err
	}
	h := hintFrom(ref.Note)
	versions := d.api.versions
	if slices.Contains(versions, h.Version) {
		versions = []string{h.Version}
	}
	var answer []byte
	for _, d.version = range versions {
		if answer, err = c.readDetail(ctx, d); !errors.Is(err, errNoVersion) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	found, err := c.account.mapped(d, answer)
	if err != nil {
		return nil, err
	}
	h.Version = d.version
	found.Ref.Note = h.note()
	found.Provenance = h.provenance(c.account.baseURL + d.path())
	return found, nil
}

// errNoVersion: the API is not there in this version.
var errNoVersion = errors.New("no such version")

// readDetail reads an object's answer. A 404 that says "Resource not found" may also mean the path
// (contract §6): the object is gone where its list is there (product.md §4, reliability.md K8).
func (c *conn) readDetail(ctx context.Context, d detail) ([]byte, error) {
	answer, err := c.get(ctx, d.api, d.path(), "")
	if sparki.KindOf(err) != sparki.NotFound || rest.CodeOf(err) != codeNoPath {
		return answer, err
	}
	_, noList := c.list(ctx, d.api, d.version, listQuery+"&aantal=1")
	if isMissing(noList) {
		return nil, &sparki.Error{Kind: sparki.Rejected, Err: errNoVersion,
			Text: fmt.Sprintf("Realworks has no version %s of the API %s", d.version, d.api.name)}
	}
	if noList != nil {
		return nil, noList
	}
	return nil, err
}

// Map maps an answer that was read before. Where it came from stays as it is known.
func (c *conn) Map(ref sparki.Ref, raw []byte) (*sparki.Found, error) {
	d, err := detailOf(ref)
	if err != nil {
		return nil, err
	}
	return c.account.mapped(d, raw)
}

// detailOf is where a referenced object is read; its version is still open.
func detailOf(ref sparki.Ref) (detail, error) {
	afdeling, code, _ := strings.Cut(ref.ID, "/")
	d := detail{
		api:      findAPI(func(api *objectAPI) bool { return api.source == ref.Type }),
		afdeling: afdeling, code: objectCode(code),
	}
	if d.api == nil || !isAfdeling(afdeling) || d.code == "" {
		return d, sparki.Errorf(sparki.Invalid, "Realworks has no objects like %.40q", ref.Key())
	}
	return d, nil
}

// mapped reads the answer of a read. A notification about new homes may name a type or a single home
// (contract §3.2): what is found is their project, under the project's own reference.
func (a *account) mapped(asked detail, answer []byte) (*sparki.Found, error) {
	o := objectFrom(asked.api, gjson.ParseBytes(answer))
	d, named := o.detail()
	_, ok := wire.Count(o.id(), 1, 1<<53)
	if !ok || named && (d.afdeling != asked.afdeling || !slices.Contains(o.codes(), asked.code)) {
		return nil, sparki.Errorf(sparki.Unavailable, "Realworks sent something else than the object that was asked for")
	}
	if !named {
		d = asked // the office released no codes (contract §2.2)
	}
	return a.found(o, d, answer), nil
}
