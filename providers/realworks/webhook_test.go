package realworks

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/providertest"
)

// told is a good delivery, changed.
func told(change func(map[string]any)) []byte {
	said := map[string]any{
		"name": "sparki-wonen", "event": "OBJECT_UPDATE", "timestamp": "2026-03-02 14:31:09", "userAccess": "ACTIVE",
		"parameters": map[string]any{"AFDELING": sampleAfdeling, "OBJECT": "LM100231"},
		"endpoints":  endpoints("v3 RECOMMENDED " + sampleBase + "/wonen/v3/objecten/935001/LM100231"),
	}
	if change != nil {
		change(said)
	}
	body, _ := json.Marshal(said)
	return body
}

// endpoints are written as "version status URL".
func endpoints(all ...string) []any {
	list := []any{}
	for _, e := range all {
		parts := strings.SplitN(e, " ", 3)
		list = append(list, map[string]any{"version": parts[0], "status": parts[1], "url": parts[2]})
	}
	return list
}

func set(key string, value any) func(map[string]any) {
	return func(said map[string]any) { said[key] = value }
}

func read(t *testing.T, s sparki.Settings, body []byte) sparki.Message {
	t.Helper()
	messages, err := New().Changes(s, nil, body)
	if err != nil || len(messages) != 1 {
		t.Fatalf("%.200s: %+v, %v", body, messages, err)
	}
	if again, err := New().Messages(s, body); err != nil || again[0] != messages[0] {
		t.Errorf("another reading: %+v, %v", again, err)
	}
	return messages[0]
}

func TestUnreadableDeliveries(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "x", "null", "17", `"x"`, "[]", `[{"event":"OBJECT_UPDATE"}]`, "{", `{"a":1}{}`, strings.Repeat("[", 1<<20), `{"a":` + strings.Repeat("[", 20_000)} {
		if messages, err := New().Changes(liveSettings(), nil, []byte(body)); !errors.Is(err, providers.ErrUnreadable) || messages != nil {
			t.Errorf("%.40q: %+v, %v", body, messages, err)
		}
	}
}

func TestNotificationsThatCount(t *testing.T) {
	t.Parallel()
	parameters := func(v any) func(map[string]any) { return set("parameters", v) }
	for name, change := range map[string]func(map[string]any){
		"plain":                     nil,
		"lower case":                func(said map[string]any) { said["event"], said["userAccess"] = "object_update", "active" },
		"numbers":                   parameters(map[string]any{"AFDELING": 935001, "OBJECT": "LM100231"}),
		"list of names":             parameters([]any{map[string]any{"name": "AFDELING", "value": "935001"}, map[string]any{"name": "OBJECT", "value": "LM100231"}}),
		"list of keys":              parameters([]any{map[string]any{"key": "afdeling", "value": 935001}, nil, map[string]any{"key": "object", "value": "lm100231"}}),
		"small letters":             parameters(map[string]any{"afdeling": "935001", "object": "lm100231"}),
		"more than it needs":        func(said map[string]any) { said["titel"], said["prijs"] = "Paleis", 1 },
		"endpoint words":            set("endpoints", endpoints("V3 recommended "+sampleBase+"/wonen/v3/objecten/935001/LM100231")),
		"version as a number":       set("endpoints", []any{map[string]any{"version": 3, "status": "ACTIVE", "url": sampleBase + "/wonen/v3/objecten/935001/LM100231"}}),
		"template":                  set("endpoints", endpoints("v3 ACTIVE "+sampleBase+"/wonen/v3/objecten/{AFDELING}/{OBJECT}")),
		"query":                     set("endpoints", endpoints("v3 ACTIVE "+sampleBase+"/wonen/v3/objecten/935001/LM100231?x=/nieuwbouw/v2/")),
		"junk before it":            set("endpoints", append([]any{nil, 1, "x", []any{}, map[string]any{}}, endpoints("v3 ACTIVE "+sampleBase+"/wonen/v3/objecten/935001/LM100231")...)),
		"recommended is elsewhere":  set("endpoints", endpoints("v3 RECOMMENDED https://evil.example/wonen/v3/objecten/935001/LM100231", "v3 ACTIVE "+sampleBase+"/wonen/v3/objecten/935001/LM100231")),
		"active v2 stands before":   set("endpoints", endpoints("v2 ACTIVE "+sampleBase+"/wonen/v2/objecten/935001/LM100231", "v3 ACTIVE "+sampleBase+"/wonen/v3/objecten/935001/LM100231")),
		"recommended wins":          set("endpoints", endpoints("v3 ACTIVE "+sampleBase+"/wonen/v3/objecten/935001/OTHER1", "v3 RECOMMENDED "+sampleBase+"/wonen/v3/objecten/935001/LM100231")),
		"no timestamp":              set("timestamp", nil),
		"a timestamp of a computer": set("timestamp", "2026-03-02T13:31:09Z"),
	} {
		m := read(t, liveSettings(), told(change))
		h := hintFrom(m.Ref.Note)
		if m.Outcome != sparki.OutcomePending || m.Ref.Key() != "wonen-object/935001/LM100231" || h.Version != "v3" || h.Name != "sparki-wonen" || m.ExternalID != "" {
			t.Errorf("%s: %+v", name, m)
		}
		if name != "no timestamp" && !h.At.Equal(time.Date(2026, 3, 2, 13, 31, 9, 0, time.UTC)) || name == "no timestamp" && !h.At.IsZero() {
			t.Errorf("%s: at %v", name, h.At)
		}
	}
}

