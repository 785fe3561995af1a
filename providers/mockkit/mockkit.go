// Package mockkit holds what the stand-in CRMs have in common: documents that are kept decoded, faults
// on request, webhooks that are sent again, drawn pictures, and the look of the pages. It knows no
// CRM.
package mockkit

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// Fields is an entity whose fields are to be set or changed.
type Fields = map[string]any

// Marshal writes JSON as CRMs do: without HTML escapes.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Unmarshal reads JSON whose numbers keep their digits.
func Unmarshal(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(v)
}

// Answer sends a value as JSON.
func Answer(w http.ResponseWriter, v any) error {
	body, err := Marshal(v)
	if err != nil {
		return err
	}
	Write(w, http.StatusOK, body)
	return nil
}

// Write sends finished JSON. A client that has gone is nobody's error.
func Write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// Amsterdam is where Dutch CRMs mean the times that they write without a zone.
var Amsterdam = sync.OnceValue(func() *time.Location {
	if zone, err := time.LoadLocation("Europe/Amsterdam"); err == nil {
		return zone
	}
	return time.FixedZone("CET", 3600)
})
