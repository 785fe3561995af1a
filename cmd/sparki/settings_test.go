package main

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"sparki.app/integrations"
	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/providers/all"
	"sparki.app/integrations/providers/kolibri"
	"sparki.app/integrations/providers/mockkit"
)

// canary listens on loopback and counts who connects.
type canary struct {
	port  string
	calls atomic.Int64
}

func newCanary(t *testing.T) *canary {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &canary{}
	_, c.port, _ = net.SplitHostPort(listener.Addr().String())
	go func() {
		for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
			c.calls.Add(1)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close() })
	return c
}

// A base URL that is no place of a CRM is refused where it stands, and nobody is called for it.
func TestSettingsBaseURL(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *config) { c.AllowPrivateUpstreams, c.CRMHosts = false, []string{"*.kolibri24.com", "localhost"} })
	c := newCanary(t)
	for name, url := range map[string]string{
		"Plain":            "http://api.kolibri24.com",
		"NoScheme":         "api.kolibri24.com",
		"SchemeRelative":   "//api.kolibri24.com",
		"Opaque":           "https:api.kolibri24.com",
		"OtherScheme":      "ftp://api.kolibri24.com",
		"File":             "file:///etc/passwd",
		"Script":           "javascript:alert(1)",
		"NoHost":           "https:///v3",
		"User":             "https://user@api.kolibri24.com",
		"UserAndPassword":  "https://user:password@api.kolibri24.com",
		"EmptyUser":        "https://@api.kolibri24.com",
		"HostAsUser":       "https://api.kolibri24.com@127.0.0.1:" + c.port,
		"Backslash":        "https://127.0.0.1:" + c.port + `\@api.kolibri24.com`,
		"Loopback":         "https://127.0.0.1:" + c.port,
		"LoopbackPlain":    "http://127.0.0.1:" + c.port,
		"LocalhostAndPort": "https://localhost:" + c.port,
		"LoopbackV6":       "https://[::1]:" + c.port,
		"Mapped":           "https://[::ffff:127.0.0.1]:" + c.port,
		"MappedHex":        "https://[::ffff:7f00:1]",
		"Zone":             "https://[fe80::1%25lo]",
		"Decimal":          "https://2130706433",
		"Hex":              "https://0x7f000001",
		"HexDots":          "https://0x7f.0.0.0x1",
		"Octal":            "https://0177.0.0.01",
		"Short":            "https://127.1",
		"Unspecified":      "https://0.0.0.0",
		"Zero":             "https://0",
		"Metadata":         "https://169.254.169.254",
		"Private":          "https://10.0.0.1",
		"PublicLiteral":    "https://8.8.8.8",
		"TrailingDot":      "https://127.0.0.1.",
		"NameAndDot":       "https://api.kolibri24.com.",
		"ForeignHost":      "https://api.example.com",
		"Suffix":           "https://api.kolibri24.com.evil.example",
		"Prefix":           "https://evilkolibri24.com",
		"Apex":             "https://kolibri24.com",
		"OtherPort":        "https://api.kolibri24.com:8443",
		"EmptyPort":        "https://api.kolibri24.com:",
		"PortWithZero":     "https://api.kolibri24.com:0443",
		"Wide":             "https://api.kolibri24。com",
		"FullWidth":        "https://ａpi.kolibri24.com",
		"Cyrillic":         "https://арi.kolibri24.com",
		"Escaped":          "https://api%2ekolibri24.com",
		"Tab":              "https://api.koli\tbri24.com",
		"Newline":          "https://api.kolibri24.com\n.evil.example",
		"Space":            "https://api.kolibri24.com /v3",
		"Up":               "https://api.kolibri24.com/../v3",
		"EscapedUp":        "https://api.kolibri24.com/%2e%2e/v3",
		"Query":            "https://api.kolibri24.com/v3?to=127.0.0.1",
		"Fragment":         "https://api.kolibri24.com/v3#x",
		"Wildcard":         "https://*.kolibri24.com",
	} {
		for _, key := range []string{"apiBaseUrl", "tokenUrl"} {
			settings := map[string]any{"apiBaseUrl": "https://api.kolibri24.com", "clientId": "x", "clientSecret": "y",
				"realEstateAgencyId": "5b0c9a2e-7d41-4c36-9f58-1e2a6c3d4b70"}
			settings[key] = url
			got := b.save(t, settings)
			if want := "INVALID input.settings." + key; got.Integration != nil || !slices.Equal(codes(got.UserErrors), []string{want}) {
				t.Errorf("%s as %s: %v %+v, want %s", name, key, got.Integration, got.UserErrors, want)
			}
			for _, e := range got.UserErrors {
				if strings.Contains(e.Message, "password") && !strings.Contains(e.Message, "user name or password") {
					t.Errorf("%s: the message repeats the password: %s", name, e.Message)
				}
			}
		}
	}
	if n := b.count(t, "integrations") + b.count(t, "settings"); n != 0 {
		t.Errorf("refused settings left %d rows", n)
	}
	// A name that may be entered, but leads to an address that is nobody's business.
	got := b.save(t, map[string]any{"apiBaseUrl": "https://localhost", "tokenUrl": "https://localhost/connect/token", "clientId": "x",
		"clientSecret": "y", "realEstateAgencyId": "5b0c9a2e-7d41-4c36-9f58-1e2a6c3d4b70"})
	if got.Integration == nil || got.Integration.Connection.State != "UNREACHABLE" || !strings.Contains(got.Integration.Connection.Problem, "not public") {
		t.Errorf("a name of loopback: %+v", got)
	}
	if n := c.calls.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// What a form can be filled in wrongly with. Nothing that is refused is stored.
