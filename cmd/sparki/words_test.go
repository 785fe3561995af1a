package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"sparki.app/integrations"
)

// texts is one query's worth of text that the server wrote for people.
const texts = `{
	integrations { diagnostics { check outcome message remedy } settings { field { key label help } } }
	activity { nodes { type message } }
}`

type textsAnswer struct {
	Data struct {
		Integrations []struct {
			Diagnostics []struct{ Check, Outcome, Message, Remedy string }
			Settings    []struct {
				Field struct{ Key, Label, Help string }
			}
		}
		Activity struct {
			Nodes []struct{ Type, Message string }
		}
	}
	Errors []struct{ Message string }
}

// isDutch says whether every kind of text is Dutch, and fails when the kinds differ.
func (a *textsAnswer) isDutch(t *testing.T) bool {
	t.Helper()
	if len(a.Errors) > 0 || len(a.Data.Integrations) != 1 {
		t.Fatalf("%+v", a)
	}
	said := map[string]bool{}
	for _, d := range a.Data.Integrations[0].Diagnostics {
		if d.Check == "MOCK_OFF" {
			said[d.Message], said[d.Remedy] = strings.Contains(d.Message, "vervangt"), strings.Contains(d.Remedy, "Schakel de mock uit")
		}
	}
	for _, s := range a.Data.Integrations[0].Settings {
		if s.Field.Key == "webhookSecret" {
			said[s.Field.Label], said[s.Field.Help] = s.Field.Label == "Webhookgeheim", strings.HasPrefix(s.Field.Help, "De sleutel")
		}
	}
	for _, n := range a.Data.Activity.Nodes {
		if n.Type == string(sparki.ConnectionChecked) {
			said[n.Message] = n.Message == "De verbinding is getest: ze werkt"
		}
	}
	dutch := 0
	for _, is := range said {
		if is {
			dutch++
		}
	}
	if len(said) != 5 || dutch != 0 && dutch != len(said) {
		t.Fatalf("two languages in one answer: %v", said)
	}
	return dutch > 0
}

// The same query gives Dutch or English, over HTTP and over a socket.
func TestLanguage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.connectMock(t, "kolibri")
	for header, dutch := range map[string]bool{"": false, "nl": true, "nl-BE;q=0.9, en;q=0.8": true, "en, nl": false, "tlh": false, ";;q=x,": false} {
		var overHTTP textsAnswer
		b.askIn(t, header, texts, nil, &overHTTP)
		if overHTTP.isDutch(t) != dutch {
			t.Errorf("HTTP, Accept-Language %q: %+v", header, overHTTP)
		}
		if overSocket := b.askOverSocket(t, header, texts); overSocket.isDutch(t) != dutch {
			t.Errorf("connection_init, Accept-Language %q: %+v", header, overSocket)
		}
	}

	t.Run("Refusal", func(t *testing.T) {
		t.Parallel()
		var out struct {
			Data struct {
				SaveIntegration struct{ UserErrors []userError }
			}
		}
		b.askIn(t, "nl", `mutation { saveIntegration(input: {provider: "kolibri", mock: true, settings: {apiBaseUrl: "ftp://x", nosuch: 1},
			domains: {listings: true, agenda: true, outbound: true}}) { userErrors { code message field } } }`, nil, &out)
		if got := out.Data.SaveIntegration.UserErrors; len(got) != 2 || got[0].Message != "de URL moet met https:// beginnen" || got[1].Message != `er is geen instelling "nosuch"` {
			t.Errorf("%+v", got)
		}
	})

	t.Run("Error", func(t *testing.T) {
		t.Parallel()
		var out textsAnswer
		b.askIn(t, "nl", `mutation ($id: ID!) { checkConnection(integrationId: $id) { integration { id } } }`,
			map[string]any{"id": sparki.IntegrationNode.ID(sparki.NewID())}, &out)
		if len(out.Errors) != 1 || out.Errors[0].Message != "er is geen object met dit id" {
			t.Errorf("%+v", out)
		}
	})

	t.Run("Stored", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		var out struct {
			Data struct {
				SaveIntegration struct {
					Integration struct {
						Connection struct{ Problem string }
					}
				}
			}
		}
		b.askIn(t, "nl", `mutation { saveIntegration(input: {provider: "kolibri", mock: false, settings: {apiBaseUrl: "http://127.0.0.1:1"},
			domains: {listings: false, agenda: false, outbound: false}}) { integration { connection { problem } } } }`, nil, &out)
		const want = "ID van het makelaarskantoor is nodig, in de vorm 00000000-0000-0000-0000-000000000000"
		if got := out.Data.SaveIntegration.Integration.Connection.Problem; got != want {
			t.Errorf("%q", got)
		}
	})
}

// askIn sends an operation over HTTP in a language.
func (b *bundle) askIn(t *testing.T, language, document string, variables map[string]any, into any) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+b.token)
	if language != "" {
		req.Header.Set("Accept-Language", language)
	}
	_, content := do(t, req)
	if err := json.Unmarshal(content, into); err != nil {
		t.Fatalf("%s: %v", content, err)
	}
}

// askOverSocket sends a query over a websocket whose connection_init names a language.
func (b *bundle) askOverSocket(t *testing.T, language, document string) (out textsAnswer) {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
	conn, _, err := dialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(b.url, "http")+"/graphql", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	type message struct {
		ID      string `json:"id,omitempty"`
		Type    string `json:"type"`
		Payload any    `json:"payload,omitempty"`
	}
	for _, m := range []message{
		{Type: "connection_init", Payload: map[string]string{"Authorization": "Bearer " + b.token, "Accept-Language": language}},
		{ID: "1", Type: "subscribe", Payload: map[string]string{"query": document}},
	} {
		if err := conn.WriteJSON(m); err != nil {
			t.Fatal(err)
		}
		if m.Type == "connection_init" {
			if err := conn.ReadJSON(&message{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	answer := message{Payload: &out}
	for answer.Type != "next" {
		if err := conn.ReadJSON(&answer); err != nil {
			t.Fatal(err)
		}
	}
	return out
}
