package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/db/dbtest"
)

// An operation that takes too long is answered, and what it asked of Postgres is cancelled.
func TestSlowOperationIsCancelled(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *config) { c.limits.Operation = time.Second })
	if got := b.ask(t, b.token, `{ projects { totalCount } }`, nil); len(got.Errors) > 0 {
		t.Fatalf("%+v", got.Errors)
	}
	b.superuser(t, func(ctx context.Context, c *pgx.Conn) error {
		tx, err := c.Begin(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback(ctx) }()
		if _, err := tx.Exec(ctx, `lock table projects in access exclusive mode`); err != nil {
			return err
		}
		began := time.Now()
		got := b.ask(t, b.token, `{ projects(first: 1) { nodes { id } } }`, nil)
		if len(got.Errors) != 1 || got.Errors[0].Extensions.Code != "INTERNAL" || time.Since(began) < 900*time.Millisecond {
			t.Errorf("after %v: %d %+v", time.Since(began), got.Status, got.Errors)
		}
		within(t, 5*time.Second, "its statement to be gone from Postgres", func() bool {
			var waiting int
			if err := c.QueryRow(ctx, `select count(*) from pg_locks where relation = 'projects'::regclass and not granted`).Scan(&waiting); err != nil {
				t.Fatal(err)
			}
			return waiting == 0
		})
		return nil
	})
}

// A portal may ask so much and no more; others are not affected.
func TestRateOfAPortal(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *config) { c.APIRateLimit = 5 })
	other := b.newToken(t, dbtest.Portal(t, b.db), sparki.View)
	same := b.newToken(t, b.portal, sparki.View)
	refused := 0
	for n := range 60 {
		token := []string{b.token, same}[n%2] // a portal's tokens share its allowance
		got := b.ask(t, token, `{ viewer { name } }`, nil)
		if got.Status == http.StatusOK {
			continue
		}
		refused++
		if got.Status != http.StatusTooManyRequests || got.Errors[0].Extensions.Code != "RATE_LIMITED" || !strings.Contains(got.Errors[0].Message, "try again in") {
			t.Fatalf("%d %+v", got.Status, got.Errors)
		}
		if n%10 == 0 {
			if got := b.ask(t, other, `{ viewer { name } }`, nil); got.Status != http.StatusOK {
				t.Errorf("another portal: %d %+v", got.Status, got.Errors)
			}
		}
	}
	if refused == 0 {
		t.Error("all 60 were answered")
	}
}

func TestStreamsOfAToken(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *config) { c.MaxStreamsPerToken = 2 })
	for range 2 {
		dial(t, b.url, b.token).next(t, "connection_ack")
	}
	if code := dial(t, b.url, b.token).closed(t, patience); code != 4429 {
		t.Errorf("the third socket is closed with %d", code)
	}
	dial(t, b.url, b.newToken(t, b.portal, sparki.View)).next(t, "connection_ack")
}

