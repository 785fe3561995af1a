package kolibri

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/providertest"
)

func sampleSettings() sparki.Settings {
	return sparki.Settings{
		Text:    map[string]string{settingAgency: strings.ToUpper(sampleAgency)},
		Secrets: map[string][]sparki.Secret{settingWebhookSecret: {"another-secret-0002", sampleSecret}},
	}
}

func sign(secret string, body []byte) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return mac.Sum(nil)
}

// signed is the header of a well signed delivery.
func signed(body []byte) http.Header {
	return http.Header{"Signature": {base64.StdEncoding.EncodeToString(sign(sampleSecret, body))}}
}

func TestSignatureVector(t *testing.T) {
	t.Parallel()
	body := providertest.Sample(t, "webhook-envelope")
	s := sparki.Settings{Secrets: map[string][]sparki.Secret{settingWebhookSecret: {sampleSecret}}}
	header := http.Header{"Signature": {"AfJN4zXn4fHsStoWeyQwlgH2q4uqzYAWT0Ly4+Uvf5Q="}} // contract §8.2
	if messages, err := New().Changes(s, header, body); err != nil || len(messages) != 3 {
		t.Errorf("%d messages, %v", len(messages), err)
	}
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	body := providertest.Sample(t, "webhook-envelope")
	mac := sign(sampleSecret, body)
	good := base64.StdEncoding.EncodeToString(mac)
	respelled := good[:42] + string(good[42]+1) + "=" // the last digit carries two bits that mean nothing
	if loose, err := base64.StdEncoding.DecodeString(respelled); err != nil || !bytes.Equal(loose, mac) {
		t.Fatal("this is no second spelling")
	}
	sha1sized := base64.StdEncoding.EncodeToString(mac[:20])
	secrets := func(all ...sparki.Secret) map[string][]sparki.Secret {
		return map[string][]sparki.Secret{settingWebhookSecret: all}
	}
	current := secrets(sampleSecret)
	tests := map[string]struct {
		secrets map[string][]sparki.Secret
		header  http.Header
		body    []byte
		ok      bool
	}{
		"good":                  {current, http.Header{"Signature": {good}}, body, true},
		"good by the previous":  {secrets("another-secret-0002", sampleSecret), http.Header{"Signature": {good}}, body, true},
		"missing":               {current, http.Header{}, body, false},
		"empty":                 {current, http.Header{"Signature": {""}}, body, false},
		"no header at all":      {current, nil, body, false},
		"doubled":               {current, http.Header{"Signature": {good, good}}, body, false},
		"doubled in one header": {current, http.Header{"Signature": {good + ", " + good}}, body, false},
		"one good, one bad":     {current, http.Header{"Signature": {good, sha1sized}}, body, false},
		"respelled":             {current, http.Header{"Signature": {respelled}}, body, false},
		"with a newline":        {current, http.Header{"Signature": {good[:20] + "\n" + good[20:]}}, body, false},
		"newline for a letter":  {current, http.Header{"Signature": {good[:20] + "\n" + good[21:]}}, body, false},
		"without padding":       {current, http.Header{"Signature": {strings.TrimRight(good, "=")}}, body, false},
		"hex":                   {current, http.Header{"Signature": {hex.EncodeToString(mac)}}, body, false},
		"base64url":             {current, http.Header{"Signature": {base64.URLEncoding.EncodeToString(mac)}}, body, false},
		"prefixed":              {current, http.Header{"Signature": {"sha256=" + good}}, body, false},
		"20 bytes":              {current, http.Header{"Signature": {sha1sized}}, body, false},
		"Ably's header":         {current, http.Header{"X-Ably-Signature": {good}}, body, false},
		"another body":          {current, http.Header{"Signature": {good}}, append([]byte(" "), body...), false},
		"another secret":        {secrets("another-secret-0002"), http.Header{"Signature": {good}}, body, false},
		"no secret":             {nil, http.Header{"Signature": {base64.StdEncoding.EncodeToString(sign("", body))}}, body, false},
		"empty secret":          {secrets(""), http.Header{"Signature": {base64.StdEncoding.EncodeToString(sign("", body))}}, body, false},
		"unreadable, unsigned":  {current, http.Header{}, []byte("not JSON"), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			messages, err := New().Changes(sparki.Settings{Secrets: test.secrets}, test.header, test.body)
			if test.ok != (err == nil) || !test.ok && (err != providers.ErrUnverified || messages != nil) {
				t.Errorf("%d messages, %v", len(messages), err)
			}
		})
	}
}

