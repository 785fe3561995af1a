package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"

	"sparki.app/integrations/providers/kolibri"
)

// spoiled are values of a scalar that nobody should send, as they stand in a document.
var spoiled = map[string][]string{
	"String":   {`"a\u0000b"`, `"   "`, quoted(strings.Repeat("x", 30_000)), `"'; drop table items --"`},
	"ID":       {`""`, `"x"`, `"item_"`, `"' or 1=1"`, `"project_7zzzzzzzzzzzzzzzzzzzzzzzzz"`, `"a\u0000b"`},
	"URL":      {`"javascript:alert(1)"`, `"https://"`, `"//example.com"`, quoted("https://example.com/" + strings.Repeat("x", 3000)), `"https://example.com/\u0000"`},
	"Int":      {`-1`, `0`, `2147483647`},
	"Float":    {`-1e300`, `1e300`, `181.5`},
	"Decimal":  {`"-1"`, `"1e999"`, `"NaN"`, `"veel"`, `""`, `1`},
	"DateTime": {`"gisteren"`, `"2026-13-41T25:00:00Z"`},
	"JSON":     {`{apiBaseUrl: 12}`, `{noSuchSetting: "x"}`, `"x"`, `[1]`, `{apiBaseUrl: "http://127.0.0.1:1"}`, `{clientSecret: "a\u0000b"}`},
}

// quiet waits until nothing of the portal changes any more, and gives its checksum.
func (b *bundle) quiet(t *testing.T) map[string]string {
	t.Helper()
	var before map[string]string
	still := 0
	eventually(t, "the work to be done", func() bool {
		now := b.checksum(t, b.portal.ID)
		if still++; !maps.Equal(now, before) {
			before, still = now, 0
		}
		return still >= 3
	})
	return before
}

// unchanged wants everything of the portal as it was, and gives what it is now. Something else may have
// been under way and have written meanwhile: it asks again before it blames what was asked.
func (b *bundle) unchanged(t *testing.T, what string, before map[string]string, again func()) map[string]string {
	t.Helper()
	for tries := 1; ; tries++ {
		now := b.checksum(t, b.portal.ID)
		if maps.Equal(now, before) {
			return now
		}
		if tries == 3 {
			for table, sum := range now {
				if sum != before[table] {
					t.Errorf("%s was refused, and wrote to %s: %s, it was %s", what, table, sum, before[table])
				}
			}
			return now
		}
		before = b.quiet(t)
		again()
	}
}

// refusedBy reads what a mutation was refused with; none when it was not.
func refusedBy(t *testing.T, got answer) (errors []userError) {
	t.Helper()
	var data map[string]struct{ UserErrors []userError }
	if err := json.Unmarshal(got.Data, &data); err != nil && string(got.Data) != "null" && len(got.Data) > 0 {
		t.Fatalf("%s: %v", got.Data, err)
	}
	for _, payload := range data {
		errors = append(errors, payload.UserErrors...)
	}
	return errors
}

// leadsSomewhere says whether a userError's path is one into a mutation's arguments.
func (w *writer) leadsSomewhere(f *ast.FieldDefinition, path []string) bool {
	if len(path) == 0 || f.Arguments.ForName(path[0]) == nil {
		return false
	}
	at := f.Arguments.ForName(path[0]).Type
	for _, step := range path[1:] {
		def := w.schema.Types[at.Name()]
		_, index := strconv.Atoi(step)
		switch {
		case at.Elem != nil && index == nil:
			at = at.Elem
		case def.Name == "JSON":
			return true
		case def.Kind != ast.InputObject || def.Fields.ForName(step) == nil:
			return false
		default:
			at = def.Fields.ForName(step).Type
		}
	}
	return true
}

// Every argument of every mutation, with every value that nobody should send: it is taken or refused,
// a refusal names its place and has written nothing, and nothing breaks.
func TestSpoiledArguments(t *testing.T) {
	t.Parallel()
	h, w := newHook(t, func(c *config) { c.MediaURL = "" }), newWriter(t)
	h.exec(t, `update integrations set incremental_due_at = 'infinity', full_due_at = 'infinity'`)
	h.keepDiary(t, h.integration, h.imported(t, lindelaan).ID)
	h.settled(t, h.accepted(t, kolibri.Envelope(update("", lindelaan))))
	n := &neighbours{bundle: h.bundle, own: h.oneOfEach(t, w)}
	before := h.quiet(t)
	asked, refused := 0, 0
	takes := func(f *ast.FieldDefinition, place input, value string) bool {
		document := "mutation { " + f.Name + w.arguments(f, map[string]string{place.String(): value}, n.ownFor) + " { userErrors { code message field } } }"
		what := fmt.Sprintf("%s with %.60s at %s", f.Name, value, place)
		got := h.ask(t, h.token, document, nil)
		asked++
		for _, e := range got.Errors {
			if c := e.Extensions.Code; c == "INTERNAL" || c == "" {
				t.Errorf("%s: %+v", what, e)
			}
		}
		if got.Status != http.StatusOK && got.Status != http.StatusBadRequest {
			t.Errorf("%s: %d", what, got.Status)
		}
		errors := refusedBy(t, got)
		for _, e := range errors {
			if e.Message == "" || !w.leadsSomewhere(f, e.Field) {
				t.Errorf("%s: %s %q names %q", what, e.Code, e.Message, e.Field)
			}
		}
		return len(errors)+len(got.Errors) == 0
	}
	for _, f := range w.fields("Mutation") {
		for typeName, values := range spoiled {
			for _, place := range w.inputs(f, typeName) {
				bad := slices.DeleteFunc(slices.Clone(values), func(value string) bool { return takes(f, place, value) })
				if len(bad) < len(values) { // what was taken has changed something: the others once more
					before = h.quiet(t)
					bad = slices.DeleteFunc(bad, func(value string) bool { return takes(f, place, value) })
				}
				refused += len(bad)
				before = h.unchanged(t, fmt.Sprintf("%s with each of %.300q at %s", f.Name, bad, place), before, func() {
					for _, value := range bad {
						takes(f, place, value)
					}
				})
			}
		}
	}
	if asked < 100 || refused < asked/2 {
		t.Errorf("%d mutations were asked, %d refused", asked, refused)
	}
}