// With a list of operations the API serves nothing else.
func TestOperationsFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "operations.json")
	if err := os.WriteFile(file, []byte(`{"who": "query Who { viewer { name } }", "live": "subscription { activity { id } }"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	operations, err := readOperations(file)
	if err != nil {
		t.Fatal(err)
	}
	b := setup(t, func(c *config) { c.operations = operations })
	if got := b.ask(t, b.token, "query Who {\n  viewer {\n    name # whose token this is\n  }\n}", nil); got.Status != http.StatusOK {
		t.Errorf("a listed one: %d %+v", got.Status, got.Errors)
	}
	for _, document := range []string{`{ viewer { name } }`, `{ __schema { types { name } } }`, `mutation { checkConnection(integrationId: "x") { userErrors { code } } }`} {
		if got := b.ask(t, b.token, document, nil); got.Status != http.StatusBadRequest || got.Errors[0].Extensions.Code != "FORBIDDEN" {
			t.Errorf("%s: %d %+v", document, got.Status, got.Errors)
		}
	}
	for _, content := range []string{`[]`, `{}`, `{"a": 1}`, `{"a": "{ nope }"}`, `{"a": "{"}`, ``} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readOperations(file); err == nil {
			t.Errorf("%s is taken", content)
		}
	}
}

// Introspection needs a token, as everything does, and no more: /graphiql works with any. Nobody is helped
// to guess names.
func TestIntrospection(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const document = `{ __schema { queryType { name } } }`
	if got := b.ask(t, "", document, nil); got.Status != http.StatusUnauthorized || len(got.Data) > 0 {
		t.Errorf("without a token: %d %s", got.Status, got.Data)
	}
	if got := b.ask(t, b.newToken(t, b.portal, sparki.View), document, nil); got.Status != http.StatusOK || !strings.Contains(string(got.Data), "Query") {
		t.Errorf("with a token: %d %+v", got.Status, got.Errors)
	}
	for _, misspelt := range []string{`{ integratons { id } }`, `{ node(idd: "x") { id } }`, `{ projects(orderBy: {field: TITEL, direction: ASC}) { totalCount } }`, `query ($x: ProjectInputt) { viewer { name } }`} {
		got := b.ask(t, b.token, misspelt, nil)
		if got.Status != http.StatusBadRequest || len(got.Errors) == 0 || strings.Contains(strings.ToLower(fmt.Sprint(got.Errors)), "did you mean") {
			t.Errorf("%s: %d %+v", misspelt, got.Status, got.Errors)
		}
	}
}

// What is made of an event is made once for all who are shown the same, under their rights.
func TestOneAnswerForMany(t *testing.T) {
	t.Parallel()
	sql := &statements{}
	b := setup(t, func(c *config) { c.tracer = sql })
	var made struct {
		CreateProject struct{ Project struct{ ID string } }
	}
	b.query(t, b.token, `mutation { createProject(input: {title: "Villa Vooruitzicht"}) { project { id } } }`, nil, &made)
	id, err := sparki.ProjectNode.Parse(made.CreateProject.Project.ID)
	if err != nil {
		t.Fatal(err)
	}
	tell := func(n int) {
		t.Helper()
		err := b.db.Tx(context.Background(), b.portal.ID, func(tx *db.Tx) error {
			tx.Tell(sparki.Activity{Type: sparki.ProjectUpdated, Actor: fmt.Sprint(n), SubjectKind: sparki.ProjectNode, SubjectID: id})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		b.signals.Wake(context.Background(), b.portal.ID)
	}
	const document = `subscription ($after: String) { activity(after: $after) { actor subject { ... on Project { title images { url } } } } }`
	var followers []*subscriber
	events := 0
	// cost tells of an event and gives the statements that showing it took.
	cost := func() int64 {
		t.Helper()
		before := sql.n.Load()
		events++
		tell(events)
		for _, s := range followers {
			var out struct {
				Activity struct {
					Actor   string
					Subject struct{ Title string }
				}
			}
			if s.read(t, &out); out.Activity.Actor != fmt.Sprint(events) || out.Activity.Subject.Title != "Villa Vooruitzicht" {
				t.Fatalf("event %d is shown as %+v", events, out)
			}
		}
		return sql.n.Load() - before
	}
	start := map[string]any{"after": b.log(t)[0]}
	join := func(n int, variables map[string]any, rights ...sparki.Permission) {
		t.Helper()
		for range n {
			s := subscribe(t, b.url, b.newToken(t, b.portal, rights...), document, variables)
			for k := range events { // those with a cursor begin at the beginning
				var out struct{ Activity struct{ Actor string } }
				if s.read(t, &out); out.Activity.Actor != fmt.Sprint(k+1) {
					t.Fatalf("event %d was of %s", k+1, out.Activity.Actor)
				}
			}
			followers = append(followers, s)
		}
	}
	least := func() int64 { // of some: joining takes statements as well
		return min(cost(), cost(), cost(), cost())
	}
	join(1, start, sparki.View)
	one := least()
	join(14, start, sparki.View)
	many := least()
	join(1, start, sparki.View, sparki.EditProjects)
	two := least()
	if one == 0 || many != one || two != 2*one {
		t.Errorf("%d statements for one follower, %d for 15 alike, %d when one more has other rights", one, many, two)
	}
}
