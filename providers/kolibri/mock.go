package kolibri

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/mockkit"
)

// Mock is a stand-in Kolibri (contract §10): identity server, REST API, media and webhook sender,
// and at "/" a page to change things. Everything it knows is in its store, so several processes
// that share a store are one CRM; an empty store is filled with the seed on first use.
//
// The exported fields are for tests. Set them before the first request.
type Mock struct {
	// Faults makes matching calls fail.
	Faults mockkit.Faults
	// TokenLifetime is how long an access token is good; one hour, as in contract §1.
	TokenLifetime time.Duration
	// Pace says when webhooks are sent and sent again (contract §8.3); mockkit.DefaultPace.
	Pace mockkit.Pace
	// Quirks varies the form of the webhooks within contract §8.4.
	Quirks WebhookQuirks

	mirror      mockkit.Mirror[*mockEntry, mockState]
	site        mockkit.Site
	mediaPrefix []byte // how the URLs of the mock's own media begin when served, with the quote before
	api         *http.ServeMux
	sender      mockkit.Sender[WebhookMessage]
	pictures    mockkit.Pictures
	now         func() time.Time
	requests    atomic.Uint64 // counts the error answers, for their requestId

}

// newMock makes the stand-in Kolibri of a store. It reads nothing and starts nothing.
func newMock(o providers.MockOptions) providers.Mock {
	m := &Mock{
		TokenLifetime: time.Hour,
		Pace:          mockkit.DefaultPace,
		site:          mockkit.NewSite(o.BaseURL),
		now:           time.Now,
	}
	base, _ := json.Marshal(m.site.URL)
	m.mediaPrefix = append(base[:len(base)-1], "/media/"...)
	m.Faults.Refusal = mockRefusal
	m.mirror.Store, m.mirror.Kinds = o.Store, mockKinds
	m.mirror.Seed = func() ([]providers.MockDoc, error) { return mockSeed(m.now()) }
	m.mirror.Decode, m.mirror.Index = m.entry, newMockState
	m.sender.URL, m.sender.Client, m.sender.Pace, m.sender.Batch = o.WebhookURL, o.Client, &m.Pace, mockMaxBatch
	m.sender.Now = func() time.Time { return m.now() }
	m.sender.Bodies, m.sender.Sign, m.sender.Describe, m.sender.Log = m.deliveries, m.sign, WebhookMessage.describe, m.logDelivery
	m.api = m.routes()
	return m
}

// Close ends what the mock does in the background: webhooks that are still waiting are dropped.
// The mock goes on answering, but sends no more webhooks. A mock without work has no goroutine,
// closed or not.
func (m *Mock) Close() error {
	m.sender.Close()
	return nil
}

// Settings are what an integration needs to talk to this mock. The secrets are random, made once
// per store and kept in it; more than one webhook secret is given only where several processes
// filled the same empty store at the same moment, and then all are good.
func (m *Mock) Settings(ctx context.Context) (sparki.Settings, error) {
	s, err := m.load(ctx)
	if err != nil {
		return sparki.Settings{}, err
	}
	first := s.configs[0]
	settings := sparki.Settings{
		Text: map[string]string{
			"apiBaseUrl":         m.site.URL,
			"tokenUrl":           m.site.URL + "/connect/token",
			"realEstateAgencyId": mockAgencyID,
			"clientId":           first.ClientID,
		},
		Lists:   map[string][]string{},
		Toggles: map[string]bool{},
		Secrets: map[string][]sparki.Secret{
			"clientSecret":       {sparki.Secret(first.ClientSecret)},
			"widgetAppClientKey": {sparki.Secret(first.widgetAppClientKey())},
		},
	}
	for _, c := range s.configs {
		settings.Secrets["webhookSecret"] = append(settings.Secrets["webhookSecret"], sparki.Secret(c.WebhookSecret))
	}
	return settings, nil
}

// StaticToken is a bearer token that does not expire, for curl and for clients that take a pasted
// token (contract §1: for mock and dev only).
func (m *Mock) StaticToken(ctx context.Context) (string, error) {
	s, err := m.load(ctx)
	if err != nil {
		return "", err
	}
	return s.configs[0].StaticToken, nil
}

// ServeHTTP serves requests below BaseURL, with or without its path in front.
func (m *Mock) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.Faults.Serve(w, r, m.serve)
}

func (m *Mock) serve(w http.ResponseWriter, r *http.Request) {
	if r = m.site.Inner(w, r); r == nil {
		return
	}
	m.api.ServeHTTP(w, r)
}

// mockHandler answers one request from one state of the store.
type mockHandler func(w http.ResponseWriter, r *http.Request, s *mockState) error

