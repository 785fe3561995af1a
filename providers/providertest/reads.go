package providertest

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/rest"
)

// info: the API and the dashboard can draw the provider and its form.
func (c Case) info(t *testing.T) {
	t.Parallel()
	info := c.Provider.Info()
	if info.Key == "" || info.Key != strings.ToLower(info.Key) || info.Name == "" || info.WebhookVersion == "" ||
		info.WebhookBodyLimit <= 0 || info.MappingVersion < 1 || info.Signed != (c.Sign != nil) ||
		info.Signed && info.WebhookSecret != c.SecretKey || !info.Signed && info.WebhookSecret != "" {
		t.Errorf("%+v", info)
	}
	kinds := map[string]sparki.SettingKind{}
	for _, f := range info.Settings {
		if f.Key == "" || f.Label == "" || f.Help == "" || f.Kind == "" || kinds[f.Key] != "" {
			t.Errorf("setting %+v", f)
		}
		kinds[f.Key] = f.Kind
	}
	for _, f := range info.Settings {
		for _, bound := range f.BoundTo {
			if kinds[bound] != sparki.SettingURL || f.Kind != sparki.SettingSecret {
				t.Errorf("%s is bound to %s", f.Key, bound)
			}
		}
	}
	if c.Sign != nil && !slices.ContainsFunc(info.Settings, func(f sparki.SettingField) bool { return f.Key == c.SecretKey && f.MinLength >= 16 }) {
		t.Errorf("the webhook secret %q may be short", c.SecretKey)
	}
}

// connecting: it sends nothing, and says which setting is missing in the words of the form.
func (c Case) connecting(t *testing.T) {
	t.Parallel()
	nobody := rest.Local(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("something was sent") }))
	if _, err := c.Provider.Connect(c.Settings, nobody); err != nil {
		t.Error(err)
	}
	_, err := c.Provider.Connect(sparki.Settings{}, nobody)
	c.check(t, "without settings", err)
	if sparki.KindOf(err) != sparki.Misconfigured {
		t.Errorf("without settings: %v", err)
	}
	for _, f := range c.Provider.Info().Settings {
		if !f.Required {
			continue
		}
		s := c.Settings
		s.Text, s.Secrets = maps.Clone(s.Text), maps.Clone(s.Secrets)
		delete(s.Text, f.Key)
		delete(s.Secrets, f.Key)
		_, err := c.Provider.Connect(s, nobody)
		c.check(t, "without "+f.Key, err)
		if sparki.KindOf(err) != sparki.Misconfigured || !strings.Contains(sparki.TextOf(err), f.Label) {
			t.Errorf("without %s: %v", f.Key, err)
		}
	}
}

// reads: a good CRM is found good, and an object is read whole.
func (c Case) reads(t *testing.T) {
	t.Parallel()
	conn := c.connect(t, c.Upstream(1))
	if err := conn.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	found, err := conn.Listing(t.Context(), c.Ref)
	if err != nil {
		t.Fatal(err)
	}
	if found.Ref.Key() != c.Ref.Key() || found.Listing == nil || found.Listing.Title == "" || len(found.Raw) == 0 || found.Inactive != "" {
		t.Errorf("found %+v", found)
	}
	_, err = conn.Listing(t.Context(), sparki.Ref{Type: "no-such-type", ID: c.Ref.ID})
	c.check(t, "unknown type", err)
	if kind := sparki.KindOf(err); kind != sparki.Invalid {
		t.Errorf("unknown type: %v", err)
	}
	c.checkShown(t, "the connection", sprintAll(conn))
}

// pageBound is how many pages a crawl may have before it counts as endless (reliability.md K9).
const pageBound = 1100

// crawl reads the whole list.
func crawl(t *testing.T, conn providers.Conn) (refs []sparki.Ref, err error) {
	t.Helper()
	return crawlFrom(t, conn, "")
}

// crawlFrom reads what is left of the list. What a page gives whole is among its references.
func crawlFrom(t *testing.T, conn providers.Conn, cursor string) (refs []sparki.Ref, err error) {
	t.Helper()
	for range pageBound {
		page, err := conn.Page(t.Context(), providers.Crawl{Cursor: cursor})
		if err != nil {
			return refs, err
		}
		for _, found := range page.Found {
			if !slices.ContainsFunc(page.Refs, func(ref sparki.Ref) bool { return ref == found.Ref }) || found.Listing == nil || len(found.Raw) == 0 {
				t.Errorf("the page gives %+v, which is none of its objects", found.Ref)
			}
		}
		refs = append(refs, page.Refs...)
		if page.Next == "" {
			return refs, nil
		}
		if page.Next == cursor {
			t.Fatalf("the page after %q is the same", cursor)
		}
		cursor = page.Next
	}
	t.Fatalf("no end after %d pages", pageBound)
	return nil, nil
}

func distinct(refs []sparki.Ref) int {
	seen := map[string]bool{}
	for _, ref := range refs {
		seen[ref.Key()] = true
	}
	return len(seen)
}

// pages: a crawl sees every object, whatever the CRM's page size, and always ends.
func (c Case) pages(t *testing.T) {
	t.Parallel()
	for _, objects := range []int{0, 1, 2, 99, 100, 101, 250} {
		conn := c.connect(t, c.Upstream(objects))
		refs, err := crawl(t, conn)
		if err != nil || distinct(refs) != objects {
			t.Errorf("%d objects: %d found, %v", objects, distinct(refs), err)
		}
		page, err := conn.Page(t.Context(), providers.Crawl{})
		if err != nil || page.Total != objects && page.Total != -1 {
			t.Errorf("%d objects: total %d, %v", objects, page.Total, err)
		}
	}

	// The list shrinks to nothing after its first page.
	many, none := c.Upstream(250), c.Upstream(0)
	crm := many
	shrinking := c.connect(t, c.faulty(func(w http.ResponseWriter, r *http.Request) { crm.ServeHTTP(w, r) }))
	first, err := shrinking.Page(t.Context(), providers.Crawl{})
	if err != nil || len(first.Refs) == 0 || first.Next == "" {
		t.Fatalf("first page of many: %+v, %v", first, err)
	}
	crm = none
	if refs, err := crawlFrom(t, shrinking, first.Next); err != nil || len(refs) != 0 {
		t.Errorf("pages of a list that is empty now: %d objects, %v", len(refs), err)
	}

	// Every page is the first one again. That ends too, in success or in an error.
	var answer *httptest.ResponseRecorder
	refs, err := crawl(t, c.connect(t, c.faulty(func(w http.ResponseWriter, r *http.Request) {
		if answer == nil {
			answer = httptest.NewRecorder()
			many.ServeHTTP(answer, r)
		}
		_, _ = w.Write(answer.Body.Bytes())
	})))
	if distinct(refs) == 0 {
		t.Errorf("repeated pages: nothing found, %v", err)
	}

	for _, cursor := range []string{"x", "-1", "1e3", "99999999999999999999"} {
		_, err := c.connect(t, c.Upstream(1)).Page(t.Context(), providers.Crawl{Cursor: cursor})
		c.check(t, "cursor "+cursor, err)
	}
}

// parallel: one connection serves many at once; the race detector watches.
func (c Case) parallel(t *testing.T) {
	t.Parallel()
	conn := c.connect(t, c.Upstream(3))
	var group sync.WaitGroup
	for range 8 {
		for _, call := range calls {
			group.Go(func() {
				if err := call.do(t.Context(), c, conn); err != nil {
					t.Errorf("%s: %v", call.name, err)
				}
			})
		}
	}
	group.Wait()
}
