package realworks

import (
	"context"
	"net/http"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/mockkit"
)

// Mock is a stand-in Realworks (contract §8): REST API, media and webhook sender, and at "/" a page
// to change things. Everything it knows is in its store, so several processes that share a store are
// one CRM; an empty store is filled with the seed on first use.
//
// The exported fields are for tests. Set them before the first request.
type Mock struct {
	// Faults makes matching calls fail, beside those that are armed in the store through the page.
	Faults mockkit.Faults
	// Pace says when webhooks are sent and sent again (assumed; the contract does not say).
	Pace mockkit.Pace
	// Quirks varies the form of the webhooks within contract §5.
	Quirks WebhookQuirks

	mirror   mockkit.Mirror[*mockEntry, mockState]
	site     mockkit.Site
	api      *http.ServeMux
	sender   mockkit.Sender[WebhookMessage]
	held     *WebhookMessage // see WebhookQuirks.Swap; guarded by the mirror
	pictures mockkit.Pictures
	now      func() time.Time
}

// newMock makes the stand-in Realworks of a store. It reads nothing and starts nothing.
func newMock(o providers.MockOptions) *Mock {
	m := &Mock{
		Pace: mockkit.DefaultPace,
		site: mockkit.NewSite(o.BaseURL),
		now:  time.Now,
	}
	m.Pace.Every = 0 // each object has a delivery of its own
	m.Faults.Refusal = mockRefusal
	m.mirror.Store, m.mirror.Kinds = o.Store, mockKinds
	m.mirror.Seed = func() ([]providers.MockDoc, error) { return mockSeed(m.now()) }
	m.mirror.Decode, m.mirror.Index = newMockEntry, newMockState
	m.sender.URL, m.sender.Client, m.sender.Pace, m.sender.Batch = o.WebhookURL, o.Client, &m.Pace, 1
	m.sender.Now = func() time.Time { return m.now() }
	m.sender.Bodies, m.sender.Describe, m.sender.Log = m.deliveries, WebhookMessage.describe, m.logDelivery
	m.sender.GoesOn = m.count
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

// Settings are what an integration needs to talk to this mock. The tokens are random, made once per
// store and kept in it.
func (m *Mock) Settings(ctx context.Context) (sparki.Settings, error) {
	s, err := m.load(ctx)
	if err != nil {
		return sparki.Settings{}, err
	}
	first := s.configs[0]
	return sparki.Settings{
		Text: map[string]string{
			"apiBaseUrl":            m.site.URL,
			"agendaType":            mockAgendaTypes[0],
			"agendaStatus":          mockAgendaStatuses[0],
			"agendaCancelledStatus": mockCancelled,
			"agendaPrivacy":         "Iedereen",
			"testAfdelingCode":      mockAfdelingen[1].Code,
			"testMedewerkerId":      "39220061",
		},
		Lists:   map[string][]string{"afdelingCodes": mockAfdelingCodes()},
		Toggles: map[string]bool{},
		Secrets: map[string][]sparki.Secret{
			"apiToken":      {sparki.Secret(first.APIToken)},
			"agendaToken":   {sparki.Secret(first.AgendaToken)},
			"relatiesToken": {sparki.Secret(first.RelatiesToken)},
		},
	}, nil
}

// ServeHTTP serves requests below BaseURL, with or without its path in front.
func (m *Mock) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.Faults.Serve(w, r, m.serve)
}

func (m *Mock) serve(w http.ResponseWriter, r *http.Request) {
	if r = m.site.Inner(w, r); r == nil {
		return
	}
	if fault := m.stored(r); fault != nil {
		fault.Serve(w, r, m.api.ServeHTTP)
		return
	}
	m.api.ServeHTTP(w, r)
}

// mockHandler answers one request from one state of the store.
type mockHandler func(w http.ResponseWriter, r *http.Request, s *mockState) error

