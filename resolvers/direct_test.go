package resolvers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/devstack/teststack"
	"sparki.app/integrations/graph"
	"sparki.app/integrations/integrations"
	"sparki.app/integrations/media"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/all"
	"sparki.app/integrations/resolvers"
	"sparki.app/integrations/server/gql"
	"sparki.app/integrations/words"
)

func TestMain(m *testing.M) { teststack.Main(m) }

// office is a portal with items and projects, and the API over it twice: one writes pages itself where it can, the
// other leaves all to the executor.
type office struct {
	direct, executor http.Handler
	written          atomic.Int64 // pages that the first wrote itself
	schema           *ast.Schema
}

// openOffice makes n items, of which every fifth has a project, and lets the program know these CRMs.
func openOffice(tb testing.TB, n int, crms ...providers.Provider) *office {
	tb.Helper()
	d := dbtest.New(tb)
	portal := dbtest.Portal(tb, d, all.Keys()...)
	log := slog.New(slog.DiscardHandler)
	r := &resolvers.Resolver{
		DB: d, Log: log, Integrations: &integrations.Service{DB: d, Providers: crms, Log: log},
		Media: media.New(media.Options{DB: d, Log: log}),
	}
	o := &office{}
	direct := r.Direct()
	config := gql.Config{
		Schema: graph.NewExecutableSchema(graph.Config{Resolvers: r}),
		Authenticate: func(ctx context.Context, r *http.Request, authorization string) (context.Context, error) {
			who := &sparki.Principal{PortalID: portal.ID, Permissions: sparki.Permissions}
			if authorization == "nothing" {
				who.Permissions = nil
			}
			return words.With(sparki.WithPrincipal(ctx, who), r.Header.Get("Accept-Language")), nil
		},
		OnOperation: func(ctx context.Context, _ *graphql.OperationContext) context.Context { return r.WithLoaders(ctx) },
		Limits:      gql.Limits{Aliases: 1000, Tokens: 20_000, Cost: 1 << 40, Depth: 20},
		Log:         log,
	}
	o.schema = config.Schema.Schema()
	o.executor = gql.New(config)
	config.Field = func(ctx context.Context, next graphql.Resolver) (any, error) {
		v, err := direct(ctx, next)
		if _, ok := v.(graphql.Marshaler); ok {
			o.written.Add(1)
		}
		return v, err
	}
	o.direct = gql.New(config)
	fill(tb, d, portal, n)
	return o
}

