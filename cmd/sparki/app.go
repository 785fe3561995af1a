package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"time"

	"github.com/redis/go-redis/v9"

	"sparki.app/integrations"
	"sparki.app/integrations/agenda"
	"sparki.app/integrations/auth"
	"sparki.app/integrations/db"
	"sparki.app/integrations/feed"
	"sparki.app/integrations/integrations"
	"sparki.app/integrations/listings"
	"sparki.app/integrations/media"
	"sparki.app/integrations/metrics"
	"sparki.app/integrations/providers/rest"
	"sparki.app/integrations/pubsub"
	"sparki.app/integrations/resolvers"
	"sparki.app/integrations/server"
	"sparki.app/integrations/tracing"
	"sparki.app/integrations/tracing/export"
	"sparki.app/integrations/web"
	"sparki.app/integrations/worker"
)

// app is the whole program, built in reading order. serve starts its server, worker its workers, dev both.
type app struct {
	config       *config
	log          *slog.Logger
	db           *db.DB
	redis, hints *redis.Client
	broker       *pubsub.Broker
	tokens       *auth.Tokens
	integrations *integrations.Service
	listings     *listings.Service
	agenda       *agenda.Service
	media        *media.Service
	bells        *worker.Client
	metrics      *metrics.Metrics
	signals      sparki.Signals
	traces       *export.Provider
	prefix       string // of all our keys on Redis
	sweepEvery   time.Duration
	drain        time.Duration
}

// signals joins the two kinds of hints: bells for workers, wake-ups for subscribers.
type signals struct {
	*worker.Client
	*pubsub.Broker
}

const (
	dbConns = 16
	// crmConcurrency is how many calls one integration has under way at its CRM; assumed to be well
	// below what a busy office's own clients do, neither CRM documents a limit.
	crmConcurrency = 8
	// A CRM that fails so many times in a row, which is more than the calls that one bad moment breaks off,
	// is left alone for so long.
	crmFailures = 10
	crmPause    = 30 * time.Second
	// drain is how long `serve` goes on after it was told to stop: a proxy that asks /readyz every second
	// has turned elsewhere by then.
	drain = 2 * time.Second
)

