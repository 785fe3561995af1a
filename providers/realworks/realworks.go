// Package realworks speaks with Realworks (realworks.nl): it reads an office's Wonen, Business and
// Nieuwbouw objects and its change notifications, and writes appointments into its agenda. "Contract" in its comments is the project's
// description of Realworks's wire format; "assumed" marks what nothing public states.
//
//   - realworks.go: what the CRM is, its settings form, and how settings become a connection
//   - client.go: calls, refusals, the connection check
//   - listing.go: the lists of objects, and reading one of them
//   - agenda.go: appointments in the office's agendas
//   - convert….go: Realworks's words into ours, without any I/O
//   - webhook.go: change notifications, and which of the URLs in them may be called
//   - mock….go: a stand-in Realworks
package realworks

import (
	"cmp"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/rest"
)

// The keys of the settings.
const (
	settingBaseURL         = "apiBaseUrl"
	settingToken           = "apiToken"
	settingAgendaToken     = "agendaToken"
	settingRelatiesToken   = "relatiesToken"
	settingAfdelingen      = "afdelingCodes"
	settingAgendaType      = "agendaType"
	settingAgendaStatus    = "agendaStatus"
	settingAgendaCancelled = "agendaCancelledStatus"
	settingAgendaPrivacy   = "agendaPrivacy"
	settingDevMode         = "devMode"
	settingTestPrefix      = "testPrefix"
	settingTestAfdeling    = "testAfdelingCode"
	settingTestMedewerker  = "testMedewerkerId"
)

// mappingVersion rises with every change of convert….go that changes a Listing.
const mappingVersion = 1

type provider struct{}

// New makes the provider of Realworks.
func New() providers.Provider { return provider{} }

func (provider) Mock(o providers.MockOptions) providers.Mock { return newMock(o) }

func (provider) Info() providers.Info {
	return providers.Info{
		Key:              "realworks",
		Name:             "Realworks",
		WebhookVersion:   "v2",
		WebhookBodyLimit: 1 << 20,
		Settings:         slices.Clone(settings),
		DevMode:          true,
		DevModeSetting:   settingDevMode,
		NeedsMedewerker:  true,
		MappingVersion:   mappingVersion,
	}
}

// settings is the form that a person fills in.
var settings = []sparki.SettingField{{
	Key: settingBaseURL, Kind: sparki.SettingURL, Required: true,
	Label:       "API base URL",
	Help:        "The address of Realworks's API. Realworks tells you if you need another one than the usual.",
	Placeholder: new("https://api.realworks.nl"),
	Suggestions: []string{"https://api.realworks.nl"},
}, {
	Key: settingToken, Kind: sparki.SettingSecret, Required: true, BoundTo: []string{settingBaseURL},
	Label: "API token",
	Help:  "The token for the APIs Wonen, Business and Nieuwbouw, from the Realworks developer portal. It is hidden once it is saved; paste a new one to replace it.",
}, {
	Key: settingAgendaToken, Kind: sparki.SettingSecret, BoundTo: []string{settingBaseURL},
	Label: "Agenda token",
	Help:  "Only if the agenda has a token of its own. Leave it empty if the API token includes the API Agenda.",
}, {
	Key: settingRelatiesToken, Kind: sparki.SettingSecret, BoundTo: []string{settingBaseURL},
	Label: "Relaties token",
	Help:  "Only if the relations have a token of their own. Without access to the API Relaties, schedules can be linked with an afdeling only.",
}, {
	Key: settingAfdelingen, Kind: sparki.SettingList, Narrows: true,
	Label: "Afdeling codes",
	Help:  "Fill these in to take over the objects of some afdelingen only, and to link schedules with them. Leave the list empty for all afdelingen.",
}, {
	Key: settingAgendaType, Kind: sparki.SettingText,
	Label:       "Agenda type",
	Help:        "The agenda type of appointments, written as your office has it in Realworks.",
	Placeholder: new("Bezichtiging"),
	Suggestions: []string{"Bezichtiging", "1e bezichtiging"},
}, {
	Key: settingAgendaStatus, Kind: sparki.SettingText,
	Label:       "Agenda status",
	Help:        "The status of a confirmed appointment, written as your office has it in Realworks.",
	Placeholder: new("Definitief"),
	Suggestions: []string{"Definitief"},
}, {
	Key: settingAgendaCancelled, Kind: sparki.SettingText,
	Label:       "Agenda status when cancelled",
	Help:        "The status of a cancelled appointment, written as your office has it in Realworks: an appointment cannot be deleted there.",
	Placeholder: new("Geannuleerd"),
	Suggestions: []string{"Geannuleerd"},
}, {
	Key: settingAgendaPrivacy, Kind: sparki.SettingText,
	Label:       "Agenda privacy",
	Help:        "Who may see appointments in Realworks, written as your office has it there. Empty means Iedereen, everybody.",
	Placeholder: new("Iedereen"),
	Suggestions: []string{"Iedereen"},
}, {
	Key: settingDevMode, Kind: sparki.SettingToggle,
	Label: "Dev mode",
	Help:  "Allows a smoke test that makes, changes and cancels an appointment. Only for a test afdeling or a test agenda.",
}, {
	Key: settingTestPrefix, Kind: sparki.SettingText,
	Label:       "Test prefix",
	Help:        "What the subjects of test appointments begin with. Empty means [SPARKI TEST].",
	Placeholder: new("[SPARKI TEST]"),
}, {
	Key: settingTestAfdeling, Kind: sparki.SettingText,
	Label: "Test afdeling code",
	Help:  "The afdeling whose agenda the smoke test uses.",
}, {
	Key: settingTestMedewerker, Kind: sparki.SettingText,
	Label: "Test medewerker ID",
	Help:  "The medewerker whose agenda the smoke test uses.",
}}

