package web

import (
	"bytes"
	"html/template"
	"net/http"
	"strconv"
)

// Widget is the page that a CRM shows inside its own.
type Widget struct {
	Language string // "en", "nl"
	Title    string
	Rows     []WidgetRow
}

// WidgetRow is one line of it.
type WidgetRow struct{ Label, Text string }

// Add adds a line, if there is something to say.
func (w *Widget) Add(label, text string) {
	if text != "" {
		w.Rows = append(w.Rows, WidgetRow{label, text})
	}
}

var widgetTemplate = template.Must(template.New("").
	Funcs(template.FuncMap{"asset": func(name string) (string, error) { return static().url(name) }}).
	ParseFS(templateFiles, "templates/widget.html"))

// ServeWidget answers with the page, which only pages of the given origins may frame: sources of a
// Content-Security-Policy, with spaces between them. It has no script and no form.
func ServeWidget(w http.ResponseWriter, page Widget, frames string) {
	var b bytes.Buffer
	if err := widgetTemplate.ExecuteTemplate(&b, "widget.html", page); err != nil {
		panic(err) // texts only: a bug
	}
	h := w.Header()
	h.Del("X-Frame-Options") // it knows no list; browsers that know frame-ancestors leave it
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors "+frames)
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	_, _ = w.Write(b.Bytes())
}
