package worker

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"sparki.app/integrations"
)

// SweepEvery is how often each worker looks for work that nobody rang for.
const SweepEvery = 10 * time.Second

// Sweep rings for everything in the database that is due, and starts what is scheduled. While Redis does
// not take the bells, the worker that swept answers them itself. Any number of workers may sweep: a bell
// too many finds nothing to do.
type Sweep struct {
	// Due lists a bell for all work that waits.
	Due func(context.Context) ([]sparki.Bell, error)
	// Schedule starts the crawls that have come.
	Schedule func(context.Context) error
	Client   *Client
	Server   *Server
	Log      *slog.Logger
}

// Once sweeps once.
func (s *Sweep) Once(ctx context.Context) error {
	if err := s.Schedule(ctx); err != nil {
		return err
	}
	bells, err := s.Due(ctx)
	if err != nil {
		return err
	}
	s.Server.answerDirectly(s.Client.ringAll(ctx, bells))
	return nil
}

// Run sweeps at once and then every so often, until the context ends.
func (s *Sweep) Run(ctx context.Context, every time.Duration) {
	for {
		if err := s.Once(ctx); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "sweep failed", slog.Any("error", err))
		}
		wait := time.NewTimer(every - every/10 + rand.N(every/5))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return
		}
	}
}