func TestUnreadableDeliveries(t *testing.T) {
	t.Parallel()
	tests := map[string]error{
		"": providers.ErrUnreadable, "not JSON": providers.ErrUnreadable, "[]": providers.ErrUnreadable, "{}": providers.ErrUnreadable,
		`{"items":null}`: providers.ErrUnreadable, `{"items":"x"}`: providers.ErrUnreadable, `{"items":{}}`: providers.ErrUnreadable,
		`{"messages":[{"id":"a"}]}`: providers.ErrUnreadable, // one message at a time is never signed (contract §8.4)
		`{"items":[`:                providers.ErrUnreadable,
		strings.Repeat("[", 5<<20):  providers.ErrUnreadable,
		`{"items":[]}`:              nil,
		`{"items":[null,1,"x",[],{},{"data":null},{"data":{}},{"data":{"messages":{}}},{"data":{"messages":[]}},{"data":{"presence":[{}]}}]}`: nil,
	}
	for body, want := range tests {
		messages, err := New().Changes(sampleSettings(), signed([]byte(body)), []byte(body))
		if !errors.Is(err, want) || len(messages) != 0 {
			t.Errorf("%.60s: %d messages, %v", body, len(messages), err)
		}
	}
}

// delivery puts messages into an envelope.
func delivery(messages ...string) []byte {
	return []byte(`{"items":[{"data":{"messages":[` + strings.Join(messages, ",") + `]}}]}`)
}

// entity is a message about an object, with the JSON in a string.
func entity(id, agency, category, entityType, entityID string) string {
	inner, _ := json.Marshal(map[string]any{
		"id": id, "realEstateAgencyId": agency, "category": category,
		"entityDetails": map[string]any{"entityType": entityType, "entityId": entityID, "event": "Update", "dateTimeModified": "2026-03-02T09:15:32Z"},
	})
	outer, _ := json.Marshal(map[string]any{"id": "envelope:0:0", "data": string(inner)})
	return string(outer)
}

