package worker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"sparki.app/integrations"
	"sparki.app/integrations/tracing"
)

const (
	// Crawls take minutes; they have their own places, so that a webhook never waits for one.
	quickPlaces = 16
	crawlPlaces = 8
	// Pictures have theirs, so that neither waits for a slow host of pictures. Each holds a few files
	// of up to 25 MiB in memory.
	mediaPlaces = 4
	// Places for what Redis did not bring.
	directPlaces = 8
	// lookEvery is how often an idle worker asks Redis for tasks.
	lookEvery = 100 * time.Millisecond
	// stopWithin is how long work in flight may take to be given back.
	stopWithin = 12 * time.Second
)

// Jobs are what a worker does when a bell rings: each does all the work that is there for the portal
// and id, and none if there is none. An error is logged; the rows that it left are rung for again.
type Jobs map[sparki.JobKind]func(ctx context.Context, portal, id uuid.UUID) error

// Server answers bells.
type Server struct {
	servers []*asynq.Server
	jobs    Jobs
	traces  trace.TracerProvider
	log     *slog.Logger
	told    func(job, outcome string, took time.Duration)
	stop    context.CancelFunc
	ctx     context.Context

	mu      sync.Mutex
	running map[sparki.Bell]bool // true: rung again meanwhile

	directly errgroup.Group
}

// NewServer makes a worker; Start lets it work. Each job begins a trace, unless traces is nil. told, unless
// nil, is told of each job that ended: "done", "failed" or "given_back".
func NewServer(client *redis.Client, prefix string, jobs Jobs, traces trace.TracerProvider, log *slog.Logger, told func(job, outcome string, took time.Duration)) *Server {
	s := &Server{jobs: jobs, traces: traces, log: log, told: told, running: map[sparki.Bell]bool{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.directly.SetLimit(directPlaces)
	server := func(places int, queues map[string]int) *asynq.Server {
		return asynq.NewServerFromRedisClient(client, asynq.Config{
			Concurrency: places, Queues: queues, TaskCheckInterval: lookEvery, ShutdownTimeout: stopWithin,
			Logger: asynqLog{log}, LogLevel: asynq.WarnLevel,
		})
	}
	s.servers = []*asynq.Server{
		server(quickPlaces, map[string]int{queueOf(prefix, sparki.ReadInbox): 2, queueOf(prefix, sparki.FetchItems): 1,
			queueOf(prefix, sparki.PushAppointments): 1, queueOf(prefix, sparki.SyncTargets): 1, queueOf(prefix, sparki.CleanSmokeTests): 1}),
		server(crawlPlaces, map[string]int{queueOf(prefix, sparki.ContinueRun): 2, queueOf(prefix, sparki.RenewMapping): 1, queueOf(prefix, sparki.Prune): 1}),
		server(mediaPlaces, map[string]int{queueOf(prefix, sparki.CopyMedia): 1}), // CollectMedia waits in the same queue
	}
	return s
}

// Start begins to work, and returns.
func (s *Server) Start() error {
	for _, server := range s.servers {
		if err := server.Start(asynq.HandlerFunc(s.process)); err != nil {
			return fmt.Errorf("start worker: %w", err)
		}
	}
	return nil
}

// Stop gives what is in flight back and returns when nothing runs any more.
func (s *Server) Stop() {
	for _, server := range s.servers {
		server.Stop() // takes no more
	}
	s.stop() // whoever works gives back
	for _, server := range s.servers {
		server.Shutdown()
	}
	_ = s.directly.Wait() // its errors are logged
}

// answerDirectly begins to answer bells, as many at once as there are places. What finds none is due
// again at the next sweep.
func (s *Server) answerDirectly(bells []sparki.Bell) {
	for _, bell := range bells {
		if s.ctx.Err() != nil || !s.directly.TryGo(func() error {
			s.answer(s.ctx, bell)
			return nil
		}) {
			return
		}
	}
}

func (s *Server) process(ctx context.Context, task *asynq.Task) error {
	bell, err := parsePayload(task.Type(), task.Payload())
	if err == nil && s.jobs[bell.Job] == nil {
		err = fmt.Errorf("no such job: %s", bell.Job)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	// Not as asynq's base context: it would give the task up, and not wait for whoever gives back.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	s.answer(ctx, bell)
	return nil
}

// answer does the work of a bell. One that rings while it is being answered in this process is
// answered once more afterwards, so that one integration never holds more than one place here.
func (s *Server) answer(ctx context.Context, bell sparki.Bell) {
	s.mu.Lock()
	if _, busy := s.running[bell]; busy {
		s.running[bell] = true
		s.mu.Unlock()
		return
	}
	s.running[bell] = false
	s.mu.Unlock()
	for again := true; again; {
		s.do(ctx, bell)
		s.mu.Lock()
		if again = s.running[bell] && ctx.Err() == nil; again {
			s.running[bell] = false
		} else {
			delete(s.running, bell)
		}
		s.mu.Unlock()
	}
}

// do does a job once.
func (s *Server) do(ctx context.Context, bell sparki.Bell) {
	started := time.Now()
	job, id := slog.String("job", string(bell.Job)), slog.String("id", bell.ID.String())
	traced, span := tracing.Root(ctx, s.traces, "job "+string(bell.Job), job, id)
	err := s.jobs[bell.Job](traced, bell.PortalID, bell.ID)
	tracing.End(span, err)
	took := time.Since(started)
	log := s.log.With(job, id, slog.Duration("took", took))
	outcome := "done"
	switch {
	case err == nil:
		log.DebugContext(traced, "job done")
	case ctx.Err() != nil:
		outcome = "given_back"
		log.InfoContext(traced, "job given back: the worker stops")
	default:
		outcome = "failed"
		log.WarnContext(traced, "job failed; it is rung for again", slog.Any("error", err))
	}
	if s.told != nil {
		s.told(string(bell.Job), outcome, took)
	}
}

// asynqLog writes asynq's own log to ours.
type asynqLog struct{ log *slog.Logger }

func (l asynqLog) Debug(args ...any) { l.log.Debug("asynq", slog.String("text", fmt.Sprint(args...))) }
func (l asynqLog) Info(args ...any)  { l.log.Info("asynq", slog.String("text", fmt.Sprint(args...))) }
func (l asynqLog) Warn(args ...any)  { l.log.Warn("asynq", slog.String("text", fmt.Sprint(args...))) }
func (l asynqLog) Error(args ...any) { l.log.Warn("asynq", slog.String("text", fmt.Sprint(args...))) }
func (l asynqLog) Fatal(args ...any) { l.log.Error("asynq", slog.String("text", fmt.Sprint(args...))) }
