package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"sparki.app/integrations"
	"sparki.app/integrations/metrics"
)

// metrics lists what Prometheus is told.
func (a *app) metrics() *metrics.Metrics {
	m := metrics.New(a.log)
	m.Read([]string{"integration", "provider", "kind"}, a.mappingGaps,
		metrics.Gauge{Name: "sparki_mapping_gaps", Help: "Enum values (VALUE) and fields (FIELD) of a CRM that the mapping does not know."},
		metrics.Gauge{Name: "sparki_mapping_gap_objects", Help: "How often objects were stored with something that the mapping does not know."})
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
	go func() { served <- a.metrics().Serve(ctx, listener); cancel() }()
	err = run(ctx)
	cancel()
	return errors.Join(err, <-served)
}