func TestMessages(t *testing.T) {
	t.Parallel()
	const object = "3F6D2C81-9B0E-4A57-8C1D-6E2F7A4B5C90"
	ref := func(kind string) sparki.Ref { return sparki.Ref{Type: kind, ID: strings.ToLower(object)} }
	pending := func(id, kind string) sparki.Message {
		return sparki.Message{ExternalID: id, Kind: sparki.MessageRefresh, Ref: ref(kind), Outcome: sparki.OutcomePending}
	}
	ignored := func(reason string) sparki.Message {
		return sparki.Message{ExternalID: "m1", Kind: sparki.MessageRefresh, Outcome: sparki.OutcomeIgnored, Reason: reason}
	}
	failed := func(id, reason string) sparki.Message {
		return sparki.Message{ExternalID: id, Kind: sparki.MessageRefresh, Outcome: sparki.OutcomeFailed, Reason: reason}
	}
	good := `{\"id\":\"m1\",\"category\":\"Entity\",\"entityDetails\":{\"entityType\":\"ObjectAssignment\",\"entityId\":\"` + object + `\"}}`
	base64d := func(s string) string {
		return base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(s, `\`, "")))
	}
	hash := func(message string) string {
		sum := sha256.Sum256([]byte(message))
		return "sha256:" + hex.EncodeToString(sum[:])
	}

	tests := map[string]struct {
		message string
		want    sparki.Message
	}{
		"object":                    {entity("m1", sampleAgency, "Entity", "ObjectAssignment", object), pending("m1", "object-assignment")},
		"project, odd case":         {entity("m1", strings.ToUpper(sampleAgency), "ENTITY", "projectASSIGNMENT", object), pending("m1", "project-assignment")},
		"type":                      {entity("m1", sampleAgency, "Entity", "ObjectTypeAssignment", object), pending("m1", "object-type-assignment")},
		"no agency":                 {entity("m1", "", "Entity", "ObjectAssignment", object), pending("m1", "object-assignment")},
		"no id inside":              {entity("", sampleAgency, "Entity", "ObjectAssignment", object), pending("envelope:0:0", "object-assignment")},
		"an id that cannot be kept": {entity("a\x00b", sampleAgency, "Entity", "ObjectAssignment", object), pending("ab", "object-assignment")},
		"an id that is too long": {
			entity(strings.Repeat("x", 5000), sampleAgency, "Entity", "ObjectAssignment", object), pending("envelope:0:0", "object-assignment"),
		},
		"employee":         {entity("m1", sampleAgency, "Entity", "Employee", object), sparki.Message{ExternalID: "m1", Kind: sparki.MessageTargets, Outcome: sparki.OutcomePending}},
		"office, no id":    {entity("m1", sampleAgency, "Entity", "Office", ""), sparki.Message{ExternalID: "m1", Kind: sparki.MessageTargets, Outcome: sparki.OutcomePending}},
		"agenda item":      {entity("m1", sampleAgency, "Entity", "AgendaItem", object), sparki.Message{ExternalID: "m1", Kind: sparki.MessageAgendaItem, Ref: ref("agenda-item"), Outcome: sparki.OutcomePending}},
		"another agency":   {entity("m1", sampleOffice, "Entity", "ObjectAssignment", object), ignored("it is about another agency")},
		"no such agency":   {entity("m1", "x", "Notification", "ObjectAssignment", ""), ignored("it is about another agency")},
		"another category": {entity("m1", sampleAgency, "Voip", "ObjectAssignment", object), ignored(`messages of the category "Voip" are not about listings or the agenda`)},
		"no category":      {entity("m1", sampleAgency, "", "ObjectAssignment", object), ignored(`messages of the category "" are not about listings or the agenda`)},
		"another entity":   {entity("m1", sampleAgency, "Entity", "Task", object), ignored(`changes of "Task" are not about listings or the agenda`)},
		"entity, long name": {
			entity("m1", sampleAgency, "Entity", strings.Repeat("é", 50)+"\x00\n", object), ignored(`changes of "` + strings.Repeat("é", 32) + `" are not about listings or the agenda`),
		},
		"no entity id":  {entity("m1", sampleAgency, "Entity", "ObjectAssignment", ""), failed("m1", "it does not say which object changed")},
		"bad entity id": {entity("m1", sampleAgency, "Entity", "ObjectAssignment", "../../"+object), failed("m1", "it does not say which object changed")},

		"data is an object":    {`{"id":"e","data":{"id":"m1","category":"Entity","entityDetails":{"entityType":"ObjectAssignment","entityId":"` + object + `"}}}`, pending("m1", "object-assignment")},
		"json":                 {`{"id":"e","encoding":"json","data":"` + good + `"}`, pending("m1", "object-assignment")},
		"json/utf-8/base64":    {`{"id":"e","encoding":"json/utf-8/base64","data":"` + base64d(good) + `"}`, pending("m1", "object-assignment")},
		"base64 twice":         {`{"id":"e","encoding":"base64/base64","data":"` + base64d(base64d(good)) + `"}`, pending("m1", "object-assignment")},
		"null encoding":        {`{"id":"e","encoding":null,"data":"` + good + `"}`, pending("m1", "object-assignment")},
		"base64 that is none":  {`{"id":"e","encoding":"base64","data":"` + good + `"}`, failed("e", "the message's content is not base64")},
		"vcdiff":               {`{"id":"e","encoding":"vcdiff/base64","data":"` + base64d(good) + `"}`, failed("e", `the message's content is encoded as "vcdiff", which cannot be read`)},
		"cipher":               {`{"id":"e","encoding":"json/utf-8/cipher+aes-128-cbc/base64","data":""}`, failed("e", `the message's content is encoded as "cipher+aes-128-cbc", which cannot be read`)},
		"not JSON":             {`{"id":"e","data":"this is not json"}`, failed("e", "the message's content is not JSON")},
		"JSON, but no object":  {`{"id":"e","data":"[1]"}`, failed("e", "the message's content is not an object")},
		"nested deeply":        {`{"id":"e","data":"` + strings.Repeat("[", 20_000) + `"}`, failed("e", "the message's content is not JSON")},
		"no data":              {`{"id":"e"}`, failed("e", "the message has no content")},
		"no data and no id":    {`{"x":1}`, failed(hash(`{"x":1}`), "the message has no content")},
		"no object":            {`17`, failed(hash(`17`), "the message has no content")},
		"no id anywhere":       {`{"data":{"category":"Entity","entityDetails":{"entityType":"ObjectAssignment","entityId":"` + object + `"}}}`, failed(hash(`{"data":{"category":"Entity","entityDetails":{"entityType":"ObjectAssignment","entityId":"`+object+`"}}}`), "the message has no id")},
		"the older format":     {`{"id":"e","data":"{\"agencyId\":\"a\",\"id\":\"m1\",\"cat\":\"Entity\",\"entity\":{\"actionType\":\"Updated\"}}"}`, ignored(`messages of the category "" are not about listings or the agenda`)},
		"null details":         {`{"id":"e","data":{"id":"m1","category":"Authorization","entityDetails":null,"authorizationDetails":{"entity":"Consent","action":"Deleted"}}}`, ignored(`messages of the category "Authorization" are not about listings or the agenda`)},
		"details of no object": {`{"id":"e","data":{"id":"m1","category":"Entity","entityDetails":"x"}}`, ignored(`changes of "" are not about listings or the agenda`)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Between two good ones: a bad message never spoils the others.
			body := delivery(entity("before", sampleAgency, "Entity", "ObjectAssignment", object), test.message,
				entity("after", sampleAgency, "Entity", "ObjectAssignment", object))
			got, err := New().Changes(sampleSettings(), signed(body), body)
			if err != nil || len(got) != 3 {
				t.Fatalf("%d messages, %v", len(got), err)
			}
			if got[1] != test.want {
				t.Errorf("got  %+v\nwant %+v", got[1], test.want)
			}
			if got[0] != pending("before", "object-assignment") || got[2] != pending("after", "object-assignment") {
				t.Errorf("its neighbours: %+v", got)
			}
		})
	}
}

