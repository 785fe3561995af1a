package server

import (
	"math"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How much somebody may get wrong before the answer is 429: a number at once, and one more each time a
// while has passed.
const (
	signInFailures  = 10 // per address
	signInEvery     = 6 * time.Second
	webhookFailures = 60 // per address and integration: an office that mistyped its secret is told 401 for a while
	webhookEvery    = time.Second
	maxFailing      = 10_000 // that are remembered
)

// failures counts what each caller got wrong. What is right is never counted, so a good caller behind
// the same address as a bad one is served.
type failures struct {
	burst int
	every time.Duration

	mu sync.Mutex
	of map[string]*rate.Limiter
}

func newFailures(burst int, every time.Duration) *failures {
	return &failures{burst: burst, every: every, of: map[string]*rate.Limiter{}}
}

// add counts one failure, and says whether it was one too many.
func (f *failures) add(caller string) (tooMany bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, known := f.of[caller]
	if !known {
		f.makeRoom()
		l = rate.NewLimiter(rate.Every(f.every), f.burst)
		f.of[caller] = l
	}
	return !l.Allow()
}

// exhausted says whether the next failure would be one too many.
func (f *failures) exhausted(caller string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, known := f.of[caller]
	return known && l.Tokens() < 1
}

// makeRoom forgets who has been good for long enough, and everybody should that not do.
func (f *failures) makeRoom() {
	if len(f.of) < maxFailing {
		return
	}
	for caller, l := range f.of {
		if l.Tokens() >= float64(f.burst) {
			delete(f.of, caller)
		}
	}
	if len(f.of) >= maxFailing {
		clear(f.of)
	}
}

func tooMany(w http.ResponseWriter, f *failures) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.every.Seconds()))))
	refuse(w, http.StatusTooManyRequests, "too many failures: wait before you try again")
}

// clientIP is the address that a request came from, as told by the proxies that we trust, and by
// nobody else. The last half of an IPv6 address is its owner's to choose, so it is left out.
func (s *Server) clientIP(r *http.Request) string {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	at, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !s.trusts(at) {
			break
		}
		before, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		at = before
	}
	if at = at.Unmap(); at.Is6() {
		prefix, _ := at.Prefix(64) // an IPv6 address has so many bits
		return prefix.String()
	}
	return at.String()
}

func (s *Server) trusts(at netip.Addr) bool {
	return slices.ContainsFunc(s.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(at.Unmap()) })
}
