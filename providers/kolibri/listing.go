package kolibri

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/wire"
)

const (
	// pageSize is the most rows that Kolibri gives at once; it cuts more off without a word
	// (contract §2).
	pageSize = 100
	// maxRows ends a crawl whose pages do not end (reliability.md K9).
	maxRows = 100_000
)

// assignmentsRequest is an AssignmentsSearchRequest (contract §2, §3.2).
type assignmentsRequest struct {
	Skip                    int      `json:"skip"`
	Take                    int      `json:"take"`
	Order                   string   `json:"order"`
	OrderBy                 string   `json:"orderBy"`
	FilterByActive          string   `json:"filterByActive"`
	ForSale                 bool     `json:"forSale"`
	ForRent                 bool     `json:"forRent"`
	IncludeStatistics       bool     `json:"includeStatistics"`
	OfficeIDs               []string `json:"officeIds,omitempty"`
	FilterByAssignmentTypes []string `json:"filterByAssignmentTypes"`
	IgnoreOldVersions       bool     `json:"ignoreOldVersions"`
	Culture                 string   `json:"culture"`
}

// searchPage says which part of the list to ask for.
type searchPage struct {
	skip, take int
	newest     bool // last modified first; otherwise first created first
}

func (c *conn) searchRequest(p searchPage) assignmentsRequest {
	r := assignmentsRequest{
		Skip: p.skip, Take: p.take,
		Order: "Ascending", OrderBy: "CreationDate", // new objects come last, so that no page shifts
		FilterByActive: "ActiveOrInactive", // archived ones are read and marked, not lost sight of
		ForSale:        true, ForRent: true,
		OfficeIDs:         c.account.officeIDs,
		IgnoreOldVersions: true,
		Culture:           "nl-NL",
	}
	for _, kind := range assignmentKinds {
		r.FilterByAssignmentTypes = append(r.FilterByAssignmentTypes, kind.row)
	}
	if p.newest {
		// There is no modified-since filter: newest first, until one is too old (contract §3.2).
		r.Order, r.OrderBy = "Descending", "ModificationDate"
	}
	return r
}

// Page reads one page of the list. The cursor is the number of rows before it.
func (c *conn) Page(ctx context.Context, crawl providers.Crawl) (providers.Page, error) {
	skip := 0
	if crawl.Cursor != "" {
		n, err := strconv.Atoi(crawl.Cursor)
		if err != nil || n < 0 {
			return providers.Page{}, sparki.Errorf(sparki.Invalid, "no page of Kolibri's list begins at %.20q", crawl.Cursor)
		}
		skip = n
	}
	if skip >= maxRows {
		return providers.Page{}, sparki.Errorf(sparki.Rejected, "Kolibri's list does not end after %d rows", maxRows)
	}
	found, err := c.search(ctx, searchListings, c.searchRequest(searchPage{skip, pageSize, !crawl.Since.IsZero()}))
	if err != nil {
		return providers.Page{}, err
	}
	return pageFrom(found, skip, crawl.Since), nil
}

// pageFrom reads a search answer: the references of its rows, and where the next page begins.
func pageFrom(found results, skip int, since time.Time) providers.Page {
	page := providers.Page{Total: -1}
	if found.total >= 0 {
		page.Total = int(min(found.total, maxRows))
	}
	rows, tooOld := 0, false
	found.rows.ForEach(func(_, row gjson.Result) bool {
		rows++
		ref, ok := refFrom(row)
		if !ref.ModifiedAt.IsZero() && ref.ModifiedAt.Before(since) {
			tooOld = true
			return false
		}
		if ok {
			page.Refs = append(page.Refs, ref)
		}
		return true
	})
	// The next page begins where this one really ended, should it be shorter than asked for.
	if next := skip + rows; rows > 0 && !tooOld && (page.Total < 0 || float64(next) < found.total) {
		page.Next = strconv.Itoa(next)
	}
	return page
}