// fill stores items and projects that lack something here and there.
func fill(tb testing.TB, d *db.DB, portal *sparki.Portal, n int) {
	tb.Helper()
	err := d.Tx(tb.Context(), portal.ID, func(tx *db.Tx) error {
		i, _, err := tx.UpsertIntegration(tb.Context(), &sparki.Integration{ID: sparki.NewID(), Provider: all.Keys()[0], Enabled: true})
		if err != nil {
			return err
		}
		var writes []db.ItemWrite
		for k := range n {
			found := madeUp(rand.New(rand.NewPCG(1, uint64(k))), k)
			encoded, err := db.EncodeListing(found.Listing)
			if err != nil {
				return err
			}
			writes = append(writes, db.ItemWrite{
				ID: sparki.NewID(), Found: found, Encoded: encoded, ContentHash: []byte{1}, ListingHash: []byte{1}, MappingVersion: 1, ReadAt: time.Now(),
			})
		}
		if _, err := tx.UpsertItems(tb.Context(), i.ID, writes); err != nil {
			return err
		}
		problem := "the CRM does not answer" // one that is translated
		if err := tx.SetSyncError(tb.Context(), i.ID, writes[0].Found.Ref, &problem); err != nil {
			return err
		}
		for k, w := range writes {
			if k%5 > 0 {
				continue
			}
			item := &w.ID
			if k%3 == 0 {
				item = nil
			}
			id := sparki.NewID()
			if err := tx.InsertProject(tb.Context(), id, item, 30, w.Found.Listing); err != nil {
				return err
			}
			if err := tx.ReplaceManagedMedia(tb.Context(), id, sparki.ManagedMedia(w.Found.Listing),
				[]sparki.MediaKind{sparki.MediaThumbnail, sparki.MediaImage, sparki.MediaFloorPlan}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// madeUp is object number k, with awkward text and with nothing where that is allowed.
func madeUp(r *rand.Rand, k int) *sparki.Found {
	maybe := func() *string {
		texts := []string{"", "Zeestraat", "3\t\"4\" \\ 5", "\u0001\n\r\u2028<é😀>&"}
		if n := r.IntN(len(texts) + 1); n < len(texts) {
			return &texts[n]
		}
		return nil
	}
	l := &sparki.Listing{
		Title: fmt.Sprintf("Huis \"%d\"", k), Description: maybe(), LongDescription: maybe(), Status: sparki.StatusAvailable, Category: sparki.CategoryHouse,
		Address: sparki.Address{Label: "Zeestraat 3", Street: maybe(), HouseNumber: maybe(), PostalCode: maybe(), City: maybe(), Physical: r.IntN(2) > 0},
	}
	f := &sparki.Found{
		Ref: sparki.Ref{Type: "object-assignment", ID: fmt.Sprintf("object-%d", k)}, Listing: l, Raw: fmt.Appendf(nil, `{"n": %d}`, k), ObjectCode: fmt.Sprint(k),
	}
	if r.IntN(2) > 0 {
		amount, sale := sparki.Decimal("425000.00"), sparki.Sale
		l.Price, l.TransactionType = &sparki.Price{Currency: "EUR", Label: "op aanvraag"}, &sale
		if r.IntN(2) > 0 {
			l.Price.Amount = &amount
		}
		l.Coordinates = &sparki.Coordinates{Latitude: 52 + r.Float64(), Longitude: r.Float64() / 1e6}
		f.ModifiedAt, f.EmployeeIDs = time.Date(2026, 1, 2, 3, 4, 5, 60_000, time.UTC), []string{"a", "b \""}
		f.Provenance = &sparki.Provenance{WebhookName: maybe(), WebhookTimestamp: &f.ModifiedAt}
	}
	for n := range r.IntN(3) {
		l.Details = append(l.Details, sparki.DetailRow{Key: "area", Label: "Area", Value: fmt.Sprint(n), Unit: maybe()})
		l.Images = append(l.Images, sparki.ListingMedia{ExternalID: fmt.Sprint(n), URL: "https://example.com/a.jpg", Title: maybe(), Position: n, MimeType: maybe()})
		l.ThumbnailURL = &l.Images[0].URL
	}
	if k%7 == 0 {
		f.Inactive = sparki.ReasonWithdrawn
	}
	return f
}

// ask posts a body and gives the answer's.
func ask(tb testing.TB, h http.Handler, body []byte, header ...string) string {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodPost, "/", strings.NewReader(string(body)))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Body.String()
}

func bodyOf(tb testing.TB, query string, variables map[string]any) []byte {
	tb.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

// selector writes selections at random: any field, aliases, fragments of both kinds, conditions.
type selector struct {
	*rand.Rand
	schema    *ast.Schema
	fragments []string
	names     int // of aliases and fragments
}

// dear are fields that need services which the office does not have, or that are different every time.
var dear = []string{"settings", "webhookUrl", "syncStatus", "diagnostics"}

func (s *selector) selection(of *ast.Definition, depth int) string {
	var b strings.Builder
	b.WriteString("{ __typename")
	for range 1 + s.IntN(5) {
		b.WriteByte(' ')
		switch k := s.IntN(12); {
		case k == 0 && depth > 0:
			b.WriteString("..." + s.condition() + s.selection(of, depth-1))
		case k == 1 && slices.Contains(of.Interfaces, "Node"):
			b.WriteString("... on Node" + s.condition() + " { id }")
		case k == 2 && depth > 0:
			s.names++
			name := fmt.Sprintf("f%d", s.names)
			s.fragments = append(s.fragments, "fragment "+name+" on "+of.Name+s.selection(of, depth-1))
			b.WriteString("..." + name + s.condition())
		default:
			b.WriteString(s.field(of, depth))
		}
	}
	return b.String() + " }"
}

func (s *selector) field(of *ast.Definition, depth int) string {
	f := of.Fields[s.IntN(len(of.Fields))]
	to := s.schema.Types[f.Type.Name()]
	composite := to.Kind == ast.Object
	if strings.HasPrefix(f.Name, "__") || slices.Contains(dear, f.Name) || composite && depth == 0 || to.Kind == ast.Interface {
		return "__typename"
	}
	if len(f.Arguments) > 0 && s.IntN(4) > 0 || f.Name == "raw" && s.IntN(4) > 0 || f.Name == "fields" && s.IntN(4) > 0 {
		return "__typename" // the executor's: not too often
	}
	text := f.Name + s.condition()
	if s.IntN(3) == 0 {
		s.names++
		text = fmt.Sprintf("a%d: %s", s.names, text)
	}
	if composite {
		text += s.selection(to, depth-1)
	}
	return text
}

func (s *selector) condition() string {
	conditions := []string{"@skip(if: $yes)", "@skip(if: $off)", "@include(if: $yes)", "@include(if: $off)", "@include(if: true) @skip(if: false)"}
	if s.IntN(5) > 0 {
		return " "
	}
	return " " + conditions[s.IntN(len(conditions))] + " "
}

// page writes a whole document about one list.
func (s *selector) page() (list, query string) {
	s.fragments, s.names = nil, 0
	list = []string{"syncedItems", "projects"}[s.IntN(2)]
	arguments := []string{"(first: $n)", "(first: 100)", `(first: 4, filter: {search: "huis"}, orderBy: {field: TITLE, direction: ASC})`, "(first: $n, after: $after)"}[s.IntN(4)]
	of := s.schema.Types[s.schema.Query.Fields.ForName(list).Type.Name()]
	query = "{ list: " + list + arguments + s.condition() + s.selection(of, 5)
	if s.IntN(3) == 0 {
		query += " integrations { id syncedItems(first: 2) " + s.selection(s.schema.Types["SyncedItemConnection"], 3) + " }"
	}
	query += " } " + strings.Join(s.fragments, " ")
	var variables string
	for _, v := range []string{"$n: Int = 3", "$after: String", "$yes: Boolean = true", "$off: Boolean!"} {
		if name, _, _ := strings.Cut(v, ":"); strings.Contains(query, name) {
			variables += v + " "
		}
	}
	if variables != "" {
		query = "query (" + variables + ") " + query
	}
	return list, query
}

// Answers are compared byte by byte, over random selections.
func TestDirectAnswersAsTheExecutorDoes(t *testing.T) {
	t.Parallel()
	o := openOffice(t, 60, all.List()...)
	const documents = 300
	var failed int
	cursors := map[string]string{}
	for _, list := range []string{"syncedItems", "projects"} {
		var page struct {
			Data map[string]graph.SyncedItemConnection
		}
		if err := json.Unmarshal([]byte(ask(t, o.executor, bodyOf(t, "{ "+list+"(first: 2) { pageInfo { endCursor } } }", nil))), &page); err != nil {
			t.Fatal(err)
		}
		cursors[list] = *page.Data[list].PageInfo.EndCursor
	}
	for seed := range uint64(documents) {
		s := &selector{Rand: rand.New(rand.NewPCG(seed, 1)), schema: o.schema}
		list, query := s.page()
		body, language := bodyOf(t, query, map[string]any{"off": false, "after": cursors[list]}), []string{"nl", "en"}[seed%2]
		want, got := ask(t, o.executor, body, "Accept-Language", language), ask(t, o.direct, body, "Accept-Language", language)
		if want != got {
			t.Fatalf("seed %d: %s\nexecutor: %s\n  direct: %s", seed, query, want, got)
		}
		if !strings.HasPrefix(want, `{"data":{`) {
			failed++
		}
	}
	if o.written.Load() < documents/2 || failed > documents/20 {
		t.Errorf("of %d documents %d failed, and only %d pages were written directly", documents, failed, o.written.Load())
	}
}

// Pages that the executor has to answer, and what it says.
func TestDirectLeavesToTheExecutor(t *testing.T) {
	t.Parallel()
	known, unknown := openOffice(t, 3, all.List()...), openOffice(t, 3) // the second does not know the CRM of its items
	for name, c := range map[string]struct {
		of                   *office
		query, authorization string
		has                  string
	}{
		"FieldThatIsUnknown": {known, `{ syncedItems(first: 1) { nodes { id raw } } }`, "", `"raw":{"n":`},
		"FieldWithArguments": {known, `{ syncedItems(first: 1) { nodes { id history(first: 1) { totalCount } } } }`, "", `"totalCount":0`},
		"FieldThatFails":     {unknown, `{ syncedItems(first: 1) { nodes { id provider { name } } } }`, "", `"path":["syncedItems","nodes",0,"provider"]`},
		"PageThatFails":      {known, `{ syncedItems(first: 1, after: "x") { nodes { id } } }`, "", `"path":["syncedItems"]`},
		"Forbidden":          {known, `{ projects { nodes { id } } }`, "nothing", `"path":["projects"]`},
	} {
		t.Run(name, func(t *testing.T) {
			body := bodyOf(t, c.query, nil)
			want, got := ask(t, c.of.executor, body, "Authorization", c.authorization), ask(t, c.of.direct, body, "Authorization", c.authorization)
			if got != want || !strings.Contains(got, c.has) {
				t.Errorf("answer is %s, want %s with %s", got, want, c.has)
			}
			if n := c.of.written.Load(); n > 0 {
				t.Errorf("%d pages were written directly", n)
			}
		})
	}
}

// pages are what a dashboard shows: fifty items, every fifth with a project, and fifty projects with their items.
var pages = map[string]string{
	"Items": `{ syncedItems(first: 50) {
		nodes {
			id
			listing { title status thumbnailUrl address { label street houseNumber houseNumberAddition postalCode city } }
			linkedProjects { id title }
		}
		pageInfo { hasNextPage }
	} }`,
	"Projects": `{ projects(first: 50) { nodes { id title lifecycle price { label } link { externalId syncedItem { id listing { title } } } } } }`,
}

func BenchmarkPage(b *testing.B) {
	o := openOffice(b, 250, all.List()...)
	for page, query := range pages {
		body := bodyOf(b, query, nil)
		for name, h := range map[string]http.Handler{"Direct": o.direct, "Executor": o.executor} {
			b.Run(page+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if got := ask(b, h, body); !strings.HasPrefix(got, `{"data":{`) {
						b.Fatal(got)
					}
				}
			})
		}
	}
}
