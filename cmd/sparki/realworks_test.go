package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/mockkit"
	"sparki.app/integrations/providers/realworks"
)

// What a CRM that does not sign says is told apart by its form; what it says is worth one read.
func TestRealworksWebhook(t *testing.T) {
	t.Parallel()
	k := kindOf(t, "realworks")
	h := newHookOf(t, k)
	path := "/webhooks/realworks/v2/" + h.integration
	post := func(path, body string) answered {
		return h.send(t, http.MethodPost, path, strings.NewReader(body), http.Header{"Content-Type": {"application/json"}})
	}
	good := string(realworksBody(h.office.url, k.house))
	for name, c := range map[string]struct {
		path, body string
		status     int
	}{
		"UnknownID":      {"/webhooks/realworks/v2/" + sparki.IntegrationNode.ID(sparki.NewID()), good, http.StatusNotFound},
		"NoID":           {"/webhooks/realworks/v2/x", good, http.StatusNotFound},
		"UnknownAndBad":  {"/webhooks/realworks/v2/x", "x", http.StatusNotFound},
		"NotJSON":        {path, "<xml/>", http.StatusBadRequest},
		"HalfJSON":       {path, good[:len(good)/2], http.StatusBadRequest},
		"Empty":          {path, "", http.StatusBadRequest},
		"List":           {path, "[]", http.StatusBadRequest},
		"TooLarge":       {path, `{"x":"` + strings.Repeat("x", 1<<20) + `"}`, http.StatusRequestEntityTooLarge},
		"OtherCRMsRoute": {"/webhooks/kolibri/v1/" + h.integration, good, http.StatusUnauthorized},
	} {
		if got := post(c.path, c.body); got.status != c.status {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if n := h.count(t, "deliveries"); n != 0 {
		t.Errorf("%d of these deliveries are kept", n)
	}

	// Whatever is merely ignored is taken, for Realworks counts refusals and switches off (contract §5).
	calls := h.office.called("")
	said := func(change func(map[string]any)) string {
		var body map[string]any
		_ = json.Unmarshal([]byte(good), &body) // the mock's own JSON
		change(body)
		text, _ := json.Marshal(body)
		return string(text)
	}
	for name, c := range map[string]struct {
		change func(map[string]any)
		reason string
	}{
		"Event":        {func(b map[string]any) { b["event"] = "RESPONSE_CREATED" }, "RESPONSE_CREATED"},
		"Access":       {func(b map[string]any) { b["userAccess"] = "INACTIVE" }, "INACTIVE"},
		"NoParameters": {func(b map[string]any) { delete(b, "parameters") }, "no afdeling"},
		"NoObject":     {func(b map[string]any) { b["parameters"] = map[string]any{"AFDELING": "935001"} }, "no object"},
		"Afdeling":     {func(b map[string]any) { b["parameters"] = map[string]any{"AFDELING": "999999", "OBJECT": "LM100231"} }, "not one of those"},
		"NoURL":        {func(b map[string]any) { delete(b, "endpoints") }, "no detail URL"},
		"Nothing":      {func(b map[string]any) { clear(b) }, "events of the kind"},
	} {
		if s := h.settled(t, deliveryID(t, post(path, said(c.change)))); s.Outcome != "IGNORED" || !strings.Contains(s.Reason, c.reason) {
			t.Errorf("%s: %s %q", name, s.Outcome, s.Reason)
		}
	}
	if n := h.office.called("") - calls; n != 0 {
		t.Errorf("%d calls were made", n)
	}

	// A forged deletion, title and price come to nothing but a read.
	before := *h.item(t, k.house)
	forged := said(func(b map[string]any) {
		b["deleted"], b["titel"], b["prijs"], b["status"] = true, "Paleis", 1, "VERKOCHT"
	})
	if s := h.settled(t, deliveryID(t, post(path, forged))); s.Outcome != "PROCESSED" {
		t.Errorf("forged: %s %q", s.Outcome, s.Reason)
	}
	if after := *h.item(t, k.house); after != before {
		t.Errorf("the item was %+v and is %+v", before, after)
	}

	// Where it came from.
	h.office.change(t, k.house, `{"price": 512345}`)
	h.refreshed(t, k.house)
	var out struct {
		SyncedItems struct {
			Nodes []struct {
				SourceType, ExternalID, ObjectCode, AfdelingCode string
				Provenance                                       struct{ SourceURL, WebhookName, WebhookEvent, WebhookTimestamp, APIVersion string }
				Raw                                              map[string]any
			}
		}
	}
	h.query(t, h.token, `query ($search: String) { syncedItems(first: 1, filter: {search: $search}) { nodes { sourceType externalId objectCode afdelingCode
		provenance { sourceUrl webhookName webhookEvent webhookTimestamp apiVersion } raw } } }`, map[string]any{"search": k.house}, &out)
	i := out.SyncedItems.Nodes[0]
	at, err := time.Parse(time.RFC3339, i.Provenance.WebhookTimestamp)
	if i.SourceType != "wonen-object" || i.ExternalID != k.house || i.ObjectCode != "LM100231" || i.AfdelingCode != "935001" || i.Raw["id"] == nil ||
		i.Provenance.SourceURL != h.office.url+"/wonen/v3/objecten/935001/LM100231" || i.Provenance.WebhookName != "sparki-wonen" || i.Provenance.WebhookEvent != "OBJECT_UPDATE" ||
		i.Provenance.APIVersion != "v3" || err != nil || time.Since(at).Abs() > time.Hour {
		t.Errorf("%+v, %v", i, err)
	}
}

// No URL that a delivery names leads anywhere but below the base URL (reliability.md D1–D9).
func TestRealworksHostileURLs(t *testing.T) {
	t.Parallel()
	k := kindOf(t, "realworks")
	h := newHookOf(t, k)
	elsewhere := newCanary(t)
	host := strings.TrimPrefix(h.office.url, "http://")
	name, port, _ := strings.Cut(host, ":")
	const object = "/wonen/v3/objecten/935001/LM100231"
	calls := h.office.called("")
	urls := []string{
		"http://127.0.0.1:" + elsewhere.port + object, "http://localhost:" + elsewhere.port + object, "http://[::1]:" + elsewhere.port + object,
		"http://2130706433:" + elsewhere.port + object, "http://0177.0.0.1:" + elsewhere.port + object, "http://0x7f.1:" + elsewhere.port + object, "http://127.1:" + elsewhere.port + object,
		"http://localhost:" + port + object, "http://" + host + "@127.0.0.1:" + elsewhere.port + object, "http://u:p@" + host + object, "http://@" + host + object,
		"http://" + host + ".evil.example" + object, "http://" + name + object, "http://" + name + ":" + object, "https://" + host + object, "ftp://" + host + object, "//" + host + object,
		"http://" + name + ":0" + port + object, "http://" + host + "/.." + object, "http://" + host + "/%2e%2e" + object, "http://" + host + "/" + object, "http://" + host + `\@127.0.0.1:` + elsewhere.port + object,
		"http://" + host + "/wonen/v3/objecten/935001/..%2fLM100231", "http://" + host + "/wonen/v3/objecten/935001/LM100231/", "http://" + host + object + "#x", "http://" + host + "/wonen/v3/objecten/935001/%4cM100231",
		"http://" + host + "/makelaars/v1", "http://" + host + "/agenda/v3/afdeling/935001", "http://" + host + "/admin/objects", "http://1２7.0.0.1:" + port + object, "http://127。0。0。1:" + port + object,
		"http://" + host + "\t" + object, "http://" + host + object + "\x00", "javascript:alert(1)", "",
	}
	for _, url := range urls {
		body, _ := json.Marshal(map[string]any{
			"event": "OBJECT_UPDATE", "userAccess": "ACTIVE", "parameters": map[string]any{"AFDELING": "935001", "OBJECT": "LM100231"},
			"endpoints": []any{
				map[string]any{"version": "v3", "status": "RECOMMENDED", "url": url}, map[string]any{"version": "v3", "status": "ACTIVE", "url": url},
				map[string]any{"version": "v2", "status": "ACTIVE", "url": url},
			},
		})
		got := h.send(t, http.MethodPost, "/webhooks/realworks/v2/"+h.integration, bytes.NewReader(body), http.Header{"Content-Type": {"application/json"}})
		if s := h.settled(t, deliveryID(t, got)); s.Outcome != "IGNORED" || s.Reason == "" {
			t.Errorf("%q: %s %q", url, s.Outcome, s.Reason)
		}
	}
	if n := h.office.called("") - calls; n != 0 {
		t.Errorf("%d calls were made", n)
	}

	// A redirect is not followed, and no token travels with it.
	h.office.faults.Add(mockkit.Fault{Path: k.detailPath, Kind: mockkit.FaultRedirect, Location: "http://127.0.0.1:" + elsewhere.port + object})
	h.told(t, k.house)
	problem := ""
	eventually(t, "the redirect to be refused", func() bool {
		h.sql(t, `select coalesce(max(error), '') from fetches`, nil, &problem)
		return problem != ""
	})
	if !strings.Contains(problem, "another address") {
		t.Errorf("the redirect is said to be %q", problem)
	}
	if n := elsewhere.calls.Load(); n != 0 {
		t.Errorf("%d connections were made to somebody else", n)
	}
}

// A name that leads to a private address is not called (reliability.md D10, D12).
func TestRealworksPrivateAddress(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *config) { c.AllowPrivateUpstreams, c.CRMHosts = false, []string{"localhost"} })
	got := b.save(t, map[string]any{"apiBaseUrl": "https://localhost", "apiToken": "canary-token-0001"}, func(input map[string]any) { input["provider"] = "realworks" })
	if len(got.UserErrors) > 0 || got.Integration.Connection.State != "UNREACHABLE" || !strings.Contains(got.Integration.Connection.Problem, "not public") {
		t.Fatalf("%+v", got)
	}
	body := realworks.Webhook(realworks.WebhookMessage{API: "wonen", Afdeling: "935001", Object: "LM100231", Base: "https://localhost", At: time.Now()})
	deliveryID(t, b.send(t, http.MethodPost, fmt.Sprintf("/webhooks/realworks/v2/%s", got.Integration.ID), bytes.NewReader(body), http.Header{}))
	problem := ""
	eventually(t, "the address to be refused", func() bool {
		b.sql(t, `select coalesce(max(error), '') from fetches`, nil, &problem)
		return problem != ""
	})
	if !strings.Contains(problem, "not public") {
		t.Errorf("the address is said to be %q", problem)
	}
}