// newApp connects to the database and Redis. It refuses an older schema, and starts nothing. mocks:
// this program serves the mock CRMs, on this machine, and they send us webhooks.
func newApp(ctx context.Context, c *config, log *slog.Logger, mocks bool) (*app, error) {
	log = slog.New(tracing.Log(log.Handler()))
	a := &app{config: c, log: log, prefix: c.redisPrefix, sweepEvery: worker.SweepEvery}
	var err error
	if a.db, err = db.Open(ctx, db.Options{URL: c.DatabaseURL, MaxConns: dbConns, Tracer: c.tracer}); err != nil {
		return nil, err
	}
	if err := a.db.CheckSchema(ctx); err != nil {
		a.db.Close()
		return nil, err
	}
	if err := integrations.CheckKeys(ctx, a.db, c.keys); err != nil {
		a.db.Close()
		return nil, err
	}
	if a.hints, err = pubsub.HintClient(c.RedisURL); err != nil {
		return nil, err
	}
	options, err := pubsub.ParseURL(c.RedisURL)
	if err != nil {
		return nil, err
	}
	a.redis = redis.NewClient(options)
	a.broker = pubsub.NewBroker(a.hints, a.redis, a.prefix, log)
	a.bells = worker.NewClient(a.hints, a.prefix, log)
	a.metrics = a.newMetrics()
	a.signals = signals{a.bells, a.broker}
	a.tokens = &auth.Tokens{DB: a.db}
	if c.OIDCIssuer != "" {
		a.tokens.OIDC = auth.NewOIDC(c.OIDCIssuer, c.OIDCAudience)
	}
	a.integrations = &integrations.Service{
		DB: a.db, Keys: c.keys, Providers: c.providers, Signals: a.signals, Log: log,
		Policy:    rest.Policy{Hosts: c.CRMHosts, AllowPrivate: c.AllowPrivateUpstreams},
		Live:      rest.Transport(rest.Options{AllowPrivate: c.AllowPrivateUpstreams}),
		Breaking:  rest.Breaking{Failures: crmFailures, Pause: crmPause},
		Limits:    rest.Limits{Concurrency: crmConcurrency, PerSecond: c.CRMRateLimit, Burst: int(c.CRMRateLimit)},
		PublicURL: c.PublicAPIURL, MockWebhooks: mocks,
		Watch: func(i *sparki.Integration) func(string, time.Duration) {
			return a.metrics.Calls(i.Provider, i.NodeID())
		},
	}
	privateMedia := c.AllowPrivateUpstreams || mocks // the mocks' pictures are served from here
	a.listings = &listings.Service{
		DB: a.db, Connect: a.integrations.Connect, Messages: a.integrations.Messages, Map: a.integrations.Map, Info: a.integrations.Info,
		MayShow: func(url string) bool { return rest.IsMediaURL(url, privateMedia) }, Signals: a.signals, Log: log,
	}
	a.agenda = agenda.New(agenda.Service{DB: a.db, Connect: a.integrations.Agenda, Info: a.integrations.Info, Signals: a.signals, Log: log})
	store, err := media.OpenStore(ctx, c.MediaURL)
	if err != nil {
		return nil, err
	}
	a.traces, err = export.New(ctx, export.Options{Endpoint: c.TracesEndpoint, Exporter: c.exporter, Service: "sparki-" + c.command, Log: log})
	if err != nil {
		return nil, err
	}
	a.media = media.New(media.Options{DB: a.db, Bucket: store, PublicURL: c.PublicAPIURL, Log: log, AllowPrivate: privateMedia})
	return a, nil
}

func (a *app) pingRedis(ctx context.Context) error { return a.redis.Ping(ctx).Err() }

func (a *app) close() {
	a.integrations.Close()
	_ = a.media.Close()
	a.broker.Close()
	_ = a.redis.Close()
	_ = a.hints.Close()
	a.db.Close()
	a.traces.Close()
}

// serve answers HTTP on the listener until the context ends, then finishes what is in flight.
func (a *app) serve(ctx context.Context, listener net.Listener, facts []web.Fact, mocks bool) error {
	inbox := a.listings.NewInbox()
	defer inbox.Close()
	srv := &server.Server{
		DB: a.db, Tokens: a.tokens, Integrations: a.integrations, Inbox: inbox, Media: a.media, Providers: a.integrations.Providers,
		Resolver: &resolvers.Resolver{
			DB: a.db, Integrations: a.integrations, Listings: a.listings, Agenda: a.agenda, Media: a.media, Log: a.log,
			Feed: &feed.Feed{DB: a.db, Broker: a.broker, Status: a.listings.Status, Log: a.log},
		},
		RateLimit: a.config.APIRateLimit, Limits: a.config.apiLimits(), Operations: a.config.operations,
		PublicURL: a.config.PublicAPIURL, TrustedProxies: a.config.proxies,
		RedisPing:      a.pingRedis,
		AllowedOrigins: a.config.AllowedOrigins, SDL: sparki.SDL, Facts: facts, Mocks: mocks, Drain: a.drain, Traces: a.traces, Log: a.log,
		Told: server.Told{Requests: a.metrics.Requests, Operation: a.metrics.Operation, Delivery: a.metrics.Delivery},
	}
	failed := srv.Start(listener)
	a.metrics.Now(metrics.Gauge{Name: "sparki_open_streams", Help: "Websockets and event streams that are open."}, func() float64 { return float64(srv.Streams()) })
	a.log.Info("serving", slog.String("address", listener.Addr().String()))
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	return errors.Join(err, srv.Stop(context.WithoutCancel(ctx)))
}

