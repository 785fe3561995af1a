package realworks

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"sparki.app/integrations/providers/mockkit"
)

// mockStatuses are all values of status, in the order of the API's own answer (contract §2.6).
var mockStatuses = []string{
	"PROSPECT", "IN_AANMELDING", "BESCHIKBAAR", "ONDER_BOD", "ONDER_OPTIE", "VERKOCHT_ONDER_VOORBEHOUD",
	"VERHUURD_ONDER_VOORBEHOUD", "VERKOCHT", "VERHUURD", "GEVEILD", "INGETROKKEN", "INGETROKKEN_TIJDELIJK",
	"IN_VOORBEREIDING", "GEANNULEERD", "VERKOCHT_BIJ_INSCHRIJVING",
}

// mockMaxPage is the largest page, and the page size where none is asked for (assumed to be the
// largest too).
const mockMaxPage = 100

// mockCursor is the paging of a list (contract §2.1).
type mockCursor struct {
	size  int
	after int64 // only ids above it
}

func mockCursorOf(q url.Values) (c mockCursor, complaints []string) {
	c.size = mockMaxPage
	if text := q.Get("aantal"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			complaints = append(complaints, "Ongeldige waarde "+text+" voor parameter aantal.")
		}
		c.size = min(max(n, 1), mockMaxPage)
	}
	if text := q.Get("vanaf"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			complaints = append(complaints, "Ongeldige waarde "+text+" voor parameter vanaf.")
		}
		c.after = n
	}
	return c, complaints
}

// mockRow is one element of a list.
type mockRow struct {
	id   int64
	body func() ([]byte, error)
}

// mockBody is a body that is at hand.
func mockBody(text []byte) func() ([]byte, error) { return func() ([]byte, error) { return text, nil } }

// answerPage answers with the page of rows, which are ordered by id, that a cursor names. Within a
// page the order is any (contract §2.1); it is the same each time. without are the parameters that
// the link to the next page does not repeat.
func (m *Mock) answerPage(w http.ResponseWriter, r *http.Request, s *mockState, rows []mockRow, c mockCursor, without ...string) error {
	total := len(rows)
	start, _ := slices.BinarySearchFunc(rows, c.after+1, func(row mockRow, id int64) int { return int(min(max(row.id-id, -1), 1)) })
	rest := rows[start:]
	page := slices.Clone(rest[:min(len(rest), c.size)])
	next := ""
	if len(page) < len(rest) {
		next = m.next(r, page[len(page)-1].id, without)
	}
	rand.New(rand.NewPCG(uint64(c.after), uint64(len(page)))).Shuffle(len(page), func(i, j int) { page[i], page[j] = page[j], page[i] })
	var b bytes.Buffer
	b.WriteString(`{"resultaten":[`)
	for i, row := range page {
		if i > 0 {
			b.WriteByte(',')
		}
		body, err := row.body()
		if err != nil {
			return err
		}
		b.Write(m.linked(s, body))
	}
	b.WriteString(`],"paginering":{`)
	if next != "" {
		fmt.Fprintf(&b, `"volgende":%q,`, next)
	}
	fmt.Fprintf(&b, `"totaalAantal":%d}}`, total)
	mockkit.Write(w, http.StatusOK, b.Bytes())
	return nil
}

// next is the absolute URL of the page that follows. Blanks are "+", commas and colons stand as they
// are (contract §2.1).
func (m *Mock) next(r *http.Request, last int64, without []string) string {
	q := maps.Clone(r.URL.Query())
	for _, key := range append(without, "vanaf") {
		q.Del(key)
	}
	query := strings.NewReplacer("%2C", ",", "%3A", ":").Replace(q.Encode())
	if query != "" {
		query += "&"
	}
	return m.site.URL + r.URL.EscapedPath() + "?" + query + "vanaf=" + strconv.FormatInt(last, 10)
}

// listObjects lists the objects of an API in one of its views. List elements are full objects.
func (m *Mock) listObjects(api *mockAPI, view mockView) mockHandler {
	return func(w http.ResponseWriter, r *http.Request, s *mockState) error {
		q := r.URL.Query()
		cursor, complaints := mockCursorOf(q)
		for _, status := range q["status"] {
			if !slices.Contains(mockStatuses, status) {
				complaints = append(complaints, "Ongeldige waarde "+status+" voor parameter status. Toegestaan: "+strings.Join(mockStatuses, ", "))
			}
		}
		since := mockTime(q.Get("gewijzigdNa"))
		if since.IsZero() && q.Get("gewijzigdNa") != "" {
			complaints = append(complaints, "Ongeldige waarde "+q.Get("gewijzigdNa")+" voor parameter gewijzigdNa.")
		}
		active := q.Get("actief")
		if !slices.Contains([]string{"", "true", "false", "all"}, active) {
			complaints = append(complaints, "Ongeldige waarde "+active+" voor parameter actief.")
		}
		if len(complaints) > 0 {
			return mockInvalid(complaints...)
		}
		var rows []mockRow
		for _, o := range s.objects[api.kind] {
			switch {
			case o.deleted, s.closed(api.kind), !o.active && !s.release.Archive:
			case o.active && active == "false", !o.active && (active == "true" || active == ""):
			case len(q["status"]) > 0 && !slices.Contains(q["status"], o.status):
			case !since.IsZero() && !o.changed.After(since):
			case q.Get("bedrijfscode") != "" && q.Get("bedrijfscode") != mockBedrijf:
			default:
				rows = append(rows, mockRow{o.id, func() ([]byte, error) { return o.body(view) }})
			}
		}
		return m.answerPage(w, r, s, rows, cursor)
	}
}

// readObject serves one object, not wrapped. The last path segment is the object code: an id is not
// found (contract §1.1). For a project the codes of its building types and units lead to it as well
// (assumed; what a webhook names is unknown, contract §3.2).
func (m *Mock) readObject(api *mockAPI, view mockView) mockHandler {
	return func(w http.ResponseWriter, r *http.Request, s *mockState) error {
		code := strings.ToUpper(r.PathValue("object"))
		o := s.byCode[code]
		if o == nil || o.api != api || o.deleted || o.afdeling != r.PathValue("afdeling") || s.closed(api.kind) {
			return mockNotFound("Object " + r.PathValue("object") + " niet gevonden.")
		}
		body, err := o.body(view)
		if err == nil {
			mockkit.Write(w, http.StatusOK, m.linked(s, body))
		}
		return err
	}
}
