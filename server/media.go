package server

import (
	"log/slog"
	"net/http"
	"time"

	"sparki.app/integrations"
	"sparki.app/integrations/media"
)

// mediaWrite bounds how long a reader may take: 25 MiB at a megabit a second, and then some.
const mediaWrite = 5 * time.Minute

// media serves the copy of a project's picture. It asks for no token: pictures stand on pages that
// customers see, and the CRM's own URLs, which this one replaces, open to anybody too. Its id holds 62
// random bits, and is known only to whoever was shown the project.
func (s *Server) media(w http.ResponseWriter, r *http.Request) {
	id, err := sparki.MediaNode.Parse(r.PathValue("id"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	file, err := s.Media.Find(r.Context(), id)
	if err != nil {
		s.noMedia(w, r, err)
		return
	}
	h := w.Header()
	h.Set("ETag", `"`+file.SHA256+`"`)
	// Not immutable: the picture behind an id may be replaced in the CRM.
	h.Set("Cache-Control", "public, max-age=3600")
	if r.Header.Get("If-None-Match") == h.Get("ETag") {
		w.WriteHeader(http.StatusNotModified) // the usual case, for which the store need not be asked
		return
	}
	content, err := s.Media.Open(r.Context(), file)
	if err != nil {
		s.noMedia(w, r, err)
		return
	}
	defer content.Close()
	disposition := "inline"
	if file.MimeType == "application/pdf" {
		disposition = "attachment" // browsers show no PDF in a sandbox
	}
	name := sparki.MediaNode.ID(id) + media.Extension(file.MimeType)
	h.Set("Content-Type", file.MimeType)
	h.Set("Content-Disposition", disposition+`; filename="`+name+`"`)
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")                          // pages of portals live elsewhere
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(mediaWrite)) // a recorder in a test has none
	http.ServeContent(w, r, name, time.Time{}, content)
}

func (s *Server) noMedia(w http.ResponseWriter, r *http.Request, err error) {
	h := w.Header()
	h.Del("ETag")
	h.Set("Cache-Control", "no-store")
	switch {
	case sparki.KindOf(err) == sparki.NotFound:
		http.NotFound(w, r)
	case r.Context().Err() != nil: // the reader is gone
	default:
		s.Log.WarnContext(r.Context(), "copy of a medium not served", slog.Any("error", err))
		h.Set("Retry-After", "10")
		refuse(w, http.StatusServiceUnavailable, "the picture is not available: try again")
	}
}
