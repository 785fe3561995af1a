package mockkit

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Site is where a mock is served.
type Site struct {
	// URL is absolute, without a slash at the end; Path is its path: "" or "/mock/kolibri".
	URL, Path string

	origin *http.CrossOriginProtection
}

// NewSite reads a base URL.
func NewSite(baseURL string) Site {
	s := Site{URL: strings.TrimSuffix(baseURL, "/"), origin: http.NewCrossOriginProtection()}
	if u, err := url.Parse(s.URL); err == nil {
		s.Path = u.Path
		if u.Host != "" {
			// Behind a proxy the Host header need not be the one the browser sees.
			_ = s.origin.AddTrustedOrigin(u.Scheme + "://" + u.Host)
		}
	}
	return s
}

// Inner is a request without the site's path in front; it may come with or without. It is nil when
// the request was answered: with the way to the page, whose links are relative to the slash.
func (s Site) Inner(w http.ResponseWriter, r *http.Request) *http.Request {
	rest, ok := strings.CutPrefix(r.URL.Path, s.Path)
	if !ok || s.Path == "" || rest != "" && rest[0] != '/' {
		return r
	}
	if rest == "" {
		w.Header().Set("Location", s.Path+"/")
		w.WriteHeader(http.StatusPermanentRedirect)
		return nil
	}
	inner := *r
	inner.URL = &url.URL{Path: rest, RawQuery: r.URL.RawQuery}
	return &inner
}

// IsForeign says whether a page of another site made the browser send a request. The mock's own
// forms, and programs without a browser, are not foreign.
func (s Site) IsForeign(r *http.Request) bool { return s.origin.Check(r) != nil }

// Return ends a form: it leads back to a page of the site, at an anchor, with the query that the
// form names and with what was wrong, if anything was.
func (s Site) Return(w http.ResponseWriter, form Form, page, anchor, problem string) {
	back, err := url.ParseQuery(strings.TrimPrefix(url.Values(form).Get("back"), "?"))
	if err != nil {
		back = url.Values{}
	}
	back.Del("error")
	if problem != "" {
		back.Set("error", problem)
	}
	w.Header().Set("Location", s.Path+"/"+page+"?"+back.Encode()+anchor)
	w.WriteHeader(http.StatusSeeOther)
}

// Form is a form as a person filled it in.
type Form url.Values

// ReadForm reads a small one.
func ReadForm(w http.ResponseWriter, r *http.Request) (Form, error) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	err := r.ParseForm()
	return Form(r.PostForm), err
}

// Value is a field as it was sent; "" when it was not.
func (f Form) Value(key string) string { return url.Values(f).Get(key) }

// Text is a field without blanks around; nil when it is empty.
func (f Form) Text(key string) *string {
	if v := strings.TrimSpace(f.Value(key)); v != "" {
		return &v
	}
	return nil
}

// Flag is a truth value; nil when it is none.
func (f Form) Flag(key string) *bool {
	if v, err := strconv.ParseBool(f.Value(key)); err == nil {
		return &v
	}
	return nil
}

// Price is an amount as people write it: 585000, 585.000, € 1.250,50 or 1250.50; nil when it is
// empty. It need not be a number.
func (f Form) Price(key string) *json.Number {
	text := f.Text(key)
	if text == nil {
		return nil
	}
	amount := strings.NewReplacer(" ", "", "€", "").Replace(*text)
	if !decimalPoint.MatchString(amount) {
		amount = strings.NewReplacer(".", "", ",", ".").Replace(amount)
	}
	price := json.Number(amount)
	return &price
}