func TestSettingsForm(t *testing.T) {
	t.Parallel()
	b, o := setup(t), openOffice(t)
	integration := b.connect(t, o)
	fingerprint := func() (sum string) {
		b.sql(t, `select md5(string_agg(s::text, '' order by key)) from settings s`, nil, &sum)
		return sum
	}
	before := fingerprint()
	invalid := func(keys ...string) []string {
		for n, key := range keys {
			keys[n] = "INVALID input.settings." + key
		}
		return keys
	}
	masked := []string{"MASKED_SECRET input.settings.clientSecret"}
	manyIDs := make([]string, 501)
	for n := range manyIDs {
		manyIDs[n] = fmt.Sprint(n)
	}
	for name, c := range map[string]struct {
		settings any
		want     []string
	}{
		"UnknownKey":        {map[string]any{"apiBaseURL": o.url}, invalid("apiBaseURL")},
		"UnknownKeyNull":    {map[string]any{"spaceship": nil}, invalid("spaceship")},
		"EmptyKey":          {map[string]any{"": "x"}, invalid("")},
		"ReservedKey":       {map[string]any{"__proto__": "x"}, invalid("__proto__")},
		"TextIsNumber":      {map[string]any{"clientId": 7}, invalid("clientId")},
		"TextIsBool":        {map[string]any{"clientId": true}, invalid("clientId")},
		"TextIsList":        {map[string]any{"clientId": []string{"x"}}, invalid("clientId")},
		"TextIsObject":      {map[string]any{"clientId": map[string]any{"x": 1}}, invalid("clientId")},
		"URLIsNumber":       {map[string]any{"apiBaseUrl": 7}, invalid("apiBaseUrl")},
		"SecretIsNumber":    {map[string]any{"clientSecret": 1234567890123456}, invalid("clientSecret")},
		"SecretIsList":      {map[string]any{"clientSecret": []string{"x"}}, invalid("clientSecret")},
		"ListIsText":        {map[string]any{"officeIds": "x"}, invalid("officeIds")},
		"ListOfNumbers":     {map[string]any{"officeIds": []int{1}}, invalid("officeIds")},
		"ListOfNull":        {map[string]any{"officeIds": []any{nil}}, invalid("officeIds")},
		"ListOfEmpty":       {map[string]any{"officeIds": []string{""}}, invalid("officeIds")},
		"ListTooLong":       {map[string]any{"officeIds": manyIDs}, invalid("officeIds")},
		"TextEmpty":         {map[string]any{"clientId": ""}, invalid("clientId")},
		"TextBlank":         {map[string]any{"clientId": " \t\n"}, invalid("clientId")},
		"SecretEmpty":       {map[string]any{"clientSecret": ""}, invalid("clientSecret")},
		"TextTooLong":       {map[string]any{"clientId": strings.Repeat("x", 4097)}, invalid("clientId")},
		"SecretTooLong":     {map[string]any{"clientSecret": strings.Repeat("x", 1<<18)}, invalid("clientSecret")},
		"TextWithNUL":       {map[string]any{"clientId": "a\x00b"}, invalid("clientId")},
		"SecretWithNUL":     {map[string]any{"clientSecret": "a\x00b"}, invalid("clientSecret")},
		"HookSecretShort":   {map[string]any{"webhookSecret": "fifteen-letters"}, invalid("webhookSecret")},
		"HookSecretRunes":   {map[string]any{"webhookSecret": strings.Repeat("é", 15)}, invalid("webhookSecret")},
		"HookSecretPadded":  {map[string]any{"webhookSecret": "short" + strings.Repeat(" ", 20)}, invalid("webhookSecret")},
		"MaskStars":         {map[string]any{"clientSecret": "***"}, masked},
		"MaskManyStars":     {map[string]any{"clientSecret": strings.Repeat("*", 40)}, masked},
		"MaskBullets":       {map[string]any{"clientSecret": "••••••••"}, masked},
		"MaskDots":          {map[string]any{"clientSecret": " ●●●● "}, masked},
		"SeveralAtOnce":     {map[string]any{"clientSecret": "***", "clientId": 1, "spaceship": 1}, append(invalid("clientId", "spaceship"), masked...)},
		"GoodBesideBad":     {map[string]any{"clientSecret": "a new and good one", "clientId": ""}, invalid("clientId")},
		"SettingsText":      {"clientId=x", []string{"INVALID input.settings"}},
		"SettingsList":      {[]string{"clientId"}, []string{"INVALID input.settings"}},
		"SettingsNumber":    {7, []string{"INVALID input.settings"}},
		"SettingsBoolFalse": {false, []string{"INVALID input.settings"}},
	} {
		slices.Sort(c.want)
		got := b.save(t, c.settings)
		if got.Integration != nil || !slices.Equal(codes(got.UserErrors), c.want) {
			t.Errorf("%s: %+v %v, want %v", name, got.Integration, codes(got.UserErrors), c.want)
		}
		for _, e := range got.UserErrors {
			if e.Message == "" || len(e.Message) > 300 {
				t.Errorf("%s: the message is %q", name, e.Message)
			}
		}
	}
	if after := fingerprint(); after != before {
		t.Error("refused settings changed what is stored")
	}
	if got := b.save(t, map[string]any{"webhookSecret": "sixteen-letters!", "officeIds": []string{}}); len(got.UserErrors) > 0 || got.Integration.ID != integration {
		t.Errorf("a good form is refused: %+v", got)
	}
	provider := func(key string) func(map[string]any) { return func(in map[string]any) { in["provider"] = key } }
	for _, key := range []string{"", "Kolibri", "spaceship", strings.Repeat("x", 10_000)} {
		if got := b.save(t, map[string]any{}, provider(key)); !slices.Equal(codes(got.UserErrors), []string{"INVALID input.provider"}) {
			t.Errorf("provider %.20q: %+v", key, got)
		}
	}
	poor := dbtest.Portal(t, b.db) // whose plan includes nothing
	token := b.newToken(t, poor, sparki.Permissions...)
	if got := b.saveAs(t, token, o.settings(t)); got.Integration != nil || !slices.Equal(codes(got.UserErrors), []string{"ADD_ON_LOCKED input.provider"}) {
		t.Errorf("a locked add-on: %+v", got)
	}
	if n := b.count(t, "integrations where portal_id = $1", poor.ID); n != 0 {
		t.Errorf("the locked add-on left %d integrations", n)
	}
}