func TestThousandMessages(t *testing.T) {
	t.Parallel()
	var messages []string
	for i := range 1000 {
		messages = append(messages, entity(fmt.Sprintf("m%d", i), sampleAgency, "Entity", "ObjectAssignment", sampleOffice))
	}
	body := delivery(messages...)
	got, err := New().Changes(sampleSettings(), signed(body), body)
	if err != nil || len(got) != 1000 || got[999].ExternalID != "m999" {
		t.Errorf("%d messages, %v", len(got), err)
	}
}

func FuzzChanges(f *testing.F) {
	for _, name := range providertest.Samples(f, "webhook-") {
		f.Add(providertest.Sample(f, name), signed(providertest.Sample(f, name)).Get("Signature"))
	}
	f.Add([]byte(`{"items":[{"data":{"messages":[{"data":"\ud800"}]}}]}`), "")
	f.Fuzz(func(t *testing.T, body []byte, signature string) {
		s := sampleSettings()
		// Nothing unsigned is accepted.
		if signature != signed(body).Get("Signature") {
			other := s.Secrets[settingWebhookSecret][0].Reveal()
			if _, err := New().Changes(s, http.Header{"Signature": {signature}}, body); err != providers.ErrUnverified &&
				signature != base64.StdEncoding.EncodeToString(sign(other, body)) {
				t.Errorf("accepted unsigned: %v", err)
			}
		}
		messages, err := New().Changes(s, signed(body), body)
		if err != nil && err != providers.ErrUnreadable {
			t.Errorf("signed: %v", err)
		}
		for _, m := range messages {
			if m.ExternalID == "" || len(m.ExternalID) > maxMessageID || !isHeaderText(m.ExternalID) || m.Kind != sparki.MessageRefresh {
				t.Errorf("message %+v", m)
			}
			if strings.ContainsRune(m.Reason, 0) || !utf8.ValidString(m.Reason) || len(m.Reason) > 500 {
				t.Errorf("reason %q", m.Reason)
			}
			switch m.Outcome {
			case sparki.OutcomePending:
				if m.Reason != "" || guid(m.Ref.ID) != m.Ref.ID || m.Ref.ID == "" || m.Ref.Type == "" {
					t.Errorf("pending %+v", m)
				}
			case sparki.OutcomeIgnored, sparki.OutcomeFailed:
				if m.Reason == "" || m.Ref != (sparki.Ref{}) {
					t.Errorf("not pending %+v", m)
				}
			default:
				t.Errorf("outcome %q", m.Outcome)
			}
		}
	})
}

func BenchmarkChanges(b *testing.B) {
	body := providertest.Sample(b, "webhook-envelope") // three messages
	header, s := signed(body), sampleSettings()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New().Changes(s, header, body); err != nil {
			b.Fatal(err)
		}
	}
}

// Consent that was taken back is said, and only about our own agency (contract §8.1).
func TestConsentDeleted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		agency, entity, action string
		kind                   sparki.MessageKind
		outcome                sparki.DeliveryOutcome
	}{
		"TakenBack":   {sampleSettings().Text[settingAgency], "Consent", "Deleted", sparki.MessageRevoked, sparki.OutcomePending},
		"Given":       {sampleSettings().Text[settingAgency], "Consent", "Added", sparki.MessageRefresh, sparki.OutcomeIgnored},
		"Settings":    {sampleSettings().Text[settingAgency], "CompanySettings", "Deleted", sparki.MessageRefresh, sparki.OutcomeIgnored},
		"AnotherOnes": {"00000000-0000-4000-8000-00000000beef", "Consent", "Deleted", sparki.MessageRefresh, sparki.OutcomeIgnored},
		"Nobodys":     {"", "Consent", "Deleted", sparki.MessageRefresh, sparki.OutcomeIgnored},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			message := fmt.Sprintf(`{"id":"m","realEstateAgencyId":%q,"category":"Authorization","authorizationDetails":{"entity":%q,"action":%q}}`, test.agency, test.entity, test.action)
			body := fmt.Appendf(nil, `{"items":[{"data":{"messages":[{"id":"e","data":%q}]}}]}`, message)
			got, err := New().Messages(sampleSettings(), body)
			if err != nil || len(got) != 1 || got[0].Kind != test.kind || got[0].Outcome != test.outcome {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