// routes lists everything that is served, grouped by who may call it (contract §1.1).
func (m *Mock) routes() *http.ServeMux {
	mux := http.NewServeMux()

	// Anybody who has the link.
	mux.HandleFunc("GET "+mockMediaPath+"{name}", m.open(m.media))

	// Who has a token for the API.
	for _, api := range mockAPIs {
		for _, view := range api.views {
			list := "/" + api.kind + "/v" + string(view.version) + "/" + api.resource
			mux.HandleFunc("GET "+list, m.authorized(api.kind, m.listObjects(api, view)))
			mux.HandleFunc("GET "+list+"/{afdeling}/{object}", m.authorized(api.kind, m.readObject(api, view)))
		}
	}
	agenda := func(pattern string, h mockHandler) {
		mux.HandleFunc(pattern, m.authorized(mockAgendaAPI, h))
	}
	agenda("GET /agenda/v3/afdeling/{afdeling}", m.listAfdelingAgenda)
	agenda("GET /agenda/v3/medewerker/{medewerker}", m.listMedewerkerAgenda)
	agenda("GET /agenda/v3/afdeling/{afdeling}/agenda/{id}", m.readAgendaItem)
	for _, version := range []string{"v3", "v1"} {
		agenda("GET /agenda/"+version+"/types/{afdeling}", m.agendaLabels("type", 1001, mockAgendaTypes))
		agenda("GET /agenda/"+version+"/statussen/{afdeling}", m.agendaLabels("status", 2001, mockAgendaStatuses))
	}
	agenda("POST /agenda/v3", m.createAgendaItem)
	agenda("PUT /agenda/v3/{id}", m.updateAgendaItem)
	mux.HandleFunc("GET /relaties/v1/medewerker", m.authorized(mockRelatiesAPI, m.listMedewerkers))
	mux.HandleFunc("GET /relaties/v1/{id}", m.authorized(mockRelatiesAPI, m.readMedewerker))
	mux.HandleFunc("GET /makelaars/v1", m.authorized(mockMakelaarsAPI, m.readOffice))
	for segment := range mockSegments {
		mux.HandleFunc("/"+segment+"/", m.authorized(segment, func(http.ResponseWriter, *http.Request, *mockState) error {
			return mockNoPath()
		}))
	}

	// The person at the keyboard: the page and its JSON twin.
	mux.HandleFunc("GET /{$}", m.open(m.pageObjects))
	mux.HandleFunc("GET /agenda", m.open(m.pageAgenda))
	mux.HandleFunc("GET /webhooks", m.open(m.pageWebhooks))
	mux.HandleFunc("GET /faults", m.open(m.pageFaults))
	mux.HandleFunc("GET /page.css", mockkit.Style)
	mux.HandleFunc("POST /objects", m.sameOrigin(m.formAdd))
	mux.HandleFunc("POST /objects/{code}", m.sameOrigin(m.formChange))
	mux.HandleFunc("POST /appointments/{id}", m.sameOrigin(m.formAgenda))
	mux.HandleFunc("POST /webhooks", m.sameOrigin(m.formWebhooks))
	mux.HandleFunc("POST /faults", m.sameOrigin(m.formFaults))
	mux.HandleFunc("GET /admin/objects", m.open(m.adminList))
	mux.HandleFunc("POST /admin/objects", m.sameOrigin(m.adminAdd))
	mux.HandleFunc("POST /admin/objects/{code}", m.sameOrigin(m.adminChange))
	mux.HandleFunc("POST /admin/objects/{afdeling}/{code}", m.sameOrigin(m.adminChange)) // as its detail path ends
	mux.HandleFunc("GET /admin/agenda", m.open(m.adminAgenda))
	mux.HandleFunc("POST /admin/agenda/{id}", m.sameOrigin(m.adminAgendaChange))
	mux.HandleFunc("GET /admin/webhooks", m.open(m.adminWebhooks))
	mux.HandleFunc("POST /admin/webhooks", m.sameOrigin(m.adminSwitchOn))
	mux.HandleFunc("GET /admin/faults", m.open(m.adminFaults))
	mux.HandleFunc("POST /admin/faults", m.sameOrigin(m.adminArm))
	mux.HandleFunc("DELETE /admin/faults", m.sameOrigin(m.adminDisarm))
	mux.HandleFunc("GET /admin/release", m.open(m.adminRelease))
	mux.HandleFunc("POST /admin/release", m.sameOrigin(m.adminSetRelease))

	// Anything else does not pass the gateway (contract §6).
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		mockkit.Write(w, http.StatusForbidden, []byte(`{"message":"Forbidden"}`))
	})
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
			mockFail(w, err)
		}
	}
}

// sameOrigin refuses what a page of another site makes the browser send. The mock's own forms and
// programs without a browser pass.
func (m *Mock) sameOrigin(h mockHandler) http.HandlerFunc {
	next := m.open(h)
	return func(w http.ResponseWriter, r *http.Request) {
		if m.site.IsForeign(r) {
			mockFail(w, &mockProblem{status: http.StatusForbidden, error: "Cross-site request refused."})
			return
		}
		next(w, r)
	}
}
