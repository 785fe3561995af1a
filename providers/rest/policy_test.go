package rest_test

import (
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