// account is what the settings say, checked.
type account struct {
	baseURL string // without a slash at the end
	token   sparki.Secret
	// agendaToken and relatiesToken are those of the other APIs: their own, or token again.
	agendaToken, relatiesToken sparki.Secret
	// afdelingen limit the objects and the agendas to these codes; none for all.
	afdelingen []string
	labels     labels
	test       testAgenda
	// secrets are all that the settings hold, to keep them out of errors.
	secrets []sparki.Secret
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
	var err error
	if a.baseURL, err = baseURLFrom(s); err != nil {
		return a, err
	}
	if a.token, err = tokenFrom(s, settingToken); err != nil {
		return a, err
	}
	if a.token == "" {
		return a, misconfigured(settingToken, "%s is needed")
	}
	for key, token := range map[string]*sparki.Secret{settingAgendaToken: &a.agendaToken, settingRelatiesToken: &a.relatiesToken} {
		if *token, err = tokenFrom(s, key); err != nil {
			return a, err
		}
		if *token == "" {
			*token = a.token
		}
	}
	a.afdelingen, err = afdelingenFrom(s)
	a.labels, a.test = labelsFrom(s), testAgendaFrom(s)
	return a, err
}

// labels are the office's own words for what an agenda item is (contract §4.1).
type labels struct{ kind, status, cancelled, privacy string }

// labelsFrom reads the labels. A setting that is empty stands for the label that most offices have.
func labelsFrom(s sparki.Settings) labels {
	or := func(key, usual string) string { return cmp.Or(strings.TrimSpace(s.Text[key]), usual) }
	return labels{
		kind: or(settingAgendaType, "Bezichtiging"), status: or(settingAgendaStatus, "Definitief"),
		cancelled: or(settingAgendaCancelled, "Geannuleerd"), privacy: or(settingAgendaPrivacy, "Iedereen"),
	}
}

// testAgenda is what dev mode adds: where the smoke test writes to, and how its items are marked.
type testAgenda struct {
	on                           bool
	prefix, afdeling, medewerker string
}

func testAgendaFrom(s sparki.Settings) testAgenda {
	return testAgenda{
		on: s.Toggles[settingDevMode], prefix: cmp.Or(strings.TrimSpace(s.Text[settingTestPrefix]), "[SPARKI TEST]"),
		afdeling: strings.TrimSpace(s.Text[settingTestAfdeling]), medewerker: strings.TrimSpace(s.Text[settingTestMedewerker]),
	}
}

