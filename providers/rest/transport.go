package rest

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// Bounds of a connection (product.md §7).
const (
	connectTimeout   = 3 * time.Second
	idleTimeout      = 90 * time.Second
	maxIdlePerHost   = 8
	maxHeaderBytes   = 64 << 10
	handshakeTimeout = connectTimeout
)

// Options are what a Transport is made with.
type Options struct {
	// AllowPrivate lets calls reach loopback, private and other addresses that are not public. It
	// is for tests and sandboxes.
	AllowPrivate bool
}

// Transport carries live calls. It uses no proxy, asks for no compression, and connects to public
// addresses only: the address that is dialled is checked, after the name was resolved, so a name
// that points elsewhere the second time gains nothing (reliability.md D8, D10, D11).
func Transport(o Options) http.RoundTripper {
	dialer := &net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}
	if !o.AllowPrivate {
		dialer.ControlContext = refusePrivate
	}
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    handshakeTimeout,
		ResponseHeaderTimeout:  callTimeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
	}
}

// refusePrivate runs before each connection is made, with the address itself.
func refusePrivate(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !isPublic(at.Addr()) {
		return ErrForbiddenAddress
	}
	return nil
}

// globalV6 is the part of IPv6 that holds public addresses at all. Mapped, NAT64, unique local,
// link-local and multicast addresses lie outside of it.
var globalV6 = netip.MustParsePrefix("2000::/3")

// special are the parts of the public ranges that lead elsewhere (IANA special-purpose registries).
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("100.64.0.0/10"),   // carrier-grade NAT
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, broadcast
	netip.MustParsePrefix("2001::/23"),       // protocol assignments, Teredo
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4
	netip.MustParsePrefix("3fff::/20"),       // documentation
}

// isPublic says whether an address belongs to the public internet.
func isPublic(a netip.Addr) bool {
	a = a.Unmap() // ::ffff:127.0.0.1 is 127.0.0.1
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Is6() && !globalV6.Contains(a.WithZone("")) {
		return false
	}
	for _, prefix := range special {
		if prefix.Contains(a) {
			return false
		}
	}
	return true
}
