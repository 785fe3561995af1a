package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/all"
	"sparki.app/integrations/providers/kolibri"
	"sparki.app/integrations/providers/realworks"
)

// mock is a mock CRM that sends webhooks.
type mock interface {
	providers.Mock
	io.Closer
}

// kind is a CRM as the tests know it: what its mock holds, and how to say there what they mean. The
// tests themselves say the same of every CRM.
type kind struct {
	key      string
	provider providers.Provider
	// seed puts n made-up objects more into a store, numbered from from; made is the id of one.
	seed func(ctx context.Context, store providers.MockStore, n, from int) error
	made func(i int) string
	// storeKind is how the mock's store calls the made-up objects, storeID how it calls one of them.
	storeKind string
	storeID   func(id string) string
	// house is an object for sale, project a project, withdrawn a house that is withdrawn.
	house, project, withdrawn string
	// houses is the source type of houses.
	houses string
	// listPath and detailPath are in the URLs of the list's pages and of single objects, apiPath in
	// those of every call with credentials.
	listPath, detailPath, apiPath string
	// tokenPath is where access tokens are fetched; "" where a person pastes them.
	tokenPath string
	// reads is in the URL of every read of a single object, of whatever type.
	reads string
	// officeSetting limits the objects to some offices, which stand in officeColumn of an item.
	officeSetting, officeColumn string
	// whole: the list gives objects whole, so a crawl reads none by itself.
	whole bool
	// away, back: how an object goes and comes back, and the reason that its item gets, by name.
	away map[string]struct{ away, back, reason string }
	// refusals are faults of one call that waiting does not mend, with what becomes of the connection
	// and what the office is told.
	refusals map[string]refusal
	// strange is what the CRM may do to an object one day: values that nobody knows in place of its type
	// and its status; the price 350000 as a text, and nulls; nothing but what names it; and other shapes
	// altogether, with a key that is new.
	strange struct{ values, texts, bare, shapes func(entity map[string]any) }
	// bodies are deliveries that tell of changes of these objects; header is that of one.
	bodies func(url string, objects ...string) [][]byte
	header func(secret string, body []byte) http.Header
}

// readPath is in the URLs that a crawl reads objects from.
func (k kind) readPath() string {
	if k.whole {
		return k.listPath
	}
	return k.detailPath
}

type refusal struct {
	path              func(kind) string
	status            int
	connection, words string
}

func onList(k kind) string   { return k.listPath }
func onDetail(k kind) string { return k.detailPath }