// A hidden secret is never sent to a host that it was not given for.
func TestSettingsNewHost(t *testing.T) {
	t.Parallel()
	b, o, c := setup(t), openOffice(t), newCanary(t)
	settings := o.settings(t)
	settings["authorizationToken"] = "a-stored-token"
	b.save(t, settings)
	evil := "http://127.0.0.1:" + c.port
	const client, token = "REQUIRED input.settings.clientSecret", "REQUIRED input.settings.authorizationToken"
	for name, sent := range map[string]struct {
		settings map[string]any
		want     []string
	}{
		"BaseURL":         {map[string]any{"apiBaseUrl": evil}, []string{token, client}},
		"TokenURL":        {map[string]any{"tokenUrl": evil + "/connect/token"}, []string{client}},
		"Both":            {map[string]any{"apiBaseUrl": evil, "tokenUrl": evil}, []string{token, client}},
		"BaseURLCleared":  {map[string]any{"apiBaseUrl": nil}, []string{token, client}},
		"TokenURLCleared": {map[string]any{"tokenUrl": nil}, []string{client}},
		"OnlyOneSecret":   {map[string]any{"apiBaseUrl": evil, "clientSecret": "given again"}, []string{token}},
		"OnlyTheOther":    {map[string]any{"tokenUrl": evil, "authorizationToken": "given again"}, []string{client}},
		"NewClientID":     {map[string]any{"apiBaseUrl": evil, "clientId": "another"}, []string{token, client}},
		"AnotherName":     {map[string]any{"apiBaseUrl": strings.Replace(o.url, "127.0.0.1", "localhost", 1)}, []string{token, client}},
		"AnotherScheme":   {map[string]any{"apiBaseUrl": strings.Replace(o.url, "http", "https", 1)}, []string{token, client}},
		"MaskedInstead": {map[string]any{"apiBaseUrl": evil, "clientSecret": "****", "authorizationToken": "new"},
			[]string{"MASKED_SECRET input.settings.clientSecret"}},
	} {
		got := b.save(t, sent.settings)
		problems := slices.DeleteFunc(codes(got.UserErrors), func(code string) bool { return name == "MaskedInstead" && code == client })
		if got.Integration != nil || !slices.Equal(problems, sent.want) {
			t.Errorf("%s: %+v %v, want %v", name, got.Integration, problems, sent.want)
		}
	}
	// In mock mode nothing is sent; but what is stored then must not be what goes live later.
	got := b.save(t, map[string]any{"apiBaseUrl": evil}, func(in map[string]any) { in["mock"] = true })
	if !slices.Equal(codes(got.UserErrors), []string{token, client}) {
		t.Errorf("in mock mode: %+v", got)
	}
	if n := c.calls.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
	if got := b.save(t, map[string]any{}); got.Integration == nil || got.Integration.Connection.State != "OK" {
		t.Errorf("after all refusals the stored settings no longer work: %+v", got)
	}
	for name, path := range map[string]string{"Slash": "/", "Version": "/v3", "Both": "/V3/"} {
		if got := b.save(t, map[string]any{"apiBaseUrl": o.url + path}); got.Integration == nil || got.Integration.Connection.State != "OK" {
			t.Errorf("%s, the same host: %+v", name, got)
		}
	}
	moved := openOffice(t)
	if got := b.save(t, moved.settings(t)); !slices.Equal(codes(got.UserErrors), []string{token}) {
		t.Errorf("moved with one secret of two: %+v", got)
	}
	settings = moved.settings(t)
	settings["authorizationToken"] = nil
	if got := b.save(t, settings); len(got.UserErrors) > 0 || got.Integration.Connection.State != "OK" {
		t.Errorf("moved with one secret given and the other cleared: %+v", got)
	}
}