// work runs background jobs and the sweep until the context ends, then gives back what is in flight.
func (a *app) work(ctx context.Context) error {
	jobs := worker.NewServer(a.redis, a.prefix, worker.Jobs{
		sparki.ReadInbox:    a.listings.ReadInbox,
		sparki.FetchItems:   a.listings.FetchItems,
		sparki.ContinueRun:  a.listings.ContinueRun,
		sparki.RenewMapping: a.listings.RenewMapping,
		sparki.CopyMedia:    a.media.Copy,
		sparki.CollectMedia: a.media.Collect,
		sparki.Prune:        a.db.Prune,

		sparki.PushAppointments: a.agenda.PushAppointments,
		sparki.SyncTargets:      a.agenda.SyncTargets,
		sparki.CleanSmokeTests:  a.agenda.CleanSmokeTests,
	}, a.traces, a.log, a.metrics.Job)
	if err := jobs.Start(); err != nil {
		return err
	}
	defer jobs.Stop()
	a.log.Info("working")
	sweep := &worker.Sweep{Due: a.due, Client: a.bells, Server: jobs, Log: a.log, Schedule: func(ctx context.Context) error {
		return errors.Join(a.agenda.StartDueSyncs(ctx), a.listings.StartDueCrawls(ctx, integrations.IncrementalEvery, integrations.FullEvery))
	}}
	sweep.Run(ctx, a.sweepEvery)
	return nil
}

// due lists a bell for all work that waits.
func (a *app) due(ctx context.Context) ([]sparki.Bell, error) {
	bells, err := a.db.Due(ctx)
	if err != nil {
		return nil, err
	}
	versions := map[string]int{}
	for _, p := range a.integrations.Providers {
		versions[p.Info().Key] = p.Info().MappingVersion
	}
	old, err := a.db.OldMappings(ctx, versions)
	if err != nil {
		return nil, err
	}
	pictures, err := a.media.Due(ctx)
	return append(append(bells, old...), pictures...), err
}

func runServe(ctx context.Context, call *invocation) error {
	return call.withApp(ctx, "serve", func(a *app) error {
		listener, err := net.Listen("tcp", a.config.ListenAddr)
		if err != nil {
			return fmt.Errorf("LISTEN_ADDR: %w", err)
		}
		a.drain = drain
		return a.measured(ctx, func(ctx context.Context) error {
			return a.serve(ctx, listener, homeFacts(a.config.PublicAPIURL), false)
		})
	})
}

// workerGC lets a worker's heap grow to three times of what is in use before it is collected, instead of
// twice: what a crawl reads is large and soon done with, and little of it is in use.
const workerGC = 200

func runWorker(ctx context.Context, call *invocation) error {
	if call.env["GOGC"] == "" {
		debug.SetGCPercent(workerGC)
	}
	return call.withApp(ctx, "worker", func(a *app) error { return a.measured(ctx, a.work) })
}

func (call *invocation) withApp(ctx context.Context, name string, f func(*app) error) error {
	c, err := call.configure(name, needsAll, nil)
	if err != nil {
		return err
	}
	a, err := newApp(ctx, c, c.logger(call), false)
	if err != nil {
		return err
	}
	defer a.close()
	return f(a)
}

func runMigrate(ctx context.Context, call *invocation) error {
	c, err := call.configure("migrate", needsDatabase, nil)
	if err != nil {
		return err
	}
	return db.Migrate(ctx, c.DatabaseURL)
}

// homeFacts say on the home page what runs where.
func homeFacts(base string) []web.Fact {
	return []web.Fact{
		{Label: "API", Text: base + "/graphql", Href: "/graphql"},
		{Label: "API explorer", Text: base + "/graphiql", Href: "/graphiql"},
		{Label: "Schema", Text: base + "/schema.graphqls", Href: "/schema.graphqls"},
		{Label: "Ready?", Text: base + "/readyz", Href: "/readyz"},
	}
}