// baseURLFrom reads the base URL. Which hosts may be called is decided when the settings are saved.
func baseURLFrom(s sparki.Settings) (string, error) {
	base := strings.TrimSpace(s.Text[settingBaseURL])
	if base == "" {
		return "", misconfigured(settingBaseURL, "%s is needed")
	}
	if err := rest.CheckBaseURL(base, rest.Policy{AllowPrivate: true}); err != nil {
		return "", misconfigured(settingBaseURL, "%s cannot be used: %s", sparki.TextOf(err))
	}
	return strings.TrimRight(base, "/"), nil
}

// tokenFrom reads a token; "" when there is none. People paste the whole header (contract §1).
func tokenFrom(s sparki.Settings, key string) (sparki.Secret, error) {
	token := strings.TrimSpace(s.Secret(key).Reveal())
	if behind, whole := strings.CutPrefix(token, "rwauth"); whole && strings.TrimLeft(behind, " ") != behind || token == "rwauth" {
		token = strings.TrimSpace(behind)
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", misconfigured(key, "%s holds a character that no token has; paste it again")
	}
	return sparki.Secret(token), nil
}

// afdelingenFrom reads the allowed afdeling codes; none for all.
func afdelingenFrom(s sparki.Settings) ([]string, error) {
	var codes []string
	for _, entry := range s.Lists[settingAfdelingen] {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		if !isAfdeling(entry) {
			return nil, misconfigured(settingAfdelingen, "%s must be codes of digits, such as 935001")
		}
		codes = append(codes, entry)
	}
	return codes, nil
}

// hasAfdeling says whether the settings let an afdeling's objects through.
func (a *account) hasAfdeling(code string) bool {
	return len(a.afdelingen) == 0 || slices.Contains(a.afdelingen, code)
}

// misconfigured says what is wrong with a setting; the format wants the setting's label first.
func misconfigured(key, format string, args ...any) error {
	i := slices.IndexFunc(settings, func(f sparki.SettingField) bool { return f.Key == key })
	return sparki.Errorf(sparki.Misconfigured, format, append([]any{settings[i].Label}, args...)...)
}

var (
	afdelingForm = regexp.MustCompile(`^[0-9]{1,12}$`)         // five or six digits (contract §1)
	objectForm   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`) // XX999999, B999999, N999999 (contract §2.2, §3)
)

func isAfdeling(s string) bool { return afdelingForm.MatchString(s) }

// objectCode is an object code in capitals, as Realworks writes them; "" for anything else.
func objectCode(s string) string {
	if s = strings.TrimSpace(s); !objectForm.MatchString(s) {
		return ""
	}
	return strings.ToUpper(s)
}

// objectAPI is one of the three APIs that have listings (contract §1.1).
type objectAPI struct {
	source   string   // our source type, in sparki.Ref
	name     string   // for persons
	segments []string // how URLs name it; the first one is the API's own
	versions []string // newest first
	resource string
	// pageSize is how many objects are asked for at once (contract §2.1).
	pageSize int
}

var objectAPIs = []objectAPI{
	{"wonen-object", "Wonen", []string{"wonen"}, []string{"v3", "v2"}, "objecten", 100},
	{"business-object", "Business", []string{"bog", "business", "bussiness"}, []string{"v3", "v2", "v1"}, "objecten", 100},
	{"nieuwbouw-object", "Nieuwbouw", []string{"nieuwbouw"}, []string{"v2"}, "projecten", 10},
}

// listPath is where the API's list is, and what its objects lie below.
func (api *objectAPI) listPath(version string) string {
	return "/" + api.segments[0] + "/" + version + "/" + api.resource
}

// findAPI finds the API for which match holds; nil when there is none.
func findAPI(match func(*objectAPI) bool) *objectAPI {
	for i := range objectAPIs {
		if match(&objectAPIs[i]) {
			return &objectAPIs[i]
		}
	}
	return nil
}
