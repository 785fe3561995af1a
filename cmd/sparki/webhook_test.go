package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"sparki.app/integrations"
	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/providers/all"
	"sparki.app/integrations/providers/kolibri"
)

// hook is a portal that takes an office's webhooks.
type hook struct {
	*bundle
	office      *office
	integration string
	secret      string
}

func newHook(t *testing.T, changes ...func(*config)) *hook {
	t.Helper()
	return newHookOf(t, kinds[0], changes...)
}

func newHookOf(t *testing.T, k kind, changes ...func(*config)) *hook {
	t.Helper()
	b, o := setup(t, changes...), openOfficeOf(t, k)
	return &hook{bundle: b, office: o, integration: b.connect(t, o), secret: o.secret(t)}
}

// answered is an HTTP answer; headers without those that differ from call to call.
type answered struct {
	status int
	body   string
	header http.Header
}

// answerer follows no redirects: what a route answers is what is looked at.
var answerer = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func (b *bundle) send(t *testing.T, method, path string, body io.Reader, header http.Header) answered {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	resp, err := answerer.Do(req)
	if err != nil {
		t.Fatalf("%s %.80s: %v", method, path, err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Header.Del("Date")
	return answered{resp.StatusCode, string(content), resp.Header}
}

func hookPath(integration string) string { return "/webhooks/kolibri/v1/" + integration }

// jsonHeader are the headers of a delivery with these signatures.
func jsonHeader(signatures ...string) http.Header {
	return http.Header{"Content-Type": {"application/json"}, "Signature": signatures}
}

// deliver posts a body with a secret's signature.
func (b *bundle) deliver(t *testing.T, integration, secret string, body []byte) answered {
	t.Helper()
	return b.send(t, http.MethodPost, hookPath(integration), bytes.NewReader(body), jsonHeader(kolibri.SignBody(secret, body)))
}

// accepted delivers a body that must be taken, and gives the delivery's id.
func (h *hook) accepted(t *testing.T, body []byte) string {
	t.Helper()
	return deliveryID(t, h.deliver(t, h.integration, h.secret, body))
}

// told delivers that objects changed, and gives the deliveries' ids.
func (h *hook) told(t *testing.T, objects ...string) (deliveries []string) {
	t.Helper()
	info := h.office.provider.Info()
	path := fmt.Sprintf("/webhooks/%s/%s/%s", info.Key, info.WebhookVersion, h.integration)
	for _, body := range h.office.bodies(h.office.url, objects...) {
		got := h.send(t, http.MethodPost, path, bytes.NewReader(body), h.office.header(h.secret, body))
		deliveries = append(deliveries, deliveryID(t, got))
	}
	return deliveries
}

// refreshed tells that an object changed, and waits until that is settled.
func (h *hook) refreshed(t *testing.T, object string) stored {
	t.Helper()
	return h.settled(t, h.told(t, object)[0])
}

func deliveryID(t *testing.T, got answered) string {
	t.Helper()
	var answer struct{ DeliveryID string }
	if err := json.Unmarshal([]byte(got.body), &answer); err != nil || got.status != http.StatusAccepted {
		t.Fatalf("not accepted: %d %s", got.status, got.body)
	}
	if kind, _, err := sparki.ParseID(answer.DeliveryID); err != nil || kind != sparki.DeliveryNode {
		t.Fatalf("deliveryId is %q", answer.DeliveryID)
	}
	return uuidOf(t, answer.DeliveryID)
}

// stored is what became of a delivery.
type stored struct {
	Outcome, Reason string
	Body            []byte
	Messages        map[string]string // outcome by external id
	Reasons         map[string]string // by external id
}

// settled waits until a delivery is settled.
func (b *bundle) settled(t *testing.T, delivery string) stored {
	t.Helper()
	var s stored
	eventually(t, "the delivery to be settled", func() bool {
		s = stored{Messages: map[string]string{}, Reasons: map[string]string{}}
		b.superuser(t, func(ctx context.Context, c *pgx.Conn) error {
			if err := c.QueryRow(ctx, `select outcome, reason, body from deliveries where id = $1`, delivery).Scan(&s.Outcome, &s.Reason, &s.Body); err != nil {
				return err
			}
			rows, _ := c.Query(ctx, `select external_id, outcome, reason from messages where delivery_id = $1`, delivery)
			var id, outcome, reason string
			_, err := pgx.ForEachRow(rows, []any{&id, &outcome, &reason}, func() error {
				s.Messages[id], s.Reasons[id] = outcome, reason
				return nil
			})
			return err
		})
		return s.Outcome != "PENDING"
	})
	return s
}

func update(id, object string) kolibri.WebhookMessage {
	return kolibri.WebhookMessage{ID: id, EntityType: "ObjectAssignment", EntityID: object, Event: "Update"}
}

// respelled lists the Signature headers that say nearly the right thing about a body (reliability.md A1–A7).
func respelled(secret string, body []byte) map[string][]string {
	good := kolibri.SignBody(secret, body)
	raw, _ := base64.StdEncoding.DecodeString(good)
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	last := strings.IndexByte(digits, good[42])
	neighbour := good[:42] + digits[last^1:last^1+1] + "="
	mac1, mac512 := hmac.New(sha1.New, []byte(secret)), hmac.New(sha512.New, []byte(secret))
	mac1.Write(body)
	mac512.Write(body)
	compact := &bytes.Buffer{}
	_ = json.Compact(compact, body)
	plain := sha256.Sum256(append([]byte(secret), body...))
	return map[string][]string{
		"Missing":            nil,
		"Empty":              {""},
		"OfAnotherBody":      {kolibri.SignBody(secret, append(slices.Clone(body), ' '))},
		"OfTheCompactedBody": {kolibri.SignBody(secret, compact.Bytes())},
		"LastDigitNeighbour": {neighbour},
		"FirstDigitChanged":  {map[bool]string{true: "B", false: "A"}[good[0] == 'A'] + good[1:]},
		"Unpadded":           {strings.TrimRight(good, "=")},
		"TwicePadded":        {good + "="},
		"FirstTwenty":        {good[:20]},
		"URLSafe":            {base64.URLEncoding.EncodeToString(raw)},
		"Hex":                {hex.EncodeToString(raw)},
		"HexOfUpperCase":     {strings.ToUpper(hex.EncodeToString(raw))},
		"Prefixed":           {"sha256=" + good},
		"PrefixedHex":        {"sha256=" + hex.EncodeToString(raw)},
		"Quoted":             {`"` + good + `"`},
		"SHA1":               {base64.StdEncoding.EncodeToString(mac1.Sum(nil))},
		"SHA512":             {base64.StdEncoding.EncodeToString(mac512.Sum(nil))},
		"NoHMAC":             {base64.StdEncoding.EncodeToString(plain[:])},
		"Doubled":            {good, good},
		"DoubledWithWrong":   {good, neighbour},
		"DoubledAfterWrong":  {neighbour, good},
		"Listed":             {good + ", " + good},
		"SpaceInside":        {good[:20] + " " + good[20:]},
		"TabInside":          {good[:20] + "\t" + good[20:]},
		"OfTheEmptyKey":      {kolibri.SignBody("", body)},
		"OfTheSecretInCaps":  {kolibri.SignBody(strings.ToUpper(secret)+"x", body)},
	}
}

// Whatever is wrong with a signature or an id, the answer is one and the same 401, and nothing is stored.
func TestWebhookRefusals(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	body := kolibri.Envelope(update("", lindelaan))
	for !strings.ContainsAny(kolibri.SignBody(h.secret, body), "+/") {
		body = append(body, '\n') // so that base64url spells it in another way
	}
	good := kolibri.SignBody(h.secret, body)

	bare := dbtest.Portal(t, h.db, all.Keys()...) // connected, without a webhook secret
	bareSettings := h.office.settings(t)
	delete(bareSettings, "webhookSecret")
	noSecret := h.saveAs(t, h.newToken(t, bare, sparki.Permissions...), bareSettings).Integration.ID
	other := dbtest.Portal(t, h.db, all.Keys()...) // with a secret of its own
	otherSettings := h.office.settings(t)
	otherSettings["webhookSecret"] = "another-portal's-secret-0001"
	others := h.saveAs(t, h.newToken(t, other, sparki.Permissions...), otherSettings).Integration.ID
	foreign := sparki.NewID() // another CRM's integration
	h.exec(t, `insert into integrations (portal_id, id, provider, enabled, mock, listings, agenda, outbound)
		values ($1, $2, 'elsewhere', true, false, true, true, true)`, other.ID, foreign)

	want := h.send(t, http.MethodPost, hookPath(sparki.IntegrationNode.ID(sparki.NewID())), bytes.NewReader(body), jsonHeader(good))
	if want.status != http.StatusUnauthorized || want.body == "" {
		t.Fatalf("an unknown id is answered %d %q", want.status, want.body)
	}
	suffix := strings.TrimPrefix(h.integration, "integration_")
	refused := map[string]struct {
		id     string
		header http.Header
	}{
		"AnothersSecret":        {h.integration, jsonHeader(kolibri.SignBody("another-portal's-secret-0001", body))},
		"OursAtAnother":         {others, jsonHeader(good)},
		"NoSecretStored":        {noSecret, jsonHeader(good)},
		"NoSecretAndEmptyKey":   {noSecret, jsonHeader(kolibri.SignBody("", body))},
		"NoSecretNoSignature":   {noSecret, jsonHeader()},
		"UnknownUnsigned":       {sparki.IntegrationNode.ID(sparki.NewID()), jsonHeader()},
		"UnknownAndEmptyKey":    {sparki.IntegrationNode.ID(sparki.NewID()), jsonHeader(kolibri.SignBody("", body))},
		"AnotherCRMs":           {sparki.IntegrationNode.ID(foreign), jsonHeader(good)},
		"AblysHeader":           {h.integration, http.Header{"X-Ably-Signature": {good}, "X-Ably-Key": {"k"}}},
		"AnotherKindOfID":       {sparki.ItemNode.ID(uuid.MustParse(uuidOf(t, h.integration))), jsonHeader(good)},
		"PortalsID":             {h.portal.NodeID(), jsonHeader(good)},
		"UUID":                  {uuidOf(t, h.integration), jsonHeader(good)},
		"UpperCaseID":           {"integration_" + strings.ToUpper(suffix), jsonHeader(good)},
		"NoKind":                {suffix, jsonHeader(good)},
		"ShortID":               {h.integration[:len(h.integration)-1], jsonHeader(good)},
		"LongID":                {h.integration + "0", jsonHeader(good)},
		"SecondSpellingOfID":    {"integration_" + "8" + suffix[1:], jsonHeader(good)},
		"Template":              {"%7BintegrationId%7D", jsonHeader(good)},
		"SQL":                   {"integration_'%20or%201=1;%20drop%20table%20deliveries;--", jsonHeader(good)},
		"FiveThousand":          {"integration_" + strings.Repeat("0", 5000), jsonHeader(good)},
		"NUL":                   {h.integration + "%00", jsonHeader(good)},
		"BadUTF8":               {"%ff%fe", jsonHeader(good)},
		"SlashInside":           {"x%2f" + h.integration, jsonHeader(good)},
		"Space":                 {"%20" + h.integration, jsonHeader(good)},
		"QueryInsteadOfSecrets": {h.integration + "?signature=" + good, jsonHeader()},
	}
	for name, signatures := range respelled(h.secret, body) {
		refused["Signature"+name] = struct {
			id     string
			header http.Header
		}{h.integration, jsonHeader(signatures...)}
	}
	t.Run("Answers", func(t *testing.T) {
		for name, c := range refused {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				got := h.send(t, http.MethodPost, hookPath(c.id), bytes.NewReader(body), c.header)
				if got.status != want.status || got.body != want.body {
					t.Errorf("answered %d %q, an unknown id is answered %d %q", got.status, got.body, want.status, want.body)
				}
				if fmt.Sprint(got.header) != fmt.Sprint(want.header) {
					t.Errorf("headers tell it from an unknown id: %v, want %v", got.header, want.header)
				}
			})
		}
		for _, path := range []string{"/webhooks/kolibri/v1/..%2f..%2f", "/webhooks/kolibri/v1/" + h.integration + "/", "/webhooks/kolibri/v1/",
			"/webhooks/kolibri/v2/" + h.integration, "/webhooks/elsewhere/v1/" + h.integration, "/webhooks/Kolibri/v1/" + h.integration} {
			t.Run("Path"+path[len("/webhooks/"):], func(t *testing.T) {
				t.Parallel()
				if got := h.send(t, http.MethodPost, path, bytes.NewReader(body), jsonHeader(good)); got.status < 300 || got.status >= 500 {
					t.Errorf("answered %d %q", got.status, got.body)
				}
			})
		}
	})
	if n, m := h.count(t, "deliveries"), h.count(t, "messages"); n != 0 || m != 0 {
		t.Errorf("refused deliveries left %d deliveries and %d messages", n, m)
	}
	if s := h.settled(t, h.accepted(t, body)); s.Outcome != "PROCESSED" {
		t.Errorf("the rightly signed one is %s: %s", s.Outcome, s.Reason)
	}
}