// What a person can do wrong with projects and syncs: each refusal by its code and its place, several
// at once, and nothing written.
func TestRefusals(t *testing.T) {
	t.Parallel()
	h := newHook(t, func(c *config) { c.MediaURL = "" }) // copying writes in its own time
	h.exec(t, `update integrations set incremental_due_at = 'infinity', full_due_at = 'infinity'`)
	linked := h.imported(t, lindelaan).ID
	var made struct{ CreateProject struct{ Project project } }
	create := `mutation { createProject(input: {title: "Met de hand"}) { project { id } userErrors { code message field } } }`
	h.query(t, h.token, create, nil, &made)
	byHand := made.CreateProject.Project.ID
	h.query(t, h.token, create, nil, &made)
	archived := made.CreateProject.Project.ID
	h.query(t, h.token, fmt.Sprintf(`mutation { setProjectLifecycle(projectId: %q, lifecycle: ARCHIVED) { project { id } } }`, archived), nil, &struct{}{})
	active, gone := h.item(t, kersenboom).ID, h.item(t, withdrawn).ID
	run := h.ids(t, "SyncRun")[0]
	before := h.quiet(t)
	for document, want := range map[string][]string{
		`createProject(input: {})`:                               {"REQUIRED input.title"},
		`createProject(input: {title: " "})`:                     {"REQUIRED input.title"},
		`updateProject(projectId: LINKED, input: {title: null})`: {"REQUIRED input.title"},
		`updateProject(projectId: LINKED, input: {description: "een", price: {amount: "-1", currency: "euro"}, address: {country: "Nederland"},
			coordinates: {latitude: 91, longitude: 5}, details: [{key: "a", label: "", value: "b"}], appointmentMinutes: 1})`: {
			"INVALID input.price.currency", "INVALID input.price.amount", "INVALID input.address.country", "INVALID input.coordinates",
			"REQUIRED input.details.0.label", "INVALID input.appointmentMinutes"},
		`updateProject(projectId: LINKED, input: {title: "Goed", longDescription: "a\u0000b"})`:                   {"INVALID input.longDescription"},
		`updateProject(projectId: LINKED, input: {price: {}})`:                                                    {"REQUIRED input.price"},
		`resetProjectFields(projectId: BYHAND, fields: [TITLE])`:                                                  {"INVALID projectId"},
		`linkProject(projectId: BYHAND, syncedItemId: ACTIVE, previewToken: "verlopen")`:                          {"STALE_PREVIEW previewToken"},
		`linkProject(projectId: ARCHIVED, syncedItemId: ACTIVE)`:                                                  {"PROJECT_ARCHIVED projectId"},
		`linkProject(projectId: BYHAND, syncedItemId: GONE)`:                                                      {"ITEM_INACTIVE syncedItemId"},
		`linkProject(projectId: LINKED, syncedItemId: ACTIVE)`:                                                    {"ALREADY_LINKED projectId"},
		`importSyncedItem(syncedItemId: GONE)`:                                                                    {"ITEM_INACTIVE syncedItemId"},
		`addProjectMedia(projectId: LINKED, input: {kind: IMAGE, url: "https://x.example/a", title: "a\u0000b"})`: {"INVALID input.title"},
		`addProjectMedia(projectId: LINKED, input: {kind: IMAGE, url: "https://u:p@x.example/a"})`:                {"INVALID input.url"},
		`createProject(input: {title: "a\u0007b", details: [{key: "a\u0000", label: "b", value: ""}]})`: {
			"INVALID input.title", "INVALID input.details.0.key", "REQUIRED input.details.0.value"},
		`approveDeactivations(syncRunId: RUN, approve: true)`:  {"NOTHING_TO_APPROVE syncRunId"},
		`approveDeactivations(syncRunId: RUN, approve: false)`: {"NOTHING_TO_APPROVE syncRunId"},
		`cancelSync(syncRunId: RUN)`:                           {"INVALID syncRunId"},
	} {
		document = "mutation { " + document + " { userErrors { code message field } } }"
		for name, id := range map[string]string{"LINKED": linked, "BYHAND": byHand, "ARCHIVED": archived, "ACTIVE": active, "GONE": gone, "RUN": run} {
			for _, end := range []string{",", ")"} {
				document = strings.ReplaceAll(document, ": "+name+end, ": "+quoted(id)+end)
			}
		}
		slices.Sort(want)
		ask := func() {
			got := h.ask(t, h.token, document, nil)
			if errors := codes(refusedBy(t, got)); len(got.Errors) > 0 || !slices.Equal(errors, want) {
				t.Errorf("%s: refused with %q %+v, want %q", document, errors, got.Errors, want)
			}
		}
		ask()
		before = h.unchanged(t, document, before, ask)
	}
}
