package rest

import (
	"net/netip"
	"net/url"
	"strings"

	"sparki.app/integrations"
)

// Policy says which base URLs a setting may name.
type Policy struct {
	// Hosts are the host names that are allowed: "api.example.nl" is that host, "*.example.nl"
	// every host below it, but not example.nl itself.
	Hosts []string
	// AllowPrivate allows every host, plain http, any port and literal addresses. It is for tests
	// and sandboxes.
	AllowPrivate bool
}

// CheckBaseURL refuses a base URL that calls, and with them secrets, must not be sent to
// (product.md §7, reliability.md D1–D12). The error is Invalid and in words for the person who
// typed the URL; it never repeats more of it than the host.
func CheckBaseURL(raw string, p Policy) error {
	u, err := parse(raw)
	switch {
	case err != nil:
		return err
	case u.Scheme != "https" && (u.Scheme != "http" || !p.AllowPrivate):
		return sparki.Errorf(sparki.Invalid, "the URL must begin with https://")
	case u.Opaque != "" || u.Hostname() == "":
		return sparki.Errorf(sparki.Invalid, "the URL names no host")
	case u.User != nil:
		return sparki.Errorf(sparki.Invalid, "the URL must not hold a user name or password")
	case strings.ContainsAny(raw, "?#"):
		return sparki.Errorf(sparki.Invalid, "the URL must end before ? and #")
	case !plainPath(u):
		return sparki.Errorf(sparki.Invalid, "the URL's path must be plain, without percent signs, semicolons and steps such as ..")
	case p.AllowPrivate:
		return nil
	}
	host := strings.ToLower(u.Hostname())
	switch {
	case isLiteral(host):
		return sparki.Errorf(sparki.Invalid, "the URL must name a host, not an address")
	case u.Port() != "" && u.Port() != "443", strings.HasSuffix(u.Host, ":"):
		return sparki.Errorf(sparki.Invalid, "the URL must not name a port")
	case !isHostName(host) || !p.allows(host):
		return sparki.Errorf(sparki.Invalid, "the host %q is not one that Sparki may call", host)
	}
	return nil
}

// parse reads a URL that every parser reads in the same way.
func parse(raw string) (*url.URL, error) {
	if strings.ContainsFunc(raw, func(r rune) bool { return r < 0x21 || r > 0x7e || r == '\\' }) {
		return nil, sparki.Errorf(sparki.Invalid, "the URL holds a character that no web address has")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, sparki.Errorf(sparki.Invalid, "this is not a web address")
	}
	return u, nil
}

// Below judges a URL that a CRM names: it has to lie below the base URL, which is one that may be
// called (reliability.md D1–D8). Scheme, host and port are the same, and the path goes on where the
// base's ends, step by step; text that merely begins with the base is not below it. It gives the path
// behind the base, with a slash in front, and the query as it came. The error is Invalid, in words for
// persons, and repeats nothing of the URL.
func Below(base, raw string) (path, query string, err error) {
	u, err := parse(raw)
	if err != nil {
		return "", "", err
	}
	b, err := parse(base)
	if err != nil {
		return "", "", err
	}
	path, below := strings.CutPrefix(u.Path, strings.TrimRight(b.Path, "/")+"/")
	switch {
	case u.User != nil:
		err = sparki.Errorf(sparki.Invalid, "the URL must not hold a user name or password")
	case !strings.EqualFold(u.Scheme, b.Scheme), u.Opaque != "":
		err = sparki.Errorf(sparki.Invalid, "the URL has another scheme than the API base URL")
	case !strings.EqualFold(u.Hostname(), b.Hostname()):
		err = sparki.Errorf(sparki.Invalid, "the URL has another host than the API base URL")
	case portOf(u) != portOf(b), strings.HasSuffix(u.Host, ":"):
		err = sparki.Errorf(sparki.Invalid, "the URL has another port than the API base URL")
	case !plainPath(u):
		err = sparki.Errorf(sparki.Invalid, "the URL's path must be plain, without percent signs, semicolons and steps such as ..")
	case !below, path == "":
		err = sparki.Errorf(sparki.Invalid, "the URL does not lie below the API base URL")
	case strings.Contains(raw, "#"):
		err = sparki.Errorf(sparki.Invalid, "the URL must end before #")
	}
	if err != nil {
		return "", "", err
	}
	return "/" + path, u.RawQuery, nil
}

// portOf is a URL's port, also where the scheme implies it.
func portOf(u *url.URL) string {
	switch port := u.Port(); {
	case port != "":
		return port
	case strings.EqualFold(u.Scheme, "http"):
		return "80"
	default:
		return "443"
	}
}

// IsMediaURL says whether a URL that a CRM gives a medium may be shown and fetched: https, on the usual
// port, at a host with a name. allowPrivate allows plain http, any port and literal addresses, as in
// Policy. The addresses behind the name are the transport's to refuse.
func IsMediaURL(raw string, allowPrivate bool) bool {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil: // net/http would send a name and password along
		return false
	case allowPrivate:
		return u.Scheme == "https" || u.Scheme == "http"
	}
	host := strings.ToLower(u.Hostname())
	return u.Scheme == "https" && (u.Port() == "" || u.Port() == "443") && !isLiteral(host) && strings.Contains(strings.TrimSuffix(host, "."), ".")
}

// plainPath says whether a path means the same to every server: no encoded characters, no steps
// up or on the spot.
func plainPath(u *url.URL) bool {
	path := u.EscapedPath()
	if strings.ContainsAny(path, "%;") || strings.Contains(path, "//") {
		return false
	}
	for step := range strings.SplitSeq(path, "/") {
		if step == "." || step == ".." {
			return false
		}
	}
	return true
}

// isLiteral says whether a host is an IP address, however it is spelt. As in the URL standard, a
// last label that is a number makes an IPv4 address of the whole: 2130706433, 0x7f.1, 0177.0.0.1.
func isLiteral(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil || strings.Contains(host, ":") {
		return true
	}
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	return last == "" || strings.Trim(last, "0123456789") == "" ||
		strings.HasPrefix(last, "0x") && strings.Trim(last[2:], "0123456789abcdef") == ""
}

// isHostName says whether a host is a plain DNS name: letters, digits and hyphens between dots.
func isHostName(host string) bool {
	if len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

func (p Policy) allows(host string) bool {
	for _, allowed := range p.Hosts {
		allowed = strings.ToLower(allowed)
		suffix, below := strings.CutPrefix(allowed, "*")
		if host == allowed || below && strings.HasPrefix(suffix, ".") && strings.HasSuffix(host, suffix) {
			return true
		}
	}
	return false
}
