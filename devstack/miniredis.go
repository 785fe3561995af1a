//go:build unix

package devstack

import (
	"context"
	"time"

	"github.com/alicebob/miniredis/v2"

	"sparki.app/integrations/devstack/internal/own"
)

// runMiniredis runs a Redis inside this process, on a free loopback port.
func runMiniredis(o Options, lock *own.Lock) (service, error) {
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		return service{}, err
	}
	url := "redis://" + m.Addr() + "/0"
	if err := lock.Publish(url); err != nil {
		m.Close()
		return service{}, err
	}
	stopped := make(chan struct{})
	go keepTime(m, stopped)
	if !o.Ephemeral {
		o.Log.Warn("queue is in memory: no valkey-server or redis-server on PATH, so queued jobs are lost when this process ends; install one or set REDIS_URL")
	}
	return service{url: url, stop: func(context.Context) error {
		defer lock.Release()
		lock.Publish("")
		close(stopped)
		m.Close()
		return nil
	}}, nil
}

// keepTime lets keys expire: the clock of miniredis stands still until it is told otherwise.
func keepTime(m *miniredis.Miniredis, stopped <-chan struct{}) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-stopped:
			return
		case now := <-tick.C:
			m.FastForward(now.Sub(last))
			last = now
		}
	}
}
