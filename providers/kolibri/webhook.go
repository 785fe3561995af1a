package kolibri

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/rest"
	"sparki.app/integrations/providers/wire"
)

// Changes verifies a delivery and reads its messages (contract §8). It does not tell when an
// object was modified: a message may come late, and a deletion has no new time.
func (p provider) Changes(s sparki.Settings, header http.Header, body []byte) ([]sparki.Message, error) {
	if !isSigned(s.Secrets[settingWebhookSecret], header, body) {
		return nil, providers.ErrUnverified
	}
	return p.Messages(s, body)
}

// Messages reads a verified delivery's messages.
func (provider) Messages(s sparki.Settings, body []byte) ([]sparki.Message, error) {
	if !rest.ValidJSON(body) {
		return nil, providers.ErrUnreadable
	}
	items := gjson.ParseBytes(body).Get("items")
	if !items.IsArray() {
		return nil, providers.ErrUnreadable
	}
	agency := guid(s.Text[settingAgency])
	var messages []sparki.Message
	wire.Elements(items, func(item gjson.Result) {
		// Nothing but items[].data.messages[] is promised to stay; items about presence or about
		// the channel have no messages (contract §8.1, §8.4).
		wire.Elements(item.Get("data.messages"), func(message gjson.Result) {
			messages = append(messages, messageFrom(message, agency))
		})
	})
	return messages, nil
}

// isSigned checks the signature over the raw bytes (contract §8.2): exactly one header, base64 in
// its one strict spelling, good for the current secret or for a previous one. Without a secret
// nothing counts as signed.
func isSigned(secrets []sparki.Secret, header http.Header, body []byte) bool {
	const length = 44 // 32 bytes in base64
	var claimed []byte
	if values := header.Values("Signature"); len(values) == 1 && len(values[0]) == length {
		claimed, _ = base64.StdEncoding.Strict().DecodeString(values[0])
	}
	if len(secrets) == 0 {
		secrets = []sparki.Secret{""} // the same work for everybody
	}
	signed := false
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret.Reveal()))
		mac.Write(body)
		matches := hmac.Equal(mac.Sum(nil), claimed)
		signed = signed || matches && secret != "" // anybody can sign with an empty key
	}
	return signed
}

// notification is what the JSON inside a message says (contract §8.1).
type notification struct {
	id, agency, category string
	entityType, entityID string
	// revoked: the office took its consent back.
	revoked bool
}

// messageFrom judges one message by itself: a bad one never spoils the others.
func messageFrom(message gjson.Result, agency string) sparki.Message {
	var id, data, encoding gjson.Result
	wire.Each(message, func(key string, v gjson.Result) {
		switch key {
		case "id":
			id = v
		case "data":
			data = v
		case "encoding":
			encoding = v
		}
	})
	m := sparki.Message{ExternalID: messageID(id), Kind: sparki.MessageRefresh}
	said, problem := notificationFrom(data, wire.Text(encoding))
	if said.id != "" {
		m.ExternalID = said.id
	}
	switch {
	case problem != "":
		m.Outcome, m.Reason = sparki.OutcomeFailed, problem
	case m.ExternalID == "":
		m.Outcome, m.Reason = sparki.OutcomeFailed, "the message has no id"
	default:
		m.Kind, m.Ref, m.Outcome, m.Reason = said.verdict(agency)
	}
	if m.ExternalID == "" {
		// Something that is the same when the message is sent again.
		digest := sha256.Sum256([]byte(message.Raw))
		m.ExternalID = "sha256:" + hex.EncodeToString(digest[:])
	}
	return m
}