// Settings that the CRM does not take are saved, and the connection says in plain words what to mend.
func TestSettingsConnection(t *testing.T) {
	t.Parallel()
	b, c := setup(t), newCanary(t)
	fault := func(f mockkit.Fault) func(*office, map[string]any) {
		return func(o *office, _ map[string]any) { f.Times = -1; o.faults.Add(f) }
	}
	set := func(key string, value any) func(*office, map[string]any) {
		return func(_ *office, settings map[string]any) { settings[key] = value }
	}
	const agencies, listings, token = "/RealEstateAgencies/Search", "/Assignments/Search", "/connect/token"
	for name, k := range map[string]struct {
		spoil         func(*office, map[string]any)
		state, remedy string
	}{
		"WrongSecret":          {set("clientSecret", "wrong-secret-0001"), "UNAUTHORIZED", "client ID and client secret"},
		"WrongClient":          {set("clientId", "nobody"), "UNAUTHORIZED", "client ID and client secret"},
		"WrongScope":           {set("scope", "everything"), "MISCONFIGURED", "scope"},
		"NoClientID":           {set("clientId", nil), "MISCONFIGURED", "Client ID"},
		"NoBaseURL":            {set("apiBaseUrl", nil), "MISCONFIGURED", "API base URL"},
		"NoAgency":             {set("realEstateAgencyId", nil), "MISCONFIGURED", "Real estate agency ID"},
		"AgencyIsNoID":         {set("realEstateAgencyId", "De Wilde Makelaars"), "MISCONFIGURED", "Real estate agency ID"},
		"AgencyWithoutConsent": {set("realEstateAgencyId", "00000000-0000-4000-8000-00000000000b"), "MISCONFIGURED", "consent"},
		"OfficeIsNoID":         {set("officeIds", []string{"Utrecht"}), "MISCONFIGURED", "Office IDs"},
		"MayNotSearch":         {fault(mockkit.Fault{Path: listings, Status: 403}), "MISCONFIGURED", "assignment.search"},
		"MayNotSeeAgencies":    {fault(mockkit.Fault{Path: agencies, Status: 403}), "MISCONFIGURED", "realestateagency.search"},
		"TokenRefused":         {fault(mockkit.Fault{Path: agencies, Status: 401}), "UNAUTHORIZED", "belong together"},
		"NoAPIThere": {func(o *office, s map[string]any) { s["apiBaseUrl"] = o.url + "/elsewhere" },
			"MISCONFIGURED", "API base URL"},
		"NoTokensThere": {func(o *office, s map[string]any) { s["tokenUrl"] = o.url + "/elsewhere" },
			"MISCONFIGURED", "token URL"},
		"Away": {func(_ *office, s map[string]any) {
			s["apiBaseUrl"], s["tokenUrl"] = "http://127.0.0.1:1", "http://127.0.0.1:1/connect/token"
		}, "UNREACHABLE", "cannot be reached"},
		"Slow":          {fault(mockkit.Fault{Path: agencies, Kind: mockkit.FaultSlow, Delay: time.Minute}), "UNREACHABLE", "in time"},
		"Drips":         {fault(mockkit.Fault{Path: listings, Kind: mockkit.FaultDrip, Delay: time.Second}), "UNREACHABLE", "in time"},
		"SlowTokens":    {fault(mockkit.Fault{Path: token, Kind: mockkit.FaultSlow, Delay: time.Minute}), "UNREACHABLE", "in time"},
		"HTML":          {fault(mockkit.Fault{Path: agencies, Kind: mockkit.FaultHTML, Status: 200}), "UNREACHABLE", "cannot be read"},
		"HTML500":       {fault(mockkit.Fault{Path: agencies, Kind: mockkit.FaultHTML}), "UNREACHABLE", "at the moment"},
		"HTML404":       {fault(mockkit.Fault{Path: agencies, Kind: mockkit.FaultHTML, Status: 404}), "MISCONFIGURED", "API base URL"},
		"HTMLForTokens": {fault(mockkit.Fault{Path: token, Kind: mockkit.FaultHTML, Status: 200}), "UNREACHABLE", "cannot be read"},
		"Huge":          {fault(mockkit.Fault{Path: listings, Kind: mockkit.FaultHuge}), "UNREACHABLE", "too large"},
		"Reset":         {fault(mockkit.Fault{Path: listings, Kind: mockkit.FaultReset}), "UNREACHABLE", "broke off"},
		"Truncated":     {fault(mockkit.Fault{Path: listings, Kind: mockkit.FaultTruncated}), "UNREACHABLE", "cannot be read"},
		"Garbage":       {fault(mockkit.Fault{Path: agencies, Kind: mockkit.FaultGarbage}), "UNREACHABLE", "cannot be read"},
		"Empty":         {fault(mockkit.Fault{Path: agencies, Kind: mockkit.FaultEmpty}), "UNREACHABLE", "cannot be read"},
		"TooMany":       {fault(mockkit.Fault{Status: 429, RetryAfter: "20"}), "UNREACHABLE", "fewer calls"},
		"Unavailable":   {fault(mockkit.Fault{Status: 503, RetryAfter: "20"}), "UNREACHABLE", "at the moment"},
		"Redirect": {fault(mockkit.Fault{Path: agencies, Kind: mockkit.FaultRedirect, Location: "http://127.0.0.1:" + c.port + "/"}),
			"MISCONFIGURED", "another address"},
		"RedirectedTokens": {fault(mockkit.Fault{Path: token, Kind: mockkit.FaultRedirect, Location: "http://127.0.0.1:" + c.port + "/"}),
			"MISCONFIGURED", "token URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			portal, o := dbtest.Portal(t, b.db, all.Keys()...), openOffice(t)
			token, settings := b.newToken(t, portal, sparki.Permissions...), o.settings(t)
			good := maps.Clone(settings)
			k.spoil(o, settings)
			got := b.saveAs(t, token, settings)
			if len(got.UserErrors) > 0 || got.Integration == nil {
				t.Fatalf("not saved: %+v", got)
			}
			connection := got.Integration.Connection
			if connection.State != k.state || !strings.Contains(connection.Problem, k.remedy) {
				t.Errorf("the connection is %s: %q, want %s with %q", connection.State, connection.Problem, k.state, k.remedy)
			}
			for _, secret := range []string{settings["clientSecret"].(string), settings["webhookSecret"].(string), "Bearer", "<", "HTTP/", "client_secret="} {
				if strings.Contains(connection.Problem, secret) {
					t.Errorf("the problem holds %q: %s", secret, connection.Problem)
				}
			}
			if n := b.count(t, "settings where portal_id = $1 and key = 'webhookSecret'", portal.ID); n != 1 {
				t.Errorf("%d webhook secrets are stored", n)
			}
			runs := b.count(t, "sync_runs where portal_id = $1", portal.ID)
			if waits := k.state != "UNREACHABLE"; waits != (runs == 0) {
				t.Errorf("%s, and %d crawls were started", k.state, runs)
			}
			o.faults.Clear()
			good["scope"], good["officeIds"] = nil, nil
			if got := b.saveAs(t, token, good); got.Integration == nil || got.Integration.Connection.State != "OK" || got.Integration.Connection.Problem != "" {
				t.Errorf("mended, the connection is %+v", got)
			}
		})
	}
	t.Cleanup(func() {
		if n := c.calls.Load(); n != 0 {
			t.Errorf("%d redirects were followed", n)
		}
	})
}

