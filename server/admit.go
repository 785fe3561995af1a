package server

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"sparki.app/integrations"
)

// maxBuckets bounds the memory for portals; forgetting one fills its bucket.
const maxBuckets = 10_000

// admission bounds how many operations a second each portal may ask of this process.
type admission struct {
	perSecond float64 // 0 for no limit

	mu      sync.Mutex
	buckets map[uuid.UUID]*rate.Limiter
}

// admit gives 0 for an operation that may run, else how long to wait. Two seconds' worth may come at once.
func (a *admission) admit(ctx context.Context) (retryAfter time.Duration) {
	who, err := sparki.PrincipalFrom(ctx)
	if err != nil || a.perSecond <= 0 {
		return 0
	}
	now := time.Now()
	reservation := a.bucket(who.PortalID).ReserveN(now, 1)
	if retryAfter = reservation.DelayFrom(now); retryAfter > 0 {
		reservation.CancelAt(now)
	}
	return retryAfter
}

func (a *admission) bucket(portal uuid.UUID) *rate.Limiter {
	a.mu.Lock()
	defer a.mu.Unlock()
	b := a.buckets[portal]
	if b == nil {
		if a.buckets == nil || len(a.buckets) >= maxBuckets {
			a.buckets = map[uuid.UUID]*rate.Limiter{}
		}
		b = rate.NewLimiter(rate.Limit(a.perSecond), max(int(2*a.perSecond), 1))
		a.buckets[portal] = b
	}
	return b
}