func sample(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "providers", "kolibri", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// The contract's test vector and its file of variants (§8.2, §8.4).
func TestWebhookSamples(t *testing.T) {
	t.Parallel()
	b, o := setup(t), openOffice(t)
	settings := o.settings(t)
	settings["webhookSecret"] = "kolibri-test-psk-0001"
	integration := b.save(t, settings).Integration.ID
	b.waitForSync(t, integration)

	vector := sample(t, "webhook-envelope.json")
	const signature = "AfJN4zXn4fHsStoWeyQwlgH2q4uqzYAWT0Ly4+Uvf5Q="
	s := b.settled(t, deliveryID(t, b.send(t, http.MethodPost, hookPath(integration), bytes.NewReader(vector), jsonHeader(signature))))
	id := func(n int) string { return fmt.Sprintf("5d0f4b8e-%04d-4a00-8000-%012d", n, n) }
	want := map[string]string{id(1): "PROCESSED", id(2): "PROCESSED", id(3): "PROCESSED"}
	if s.Outcome != "PROCESSED" || !maps.Equal(s.Messages, want) || !bytes.Equal(s.Body, vector) {
		t.Errorf("the vector is %s %q with messages %v, want %v, body kept: %t", s.Outcome, s.Reason, s.Messages, want, bytes.Equal(s.Body, vector))
	}

	b.exec(t, `delete from messages`) // the variants use the vector's ids
	s = b.settled(t, deliveryID(t, b.deliver(t, integration, "kolibri-test-psk-0001", sample(t, "webhook-envelope-variants.json"))))
	want = map[string]string{id(1): "PROCESSED", id(2): "PROCESSED", id(3): "PROCESSED", "r1:4:0": "FAILED", id(4): "IGNORED"}
	if s.Outcome != "FAILED" || !maps.Equal(s.Messages, want) {
		t.Errorf("the variants are %s with messages %v, want %v", s.Outcome, s.Messages, want)
	}
	for _, bad := range []string{"r1:4:0", id(4)} {
		if s.Reasons[bad] == "" {
			t.Errorf("message %s is %s without a reason", bad, s.Messages[bad])
		}
	}
}

// Every body that is well signed is taken and kept; each message is judged alone.
func TestWebhookBodies(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	deep := func(open, end string) string {
		return strings.Repeat(open, 100_000) + strings.Repeat(end, 100_000)
	}
	text := func(id, text string) kolibri.WebhookMessage { return kolibri.WebhookMessage{ID: id, Text: text} }
	of := func(m kolibri.WebhookMessage, change func(*kolibri.WebhookMessage)) kolibri.WebhookMessage {
		change(&m)
		return m
	}
	project := kolibri.WebhookMessage{EntityType: "ProjectAssignment", EntityID: kersenboom, Event: "Update"}
	replaced := func(messages []kolibri.WebhookMessage, old, with string) []byte {
		body := bytes.ReplaceAll(kolibri.Envelope(messages...), []byte(old), []byte(with))
		if !bytes.Contains(body, []byte(with)) {
			panic("nothing to replace: " + old)
		}
		return body
	}
	envelope := func(messages ...kolibri.WebhookMessage) []byte { return kolibri.Envelope(messages...) }
	category := func(name string) kolibri.WebhookMessage {
		return of(update(uuid.NewString(), lindelaan), func(m *kolibri.WebhookMessage) { m.Category = name })
	}
	type body struct {
		name     string
		body     []byte
		outcome  string
		messages string // outcomes in order of the alphabet
	}
	bodies := []body{
		{"NotJSON", []byte("hello"), "FAILED", ""},
		{"Empty", []byte{}, "FAILED", ""},
		{"Cut", envelope(update("", lindelaan))[:200], "FAILED", ""},
		{"Null", []byte("null"), "FAILED", ""},
		{"Number", []byte("1e400"), "FAILED", ""},
		{"Array", []byte("[]"), "FAILED", ""},
		{"ItemsAbsent", []byte("{}"), "FAILED", ""},
		{"ItemsNull", []byte(`{"items":null}`), "FAILED", ""},
		{"ItemsString", []byte(`{"items":"[]"}`), "FAILED", ""},
		{"ItemsObject", []byte(`{"items":{}}`), "FAILED", ""},
		{"ItemsEmpty", []byte(`{"items":[]}`), "IGNORED", ""},
		{"ItemsOfNothing", []byte(`{"items":[null,1,"x",{},{"data":null},{"data":[]},{"data":{"messages":null}},{"data":{"messages":"x"}}]}`), "IGNORED", ""},
		{"Unbatched", []byte(`{"source":"channel.message","messages":[]}`), "FAILED", ""},
		{"OldInternal", []byte(`{"agencyId":"x","cat":"Entity","entity":{"actionType":"Updated"}}`), "FAILED", ""},
		{"Deep", []byte(deep("[", "]")), "FAILED", ""},
		{"DeepItems", []byte(`{"items":` + deep("[", "]") + `}`), "FAILED", ""},
		{"DeepObjects", []byte(strings.Repeat(`{"items":`, 100_000) + "1" + strings.Repeat("}", 100_000)), "FAILED", ""},
		{"BadAmongGood", envelope(update("", lindelaan), text("", "this is not json"), project), "FAILED", "FAILED PROCESSED PROCESSED"},
		{"DeepMessage", envelope(update("", lindelaan), text("", deep("[", "]"))), "FAILED", "FAILED PROCESSED"},
		{"MessageIsNumber", envelope(update("", lindelaan), text("", "12")), "FAILED", "FAILED PROCESSED"},
		{"MessageIsNull", envelope(text("", "null")), "FAILED", "FAILED"},
		{"MessageIsEmpty", envelope(text("", "")), "IGNORED", "IGNORED"}, // filled in by the mock: an entity of no type
		{"DataObject", kolibri.WebhookQuirks{Encoding: "object"}.Envelope(update("", lindelaan)), "PROCESSED", "PROCESSED"},
		{"DataJSON", kolibri.WebhookQuirks{Encoding: "json"}.Envelope(update("", lindelaan)), "PROCESSED", "PROCESSED"},
		{"DataBase64", kolibri.WebhookQuirks{Encoding: "json/utf-8/base64"}.Envelope(update("", lindelaan)), "PROCESSED", "PROCESSED"},
		{"DataCipher", replaced([]kolibri.WebhookMessage{update("", lindelaan)}, `"connectionId"`, `"encoding":"json/utf-8/cipher+aes-128-cbc/base64","connectionId"`), "FAILED", "FAILED"},
		{"DataDelta", replaced([]kolibri.WebhookMessage{update("", lindelaan)}, `"connectionId"`, `"encoding":"utf-8/vcdiff","connectionId"`), "FAILED", "FAILED"},
		{"Noise", kolibri.WebhookQuirks{Noise: true}.Envelope(update("", lindelaan), project), "PROCESSED", "PROCESSED PROCESSED"},
		{"QueueID", kolibri.WebhookQuirks{QueueID: true, Reverse: true}.Envelope(update("", lindelaan), project), "PROCESSED", "PROCESSED PROCESSED"},
		{"Categories", envelope(category("Notification"), category("EmailAccountChange"), category("EmailPersonalChange"), category("EventCenterChange"),
			category("Voip"), category("SomethingNew")), "IGNORED", strings.TrimSpace(strings.Repeat("IGNORED ", 6))},
		{"CategoriesAmongGood", envelope(category("Voip"), update("", lindelaan)), "PROCESSED", "IGNORED PROCESSED"},
		{"UnknownType", envelope(of(update("", lindelaan), func(m *kolibri.WebhookMessage) { m.EntityType = "Spaceship" })), "IGNORED", "IGNORED"},
		{"TypeInAnyCase", envelope(of(update("", lindelaan), func(m *kolibri.WebhookMessage) { m.EntityType = "OBJECTassignment" })), "PROCESSED", "PROCESSED"},
		{"UnknownEvent", envelope(of(update("", lindelaan), func(m *kolibri.WebhookMessage) { m.Event = "Explode" })), "PROCESSED", "PROCESSED"},
		{"NoEntity", envelope(of(update("", ""), func(*kolibri.WebhookMessage) {})), "FAILED", "FAILED"},
		{"EntityIsNoID", envelope(update("", "../../etc/passwd")), "FAILED", "FAILED"},
		{"UnknownObject", envelope(update("", uuid.NewString())), "PROCESSED", "PROCESSED"},
		{"AnotherAgency", envelope(of(update("", lindelaan), func(m *kolibri.WebhookMessage) { m.AgencyID = uuid.NewString() })), "IGNORED", "IGNORED"},
		{"AgencyInCapitals", envelope(of(update("", lindelaan), func(m *kolibri.WebhookMessage) { m.AgencyID = "5B0C9A2E-7D41-4C36-9F58-1E2A6C3D4B70" })), "PROCESSED", "PROCESSED"},
		{"TwoHoursOld", envelope(of(update("", lindelaan), func(m *kolibri.WebhookMessage) { m.At = time.Now().Add(-2 * time.Hour) })), "PROCESSED", "PROCESSED"},
		{"FromTheFuture", envelope(of(update("", lindelaan), func(m *kolibri.WebhookMessage) { m.At = time.Now().AddDate(9, 0, 0) })), "PROCESSED", "PROCESSED"},
		{"SameIDTwice", envelope(update("twice", lindelaan), update("twice", lindelaan)), "PROCESSED", "PROCESSED"},
		{"NULInID", envelope(update("", lindelaan), text("", `{"id":"a\u0000b","realEstateAgencyId":"x\u0000","category":"Ent\u0000ity"}`)), "PROCESSED", "IGNORED PROCESSED"},
		{"NULInEntity", envelope(update("", "\x00"+lindelaan)), "PROCESSED", "PROCESSED"},
		{"NULInEnvelope", replaced([]kolibri.WebhookMessage{update("", lindelaan)}, `"announcement"`, `"\u0000"`), "PROCESSED", "PROCESSED"},
		{"LoneSurrogate", envelope(update("", lindelaan), text("", `{"id":"\ud800","category":"\udfff","entityDetails":{"entityType":"\ud834"}}`)), "PROCESSED", "IGNORED PROCESSED"},
		{"BadUTF8InEnvelope", replaced([]kolibri.WebhookMessage{update("", lindelaan)}, `"announcement"`, "\"\xff\xfe\""), "PROCESSED", "PROCESSED"},
		{"BadUTF8InCategory", replaced([]kolibri.WebhookMessage{update("", lindelaan), category("Voip")}, "Voip", "V\xc3ip"), "PROCESSED", "IGNORED PROCESSED"},
		{"ByteOrderMark", append([]byte("\xef\xbb\xbf"), envelope(update("", lindelaan))...), "FAILED", ""},
		{"LongID", envelope(update(strings.Repeat("x", 10_000), lindelaan), update("", lindelaan)), "PROCESSED", "PROCESSED PROCESSED"},
		{"WideEnvelope", []byte(`{"a":[` + strings.Repeat("{},", 200_000) + `{}],"items":[]}`), "IGNORED", ""},
	}
	for _, c := range bodies {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			delivery := h.accepted(t, c.body)
			s := h.settled(t, delivery)
			if told := h.count(t, "activities where type = 'DELIVERY_REJECTED' and subject_id = $1", delivery); (told == 1) != (c.outcome == "FAILED" && c.messages == "") {
				t.Errorf("told %d times that it could not be read", told)
			}
			outcomes := strings.Join(slices.Sorted(maps.Values(s.Messages)), " ")
			if s.Outcome != c.outcome || outcomes != c.messages {
				t.Errorf("delivery %s %q, messages %q %v; want %s, %q", s.Outcome, s.Reason, outcomes, s.Reasons, c.outcome, c.messages)
			}
			if !bytes.Equal(s.Body, c.body) {
				t.Errorf("the body is not kept as it came")
			}
			if s.Outcome != "PROCESSED" && s.Reason == "" && len(c.messages) > 0 {
				t.Errorf("%s without a reason", s.Outcome)
			}
		})
	}
}

