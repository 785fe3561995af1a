package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"sparki.app/integrations"
	"sparki.app/integrations/devstack/teststack"
	"sparki.app/integrations/pubsub"
)

func TestMain(m *testing.M) { teststack.Main(m) }

type bundle struct {
	*Client
	server *Server
	redis  *redis.Client
	prefix string
	bell   sparki.Bell
	began  chan sparki.Bell // a job begins
	goOn   chan error       // and ends with this
	told   chan string      // how jobs ended
}

// setup makes a client and a worker, not started, whose only job waits for the test.
func setup(t *testing.T) *bundle {
	t.Helper()
	hints, err := pubsub.HintClient(teststack.RedisURL(t))
	if err != nil {
		t.Fatal(err)
	}
	options, err := pubsub.ParseURL(teststack.RedisURL(t))
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{redis: redis.NewClient(options), prefix: "test:" + rand.Text() + ":", began: make(chan sparki.Bell, 100), goOn: make(chan error, 100), told: make(chan string, 100),
		bell: sparki.Bell{Job: sparki.FetchItems, PortalID: sparki.NewID(), ID: sparki.NewID()}}
	t.Cleanup(func() { _ = hints.Close(); _ = b.redis.Close() })
	b.Client = NewClient(hints, b.prefix, slog.New(slog.DiscardHandler))
	b.server = NewServer(b.redis, b.prefix, Jobs{sparki.FetchItems: func(ctx context.Context, portal, id uuid.UUID) error {
		b.began <- sparki.Bell{Job: sparki.FetchItems, PortalID: portal, ID: id}
		select {
		case err := <-b.goOn:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}}, nil, slog.New(slog.DiscardHandler), func(job, outcome string, _ time.Duration) { b.told <- job + " " + outcome })
	return b
}

func (b *bundle) start(t *testing.T) {
	t.Helper()
	if err := b.server.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(b.server.Stop)
	t.Cleanup(stop)
}

func (b *bundle) waiting(t *testing.T) int {
	t.Helper()
	info, err := b.inspector.GetQueueInfo(queueOf(b.prefix, b.bell.Job))
	if err != nil {
		t.Fatal(err)
	}
	return info.Pending
}

func (b *bundle) begins(t *testing.T) sparki.Bell {
	t.Helper()
	select {
	case bell := <-b.began:
		return bell
	case <-time.After(20 * time.Second):
		t.Fatal("no job begins")
		return sparki.Bell{}
	}
}

func TestBell(t *testing.T) {
	t.Parallel()

	t.Run("HangsOnce", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for range 20 {
			b.Ring(t.Context(), b.bell)
		}
		if n := b.waiting(t); n != 1 {
			t.Errorf("%d tasks wait", n)
		}
	})

	t.Run("CarriesIDsOnly", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.Ring(t.Context(), b.bell)
		info, err := b.inspector.GetTaskInfo(queueOf(b.prefix, b.bell.Job), taskID(b.bell, "a"))
		if err != nil || string(info.Payload) != b.bell.PortalID.String()+"/"+b.bell.ID.String() {
			t.Errorf("the payload is %s, %v", info.Payload, err)
		}
	})

	t.Run("RungWhileAnsweredIsAnsweredAgain", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.start(t)
		b.Ring(t.Context(), b.bell)
		if got := b.begins(t); got != b.bell {
			t.Fatalf("the job is %+v", got)
		}
		b.Ring(t.Context(), b.bell) // its worker may have looked already
		b.goOn <- nil
		b.begins(t)
		b.goOn <- nil
	})

	t.Run("AnErrorIsNoEnd", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.start(t)
		b.Ring(t.Context(), b.bell)
		b.begins(t)
		b.goOn <- errors.New("broken")
		b.Ring(t.Context(), b.bell)
		b.begins(t)
		b.goOn <- nil
	})

	t.Run("StopGivesBack", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.start(t)
		b.Ring(t.Context(), b.bell)
		b.begins(t)
		began := time.Now()
		b.server.Stop() // the job ends with its context
		if took := time.Since(began); took > stopWithin+3*time.Second {
			t.Errorf("it took %s", took)
		}
	})

	t.Run("RedisAwayMakesNobodyWait", func(t *testing.T) {
		t.Parallel()
		hints, err := pubsub.HintClient("redis://127.0.0.1:1/0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = hints.Close() })
		client := NewClient(hints, "test:", slog.New(slog.DiscardHandler))
		began := time.Now()
		for range 1000 {
			client.Ring(t.Context(), sparki.Bell{Job: sparki.FetchItems, PortalID: sparki.NewID(), ID: sparki.NewID()})
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("a thousand bells took %s", took)
		}
	})
}

// Whoever counts jobs is told how each ended.
func TestTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.server.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(b.server.Stop)
	t.Cleanup(stop)
	told := func(want string) {
		t.Helper()
		if got := <-b.told; got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	for outcome, err := range map[string]error{"done": nil, "failed": errors.New("broken")} {
		b.Ring(t.Context(), b.bell)
		<-b.began
		b.goOn <- err
		told("items:fetch " + outcome)
	}
	b.Ring(t.Context(), b.bell)
	<-b.began
	stop()
	told("items:fetch given_back")
}

// The sweep rings for what is due, also when the schedule has to be asked first.
func TestSweep(t *testing.T) {
	t.Parallel()
	b := setup(t)
	scheduled := false
	sweep := &Sweep{Client: b.Client, Server: b.server, Log: slog.New(slog.DiscardHandler),
		Schedule: func(context.Context) error { scheduled = true; return nil },
		Due:      func(context.Context) ([]sparki.Bell, error) { return []sparki.Bell{b.bell}, nil }}
	if err := sweep.Once(t.Context()); err != nil || !scheduled {
		t.Fatal(err, scheduled)
	}
	if n := b.waiting(t); n != 1 {
		t.Errorf("%d tasks wait", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	sweep.Run(ctx, time.Hour) // returns
}

// While Redis takes no bells, the worker that sweeps answers them, each once at a time.
func TestSweepWithoutRedis(t *testing.T) {
	t.Parallel()
	b := setup(t)
	hints, err := pubsub.HintClient("redis://127.0.0.1:1/0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hints.Close() })
	due := []sparki.Bell{b.bell}
	for range 2 * directPlaces {
		due = append(due, sparki.Bell{Job: sparki.FetchItems, PortalID: b.bell.PortalID, ID: sparki.NewID()})
	}
	sweep := &Sweep{Client: NewClient(hints, b.prefix, slog.New(slog.DiscardHandler)), Server: b.server, Log: slog.New(slog.DiscardHandler),
		Schedule: func(context.Context) error { return nil }, Due: func(context.Context) ([]sparki.Bell, error) { return due, nil }}
	for range 2 { // the second sweep finds no place
		if err := sweep.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	answered := map[sparki.Bell]int{}
	for range directPlaces {
		answered[b.begins(t)]++
	}
	if answered[b.bell] != 1 || len(answered) != directPlaces || len(b.began) > 0 {
		t.Errorf("answered %v, and %d more", answered, len(b.began))
	}
	b.server.stop() // they end with the worker
	_ = b.server.directly.Wait()
	if err := sweep.Once(t.Context()); err != nil || len(b.began) > 0 {
		t.Errorf("a stopped worker begins %d jobs, %v", len(b.began), err)
	}
}

func TestPayload(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "/", "a/b", uuid.NewString(), uuid.NewString() + "/", uuid.NewString() + "/x"} {
		if bell, err := parsePayload(string(sparki.FetchItems), []byte(bad)); err == nil {
			t.Errorf("%q is taken for %+v", bad, bell)
		}
	}
}
