package sparki

import (
	"errors"
	"math/rand/v2"
	"time"
)

// Bounds of how work that did not succeed is tried again.
const (
	firstDelay  = 2 * time.Second
	longest     = 10 * time.Minute
	longestWait = time.Hour // that a CRM may ask us to wait
)

// Backoff is how long to wait before the next try, after this many: 2 s, doubled each time, up to ten
// minutes, the upper half by chance. What the CRM asks for wins.
func Backoff(attempts int, err error) time.Duration {
	if asked := RetryAfter(err); asked > 0 {
		return asked
	}
	delay := longest
	if attempts < 10 {
		delay = min(firstDelay<<max(attempts-1, 0), longest)
	}
	return delay/2 + rand.N(delay/2)
}

// RetryAfter is how long a CRM asked us to wait, at most an hour; 0 when it did not say.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return min(e.RetryAfter, longestWait)
	}
	return 0
}
