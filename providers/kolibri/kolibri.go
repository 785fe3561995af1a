// Package kolibri speaks with Kolibri (kolibri24.com): it reads an agency's listings and its signed
// change notifications, and writes appointments into its employees' agendas. "Contract" in its
// comments is the project's description of Kolibri's wire format; "assumed" marks what nothing public
// states.
//
//   - kolibri.go: what the CRM is, its settings form, and how settings become a connection
//   - client.go: tokens, calls, refusals, the connection check
//   - listing.go: the list of objects, and reading one of them
//   - agenda.go: the agendas of employees, and the items in them
//   - convert….go: Kolibri's words into ours, without any I/O
//   - webhook.go: change notifications
//   - widget.go: the signed addresses with which Kolibri shows a page of ours
//   - mock….go: a stand-in Kolibri
package kolibri

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/rest"
)

// The keys of the settings.
const (
	settingBaseURL       = "apiBaseUrl"
	settingTokenURL      = "tokenUrl"
	settingClientID      = "clientId"
	settingClientSecret  = "clientSecret"
	settingScope         = "scope"
	settingToken         = "authorizationToken"
	settingAgency        = "realEstateAgencyId"
	settingOffices       = "officeIds"
	settingEmployees     = "employeeIds"
	settingWebhookSecret = "webhookSecret"
	settingWidgetKey     = "widgetAppClientKey"
	settingWidgetPublic  = "widgetPublicKeys"
)

// minWebhookSecret is how long a webhook secret is at least: shorter ones can be guessed offline
// from one delivery (reliability.md A6).
const minWebhookSecret = 16

// mappingVersion rises with every change of convert….go that changes a Listing.
const mappingVersion = 1

type provider struct{}

// New makes the provider of Kolibri.
func New() providers.Provider { return provider{} }

func (provider) Mock(o providers.MockOptions) providers.Mock { return newMock(o) }

func (provider) Info() providers.Info {
	return providers.Info{
		Key:              "kolibri",
		Name:             "Kolibri",
		WebhookVersion:   "v1",
		WebhookBodyLimit: 5 << 20, // up to 1,000 messages in one delivery (contract §8.3)
		Signed:           true,
		WebhookSecret:    settingWebhookSecret,
		WidgetVersion:    "v1",
		WidgetFrames:     slices.Clone(widgetFrames),
		Settings:         slices.Clone(settings),
		MappingVersion:   mappingVersion,
		WatchesAgenda:    true,
	}
}

// settings is the form that a person fills in.
var settings = []sparki.SettingField{{
	Key: settingBaseURL, Kind: sparki.SettingURL, Required: true,
	Label:       "API base URL",
	Help:        "The address of Kolibri's API. Kolibri gives you one for the live environment or one for the sandbox.",
	Placeholder: new("https://api.kolibri24.com"),
	Suggestions: []string{"https://api.kolibri24.com", "https://sandbox-api.kolibri24.com"},
}, {
	Key: settingTokenURL, Kind: sparki.SettingURL,
	Label:       "Token URL",
	Help:        "Where Sparki signs in with the client ID and secret. Leave it empty for Kolibri's own live and sandbox environments.",
	Placeholder: new("https://id.kolibri24.com/connect/token"),
}, {
	Key: settingClientID, Kind: sparki.SettingText,
	Label: "Client ID",
	Help:  "The name under which Kolibri knows this connection. It comes together with the client secret.",
}, {
	Key: settingClientSecret, Kind: sparki.SettingSecret, BoundTo: []string{settingTokenURL, settingBaseURL},
	Label: "Client secret",
	Help:  "The password that belongs to the client ID. It is hidden once it is saved; paste a new one to replace it.",
}, {
	Key: settingScope, Kind: sparki.SettingText,
	Label: "Scope",
	Help:  "Only if Kolibri gave you one. Leave it empty otherwise.",
}, {
	Key: settingToken, Kind: sparki.SettingSecret, BoundTo: []string{settingBaseURL},
	Label: "Authorization token",
	Help:  "Only for tests, instead of a client ID and secret. Such a token usually stops working after an hour.",
}, {
	Key: settingAgency, Kind: sparki.SettingText, Required: true,
	Label:       "Real estate agency ID",
	Help:        "The ID of your agency in Kolibri. Your Kolibri administrator can look it up.",
	Placeholder: new("00000000-0000-0000-0000-000000000000"),
}, {
	Key: settingOffices, Kind: sparki.SettingList, Narrows: true,
	Label: "Office IDs",
	Help:  "Fill these in to take over the listings of some offices only. Leave the list empty for all offices.",
}, {
	Key: settingEmployees, Kind: sparki.SettingList,
	Label: "Employee IDs",
	Help:  "The employees whose Kolibri agenda may receive appointments. Leave the list empty for all employees.",
}, {
	Key: settingWebhookSecret, Kind: sparki.SettingSecret, MinLength: minWebhookSecret,
	Label: "Webhook secret",
	Help:  "The key that you agreed on with Kolibri for change notifications. Without it, changes arrive a few minutes later.",
}, {
	Key: settingWidgetKey, Kind: sparki.SettingSecret, BoundTo: []string{settingBaseURL},
	Label: "Widget app client key",
	Help:  "The key of the AppXchange app whose widget shows Sparki inside Kolibri. Leave it empty if you show no widget.",
}, {
	Key: settingWidgetPublic, Kind: sparki.SettingMultiline, Check: checkWidgetKeys,
	Label:       "Widget public keys",
	Help:        "Only if Kolibri gave you public keys to check widgets with. Put the key version and a colon before each of several keys.",
	Placeholder: new("1: -----BEGIN PUBLIC KEY-----"),
}}