// A secret leaves the program only to the CRM: no answer, no log line, no metric, no trace, no key or value of Redis
// and no row of the database holds one (I1–I5, I11). What is known of a customer stands in answers and in the database
// only, also when the CRM repeats it in a refusal (I10).
func TestSecretsStayHidden(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	h := newHook(t, func(c *config) { c.exporter = spans })
	settings := h.office.settings(t)
	settings["authorizationToken"] = "canary-authorization-token-0001"
	settings["webhookSecret"] = "canary-webhook-secret-000002"
	settings["widgetAppClientKey"] = "canary-widget-app-client-key-03"
	cookie := strings.TrimPrefix(h.signIn(t, h.token), "sparki_session=")
	secrets := []string{settings["clientSecret"].(string), settings["authorizationToken"].(string), settings["webhookSecret"].(string), h.secret, h.token,
		settings["widgetAppClientKey"].(string), cookie}
	h.office.respells(lindelaan, func(entity map[string]any) { // a CRM that repeats what it was sent, and much else (I11)
		entity["echo"] = secrets[0] + " " + secrets[5]
		entity["filling"] = strings.Repeat("x", 2<<20)
	})
	const cookieOfTheCRM = "canary-cookie-of-the-crm-0004"
	h.office.sets("Set-Cookie", "session="+cookieOfTheCRM)
	second := openOfficeOf(t, kinds[1])
	tokens := second.settings(t)
	for _, key := range []string{"apiToken", "agendaToken", "relatiesToken"} {
		if token, ok := tokens[key].(string); ok {
			secrets = append(secrets, token)
		}
	}
	secrets = append(secrets, cookieOfTheCRM)
	customer := []string{"Noor Beekman", "noor@mail.example", "06 5550 3301"} // of keepDiary
	var answers strings.Builder
	ask := func(document string, variables map[string]any) {
		got := h.ask(t, h.token, document, variables)
		fmt.Fprintf(&answers, "%s %+v\n", got.Data, got.Errors)
	}
	w := newWriter(t)
	everything := func() { // every field that the schema has, of whatever the portal has (I1)
		for _, f := range w.fields("Query") {
			if len(w.inputs(f, "ID")) == 0 || f.Name != "node" && f.Name != "linkPreview" {
				ask("{ "+f.Name+w.arguments(f, nil, func(input) string { return quoted(h.integration) })+w.selection(f.Type.Name(), 3)+" }", nil)
			}
		}
		for _, name := range w.nodes() {
			for _, id := range h.ids(t, name) {
				ask(fmt.Sprintf(`{ node(id: %q) { ... on %s %s } }`, id, name, w.selection(name, 2)), nil)
				if name != "Integration" && name != "Portal" { // of the others one is enough
					break
				}
			}
		}
	}
	input := map[string]any{"provider": "kolibri", "mock": false, "settings": settings, "domains": map[string]any{"listings": true, "agenda": true, "outbound": true}}
	ask(saveDocument, map[string]any{"input": input})
	h.waitForSync(t, h.integration)
	h.settled(t, h.accepted(t, kolibri.Envelope(update("", lindelaan)))) // still the previous secret
	diary := h.keepDiary(t, h.integration, h.imported(t, lindelaan).ID)
	h.office.faults.Add(mockkit.Fault{Method: http.MethodPost, Path: "AgendaItems", Status: http.StatusBadRequest, Times: -1,
		Body: fmt.Sprintf(`{"errorCode": "InvalidModelState", "message": "not a customer: %s"}`, strings.Join(customer, ", "))})
	refused := diary.settles(t, diary.book(t, diary.schedule, "CONFIRMED").ID, "FAILED", "")
	h.office.faults.Clear()
	if message := refused.WriteBack.Message; message == nil || !strings.Contains(*message, customer[1]) {
		t.Errorf("the office is told %v", message)
	}
	realworks := h.connect(t, second)
	for _, f := range []string{"raw", "syncError", "inactiveReason"} {
		ask(`{ syncedItems(first: 100, filter: {search: "`+lindelaan+`"}) { nodes { `+f+` } } }`, nil)
	}
	everything()
	for _, wrong := range []map[string]any{
		{"clientId": 1, "clientSecret": secrets[0]}, {"apiBaseUrl": "http://user:" + secrets[1] + "@127.0.0.1"}, {"webhookSecret": secrets[2] + "\x00"},
		{secrets[2]: "the secret as a key"}, {"clientSecret": map[string]any{"value": secrets[0]}},
	} {
		input["settings"] = wrong
		got := h.ask(t, h.token, saveDocument, map[string]any{"input": input})
		if !strings.Contains(string(got.Data), secrets[2]) || wrong[secrets[2]] == nil { // an unknown key is named, whatever it is
			fmt.Fprintf(&answers, "%s %+v\n", got.Data, got.Errors)
		}
	}
	for _, kind := range []mockkit.FaultKind{mockkit.FaultHTML, mockkit.FaultGarbage, mockkit.FaultTruncated, mockkit.FaultReset} {
		for o, integration := range map[*office]string{h.office: h.integration, second: realworks} {
			o.faults.Add(mockkit.Fault{Kind: kind, Times: 2})
			ask(`mutation ($id: ID!) { checkConnection(integrationId: $id) { integration { connection { state problem } } } }`, map[string]any{"id": integration})
			o.faults.Clear()
		}
	}
	h.deliver(t, h.integration, "canary-wrong-secret-00003", kolibri.Envelope(update("", lindelaan)))
	h.ask(t, h.token+"x", `{ viewer { name } }`, nil)
	everything()

	places := map[string]string{"the answers": answers.String(), "the metrics": h.scrape(t), "the log": h.logs.String(), "Redis": h.redisDump(t), "the database": h.databaseDump(t),
		"the traces": spansDump(h.spans(t, spans))}
	for place, content := range places {
		if len(content) < 100 {
			t.Errorf("%s: only %q", place, content)
		}
		for n, secret := range secrets {
			for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret))} {
				if at := strings.Index(content, form); at >= 0 {
					t.Errorf("secret %d stands in %s: …%q…", n, place, content[max(0, at-80):at])
				}
			}
		}
		for _, fact := range customer {
			at := strings.Index(content, fact)
			if known := place == "the answers" || place == "the database"; known != (at >= 0) {
				t.Errorf("that %q stands in %s is %t: …%q…", fact, place, at >= 0, content[max(0, at-80):max(0, at)])
			}
		}
	}
}

