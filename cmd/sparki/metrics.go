package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"sparki.app/integrations"
	"sparki.app/integrations/metrics"
	"sparki.app/integrations/server"
	"sparki.app/integrations/worker"
)

// newMetrics lists what Prometheus is told besides what the parts of the program count themselves.
func (a *app) newMetrics() *metrics.Metrics {
	m := metrics.New(a.log)
	m.Ready = &server.Readiness{DB: a.db, RedisPing: a.pingRedis, Stopping: func() bool { return false }} // its port closes when we stop
	m.Read([]string{"integration", "provider", "kind"}, a.mappingGaps,
		metrics.Gauge{Name: "sparki_mapping_gaps", Help: "Enum values (VALUE) and fields (FIELD) of a CRM that the mapping does not know."},
		metrics.Gauge{Name: "sparki_mapping_gap_objects", Help: "How often objects were stored with something that the mapping does not know."})
	m.Read([]string{"work"}, a.backlogs,
		metrics.Gauge{Name: "sparki_work_waiting", Help: "Rows in Postgres that wait for workers, or that one is at."},
		metrics.Gauge{Name: "sparki_work_stuck", Help: "Rows that nothing more is tried for: out of tries, or to be approved by a person."},
		metrics.Gauge{Name: "sparki_work_lag_seconds", Help: "For how long the oldest row has been due that no worker is at."})
	m.Read([]string{"queue", "state"}, a.queues,
		metrics.Gauge{Name: "sparki_queue_tasks", Help: "Bells in a queue on Redis. They are hints: the work itself waits in Postgres."})
	m.Read([]string{"integration", "provider"}, a.breakers,
		metrics.Gauge{Name: "sparki_crm_breaker_state", Help: "Whether this process calls a live CRM: 0 yes, 1 it tries one call, 2 no."})
	m.Read([]string{"state"}, a.connections,
		metrics.Gauge{Name: "sparki_db_connections", Help: "This process's connections to Postgres: acquired, idle, and how many there may be (max)."})
	return m
}

func (a *app) mappingGaps(ctx context.Context) ([]metrics.Row, error) {
	totals, err := a.db.GapTotals(ctx)
	rows := make([]metrics.Row, len(totals))
	for n, t := range totals {
		rows[n] = metrics.Row{
			Labels: []string{sparki.IntegrationNode.ID(t.IntegrationID), t.Provider, string(t.Kind)},
			Values: []float64{float64(t.Names), float64(t.Objects)},
		}
	}
	return rows, err
}

func (a *app) backlogs(ctx context.Context) (rows []metrics.Row, err error) {
	backlogs, err := a.db.Backlogs(ctx)
	for _, b := range backlogs {
		if b.Work != "media" || a.media.On() { // else nobody copies any
			rows = append(rows, metrics.Row{Labels: []string{b.Work}, Values: []float64{float64(b.Waiting), float64(b.Stuck), b.Lag.Seconds()}})
		}
	}
	return rows, err
}

func (a *app) queues(context.Context) (rows []metrics.Row, err error) {
	queues, err := worker.Queues(a.hints, a.prefix)
	for _, q := range queues {
		for state, n := range map[string]int{"waiting": q.Waiting, "running": q.Running, "archived": q.Archived} {
			rows = append(rows, metrics.Row{Labels: []string{q.Name, state}, Values: []float64{float64(n)}})
		}
	}
	return rows, err
}

func (a *app) breakers(context.Context) (rows []metrics.Row, err error) {
	for _, b := range a.integrations.Breakers() {
		rows = append(rows, metrics.Row{Labels: []string{sparki.IntegrationNode.ID(b.IntegrationID), b.Provider}, Values: []float64{float64(b.State)}})
	}
	return rows, nil
}

func (a *app) connections(context.Context) ([]metrics.Row, error) {
	acquired, idle, most := a.db.Conns()
	return []metrics.Row{
		{Labels: []string{"acquired"}, Values: []float64{float64(acquired)}},
		{Labels: []string{"idle"}, Values: []float64{float64(idle)}},
		{Labels: []string{"max"}, Values: []float64{float64(most)}},
	}, nil
}

// measured runs the program and meanwhile, if METRICS_ADDR is set, serves its metrics there. Either
// ends both.
func (a *app) measured(ctx context.Context, run func(context.Context) error) error {
	if a.config.MetricsAddr == "" {
		return run(ctx)
	}
	listener, err := net.Listen("tcp", a.config.MetricsAddr)
	if err != nil {
		return fmt.Errorf("METRICS_ADDR: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- a.metrics.Serve(ctx, listener); cancel() }()
	err = run(ctx)
	cancel()
	return errors.Join(err, <-served)
}
