package server

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/words"
)

// sessionHeader is what a page of ours sends beside its cookie: no other site's page can send it
// without asking us first, which we do not allow. Any value will do.
const sessionHeader = "X-Requested-With"

const maxSignIn = 16 << 10 // bytes of a body that holds a token

// signIn trades a token for a session's cookie. The token comes as a header or as {"token": "…"}.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	if !s.fromUs(r) {
		refuse(w, http.StatusForbidden, "sign in from a page of this server")
		return
	}
	authorization := r.Header.Get("Authorization")
	if authorization == "" {
		token, ok := tokenInBody(w, r)
		if !ok {
			refuse(w, http.StatusBadRequest, `send the token as Authorization: Bearer …, or as application/json {"token": "…"}`)
			return
		}
		authorization = "Bearer " + token
	}
	caller := s.clientIP(r)
	if s.tooManySignIns(w, caller) {
		return
	}
	who, err := s.Tokens.Authenticate(r.Context(), authorization)
	if err == nil {
		err = s.openSession(w, r, who)
	}
	if err != nil {
		s.notSignedIn(w, r, caller, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func tokenInBody(w http.ResponseWriter, r *http.Request) (string, bool) {
	if contentType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(contentType), "application/json") {
		return "", false // a form of another site's page cannot send JSON
	}
	var body struct{ Token string }
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSignIn)).Decode(&body)
	return body.Token, err == nil && body.Token != ""
}

// signInWithCode opens a session for whoever has the link that dev prints, once. Without a code it is
// the path of a page.
func (s *Server) signInWithCode(pages http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		code := r.URL.Query().Get("code")
		if code == "" {
			pages.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		caller := s.clientIP(r)
		if s.tooManySignIns(w, caller) {
			return
		}
		who, err := s.Tokens.TakeSignInCode(r.Context(), code)
		if err == nil {
			err = s.openSession(w, r, who)
		}
		switch {
		case err == nil:
			http.Redirect(w, r, "/", http.StatusSeeOther)
		case sparki.KindOf(err) == sparki.Unauthenticated:
			s.signIns.add(caller)
			ctx := words.With(r.Context(), strings.Join(r.Header.Values("Accept-Language"), ","))
			http.Error(w, words.In(ctx, "This sign-in link has been used. Sign in with an API token, or start the program again for a new link."), http.StatusUnauthorized)
		default:
			s.notSignedIn(w, r, caller, err)
		}
	}
}

// signOut ends the session and takes its cookie back.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie(s.cookieName())
	if err == nil {
		if !s.cookieCounts(r) {
			refuse(w, http.StatusForbidden, "sign out from a page of this server, with the header "+sessionHeader)
			return
		}
		if err := s.Tokens.CloseSession(r.Context(), cookie.Value); err != nil {
			s.notSignedIn(w, r, "", err)
			return
		}
	}
	s.setCookie(w, "", time.Unix(1, 0))
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) openSession(w http.ResponseWriter, r *http.Request, who *sparki.Principal) error {
	text, until, err := s.Tokens.OpenSession(r.Context(), who)
	if err == nil {
		s.setCookie(w, text, until)
	}
	return err
}

func (s *Server) notSignedIn(w http.ResponseWriter, r *http.Request, caller string, err error) {
	if sparki.KindOf(err) == sparki.Unauthenticated {
		s.signIns.add(caller)
		refuse(w, http.StatusUnauthorized, "this token is not valid: it is mistyped, expired or revoked")
		return
	}
	s.Log.WarnContext(r.Context(), "nobody could be signed in", slog.Any("error", err))
	w.Header().Set("Retry-After", "5")
	refuse(w, http.StatusServiceUnavailable, "cannot tell who is asking right now: try again")
}

// tooManySignIns refuses, without a look at what it shows, an address that failed too often.
func (s *Server) tooManySignIns(w http.ResponseWriter, caller string) bool {
	if !s.signIns.exhausted(caller) {
		return false
	}
	tooMany(w, s.signIns)
	return true
}

// cookieName has the prefix with which browsers take a cookie from this very host only, over https.
func (s *Server) cookieName() string {
	if s.https() {
		return "__Host-sparki_session"
	}
	return "sparki_session"
}

func (s *Server) setCookie(w http.ResponseWriter, value string, until time.Time) {
	w.Header().Set("Cache-Control", "no-store")
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(), Value: value, Path: "/", Expires: until.UTC(), HttpOnly: true, Secure: s.https(), SameSite: http.SameSiteStrictMode,
	})
}

func (s *Server) https() bool { return strings.HasPrefix(s.PublicURL, "https://") }

// cookieCounts says whether a request comes from a page of ours, so that the cookie that the browser sent
// with it stands for the person. A socket cannot carry the header, but always tells its origin.
func (s *Server) cookieCounts(r *http.Request) bool {
	if r.Header.Get("Upgrade") != "" {
		return s.ownOrigin(r, r.Header.Get("Origin"))
	}
	return r.Header.Get(sessionHeader) != "" && s.fromUs(r)
}

// fromUs refuses what a browser says comes from elsewhere. What is no browser says nothing.
func (s *Server) fromUs(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	origin := r.Header.Get("Origin")
	return origin == "" || s.ownOrigin(r, origin)
}

// ownOrigin compares with the host that was asked and with the public URL, which differ behind some proxies.
func (s *Server) ownOrigin(r *http.Request, origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	if public, err := url.Parse(s.PublicURL); err == nil && strings.EqualFold(u.Scheme+"://"+u.Host, public.Scheme+"://"+public.Host) {
		return true
	}
	return strings.EqualFold(u.Host, r.Host) && (u.Scheme == "https" || !s.https())
}