// account is what the settings say, checked.
type account struct {
	baseURL  string // with /v3, without a slash at the end
	agencyID string // lower case
	// officeIDs limit the listings to these offices; lower case, none for all.
	officeIDs []string
	// employeeIDs limit the agenda targets to these employees; lower case, none for all.
	employeeIDs []string
	// token is a fixed access token; "" where a client signs in.
	token  sparki.Secret
	client clientCredentials
	widget widgetAccount
	// secrets are all that the settings hold, to keep them out of errors.
	secrets []sparki.Secret
}

// clientCredentials are what a server signs in with (contract §1, "2-legged").
type clientCredentials struct {
	tokenURL string
	id       string
	secret   sparki.Secret
	scope    string // "" sends none
}

func (provider) Connect(s sparki.Settings, transport http.RoundTripper) (providers.Conn, error) {
	a, err := accountFrom(s)
	if err != nil {
		return nil, err
	}
	return newConn(a, transport), nil
}

// accountFrom reads the settings. An error is Misconfigured and names the field as the form does.
func accountFrom(s sparki.Settings) (account, error) {
	a := account{secrets: slices.Concat(slices.Collect(maps.Values(s.Secrets))...)}
	base := strings.TrimSpace(s.Text[settingBaseURL])
	if err := checkURL(settingBaseURL, base); err != nil {
		return a, err
	}
	// With or without a slash and the version (contract §1).
	base = strings.TrimRight(base, "/")
	if n := len(base) - len("/v3"); n > 0 && strings.EqualFold(base[n:], "/v3") {
		base = base[:n]
	}
	a.baseURL = strings.TrimRight(base, "/") + "/v3"
	a.widget = widgetAccountFrom(s, strings.TrimRight(base, "/"))

	a.agencyID = guid(s.Text[settingAgency])
	if a.agencyID == "" {
		return a, misconfigured(settingAgency, "%s is needed, in the form 00000000-0000-0000-0000-000000000000")
	}
	var err error
	if a.officeIDs, err = guids(s, settingOffices); err != nil {
		return a, err
	}
	if a.employeeIDs, err = guids(s, settingEmployees); err != nil {
		return a, err
	}
	return a, a.readCredentials(s)
}