// A delivery that is sent again, or many times at once, is worked off once (A14, A15).
func TestWebhookReplay(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	body := kolibri.Envelope(update("once", lindelaan))
	read := "ObjectAssignments?id=" + lindelaan
	before := h.office.called(read)
	ids := make([]string, 20)
	var posts sync.WaitGroup
	for n := range ids {
		posts.Go(func() { ids[n] = h.accepted(t, body) })
	}
	posts.Wait()
	outcomes := map[string]int{}
	for _, id := range ids {
		outcomes[h.settled(t, id).Outcome]++
	}
	if outcomes["PROCESSED"] != 1 || outcomes["IGNORED"] != 19 || h.count(t, "messages") != 1 || h.count(t, "deliveries") != 20 {
		t.Errorf("20 at once: outcomes %v, %d messages, %d deliveries", outcomes, h.count(t, "messages"), h.count(t, "deliveries"))
	}
	if n := h.office.called(read) - before; n != 1 {
		t.Errorf("the object was read %d times", n)
	}
	if s := h.settled(t, h.accepted(t, body)); s.Outcome != "IGNORED" || s.Reason == "" {
		t.Errorf("the replay is %s %q", s.Outcome, s.Reason)
	}

	// Weeks later the ids are forgotten: at most one read more, and the item stays as it is.
	var version, again string
	h.sql(t, `select xmin::text from items where external_id = $1`, []any{lindelaan}, &version)
	head := h.head(t)
	h.exec(t, `delete from messages`)
	h.exec(t, `delete from deliveries`)
	if s := h.settled(t, h.accepted(t, body)); s.Outcome != "PROCESSED" {
		t.Errorf("weeks later it is %s %q", s.Outcome, s.Reason)
	}
	h.sql(t, `select xmin::text from items where external_id = $1`, []any{lindelaan}, &again)
	if n := h.office.called(read) - before; n > 2 || version != again {
		t.Errorf("weeks later the object was read %d times in all, item written anew: %t", n, version != again)
	}
	if n := h.count(t, "activities where seq > $1 and type <> 'DELIVERY_RECEIVED'", head); n != 0 {
		t.Errorf("%d activities beside the delivery's own", n)
	}
}

