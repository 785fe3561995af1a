package rest_test

import (
	"net/url"
	"strings"
	"testing"

	"sparki.app/integrations"
	"sparki.app/integrations/providers/rest"
)

var policy = rest.Policy{Hosts: []string{"*.kolibri24.com", "API.realworks.nl"}}

func TestCheckBaseURLAllows(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"https://api.kolibri24.com", "https://api.kolibri24.com/", "https://sandbox-api.kolibri24.com/v3",
		"https://API.Kolibri24.COM", "https://api.kolibri24.com:443/v3/", "https://a.b.kolibri24.com",
		"HTTPS://api.realworks.nl/wonen/v3",
	} {
		if err := rest.CheckBaseURL(url, policy); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestCheckBaseURLRefuses(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"", " ", "api.kolibri24.com", "//api.kolibri24.com", "http://api.kolibri24.com", "ftp://api.kolibri24.com",
		"https:api.kolibri24.com", "https:///v3", "https://", "https://:443", "file:///etc/passwd", "gopher://api.kolibri24.com",
		// Another host.
		"https://kolibri24.com", "https://evilkolibri24.com", "https://api.kolibri24.com.evil.example",
		"https://kolibri24.com.evil.example", "https://x.api.realworks.nl", "https://realworks.nl", "https://localhost",
		// Userinfo, port, query, fragment.
		"https://api.kolibri24.com@evil.example", "https://u:p@api.kolibri24.com", "https://@api.kolibri24.com",
		"https://api.kolibri24.com:8443", "https://api.kolibri24.com:0443", "https://api.kolibri24.com:", "https://api.kolibri24.com:0",
		"https://api.kolibri24.com?", "https://api.kolibri24.com/v3?x=1", "https://api.kolibri24.com#x", "https://api.kolibri24.com#",
		// Characters that parsers disagree about.
		`https://evil.example\@api.kolibri24.com`, `https://api.kolibri24.com\v3`, "https://api.kolibri24.com/\tv3",
		"https://api.kolibri24.com\n", " https://api.kolibri24.com", "https://api.kolibri24.com/\x00", "https://api.kolibri24.com/v 3",
		"https://api。kolibri24.com", "https://аpi.kolibri24.com", "https://api\u00ad.kolibri24.com", "https://api%2ekolibri24.com",
		"https://api.kolibri24.com%2f.evil.example", "https://evil.example%40api.kolibri24.com",
		// Names that are none.
		"https://.kolibri24.com", "https://api..kolibri24.com", "https://api.kolibri24.com.", "https://-.kolibri24.com",
		"https://a_b.kolibri24.com", "https://*.kolibri24.com", "https://" + strings.Repeat("a", 64) + ".kolibri24.com",
		// Paths with more than one meaning.
		"https://api.kolibri24.com/../x", "https://api.kolibri24.com/v3/./x", "https://api.kolibri24.com/%2e%2e/x",
		"https://api.kolibri24.com/v3%2fx", "https://api.kolibri24.com//x", "https://api.kolibri24.com/..;/x", "https://api.kolibri24.com/%00",
	} {
		if err := rest.CheckBaseURL(url, policy); sparki.KindOf(err) != sparki.Invalid || sparki.TextOf(err) == "" {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestCheckBaseURLRefusesLiterals(t *testing.T) {
	t.Parallel()
	// Even a list that names them does not let addresses through.
	listed := rest.Policy{Hosts: []string{"127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "10.0x1", "[::1]", "::1"}}
	for _, host := range []string{
		"127.0.0.1", "169.254.169.254", "2130706433", "0x7f000001", "0X7F.1", "0177.0.0.1", "127.1", "10.0x1", "127.0.0.1.",
		"[::1]", "[::]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[fe80::1%25eth0]", "8.8.8.8", "[2a00:1450::1]",
	} {
		if err := rest.CheckBaseURL("https://"+host, listed); sparki.KindOf(err) != sparki.Invalid {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestCheckBaseURLPrivate(t *testing.T) {
	t.Parallel()
	private := rest.Policy{AllowPrivate: true}
	for _, url := range []string{"http://127.0.0.1:8080/mock/kolibri", "https://localhost", "http://[::1]:80", "https://crm.internal/v3"} {
		if err := rest.CheckBaseURL(url, private); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{"http://u:p@localhost", "http://localhost?x", "ftp://localhost", "http://local host", "http://localhost/%2e", ""} {
		if err := rest.CheckBaseURL(url, private); err == nil {
			t.Errorf("%s is allowed", url)
		}
	}
}

func TestBelow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ base, url, path, query string }{
		{"https://api.realworks.nl", "https://api.realworks.nl/wonen/v3/objecten/1/LM1", "/wonen/v3/objecten/1/LM1", ""},
		{"https://api.realworks.nl/", "https://API.realworks.nl:443/wonen", "/wonen", ""},
		{"https://api.realworks.nl:443", "HTTPS://api.realworks.nl/wonen/", "/wonen/", ""},
		{"https://api.realworks.nl/crm", "https://api.realworks.nl/crm/wonen?a=1,2&b=x:y+z&c=%2e%2e", "/wonen", "a=1,2&b=x:y+z&c=%2e%2e"},
		{"https://api.realworks.nl/crm/", "https://api.realworks.nl/crm/wonen?x=https://evil.example/", "/wonen", "x=https://evil.example/"},
		{"http://127.0.0.1:8080/mock/realworks/x", "http://127.0.0.1:8080/mock/realworks/x/bog/v3", "/bog/v3", ""},
	} {
		path, query, err := rest.Below(test.base, test.url)
		if err != nil || path != test.path || query != test.query {
			t.Errorf("%s below %s: %q %q, %v", test.url, test.base, path, query, err)
		}
	}
}

// hostile are URLs that look as if they were below https://api.realworks.nl/crm (reliability.md D1–D8).
var hostile = []string{
	"", " ", "/crm/wonen", "//api.realworks.nl/crm/wonen", "crm/wonen", "https:/crm/wonen", "https:///crm/wonen", "https://", "https:api.realworks.nl/crm/wonen",
	"javascript:alert(1)", "data:text/plain,x", "file:///crm/wonen", "gopher://api.realworks.nl/crm/wonen",
	// Another scheme.
	"http://api.realworks.nl/crm/wonen", "ftp://api.realworks.nl/crm/wonen", "wss://api.realworks.nl/crm/wonen", "http://api.realworks.nl:443/crm/wonen",
	// Another host.
	"https://evil.example/crm/wonen", "https://realworks.nl/crm/wonen", "https://x.api.realworks.nl/crm/wonen", "https://api.realworks.nl.evil.example/crm/wonen",
	"https://api.realworks.nl.", "https://api.realworks.nl./crm/wonen", "https://api-realworks.nl/crm/wonen", "https://evilapi.realworks.nl/crm/wonen",
	"https://localhost/crm/wonen", "https://images.realworks.nl/crm/wonen",
	// Userinfo.
	"https://api.realworks.nl@evil.example/crm/wonen", "https://u:p@api.realworks.nl/crm/wonen", "https://@api.realworks.nl/crm/wonen",
	"https://api.realworks.nl:443@evil.example/crm/wonen", "https://api.realworks.nl%40evil.example/crm/wonen",
	// Another port.
	"https://api.realworks.nl:8443/crm/wonen", "https://api.realworks.nl:80/crm/wonen", "https://api.realworks.nl:/crm/wonen", "https://api.realworks.nl:0443/crm/wonen",
	"https://api.realworks.nl:443:80/crm/wonen", "https://api.realworks.nl:x/crm/wonen", "https://api.realworks.nl:65979/crm/wonen",
	// Addresses, in every spelling.
	"https://127.0.0.1/crm/wonen", "https://[::1]/crm/wonen", "https://[::ffff:127.0.0.1]/crm/wonen", "https://[64:ff9b::7f00:1]/crm/wonen", "https://[fe80::1%25eth0]/crm/wonen",
	"https://2130706433/crm/wonen", "https://0177.0.0.1/crm/wonen", "https://0x7f.1/crm/wonen", "https://0x7f000001/crm/wonen", "https://127.1/crm/wonen",
	"https://169.254.169.254/crm/wonen", "https://0/crm/wonen",
	// Characters that parsers disagree about.
	`https://evil.example\@api.realworks.nl/crm/wonen`, `https://api.realworks.nl\.evil.example/crm/wonen`, `https://api.realworks.nl/crm\..\x`, `https:\\api.realworks.nl/crm/wonen`,
	"https://api.realworks.nl\t/crm/wonen", "https://api.realworks.nl/crm/\nwonen", "https://api.realworks.nl/crm/wonen x", "https://api.realworks.nl/crm/\x00wonen", "\u200bhttps://api.realworks.nl/crm/wonen",
	"https://api.realworks.nl%2f.evil.example/crm/wonen", "https://api%2erealworks.nl/crm/wonen", "https://api.realworks.nl%00.evil.example/crm/wonen",
	// Look-alikes.
	"https://аpi.realworks.nl/crm/wonen", "https://api。realworks。nl/crm/wonen", "https://ａｐｉ.realworks.nl/crm/wonen", "https://api.rea\u00adlworks.nl/crm/wonen",
	"https://xn--pi-7kc.realworks.nl/crm/wonen", "https://api.realworks.nl／crm/wonen", "https://api.reaⅼworks.nl/crm/wonen",
	// Beside the base's path.
	"https://api.realworks.nl", "https://api.realworks.nl/", "https://api.realworks.nl/crm", "https://api.realworks.nl/crm/", "https://api.realworks.nl/crmx/wonen", "https://api.realworks.nl/wonen",
	"https://api.realworks.nl/CRM/wonen", "https://api.realworks.nl?/crm/wonen", "https://api.realworks.nl#/crm/wonen",
	// Out of it.
	"https://api.realworks.nl/crm/../wonen", "https://api.realworks.nl/crm/..", "https://api.realworks.nl/crm/./wonen", "https://api.realworks.nl/x/../crm/wonen",
	"https://api.realworks.nl/crm/%2e%2e/wonen", "https://api.realworks.nl/crm/.%2e/wonen", "https://api.realworks.nl/crm/..%2fwonen", "https://api.realworks.nl/crm/%252e%252e/wonen",
	"https://api.realworks.nl/crm/..;/wonen", "https://api.realworks.nl/crm/;/wonen", "https://api.realworks.nl//crm/wonen", "https://api.realworks.nl/crm//wonen",
	"https://api.realworks.nl/crm%2fwonen", "https://api.realworks.nl/crm/%5c..%5cwonen", "https://api.realworks.nl/crm/%00", "https://api.realworks.nl/crm/wonen#x",
}

func TestBelowRefuses(t *testing.T) {
	t.Parallel()
	for _, url := range hostile {
		path, query, err := rest.Below("https://api.realworks.nl/crm", url)
		if sparki.KindOf(err) != sparki.Invalid || sparki.TextOf(err) == "" || path != "" || query != "" {
			t.Errorf("%q: %q %q, %v", url, path, query, err)
		}
	}
}

func FuzzBelow(f *testing.F) {
	for _, url := range append(hostile, "https://api.realworks.nl/crm/wonen?x") {
		f.Add(url)
	}
	const base = "https://api.realworks.nl/crm"
	f.Fuzz(func(t *testing.T, raw string) {
		path, query, err := rest.Below(base, raw)
		if err != nil {
			return
		}
		// What it gives leads to the same host and below the same path, for whoever reads it.
		again, parseErr := url.Parse(base + path + "?" + query)
		if parseErr != nil || again.Host != "api.realworks.nl" || !strings.HasPrefix(again.Path, "/crm/") || again.Path != "/crm"+path ||
			strings.Contains(path, "..") && strings.Contains("/"+path+"/", "/../") || again.User != nil {
			t.Errorf("allowed: %q as %q %q", raw, path, query)
		}
	})
}

func TestRefusalDoesNotRepeatTheURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"https://user:canary@evil.example", "https://api.kolibri24.com?token=canary", "canary://x", "https://a b/canary"} {
		if err := rest.CheckBaseURL(url, policy); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func FuzzCheckBaseURL(f *testing.F) {
	for _, url := range []string{"https://api.kolibri24.com/v3", "https://api.kolibri24.com@evil.example", `https://x\.kolibri24.com`, "https://[::1]"} {
		f.Add(url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		if rest.CheckBaseURL(url, policy) != nil {
			return
		}
		// What is allowed begins with the scheme and one of the hosts, spelt out.
		rest, ok := strings.CutPrefix(strings.ToLower(url), "https://")
		host, _, _ := strings.Cut(rest, "/")
		host = strings.TrimSuffix(host, ":443")
		if !ok || host != "api.realworks.nl" && !strings.HasSuffix(host, ".kolibri24.com") ||
			strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" {
			t.Errorf("allowed: %q", url)
		}
	})
}

func TestIsMediaURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string][2]bool{ // in public, and with AllowPrivate
		"https://fotos.example.nl/a.jpg?x=1#y": {true, true}, "https://fotos.example.nl:443/": {true, true}, "HTTPS://FOTOS.EXAMPLE.NL/": {true, true},
		"http://fotos.example.nl/a.jpg": {false, true}, "https://fotos.example.nl:8443/": {false, true}, "http://127.0.0.1:8080/a": {false, true},
		"https://127.0.0.1/a": {false, true}, "https://[::1]/": {false, true}, "https://[::ffff:10.0.0.1]/": {false, true}, "https://2130706433/": {false, true},
		"https://0x7f.1/": {false, true}, "https://169.254.169.254/latest": {false, true}, "https://localhost/a": {false, true}, "https://localhost./a": {false, true},
		"https://user:pass@fotos.example.nl/": {false, false}, "javascript:alert(1)": {false, false}, "data:text/html,x": {false, false}, "//fotos.example.nl/a": {false, false},
		"file:///etc/passwd": {false, false}, "ftp://fotos.example.nl/": {false, false}, "https://": {false, false}, "": {false, false}, "https://fotos.example.nl/\x00": {false, false},
	} {
		if public, private := rest.IsMediaURL(raw, false), rest.IsMediaURL(raw, true); public != want[0] || private != want[1] {
			t.Errorf("%q: %t in public, %t with AllowPrivate", raw, public, private)
		}
	}
}
