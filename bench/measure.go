package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// sample is one slice of a load on one server.
type sample struct {
	ops                  int           // that were answered well
	took                 time.Duration // that the rate is reckoned by
	wall                 time.Duration // while the CPU times were taken
	program, stores, own time.Duration // CPU time of the measured program, of Postgres and Redis, and of the load itself
	busy                 time.Duration // of the servers' core, whoever for
	p50, p99             time.Duration // of one operation; 0 where that means nothing
}

func (s sample) rate() float64 {
	if s.took <= 0 {
		return 0
	}
	return float64(s.ops) / s.took.Seconds()
}

// perCPU is how many operations a second of CPU time does, everything on the servers' core counted; 0
// when the times are not known. What other programs take from the core does not change it.
func (s sample) perCPU() float64 {
	if s.program <= 0 || s.stores <= 0 {
		return 0
	}
	return float64(s.ops) / (s.program + s.stores).Seconds()
}

// others is the time that the servers' core worked for anybody else.
func (s sample) others() time.Duration { return max(s.busy-s.program-s.stores, 0) }

// meter reads CPU times around a slice.
type meter struct {
	stack *stack
	of    meterOf
	own   int // our pid

	began                       time.Time
	program, stores, used, busy time.Duration // before
}

// meterOf tells how much CPU time the measured program has used.
type meterOf = func() time.Duration

func (b *bench) meter(of meterOf) *meter { return &meter{stack: b.stack, of: of, own: os.Getpid()} }

func (m *meter) start() {
	m.program, m.stores, m.used, m.busy = m.of(), m.stack.cpu(), cpuOf(m.own), busyOf(m.stack.serverCores)
	m.began = time.Now()
}

func (m *meter) stop(s *sample) {
	s.wall = time.Since(m.began)
	s.program, s.stores, s.own, s.busy = m.of()-m.program, m.stack.cpu()-m.stores, cpuOf(m.own)-m.used, busyOf(m.stack.serverCores)-m.busy
}

// shooter sends one request and checks its answer. Each belongs to one connection.
type shooter func(ctx context.Context, client *http.Client, scratch *bytes.Buffer) error

const warmUp = time.Second

// hammer lets every shooter send one request after the other, and measures for a while once they are
// warm. The first answer that is wrong ends it.
func hammer(ctx context.Context, m *meter, lasts time.Duration, shooters []shooter) (sample, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	transport := &http.Transport{MaxIdleConnsPerHost: len(shooters), DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 15 * time.Second}
	var (
		running           sync.WaitGroup
		done              atomic.Int64
		measuring, halted atomic.Bool
		times             = make([][]time.Duration, len(shooters))
	)
	for i, shoot := range shooters {
		running.Go(func() {
			var scratch bytes.Buffer
			for !halted.Load() && ctx.Err() == nil {
				began := time.Now()
				if err := shoot(ctx, client, &scratch); err != nil {
					cancel(err)
					return
				}
				done.Add(1)
				if measuring.Load() {
					times[i] = append(times[i], time.Since(began))
				}
			}
		})
	}
	var s sample
	if sleep(ctx, warmUp) {
		m.start()
		before := done.Load()
		measuring.Store(true)
		if sleep(ctx, lasts) {
			s.ops = int(done.Load() - before)
			m.stop(&s)
			s.took = s.wall
		}
	}
	halted.Store(true)
	running.Wait()
	if err := context.Cause(ctx); err != nil {
		return s, err
	}
	s.p50, s.p99 = spreadOf(slices.Concat(times...))
	return s, nil
}

// sleep waits; false when the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// median is the middle of the values; 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

// paired is the median of what ours is to theirs, round by round.
func paired(ours, theirs []sample, of func(sample) float64) float64 {
	var ratios []float64
	for i := range min(len(ours), len(theirs)) {
		if theirs := of(theirs[i]); theirs > 0 {
			ratios = append(ratios, of(ours[i])/theirs)
		}
	}
	return median(ratios)
}

// spreadOf gives the middle and the 99th percentile.
func spreadOf(times []time.Duration) (p50, p99 time.Duration) {
	if len(times) == 0 {
		return 0, 0
	}
	slices.Sort(times)
	return times[len(times)/2], times[len(times)*99/100]
}
