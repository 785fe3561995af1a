package mockkit

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"regexp"
	"strings"
)

//go:embed page.css
var pageStyle []byte

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

// Price reads an amount as people write it: 585000, 585.000, € 1.250,50 or 1250.50.
func Price(text string) json.Number {
	text = strings.NewReplacer(" ", "", "€", "").Replace(text)
	if !decimalPoint.MatchString(text) {
		text = strings.NewReplacer(".", "", ",", ".").Replace(text)
	}
	return json.Number(text)
}

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
