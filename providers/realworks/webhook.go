package realworks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/dutch"
	"sparki.app/integrations/providers/rest"
	"sparki.app/integrations/providers/wire"
)

// Changes reads a delivery (contract §5). Nobody signs it, so nothing in it is believed: it can have
// an object read once more from where the settings say, and that is all.
func (p provider) Changes(s sparki.Settings, _ http.Header, body []byte) ([]sparki.Message, error) {
	return p.Messages(s, body)
}

// Messages reads a delivery's one message. It has no id: two updates within a second look the same,
// so none counts as the double of another.
func (provider) Messages(s sparki.Settings, body []byte) ([]sparki.Message, error) {
	if !rest.ValidJSON(body) {
		return nil, providers.ErrUnreadable
	}
	said := gjson.ParseBytes(body)
	if !said.IsObject() {
		return nil, providers.ErrUnreadable
	}
	m := sparki.Message{Kind: sparki.MessageRefresh, Outcome: sparki.OutcomeIgnored}
	n := notificationFrom(said)
	found, reason := n.verdict(s)
	if reason != "" {
		m.Reason = reason
		return []sparki.Message{m}, nil
	}
	m.Outcome = sparki.OutcomePending
	m.Ref = found.ref()
	m.Ref.Note = hint{Version: found.version, Name: n.name, Event: n.event, At: n.at}.note()
	return []sparki.Message{m}, nil
}

const maxName = 64 // bytes of a name that is kept or stands in a reason

// notification is what a delivery says. The shape is assumed; the words are those of the brief.
type notification struct {
	name, event, access string
	at                  time.Time // zero when it does not tell
	afdeling, object    string
	endpoints           gjson.Result
}

func notificationFrom(said gjson.Result) notification {
	name := func(v gjson.Result) string { return rest.OneLine(wire.Text(v), maxName) }
	n := notification{
		name: name(said.Get("name")), event: name(said.Get("event")), access: name(said.Get("userAccess")),
		endpoints: said.Get("endpoints"),
	}
	n.at, _ = wire.Moment(said.Get("timestamp"), dutch.Time)
	parameter := func(key string, v gjson.Result) {
		switch strings.ToUpper(key) {
		case "AFDELING":
			n.afdeling = wire.Text(v)
		case "OBJECT":
			n.object = wire.Text(v)
		}
	}
	parameters := said.Get("parameters")
	wire.Each(parameters, parameter)
	wire.Elements(parameters, func(p gjson.Result) {
		key := wire.Text(p.Get("name"))
		if key == "" {
			key = wire.Text(p.Get("key"))
		}
		parameter(key, p.Get("value"))
	})
	return n
}

// verdict says which object has to be read, or why none.
func (n notification) verdict(s sparki.Settings) (found detail, reason string) {
	allowed, err := afdelingenFrom(s)
	if err != nil {
		return found, sparki.TextOf(err)
	}
	base, err := baseURLFrom(s)
	if err != nil {
		return found, sparki.TextOf(err)
	}
	a := account{baseURL: base, afdelingen: allowed}
	switch {
	case !strings.EqualFold(n.event, "OBJECT_UPDATE"):
		return found, fmt.Sprintf("events of the kind %q do not say that an object changed", n.event)
	case !strings.EqualFold(n.access, "ACTIVE"):
		return found, fmt.Sprintf("the access to the object is %q, not ACTIVE", n.access)
	case !isAfdeling(n.afdeling):
		return found, "it names no afdeling"
	case objectCode(n.object) == "":
		return found, "it names no object"
	case !a.hasAfdeling(n.afdeling):
		return found, "the afdeling is not one of those in the settings"
	}
	found, err = a.choose(n)
	switch {
	case err != nil:
		return found, sparki.TextOf(err)
	case !a.hasAfdeling(found.afdeling):
		return found, "the afdeling is not one of those in the settings"
	}
	return found, ""
}

const maxEndpoints = 50 // of one delivery that are looked at; real ones have four