// guids reads a list of ids.
func guids(s sparki.Settings, key string) (ids []string, err error) {
	for _, entry := range s.Lists[key] {
		if strings.TrimSpace(entry) == "" {
			continue
		}
		id := guid(entry)
		if id == "" {
			return nil, misconfigured(key, "%s must be IDs in the form 00000000-0000-0000-0000-000000000000")
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// readCredentials prefers a client to a fixed token: the latter grows stale (contract §1).
func (a *account) readCredentials(s sparki.Settings) error {
	a.client = clientCredentials{
		tokenURL: strings.TrimSpace(s.Text[settingTokenURL]),
		id:       strings.TrimSpace(s.Text[settingClientID]),
		secret:   trimmed(s.Secret(settingClientSecret)),
		scope:    strings.TrimSpace(s.Text[settingScope]),
	}
	token := trimmed(s.Secret(settingToken))
	switch {
	case a.client.id != "" && a.client.secret != "":
		if a.client.tokenURL == "" {
			a.client.tokenURL = knownTokenURLs[hostOf(a.baseURL)]
		}
		return checkURL(settingTokenURL, a.client.tokenURL)
	case token != "":
		a.token = trimmed(sparki.Secret(strings.TrimPrefix(token.Reveal(), "Bearer "))) // people paste the whole header
		if !isHeaderText(a.token.Reveal()) {
			return misconfigured(settingToken, "%s holds a character that no token has; paste it again")
		}
		return nil
	case a.client.id != "":
		return misconfigured(settingClientSecret, "%s is needed beside the client ID")
	case a.client.secret != "":
		return misconfigured(settingClientID, "%s is needed beside the client secret")
	default:
		return misconfigured(settingClientID, "%s and client secret are needed, or an authorization token")
	}
}

// knownTokenURLs are the token endpoints of Kolibri's own API hosts (contract §1).
var knownTokenURLs = map[string]string{
	"api.kolibri24.com":         "https://id.kolibri24.com/connect/token",
	"sandbox-api.kolibri24.com": "https://sandbox-id.kolibri24.com/connect/token",
}

// checkURL refuses a setting that is no URL to call. Which hosts may be called is decided when the
// settings are saved.
func checkURL(key, value string) error {
	if value == "" {
		return misconfigured(key, "%s is needed")
	}
	if err := rest.CheckBaseURL(value, rest.Policy{AllowPrivate: true}); err != nil {
		return misconfigured(key, "%s cannot be used: %s", sparki.TextOf(err))
	}
	return nil
}

// misconfigured says what is wrong with a setting; the format wants the setting's label first.
func misconfigured(key, format string, args ...any) error {
	i := slices.IndexFunc(settings, func(f sparki.SettingField) bool { return f.Key == key })
	return sparki.Errorf(sparki.Misconfigured, format, append([]any{settings[i].Label}, args...)...)
}

func hostOf(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

func trimmed(s sparki.Secret) sparki.Secret { return sparki.Secret(strings.TrimSpace(s.Reveal())) }

// isHeaderText says whether a text can stand in a header: visible ASCII only.
func isHeaderText(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

const guidLength = len("00000000-0000-0000-0000-000000000000")

// guid is an id as Kolibri writes them, in lower case; "" for anything else (contract §2).
func guid(s string) string {
	s = strings.TrimSpace(s)
	if len(s) != guidLength || uuid.Validate(s) != nil { // Validate knows other forms too

		return ""
	}
	return strings.ToLower(s)
}

// assignmentKind is one of the three kinds of assignments that are listings (contract §3, §4).
type assignmentKind struct {
	source     string // our source type, in sparki.Ref
	row        string // typeOfAssignment of a row of the list
	resource   string // in the path of a read
	wrapper    string // the key around the entity in the answer of a read
	permission string // needed to read it (contract §1)
}

var assignmentKinds = []assignmentKind{
	{"object-assignment", "Object", "ObjectAssignments", "objectAssignment", "objectassignment.read"},
	{"object-type-assignment", "ObjectType", "ObjectTypeAssignments", "objectTypeAssignment", "objecttypeassignment.read"},
	{"project-assignment", "Project", "ProjectAssignments", "projectAssignment", "projectassignment.read"},
}

// entity is the kind's name in change notifications (contract §8.1).
func (k *assignmentKind) entity() string { return strings.TrimSuffix(k.resource, "s") }

// findKind finds the kind for which match holds; nil when there is none.
func findKind(match func(*assignmentKind) bool) *assignmentKind {
	for i := range assignmentKinds {
		if match(&assignmentKinds[i]) {
			return &assignmentKinds[i]
		}
	}
	return nil
}