// refFrom reads a row, an AssignmentSnapShot (contract §3.3). ok is false for a row that is no
// listing: purchases and the like are listed as well.
func refFrom(row gjson.Result) (ref sparki.Ref, ok bool) {
	var typeName string
	wire.Each(row, func(key string, v gjson.Result) {
		switch key {
		case "id":
			ref.ID = guid(wire.Text(v))
		case "typeOfAssignment":
			typeName = wire.Text(v)
		case "dateTimeModified":
			ref.ModifiedAt, _ = wire.Moment(v, time.UTC)
		}
	})
	kind := findKind(func(k *assignmentKind) bool { return k.row == typeName })
	if kind == nil || ref.ID == "" {
		return ref, false
	}
	ref.Type = kind.source
	return ref, true
}

// Listing reads one object whole: a row of the list has neither texts nor plans (contract §3.3).
func (c *conn) Listing(ctx context.Context, ref sparki.Ref) (*sparki.Found, error) {
	kind, id, err := kindOfRef(ref)
	if err != nil {
		return nil, err
	}
	read := operation{method: http.MethodGet, resource: kind.resource, permission: kind.permission}
	answer, err := c.call(ctx, read, url.Values{"id": {id}}, nil)
	if err != nil {
		return nil, err
	}
	return c.account.found(kind, ref, answer)
}

// Map maps an answer that was read before.
func (c *conn) Map(ref sparki.Ref, raw []byte) (*sparki.Found, error) {
	kind, _, err := kindOfRef(ref)
	if err != nil {
		return nil, err
	}
	return c.account.found(kind, ref, raw)
}

func kindOfRef(ref sparki.Ref) (kind *assignmentKind, id string, err error) {
	kind = findKind(func(k *assignmentKind) bool { return k.source == ref.Type })
	if id = guid(ref.ID); kind == nil || id == "" {
		return nil, "", sparki.Errorf(sparki.Invalid, "Kolibri has no objects like %.40q", ref.Key())
	}
	return kind, id, nil
}

// found reads the answer of a read.
func (a *account) found(kind *assignmentKind, ref sparki.Ref, answer []byte) (*sparki.Found, error) {
	var entity gjson.Result
	wire.Each(gjson.ParseBytes(answer), func(key string, v gjson.Result) {
		if key == kind.wrapper {
			entity = v
		}
	})
	native, unused := assignmentFrom(entity)
	defer native.release()
	if id := guid(ref.ID); id == "" || id != guid(wire.Text(native["id"])) {
		return nil, sparki.Errorf(sparki.Unavailable, "Kolibri sent something else than the object that was asked for")
	}
	c := conversion{assignment: native, kind: kind}
	f := &sparki.Found{
		Ref:         ref,
		Raw:         answer,
		Listing:     c.listing(),
		Inactive:    a.inactive(native),
		ObjectCode:  wire.Line(native["publicReference"]),
		AgencyID:    guid(wire.Text(native["realEstateAgencyId"])),
		OfficeID:    native.office(),
		EmployeeIDs: native.employees(),
		Unknown:     c.gaps,
		Unused:      unused,
	}
	f.ModifiedAt, _ = wire.Moment(native["dateTimeModified"], time.UTC)
	f.Ref.ModifiedAt = f.ModifiedAt
	return f, nil
}

// inactive says why an object may not be shown; "" if it may (contract §3.4, §3.5, product.md §4).
func (a *account) inactive(native assignment) sparki.InactiveReason {
	switch agency, office := guid(wire.Text(native["realEstateAgencyId"])), native.office(); {
	case wire.IsFalse(native["isActive"]), native.status() == "Withdrawn":
		return sparki.ReasonWithdrawn
	case agency != "" && agency != a.agencyID, !a.hasOffice(office):
		return sparki.ReasonFilteredOut
	case wire.Text(native["assignmentPhase"]) == "Concept", native.isSecret():
		return sparki.ReasonNotAvailable
	case native["isOlderVersion"].Bool():
		return sparki.ReasonNotAvailable // the list leaves them out too, see ignoreOldVersions
	default:
		return ""
	}
}

// hasOffice says whether the settings let an office's listings through.
func (a *account) hasOffice(id string) bool {
	return len(a.officeIDs) == 0 || slices.Contains(a.officeIDs, id)
}