func TestTypesAndVersions(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]string{
		"v3 ACTIVE /wonen/v3/objecten/935001/LM100231":         "wonen-object/935001/LM100231 v3",
		"v2 ACTIVE /wonen/v2/objecten/935001/LM100231":         "wonen-object/935001/LM100231 v2",
		"v3 ACTIVE /bog/v3/objecten/935001/B100047":            "business-object/935001/B100047 v3",
		"v2 ACTIVE /bog/v2/objecten/935001/B100047":            "business-object/935001/B100047 v2",
		"v3 ACTIVE /business/v3/objecten/935001/B100047":       "business-object/935001/B100047 v3",
		"v3 ACTIVE /Bussiness/v3/objecten/935001/b100047":      "business-object/935001/B100047 v3",
		"v2 ACTIVE /nieuwbouw/v2/projecten/935001/N100012":     "nieuwbouw-object/935001/N100012 v2",
		"v2 RECOMMENDED /nieuwbouw/v2/projecten/935001/N10001": "nieuwbouw-object/935001/N10001 v2",
	} {
		parts := strings.SplitN(endpoint, " /", 2)
		m := read(t, liveSettings(), told(set("endpoints", endpoints(parts[0]+" "+sampleBase+"/"+parts[1]))))
		if got := m.Ref.Key() + " " + hintFrom(m.Ref.Note).Version; got != want {
			t.Errorf("%s: %s, %s %s", endpoint, got, m.Outcome, m.Reason)
		}
	}
}

