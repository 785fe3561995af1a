package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"sparki.app/integrations/bench/beside"
)

const (
	backfillObjects = 5000
	// distance is what a CRM elsewhere takes at the very least, one way and back.
	distance = 5 * time.Millisecond
)

// backfill measures a full crawl of a CRM in which every object changed, and of one in which none did.
func backfill(ctx context.Context, b *bench) ([]*row, error) {
	c, err := startCRM(ctx, backfillObjects)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	p, err := b.program(ctx, "backfill", true)
	defer p.stop()
	if err != nil {
		return nil, err
	}
	theirs, err := b.rival(ctx, "backfill_beside", beside.Options{})
	defer theirs.stop()
	if err != nil {
		return nil, err
	}
	l := &crawling{bench: b, crm: c, program: p, rival: theirs}
	fresh := &row{load: "backfill", what: fmt.Sprintf("%d new objects, an empty database", backfillObjects), unit: "objects/s", beside: "one by one, encoding/json"}
	changed := &row{load: "backfill", what: fmt.Sprintf("%d changed objects", backfillObjects), unit: "objects/s", floor: 4, beside: "one by one, encoding/json"}
	unchanged := &row{load: "backfill", what: "the same again, unchanged", unit: "objects/s", floor: 4, beside: "our own changed rate"}
	if err := l.warmUp(ctx, fresh); err != nil {
		return nil, err
	}
	for round := range b.rounds {
		price := 300_000 + round
		if err := c.changeAll(ctx, time.Now(), price); err != nil {
			return nil, err
		}
		if err := errors.Join(l.ours(ctx, &changed.ours, true, price), l.ours(ctx, &unchanged.ours, false, price),
			l.theirs(ctx, &changed.theirs, price)); err != nil {
			return nil, err
		}
	}
	unchanged.theirs = changed.ours
	distant := &row{load: "backfill", what: fmt.Sprintf("changed objects of a CRM %v away", distance), unit: "objects/s", beside: "one by one, encoding/json"}
	if err := l.fromAfar(ctx, distant); err != nil {
		return nil, err
	}
	if err := c.changeAll(ctx, time.Now(), 2); err != nil {
		return nil, err
	}
	err = b.profiled(ctx, "backfill", p.work, func() error { return l.ours(ctx, new([]sample), true, 2) })
	changed.serve, changed.worker = p.peaks()
	return []*row{changed, unchanged, distant, fresh}, err
}

// crawling is a backfill under way.
type crawling struct {
	bench       *bench
	crm         *crm
	program     *program
	rival       *rival
	integration string
	latest      string // run
}

// warmUp stores everything for the first time, then changed once, and gives the planner its statistics.
func (l *crawling) warmUp(ctx context.Context, fresh *row) error {
	m := l.bench.meter(l.program.cpu)
	m.start()
	connected, err := l.program.connect(ctx, l.crm) // which starts a crawl
	if err != nil {
		return err
	}
	l.integration = connected.ID
	run, err := l.program.waitForRun(ctx, l.integration, "")
	if err != nil {
		return err
	}
	l.latest = run.ID
	s := sample{ops: run.Processed, took: run.FinishedAt.Sub(m.began)}
	m.stop(&s)
	fresh.ours = append(fresh.ours, s)
	if err := l.theirs(ctx, &fresh.theirs, -1); err != nil {
		return err
	}
	if err := l.crm.changeAll(ctx, time.Now(), 1); err != nil {
		return err
	}
	return errors.Join(l.ours(ctx, new([]sample), true, 1), l.theirs(ctx, new([]sample), 1),
		l.bench.stack.analyze(ctx, l.program.databaseURL), l.bench.stack.analyze(ctx, l.rival.databaseURL))
}

// fromAfar measures one round with a CRM whose every answer takes a while, as a real one's does.
func (l *crawling) fromAfar(ctx context.Context, r *row) error {
	const price = 200_000
	if err := l.crm.changeAll(ctx, time.Now(), price); err != nil {
		return err
	}
	l.crm.delay.Store(int64(distance))
	defer l.crm.delay.Store(0)
	return errors.Join(l.ours(ctx, &r.ours, true, price), l.theirs(ctx, &r.theirs, price))
}

// ours crawls with Sparki: from the request to the moment at which the run ended.
func (l *crawling) ours(ctx context.Context, into *[]sample, changed bool, price int) error {
	if err := l.bench.stack.checkpoint(ctx); err != nil {
		return err
	}
	m := l.bench.meter(l.program.cpu)
	m.start()
	var out struct {
		StartSync struct {
			SyncRun    struct{ ID string }
			UserErrors []struct{ Message string }
		}
	}
	if err := l.program.graphQL(ctx, `mutation ($id: ID!) { startSync(integrationId: $id, domain: LISTINGS) { syncRun { id } userErrors { message } } }`,
		map[string]any{"id": l.integration}, &out); err != nil {
		return err
	}
	if len(out.StartSync.UserErrors) > 0 {
		return fmt.Errorf("start sync: %v", out.StartSync.UserErrors)
	}
	run, err := l.program.waitForRun(ctx, l.integration, l.latest)
	if err != nil {
		return err
	}
	l.latest = run.ID
	s := sample{ops: run.Processed, took: run.FinishedAt.Sub(m.began)}
	m.stop(&s)
	*into = append(*into, s)
	want := 0
	if changed {
		want = backfillObjects
	}
	if run.Updated != want || run.Failed != 0 || run.Processed < backfillObjects || run.Processed != run.Updated+run.Unchanged {
		return fmt.Errorf("the run should have updated %d: %+v", want, run)
	}
	return l.check(ctx, l.program.databaseURL, `select count(*) from items where price_amount = $1`, price)
}

// theirs crawls with the plain server. price -1 checks nothing.
func (l *crawling) theirs(ctx context.Context, into *[]sample, price int) error {
	if err := l.bench.stack.checkpoint(ctx); err != nil {
		return err
	}
	text := l.crm.conf.Text
	body, err := json.Marshal(beside.Backfill{
		URL: l.crm.url, TokenURL: text["tokenUrl"], AgencyID: text["realEstateAgencyId"], ClientID: text["clientId"],
		ClientSecret: l.crm.conf.Secret("clientSecret").Reveal(),
	})
	if err != nil {
		return err
	}
	m := l.bench.meter(l.rival.cpu)
	m.start()
	var done beside.Backfilled
	if err := l.rival.post(ctx, http.MethodPost, "/backfill", body, &done); err != nil {
		return err
	}
	s := sample{ops: done.Objects, took: time.Since(m.began)}
	m.stop(&s)
	*into = append(*into, s)
	if done.Objects < backfillObjects {
		return fmt.Errorf("beside read %d objects", done.Objects)
	}
	if price < 0 {
		return nil
	}
	return l.check(ctx, l.rival.databaseURL, `select count(*) from beside_items where price = $1`, price)
}

// check counts the rows that have the price of the round.
func (l *crawling) check(ctx context.Context, databaseURL, count string, price int) error {
	if databaseURL == "" {
		return nil // somebody else's
	}
	var n int
	err := l.bench.stack.sql(ctx, databaseURL, func(c *pgx.Conn) error { return c.QueryRow(ctx, count, price).Scan(&n) })
	if err == nil && n != backfillObjects {
		err = fmt.Errorf("%d of %d objects have the new price: %s", n, backfillObjects, count)
	}
	return err
}