// kinds are all CRMs.
var kinds = []kind{{
	key: "kolibri", provider: kolibri.New(),
	seed: kolibri.SeedObjects, made: kolibri.SeededObjectID,
	storeKind: "object", storeID: func(id string) string { return id },
	house: lindelaan, project: kersenboom, withdrawn: withdrawn, houses: "object-assignment",
	listPath: listPath, detailPath: detailPath, apiPath: "/v3/", tokenPath: "/connect/token", reads: "Assignments?id=", officeSetting: "officeIds", officeColumn: "office_id",
	away: map[string]struct{ away, back, reason string }{
		"Deleted":   {`{"deleted": true}`, `{"deleted": false}`, "DELETED"},
		"Withdrawn": {`{"availability": "Withdrawn"}`, `{"availability": "Available"}`, "WITHDRAWN"},
		"Archived":  {`{"archived": true}`, `{"archived": false}`, "WITHDRAWN"},
	},
	refusals: map[string]refusal{
		"Forbidden":  {onList, 403, "MISCONFIGURED", "assignment.search"},
		"Refused":    {onList, 400, "OK", "refuses the call"},
		"Conflict":   {onList, 409, "OK", "refuses the call"},
		"SignedOut":  {onList, 401, "UNAUTHORIZED", "access token"},
		"NotAllowed": {onDetail, 403, "MISCONFIGURED", "objectassignment.read"},
		"OutInside":  {onDetail, 401, "UNAUTHORIZED", "access token"},
	},
	strange: struct{ values, texts, bare, shapes func(entity map[string]any) }{
		values: func(e map[string]any) {
			e["listingType"], e["availabilityStatus"], e["realEstateGroup"], e["assignmentPhase"] = "Ruimteschip", "Beamed", "Galactic", "Imagined"
		},
		texts: func(e map[string]any) {
			e["saleOffer"] = map[string]any{"salePrice": "350000", "saleCondition": "ForFree"}
			e["numberOfRooms"], e["photos"], e["energyLabel"] = nil, nil, map[string]any{"energyClass": "Z"}
		},
		bare: func(e map[string]any) {
			only(e, "id", "realEstateAgencyId", "isActive", "dateTimeModified", "dateTimeCreated", "linkedOffice", "linkedEmployee", "assignmentPhase")
		},
		shapes: func(e map[string]any) {
			e["address"], e["titleText"], e["photos"], e["saleOffer"], e["numberOfRooms"] = []any{}, "a text", map[string]any{"a": 1}, []any{1}, map[string]any{}
			e["aKeyThatIsNew"] = "\x00 \ufffd"
		},
	},
	bodies: func(_ string, objects ...string) [][]byte {
		var messages []kolibri.WebhookMessage
		for _, object := range objects {
			m := update("", object)
			if object == kersenboom {
				m.EntityType = "ProjectAssignment"
			}
			messages = append(messages, m)
		}
		return [][]byte{kolibri.Envelope(messages...)}
	},
	header: func(secret string, body []byte) http.Header { return jsonHeader(kolibri.SignBody(secret, body)) },
}, {
	key: "realworks", provider: realworks.New(),
	seed: realworks.SeedObjects, made: func(i int) string { return fmt.Sprintf("935001/SY%06d", i) },
	storeKind: "wonen", storeID: func(id string) string { _, code, _ := strings.Cut(id, "/"); return code },
	house: "935001/LM100231", project: "935001/N100012", withdrawn: "935002/LM100233", houses: "wonen-object",
	listPath: "/wonen/v3/objecten", detailPath: "/wonen/v3/objecten/", apiPath: "/", reads: "ten/935001/", officeSetting: "afdelingCodes", officeColumn: "afdeling_code",
	whole: true,
	away: map[string]struct{ away, back, reason string }{
		"Deleted":   {`{"deleted": true}`, `{"deleted": false}`, "DELETED"},
		"Withdrawn": {`{"status": "INGETROKKEN"}`, `{"status": "BESCHIKBAAR"}`, "WITHDRAWN"},
		"Archived":  {`{"active": false}`, `{"active": true}`, "WITHDRAWN"},
		"Secret":    {`{"confidential": true}`, `{"confidential": false}`, "NOT_AVAILABLE"},
	},
	refusals: map[string]refusal{
		"Forbidden": {onList, 403, "MISCONFIGURED", "API base URL"},
		"Refused":   {onList, 400, "OK", "refuses the call"},
		"Conflict":  {onList, 409, "OK", "refuses the call"},
		"SignedOut": {func(kind) string { return "/" }, 401, "UNAUTHORIZED", "API token"},
	},
	strange: struct{ values, texts, bare, shapes func(entity map[string]any) }{
		values: func(e map[string]any) {
			e["object"] = map[string]any{"type": map[string]any{"objecttype": "RUIMTESCHIP"}}
			e["financieel"] = map[string]any{"overdracht": map[string]any{"status": "GESTRAALD", "koopprijs": 350000, "koopprijsvoorvoegsel": "GRATIS"}}
		},
		texts: func(e map[string]any) {
			e["financieel"] = map[string]any{"overdracht": map[string]any{"status": "BESCHIKBAAR", "koopprijs": "350000", "koopconditie": "VOOR_NIETS"}}
			e["algemeen"], e["detail"], e["media"] = map[string]any{"aantalKamers": nil, "energieklasse": "Z", "isolatievormen": nil}, nil, nil
		},
		bare: func(e map[string]any) { only(e, "id", "diversen", "tijdstipLaatsteWijziging") },
		shapes: func(e map[string]any) {
			e["adres"], e["teksten"], e["media"], e["financieel"], e["detail"] = []any{}, "a text", map[string]any{"a": 1}, []any{1}, map[string]any{"etages": map[string]any{}}
			e["eenNieuweSleutel"] = "\x00 \ufffd"
		},
	},
	bodies: func(url string, objects ...string) (bodies [][]byte) {
		for _, object := range objects {
			bodies = append(bodies, realworksBody(url, object))
		}
		return bodies
	},
	header: func(_ string, _ []byte) http.Header { return http.Header{"Content-Type": {"application/json"}} },
}}

// only leaves nothing but these keys.
func only(entity map[string]any, keys ...string) {
	maps.DeleteFunc(entity, func(key string, _ any) bool { return !slices.Contains(keys, key) })
}

// realworksBody is a delivery about an object of the office at url.
func realworksBody(url, object string) []byte {
	afdeling, code, _ := strings.Cut(object, "/")
	api := "wonen"
	switch code[0] {
	case 'B':
		api = "bog"
	case 'N':
		api = "nieuwbouw"
	}
	return realworks.Webhook(realworks.WebhookMessage{API: api, Afdeling: afdeling, Object: code, Base: url, At: time.Now()})
}

// kindOf finds a kind by its provider's key.
func kindOf(t *testing.T, key string) kind {
	t.Helper()
	for _, k := range kinds {
		if k.key == key {
			return k
		}
	}
	t.Fatalf("no test knows the CRM %q: describe it in kinds", key)
	return kind{}
}

// forKinds runs a test for every CRM that there is.
func forKinds(t *testing.T, test func(t *testing.T, k kind)) {
	t.Helper()
	for _, key := range all.Keys() {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			test(t, kindOf(t, key))
		})
	}
}
