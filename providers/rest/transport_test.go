package rest

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"sparki.app/integrations"
)

func TestIsPublic(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"8.8.8.8": true, "185.10.20.30": true, "100.63.255.255": true, "100.128.0.0": true, "172.32.0.1": true,
		"2a00:1450:400e::1": true, "2606:4700::1": true, "::ffff:8.8.8.8": true,

		"127.0.0.1": false, "127.255.255.254": false, "::1": false, "0.0.0.0": false, "0.1.2.3": false, "::": false,
		"10.0.0.1": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "fd00::1": false, "fc00::1": false,
		"169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false, "fec0::1": false,
		"100.64.0.1": false, "100.127.255.255": false,
		"224.0.0.1": false, "239.255.255.255": false, "ff02::1": false, "240.0.0.1": false, "255.255.255.255": false,
		"192.0.0.8": false, "192.0.2.1": false, "198.51.100.1": false, "203.0.113.1": false, "198.18.0.1": false, "192.88.99.1": false,
		"::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::127.0.0.1": false,
		"64:ff9b::7f00:1": false, "64:ff9b::808:808": false, "64:ff9b:1::1": false,
		"2002:7f00:1::": false, "2001::1": false, "2001:db8::1": false, "3fff::1": false, "100::1": false, "5f00::1": false,
	}
	for address, want := range tests {
		if got := isPublic(netip.MustParseAddr(address)); got != want {
			t.Errorf("isPublic(%s) = %v", address, got)
		}
	}
}

func TestTransportRefusesPrivateAddresses(t *testing.T) {
	t.Parallel()
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		_, _ = io.WriteString(w, `{}`)
	}))
	defer server.Close()
	byName := strings.Replace(server.URL, "127.0.0.1", "localhost", 1) // checked after it was resolved

	for _, base := range []string{server.URL, byName} {
		c := Client{Name: "Acme", Base: base, Transport: Transport(Options{})}
		_, err := c.Do(t.Context(), Call{Method: http.MethodGet, Path: "/"})
		if !errors.Is(err, ErrForbiddenAddress) || sparki.KindOf(err) != sparki.Unavailable {
			t.Errorf("%s: %v", base, err)
		}
	}
	if calls != 0 {
		t.Errorf("%d calls went through", calls)
	}
	c := Client{Name: "Acme", Base: server.URL, Transport: Transport(Options{AllowPrivate: true})}
	if _, err := c.Do(t.Context(), Call{Method: http.MethodGet, Path: "/"}); err != nil || calls != 1 {
		t.Errorf("allowed, yet %v after %d calls", err, calls)
	}
}

func TestTransportUsesNoProxyAndNoCompression(t *testing.T) {
	t.Parallel()
	transport := Transport(Options{}).(*http.Transport)
	if transport.Proxy != nil || !transport.DisableCompression || transport.TLSClientConfig != nil {
		t.Errorf("proxy, compression or TLS of the transport are not as promised")
	}
}

func TestTransportChecksCertificates(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	c := Client{Name: "Acme", Base: server.URL, Transport: Transport(Options{AllowPrivate: true})}
	_, err := c.Do(t.Context(), Call{Method: http.MethodGet, Path: "/"})
	if sparki.KindOf(err) != sparki.Unavailable || !strings.Contains(sparki.TextOf(err), "certificate") {
		t.Error(err)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	base := server.URL
	server.Close()
	c := Client{Name: "Acme", Base: base, Transport: Transport(Options{AllowPrivate: true})}
	_, err := c.Do(t.Context(), Call{Method: http.MethodGet, Path: "/"})
	if sparki.KindOf(err) != sparki.Unavailable || StatusOf(err) != 0 {
		t.Error(err)
	}
	if strings.Contains(sparki.TextOf(err), "127.0.0.1") {
		t.Errorf("text names an address: %s", sparki.TextOf(err))
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	t.Parallel()
	peers := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peers[r.RemoteAddr] = true
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, `{"a":"`+strings.Repeat("x", 40_000)+`"}`)
	}))
	defer server.Close()
	c := Client{Name: "Acme", Base: server.URL, Transport: Transport(Options{AllowPrivate: true})}
	for _, path := range []string{"/yes", "/no", "/yes", "/no"} {
		_, _ = c.Do(t.Context(), Call{Method: http.MethodGet, Path: path})
	}
	if len(peers) != 1 {
		t.Errorf("%d connections for calls one after another", len(peers))
	}
}
