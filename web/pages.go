package web

import (
	"bytes"
	"html/template"
	"net/http"
	"strconv"
)

// homePolicy: no script at all.
const homePolicy = "default-src 'none'; style-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// explorerPolicy: scripts only from our files. GraphiQL brings its fonts as data URLs, and its dialogs write <style> elements,
// hence 'unsafe-inline' for styles. connect-src 'self' covers the websocket of the same host.
const explorerPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
	"font-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Fact is one line of the home page: what something is called and where it is.
type Fact struct {
	Label string
	Text  string // empty: Href is shown
	Href  string // a path, or an http or https address; empty: Text is not a link
}

// Home serves the plain page that stands at / until the dashboard does: what runs where. Every path but / is 404, so it can be
// mounted as the route for all else.
func Home(facts []Fact) http.Handler {
	home := page("home.html", facts, homePolicy)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		home.ServeHTTP(w, r)
	})
}

// GraphiQL serves the API explorer, which speaks to /graphql on its own host by HTTP and by websocket. The page holds no data
// and needs no sign-in: what a visitor may see is decided by the token that they paste, or by their session cookie.
func GraphiQL() http.Handler {
	return page("graphiql.html", nil, explorerPolicy)
}

// page renders a template once and serves the result. A template that cannot be rendered is a bug, so it panics.
func page(name string, data any, policy string) http.Handler {
	t := template.Must(template.New("").
		Funcs(template.FuncMap{"asset": static().url}).
		ParseFS(templateFiles, "templates/*.html"))
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, data); err != nil {
		panic(err)
	}
	return readOnly(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(b.Len()))
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		w.Write(b.Bytes())
	}))
}