// head is the number of the portal's latest activity.
func (b *bundle) head(t *testing.T) (head int64) {
	t.Helper()
	b.sql(t, `select last from activity_heads where portal_id = $1`, []any{b.portal.ID}, &head)
	return head
}

// A thousand messages about one object cost one read of it (B6).
func TestWebhookThousandForOneObject(t *testing.T) {
	t.Parallel()
	h := newHook(t)
	messages := make([]kolibri.WebhookMessage, 1000)
	for n := range messages {
		messages[n] = update("", lindelaan)
	}
	read := "ObjectAssignments?id=" + lindelaan
	before := h.office.called(read)
	s := h.settled(t, h.accepted(t, kolibri.Envelope(messages...)))
	processed := 0
	for _, outcome := range s.Messages {
		if outcome == "PROCESSED" {
			processed++
		}
	}
	if s.Outcome != "PROCESSED" || processed != 1000 {
		t.Errorf("delivery %s, %d of %d messages processed", s.Outcome, processed, len(s.Messages))
	}
	if n := h.office.called(read) - before; n != 1 {
		t.Errorf("the object was read %d times", n)
	}
}

// A flood of deliveries about one object is a few reads of it (C2): each read covers all that came
// before it began, and what comes meanwhile makes one more. The last word is not lost.
func TestWebhookFloodForOneObject(t *testing.T) {
	t.Parallel()
	forKinds(t, func(t *testing.T, k kind) {
		const deliveries = 1000
		h := newHookOf(t, k)
		before := h.office.called(k.reads)
		var posts errgroup.Group
		posts.SetLimit(16)
		for n := range deliveries {
			posts.Go(func() error {
				if n == deliveries/2 {
					h.office.change(t, k.house, `{"price": 700001}`)
				}
				h.told(t, k.house)
				return nil
			})
		}
		_ = posts.Wait() // they fail the test themselves
		eventually(t, "the deliveries to be settled", func() bool { return h.count(t, "deliveries where outcome = 'PENDING'") == 0 })
		if n := h.count(t, "deliveries where outcome = 'PROCESSED'"); n != deliveries {
			t.Errorf("%d deliveries are processed", n)
		}
		if n := h.office.called(k.reads) - before; n > deliveries/20 { // four or five on a quiet machine
			t.Errorf("the object was read %d times", n)
		}
		if i := h.item(t, k.house); i.Listing.Price.Amount != "700001.00" {
			t.Errorf("the price is %s", i.Listing.Price.Amount)
		}
	})
}
