package mockkit

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"regexp"
	"strings"
	"time"
)

//go:embed page.css
var pageStyle []byte

//go:embed page.html
var pageHTML string

// Pages makes a mock's pages of its own templates, with "head", "foot" and "webhooks" given. head
// wants a Head, webhooks a Webhooks.
func Pages(html string, own template.FuncMap) *template.Template {
	shared := template.FuncMap{
		"euro":   Euro,
		"moment": func(t time.Time) string { return t.In(Amsterdam()).Format("2 Jan 2006 15:04:05") },
		"day":    func(t time.Time) string { return t.In(Amsterdam()).Format("Mon 2 Jan 2006") },
		"hours":  func(t time.Time) string { return t.In(Amsterdam()).Format("15:04") },
	}
	return template.Must(template.Must(template.New("").Funcs(shared).Funcs(own).Parse(pageHTML)).Parse(html))
}

// Head is the top of a page.
type Head struct {
	CRM    string   // "Kolibri"
	Office string   // the name of the office
	Tab    string   // the page that is shown; "" is Objects
	Tabs   []string // further pages, each at its name in lower case
	// Message is what was wrong with a form; "" when nothing was.
	Message string
}

// Is says whether a tab is the one that is shown.
func (h Head) Is(tab string) bool { return h.Tab == tab }

// Path is where a tab is.
func (Head) Path(tab string) string { return strings.ToLower(tab) }

// Webhooks is the page with the webhook log.
type Webhooks struct {
	Head       Head
	URL        string // where they are sent to; "" is nowhere
	Pending    int
	Off        string     // why nothing is sent until a person switches it on again; "" when it is on
	Deliveries []Delivery // newest first
}

// Render sends a page. It may load its own style and pictures, and nothing else.
func Render(w http.ResponseWriter, pages *template.Template, name string, data any) error {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = w.Write(b.Bytes())
	return nil
}

// Style serves the pages' style sheet.
func Style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	w.Header().Set("Cache-Control", "max-age=60")
	_, _ = w.Write(pageStyle)
}

var decimalPoint = regexp.MustCompile(`^\d+\.\d\d?$`)

// Euro writes an amount in the Dutch way: 585.000.
func Euro(amount *json.Number) string {
	if amount == nil {
		return "–"
	}
	whole, cents, _ := strings.Cut(amount.String(), ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "." + whole[i:]
	}
	if strings.Trim(cents, "0") != "" {
		whole += "," + (cents + "0")[:2]
	}
	return "€ " + whole
}
