package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/rs/cors"

	"sparki.app/integrations"
	"sparki.app/integrations/tracing"
	"sparki.app/integrations/web"
)

// Handler lists every route.
func (s *Server) Handler() http.Handler {
	s.graphql = s.newGraphQL()
	s.signIns, s.webhooks = newFailures(signInFailures, signInEvery), newFailures(webhookFailures, webhookEvery)
	pages := web.Home(s.Facts)
	mux := http.NewServeMux()

	// Anybody.
	mux.Handle("/", pages)
	mux.Handle("/static/", web.Static())
	mux.Handle("/graphiql", web.GraphiQL())
	mux.HandleFunc("GET /schema.graphqls", s.sdl)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "alive"})
	})
	mux.Handle("GET /readyz", &Readiness{DB: s.DB, RedisPing: s.RedisPing, Stopping: s.stopping.Load})
	mux.HandleFunc("GET /media/{id}", s.media)

	// Whoever signs in or out.
	mux.HandleFunc("POST /session", s.signIn)
	mux.HandleFunc("DELETE /session", s.signOut)
	mux.HandleFunc("/session", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", "POST, DELETE")
		refuse(w, http.StatusMethodNotAllowed, "sign in with POST, out with DELETE")
	})
	mux.HandleFunc("GET /sign-in", s.signInWithCode(pages))

	// Whoever holds an API token, or a session.
	mux.Handle("/graphql", s.cors(s.graphql))

	// CRMs.
	for _, provider := range s.Providers {
		info := provider.Info()
		mux.HandleFunc(fmt.Sprintf("/webhooks/%s/%s/{id}", info.Key, info.WebhookVersion), s.webhook(provider))
		if info.WidgetVersion != "" {
			mux.HandleFunc(fmt.Sprintf("/widgets/%s/%s/{id}", info.Key, info.WidgetVersion), s.widget(provider))
		}
	}
	mux.HandleFunc("/mock/{provider}/{id}/", s.mock)

	routes := http.Handler(mux)
	if s.Told.Requests != nil {
		routes = s.Told.Requests(mux)
	}
	return s.securityHeaders(tracing.Handler(s.Traces, routes))
}

// nothing is the policy of an answer that is no page: a browser that is shown it runs and frames nothing.
const nothing = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// securityHeaders stand on every answer; a page has a policy of its own in the place of nothing.
func (s *Server) securityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Content-Security-Policy", nothing)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		if s.https() {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		// A chunked request may have had a length as well, which net/http hides (RFC 9112 §6.1). And a server
		// that stops lets nobody wait on a connection that it is about to close.
		if len(r.TransferEncoding) > 0 || s.stopping.Load() {
			h.Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) sdl(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write(s.SDL)
}

// mock serves an integration's mock CRM: all of it in dev, elsewhere only the pictures that its
// listings refer to.
func (s *Server) mock(w http.ResponseWriter, r *http.Request) {
	provider, id := r.PathValue("provider"), r.PathValue("id")
	prefix := "/mock/" + provider + "/" + id
	if !s.Mocks && !strings.HasPrefix(r.URL.Path, prefix+"/media/") {
		http.NotFound(w, r)
		return
	}
	mock, err := s.Integrations.MockByID(r.Context(), provider, id)
	switch {
	case sparki.KindOf(err) == sparki.NotFound:
		http.NotFound(w, r)
	case err != nil:
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, "the mock CRM is not available: try again")
	default:
		http.StripPrefix(prefix, mock).ServeHTTP(w, r)
	}
}

// cors lets pages of the allowed origins use the API with a token. Cookies are never sent across origins.
func (s *Server) cors(next http.Handler) http.Handler {
	if len(s.AllowedOrigins) == 0 {
		return next
	}
	return cors.New(cors.Options{
		AllowedOrigins: s.AllowedOrigins,
		AllowedMethods: []string{http.MethodGet, http.MethodPost},
		AllowedHeaders: []string{"Authorization", "Content-Type", "Accept", "Accept-Language"},
		MaxAge:         600,
	}).Handler(next)
}

// sameOrAllowedOrigin decides on a socket's handshake: no Origin is no browser.
func (s *Server) sameOrAllowedOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	return origin == "" || slices.Contains(s.AllowedOrigins, origin) || s.ownOrigin(r, origin)
}