// redisDump writes all keys of the program with their values.
func (b *bundle) redisDump(t *testing.T) string {
	t.Helper()
	ctx := context.Background()
	var out strings.Builder
	for keys := b.redis.Scan(ctx, 0, "*"+b.prefix+"*", 1000).Iterator(); keys.Next(ctx); {
		var value any
		switch key := keys.Val(); b.redis.Type(ctx, key).Val() {
		case "string":
			value = b.redis.Get(ctx, key).Val()
		case "hash":
			value = b.redis.HGetAll(ctx, key).Val()
		case "list":
			value = b.redis.LRange(ctx, key, 0, -1).Val()
		case "set":
			value = b.redis.SMembers(ctx, key).Val()
		case "zset":
			value = b.redis.ZRange(ctx, key, 0, -1).Val()
		}
		fmt.Fprintln(&out, keys.Val(), value)
	}
	return out.String()
}

// databaseDump writes every row of every table.
func (b *bundle) databaseDump(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	b.superuser(t, func(ctx context.Context, c *pgx.Conn) error {
		rows, _ := c.Query(ctx, `select quote_ident(relname) from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`)
		tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
		for _, table := range tables {
			rows, _ := c.Query(ctx, `select t::text from `+table+` t`)
			lines, rowErr := pgx.CollectRows(rows, pgx.RowTo[string])
			if rowErr != nil {
				return rowErr
			}
			fmt.Fprintln(&out, table, strings.Join(lines, "\n"))
		}
		return err
	})
	return out.String()
}