func TestNotificationsThatAreIgnored(t *testing.T) {
	t.Parallel()
	limited := liveSettings()
	limited.Lists[settingAfdelingen] = []string{"935002"}
	parameters := func(afdeling, object any) []byte {
		return told(set("parameters", map[string]any{"AFDELING": afdeling, "OBJECT": object}))
	}
	at := func(all ...string) []byte { return told(set("endpoints", endpoints(all...))) }
	for name, test := range map[string]struct {
		s      sparki.Settings
		body   []byte
		reason string
	}{
		"another event":         {liveSettings(), told(set("event", "RESPONSE_CREATED")), `events of the kind "RESPONSE_CREATED" do`},
		"no event":              {liveSettings(), told(set("event", nil)), `events of the kind "" do`},
		"event of a novel":      {liveSettings(), told(set("event", strings.Repeat("é\n", 5000))), `events of the kind "` + strings.Repeat("é ", 10)},
		"access revoked":        {liveSettings(), told(set("userAccess", "INACTIVE")), `the access to the object is "INACTIVE"`},
		"no access":             {liveSettings(), told(set("userAccess", true)), `the access to the object is ""`},
		"no parameters":         {liveSettings(), told(set("parameters", nil)), "it names no afdeling"},
		"parameters of a kind":  {liveSettings(), told(set("parameters", "AFDELING")), "it names no afdeling"},
		"no afdeling":           {liveSettings(), parameters(nil, "LM100231"), "it names no afdeling"},
		"afdeling of letters":   {liveSettings(), parameters("../..", "LM100231"), "it names no afdeling"},
		"afdeling of 10 kB":     {liveSettings(), parameters(strings.Repeat("9", 10_000), "LM100231"), "it names no afdeling"},
		"no object":             {liveSettings(), parameters("935001", ""), "it names no object"},
		"object is a path":      {liveSettings(), parameters("935001", "../makelaars"), "it names no object"},
		"object of 10 kB":       {liveSettings(), parameters("935001", strings.Repeat("L", 10_000)), "it names no object"},
		"other afdeling":        {limited, told(nil), "the afdeling is not one of those"},
		"other afdeling in URL": {limited, told(set("parameters", map[string]any{"AFDELING": "935002", "OBJECT": "LM100231"})), "the afdeling is not one of those"},
		"no endpoints":          {liveSettings(), told(set("endpoints", nil)), "it has no detail URL"},
		"only v1":               {liveSettings(), at("v1 ACTIVE " + sampleBase + "/wonen/v1/objecten/935001/LM100231"), "it has no detail URL"},
		"only deprecated":       {liveSettings(), at("v3 DEPRECATED " + sampleBase + "/wonen/v3/objecten/935001/LM100231"), "it has no detail URL"},
		"URL is no text":        {liveSettings(), told(set("endpoints", []any{map[string]any{"version": "v3", "status": "ACTIVE", "url": 17}})), "the URL has another scheme"},
		"beyond the bound":      {liveSettings(), at(append(make51("v1 ACTIVE x"), "v3 ACTIVE "+sampleBase+"/wonen/v3/objecten/935001/LM100231")...), "it has no detail URL"},
		"v1 in the URL":         {liveSettings(), at("v3 ACTIVE " + sampleBase + "/wonen/v1/objecten/935001/LM100231"), "the URL is not that of an object"},
		"another API":           {liveSettings(), at("v3 ACTIVE " + sampleBase + "/agenda/v3/afdeling/935001/agenda"), "the URL is not that of an object"},
		"a list":                {liveSettings(), at("v3 ACTIVE " + sampleBase + "/wonen/v3/objecten"), "the URL is not that of an object"},
		"one step more":         {liveSettings(), at("v3 ACTIVE " + sampleBase + "/wonen/v3/objecten/lijstVanZaken/935001/LM100231"), "the URL is not that of an object"},
		"template left over":    {liveSettings(), at("v3 ACTIVE " + sampleBase + "/wonen/v3/objecten/{AFDELING}/{FOO}"), "the URL's path must be plain"},
		"no settings":           {sparki.Settings{}, told(nil), "API base URL is needed"},
		"empty":                 {liveSettings(), []byte("{}"), `events of the kind "" do`},
	} {
		m := read(t, test.s, test.body)
		if m.Outcome != sparki.OutcomeIgnored || !strings.HasPrefix(m.Reason, test.reason) || m.Ref != (sparki.Ref{}) {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

func make51(endpoint string) []string {
	all := make([]string, 51)
	for i := range all {
		all[i] = endpoint
	}
	return all
}

// hostileURLs are detail URLs that none may lead to a call: %s is the base's host.
var hostileURLs = []string{
	"https://evil.example/wonen/v3/objecten/935001/LM100231", "https://%s.evil.example/wonen/v3/objecten/935001/LM100231",
	"https://%s@evil.example/wonen/v3/objecten/935001/LM100231", "https://u:p@%s/wonen/v3/objecten/935001/LM100231",
	"https://%s:8443/wonen/v3/objecten/935001/LM100231", "https://%s:/wonen/v3/objecten/935001/LM100231",
	"http://%s/wonen/v3/objecten/935001/LM100231", "ftp://%s/wonen/v3/objecten/935001/LM100231", "//%s/wonen/v3/objecten/935001/LM100231",
	"https://%s/../wonen/v3/objecten/935001/LM100231", "https://%s/wonen/v3/objecten/935001/../LM100231", "https://%s/wonen/v3/objecten/%%2e%%2e/LM100231",
	"https://%s/wonen/v3/objecten/935001/..%%2fLM100231", "https://%s/x/..;/wonen/v3/objecten/935001/LM100231", `https://%s\@evil.example/wonen/v3/objecten/935001/LM100231`,
	`https://evil.example\%s/wonen/v3/objecten/935001/LM100231`, "https://%s//wonen/v3/objecten/935001/LM100231", "https://%s/wonen//v3/objecten/935001/LM100231",
	"https://[::1]/wonen/v3/objecten/935001/LM100231", "https://2130706433/wonen/v3/objecten/935001/LM100231", "https://0177.0.0.1/wonen/v3/objecten/935001/LM100231",
	"https://169.254.169.254/wonen/v3/objecten/935001/LM100231", "https://аpi.realworks.nl/wonen/v3/objecten/935001/LM100231", "https://api。realworks.nl/wonen/v3/objecten/935001/LM100231",
	"https://%s/wonen/v3/objecten/935001/LM100231#@evil.example", "https://%s\t.evil.example/wonen/v3/objecten/935001/LM100231", "javascript:alert(1)", "",
	"https://%s/wonen/v3/objecten/935001/LM%%00100231", "https://%s/wonen/v3/objecten/935001/%%2fLM100231", "https://%s%%2f.evil.example/wonen/v3/objecten/935001/LM100231",
}

func TestHostileURLs(t *testing.T) {
	t.Parallel()
	for _, raw := range hostileURLs {
		url := raw
		if strings.Contains(raw, "%s") {
			url = fmt.Sprintf(raw, "api.realworks.nl")
		}
		var all []string
		for _, endpoint := range []string{"v3 RECOMMENDED ", "v3 ACTIVE ", "v2 ACTIVE "} {
			all = append(all, endpoint+url)
		}
		m := read(t, liveSettings(), told(set("endpoints", endpoints(all...))))
		if m.Outcome != sparki.OutcomeIgnored || m.Reason == "" || m.Ref != (sparki.Ref{}) || strings.Contains(m.Reason, "evil") {
			t.Errorf("%q: %+v", url, m)
		}
	}
}

// What a delivery says besides where the object is read is not taken over (reliability.md C1, C8).
func TestNothingIsBelieved(t *testing.T) {
	t.Parallel()
	body := told(func(said map[string]any) {
		said["deleted"], said["titel"], said["prijs"], said["object"] = true, canary, canary, map[string]any{"id": canary}
	})
	if shown, _ := json.Marshal(read(t, liveSettings(), body)); strings.Contains(string(shown), canary) {
		t.Errorf("%s", shown)
	}
}

func FuzzChanges(f *testing.F) {
	for _, name := range providertest.Samples(f, "webhook_") {
		f.Add(providertest.Sample(f, name))
	}
	f.Add([]byte(`{"event":"OBJECT_UPDATE","userAccess":"ACTIVE","parameters":[{"name":"AFDELING","value":"1"},{"name":"OBJECT","value":"\ud800"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		messages, err := New().Changes(liveSettings(), http.Header{}, body)
		if err != nil {
			if err != providers.ErrUnreadable {
				t.Error(err)
			}
			return
		}
		for _, m := range messages {
			if strings.ContainsRune(m.Reason+m.Ref.Note, 0) || !utf8.ValidString(m.Reason+m.Ref.Note) || len(m.Reason) > 500 || len(m.Ref.Note) > 1000 {
				t.Errorf("message %+v", m)
			}
			if m.Outcome == sparki.OutcomeIgnored && m.Reason != "" && m.Ref == (sparki.Ref{}) {
				continue
			}
			d, err := detailOf(m.Ref)
			if m.Outcome != sparki.OutcomePending || m.Reason != "" || err != nil || d.ref().Key() != m.Ref.Key() {
				t.Errorf("message %+v, %v", m, err)
			}
		}
	})
}

func FuzzDetailURL(f *testing.F) {
	for _, url := range append(hostileURLs, sampleBase+"/wonen/v3/objecten/935001/LM100231") {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		d, err := sampleAccount.detailFrom(url)
		if err != nil {
			return
		}
		// What is read is put together from plain steps, and the URL began with the base, spelt out.
		if !strings.HasPrefix(strings.ToLower(url), sampleBase) || strings.Trim(d.path(), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_-") != "" ||
			strings.Count(d.path(), "/") != 5 {
			t.Errorf("%q leads to %s", url, d.path())
		}
	})
}