// routes lists everything that is served, grouped by who may call it.
func (m *Mock) routes() *http.ServeMux {
	mux := http.NewServeMux()

	// Anybody.
	mux.HandleFunc("POST /connect/token", m.open(m.token))
	mux.HandleFunc("GET /v3/Version", m.open(m.apiVersion))
	mux.HandleFunc("POST /v1/validateSignature", m.open(m.validateSignature))
	mux.HandleFunc("GET /media/{fileDataId}/{size}/{name}", m.media)

	// Who has a token, for the agency that gave consent.
	mux.HandleFunc("POST /v3/RealEstateAgencies/Search", m.authorized(m.searchAgencies))
	scoped := func(method, path string, h mockHandler) {
		mux.HandleFunc(method+" /v3/{agency}/"+path, m.authorized(m.consented(h)))
	}
	scoped("POST", "Assignments/Search", m.searchAssignments)
	for resource, kind := range mockAssignmentKinds {
		scoped("GET", resource, m.readAssignment(kind))
		scoped("DELETE", resource, m.deleteAssignment(kind))
		scoped("POST", resource+"/Archive", m.archiveAssignment(kind, true))
		scoped("POST", resource+"/Unarchive", m.archiveAssignment(kind, false))
		scoped("POST", resource+"/Undelete", m.undeleteAssignment(kind))
		scoped("POST", resource+"/UpdateAvailability", m.updateAvailability(kind))
	}
	scoped("POST", "Relations/Search", m.searchRelations)
	scoped("GET", "Employees", m.readRelation(mockEmployeeKind))
	scoped("GET", "Offices", m.readRelation(mockOfficeKind))
	scoped("POST", "AgendaItems/DefineNew", m.defineAgendaItem)
	scoped("POST", "AgendaItems", m.saveAgendaItem)
	scoped("GET", "AgendaItems", m.readAgendaItem)
	scoped("DELETE", "AgendaItems", m.deleteAgendaItem)
	scoped("POST", "AgendaItems/Move", m.moveAgendaItem)
	scoped("POST", "AgendaItems/Cancel", m.cancelAgendaItem)
	scoped("POST", "AgendaItems/Confirm", m.confirmAgendaItem)
	scoped("POST", "AgendaItems/Undelete", m.undeleteAgendaItem)
	scoped("POST", "AgendaItems/Search", m.searchAgendaItems)
	scoped("POST", "AgendaItemCategories/Search", m.searchCategories)
	mux.HandleFunc("/v3/", m.open(func(http.ResponseWriter, *http.Request, *mockState) error {
		return mockNotFound("No HTTP resource was found that matches the request URI.")
	}))

	// The person at the keyboard: the page and its JSON twin.
	mux.HandleFunc("GET /{$}", m.open(m.pageObjects))
	mux.HandleFunc("GET /agenda", m.open(m.pageAgenda))
	mux.HandleFunc("GET /webhooks", m.open(m.pageWebhooks))
	mux.HandleFunc("GET /widget", m.open(m.openWidget))
	mux.HandleFunc("GET /page.css", mockkit.Style)
	mux.HandleFunc("POST /objects", m.sameOrigin(m.formAdd))
	mux.HandleFunc("POST /objects/{id}", m.sameOrigin(m.formChange))
	mux.HandleFunc("GET /admin/objects", m.open(m.adminList))
	mux.HandleFunc("POST /admin/objects", m.sameOrigin(m.adminAdd))
	mux.HandleFunc("POST /admin/objects/{id}", m.sameOrigin(m.adminChange))
	mux.HandleFunc("GET /admin/webhooks", m.open(m.adminWebhooks))
	return mux
}

// open serves everybody, from the newest state.
func (m *Mock) open(h mockHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s, err := m.load(r.Context())
		if err == nil {
			err = h(w, r, s)
		}
		if err != nil {
			m.fail(w, err)
		}
	}
}

// consented lets only calls for our agency through: nobody else gave this client consent.
func (m *Mock) consented(h mockHandler) mockHandler {
	return func(w http.ResponseWriter, r *http.Request, s *mockState) error {
		switch id := r.PathValue("agency"); {
		case !mockIsGUID(id):
			return mockInvalid("realEstateAgencyId", "Error converting value "+mockQuote(id)+" to type Guid.")
		case !strings.EqualFold(id, mockAgencyID):
			return &mockProblem{status: http.StatusForbidden, message: "No consent for this real estate agency."}
		}
		return h(w, r, s)
	}
}

// sameOrigin refuses what a page of another site makes the browser send. The mock's own forms and
// programs without a browser pass.
func (m *Mock) sameOrigin(h mockHandler) http.HandlerFunc {
	next := m.open(h)
	return func(w http.ResponseWriter, r *http.Request) {
		if m.site.IsForeign(r) {
			m.fail(w, &mockProblem{status: http.StatusForbidden, message: "Cross-site request refused."})
			return
		}
		next(w, r)
	}
}

// apiVersion answers the only call that needs no token.
func (m *Mock) apiVersion(w http.ResponseWriter, _ *http.Request, _ *mockState) error {
	return mockkit.Answer(w, map[string]any{
		"major": 4, "minor": 1, "build": 1245, "revision": 0, "version": "4.1.1245.0", "environment": "Mock",
	})
}
