// Package wait polls. Its one function serves conditions nobody can signal: a lock another process
// holds, a server that does not answer yet.
package wait

import (
	"context"
	"time"
)

// Until calls done, at once and then at every interval, until it reports true or an error, or ctx
// ends. It returns that error, or the context's.
func Until(ctx context.Context, interval time.Duration, done func() (bool, error)) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