// choose takes the first URL that may be called: recommended v3, active v3, active v2 (contract §5).
// A recommended v2 counts as active, assumed: Nieuwbouw has nothing newer.
func (a *account) choose(n notification) (detail, error) {
	var ranked [3][]string
	looked := 0
	wire.Elements(n.endpoints, func(e gjson.Result) {
		if looked++; looked > maxEndpoints {
			return
		}
		version := strings.TrimPrefix(strings.ToLower(wire.Text(e.Get("version"))), "v")
		switch status := strings.ToUpper(wire.Text(e.Get("status"))); {
		case version == "3" && status == "RECOMMENDED":
			ranked[0] = append(ranked[0], e.Get("url").Str)
		case version == "3" && status == "ACTIVE":
			ranked[1] = append(ranked[1], e.Get("url").Str)
		case version == "2" && (status == "ACTIVE" || status == "RECOMMENDED"):
			ranked[2] = append(ranked[2], e.Get("url").Str)
		}
	})
	fill := strings.NewReplacer("{AFDELING}", n.afdeling, "{OBJECT}", objectCode(n.object))
	err := sparki.Errorf(sparki.Invalid, "it has no detail URL of a version that is read")
	for i, url := range slices.Concat(ranked[:]...) {
		found, refused := a.detailFrom(fill.Replace(url))
		if refused == nil {
			return found, nil
		}
		if i == 0 {
			err = refused
		}
	}
	return detail{}, err
}

// detail is where one object is read.
type detail struct {
	api                     *objectAPI
	version, afdeling, code string
}

// ref names the object, the same in a list and in a notification: there is no other key that both
// have (contract §2.2, §5).
func (d detail) ref() sparki.Ref {
	return sparki.Ref{Type: d.api.source, ID: d.afdeling + "/" + d.code}
}

func (d detail) path() string {
	return d.api.listPath(d.version) + "/" + d.afdeling + "/" + d.code
}

// detailFrom reads a detail URL that lies below the base URL. Only what it names is kept, and put
// together anew when the object is read: the type comes from the path alone (reliability.md C9).
func (a *account) detailFrom(url string) (detail, error) {
	path, _, err := rest.Below(a.baseURL, url)
	if err != nil {
		return detail{}, err
	}
	none := sparki.Errorf(sparki.Invalid, "the URL is not that of an object")
	steps := strings.Split(path[1:], "/")
	if len(steps) != 5 {
		return detail{}, none
	}
	api := findAPI(func(api *objectAPI) bool { return slices.Contains(api.segments, strings.ToLower(steps[0])) })
	if api == nil || steps[2] != api.resource {
		return detail{}, none
	}
	d := detail{api: api, version: strings.ToLower(steps[1]), afdeling: steps[3], code: objectCode(steps[4])}
	if !slices.Contains(api.versions, d.version) || !isAfdeling(d.afdeling) || d.code == "" {
		return detail{}, none
	}
	return d, nil
}

// hint is what the provider leaves itself between a hint and the read, in the reference's note.
type hint struct {
	// Version is that of the API to read from.
	Version string `json:"v"`
	// Of the webhook; empty when a list named the object.
	Name  string    `json:"name,omitempty"`
	Event string    `json:"event,omitempty"`
	At    time.Time `json:"at,omitzero"`
}

func (h hint) note() string {
	note, err := json.Marshal(h)
	if err != nil {
		panic(err) // texts and a time between 1900 and 2200
	}
	return string(note)
}

// hintFrom reads a note; a broken one is none.
func hintFrom(note string) (h hint) {
	if json.Unmarshal([]byte(note), &h) != nil {
		return hint{}
	}
	return h
}

// provenance says where an object was read, and why.
func (h hint) provenance(url string) *sparki.Provenance {
	p := &sparki.Provenance{
		SourceURL: &url, APIVersion: &h.Version,
		WebhookName: wire.Optional(h.Name), WebhookEvent: wire.Optional(h.Event),
	}
	if !h.At.IsZero() {
		p.WebhookTimestamp = &h.At
	}
	return p
}