// verdict says what to do about a notification. agency is ours, "" while none is configured.
func (n notification) verdict(agency string) (sparki.MessageKind, sparki.Ref, sparki.DeliveryOutcome, string) {
	kind := findKind(func(k *assignmentKind) bool { return strings.EqualFold(k.entity(), n.entityType) })
	switch id := guid(n.entityID); {
	case n.agency != "" && guid(n.agency) != agency:
		return sparki.MessageRefresh, sparki.Ref{}, sparki.OutcomeIgnored, "it is about another agency"
	case strings.EqualFold(n.category, "Authorization") && n.revoked && n.agency != "":
		return sparki.MessageRevoked, sparki.Ref{}, sparki.OutcomePending, ""
	case !strings.EqualFold(n.category, "Entity"):
		return sparki.MessageRefresh, sparki.Ref{}, sparki.OutcomeIgnored, fmt.Sprintf("messages of the category %q are not about listings or the agenda", n.category)
	case strings.EqualFold(n.entityType, "Employee"), strings.EqualFold(n.entityType, "Office"):
		return sparki.MessageTargets, sparki.Ref{}, sparki.OutcomePending, ""
	case kind == nil && !strings.EqualFold(n.entityType, "Agendaitem"):
		return sparki.MessageRefresh, sparki.Ref{}, sparki.OutcomeIgnored, fmt.Sprintf("changes of %q are not about listings or the agenda", n.entityType)
	case id == "":
		return sparki.MessageRefresh, sparki.Ref{}, sparki.OutcomeFailed, "it does not say which object changed"
	case kind == nil:
		return sparki.MessageAgendaItem, sparki.Ref{Type: "agenda-item", ID: id}, sparki.OutcomePending, ""
	default:
		return sparki.MessageRefresh, sparki.Ref{Type: kind.source, ID: id}, sparki.OutcomePending, ""
	}
}

// notificationFrom reads what is inside a message; problem says why it cannot.
func notificationFrom(data gjson.Result, encoding string) (n notification, problem string) {
	content, problem := contentOf(data, encoding)
	if problem != "" {
		return n, problem
	}
	wire.Each(content, func(key string, v gjson.Result) {
		switch key {
		case "id":
			n.id = messageID(v)
		case "realEstateAgencyId":
			n.agency = wire.Line(v)
		case "category":
			n.category = rest.OneLine(wire.Text(v), maxName)
		case "entityDetails":
			n.entityType = rest.OneLine(wire.Text(v.Get("entityType")), maxName)
			n.entityID = wire.Line(v.Get("entityId"))
		case "authorizationDetails":
			n.revoked = strings.EqualFold(wire.Text(v.Get("entity")), "Consent") && strings.EqualFold(wire.Text(v.Get("action")), "Deleted")
		}
	})
	return n, ""
}

// contentOf undoes a message's encodings, right to left (contract §8.4). Mostly there are none,
// and the data is a string that holds JSON.
func contentOf(data gjson.Result, encoding string) (content gjson.Result, problem string) {
	if data.IsObject() {
		return data, ""
	}
	if data.Type != gjson.String {
		return content, "the message has no content"
	}
	plain := data.Str
	for _, step := range slices.Backward(strings.Split(encoding, "/")) {
		switch step {
		case "", "json", "utf-8":
		case "base64":
			decoded, err := base64.StdEncoding.DecodeString(plain)
			if err != nil {
				return content, "the message's content is not base64"
			}
			plain = string(decoded)
		default:
			return content, fmt.Sprintf("the message's content is encoded as %q, which cannot be read", rest.OneLine(step, maxName))
		}
	}
	if !rest.ValidJSON([]byte(plain)) {
		return content, "the message's content is not JSON"
	}
	if content = gjson.Parse(plain); !content.IsObject() {
		return content, "the message's content is not an object"
	}
	return content, ""
}

const (
	maxMessageID = 200 // bytes; real ones are GUIDs or "connection:serial:index"
	maxName      = 64  // bytes of a name that stands in a reason
)

// messageID is an id that can be kept as it is: visible ASCII of a sensible length; "" otherwise.
func messageID(v gjson.Result) string {
	if id := wire.Text(v); len(id) <= maxMessageID && isHeaderText(id) {
		return id
	}
	return ""
}
