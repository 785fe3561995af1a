package pubsub

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sparki.app/integrations"
	"sparki.app/integrations/devstack/teststack"
)

func TestMain(m *testing.M) { teststack.Main(m) }

func broker(t *testing.T, prefix string) *Broker {
	t.Helper()
	url := teststack.RedisURL(t)
	hints, err := HintClient(url)
	if err != nil {
		t.Fatal(err)
	}
	options, err := ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	subscriber := redis.NewClient(options)
	b := NewBroker(hints, subscriber, prefix, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { b.Close(); _ = hints.Close(); _ = subscriber.Close() })
	return b
}

func hears(t *testing.T, woken <-chan struct{}) {
	t.Helper()
	select {
	case <-woken:
	case <-time.After(20 * time.Second):
		t.Fatal("nobody is woken")
	}
}

func TestWake(t *testing.T) {
	t.Parallel()
	prefix := "test:" + rand.Text()
	here, there := broker(t, prefix), broker(t, prefix)
	portal, other := sparki.NewID(), sparki.NewID()
	woken, stop := there.Listen(portal)
	defer stop()
	hears(t, woken) // the subscription itself: something may have been missed before it

	quiet, stopQuiet := there.Listen(other)
	defer stopQuiet()
	hears(t, quiet)

	for range 100 { // a burst is one token, or a few
		here.Wake(t.Context(), portal)
	}
	hears(t, woken)
	select {
	case <-quiet:
		t.Error("another portal is woken")
	default:
	}
}

// While Redis is away, listeners in the same process are woken all the same, and nobody waits.
func TestWakeWithoutRedis(t *testing.T) {
	t.Parallel()
	hints, err := HintClient("redis://127.0.0.1:1/0")
	if err != nil {
		t.Fatal(err)
	}
	subscriber := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	b := NewBroker(hints, subscriber, "test", slog.New(slog.DiscardHandler))
	t.Cleanup(func() { b.Close(); _ = hints.Close(); _ = subscriber.Close() })
	portal := sparki.NewID()
	woken, stop := b.Listen(portal)
	defer stop()
	b.Wake(t.Context(), portal)
	hears(t, woken)
	if err := hints.Ping(t.Context()).Err(); !errors.Is(err, ErrResting) {
		t.Errorf("a Redis that failed a moment ago is asked again: %v", err)
	}
}

func TestListenersLeave(t *testing.T) {
	t.Parallel()
	b := broker(t, "test:"+rand.Text())
	portal := sparki.NewID()
	before := runtime.NumGoroutine()
	var stops []func()
	for range 1000 {
		_, stop := b.Listen(portal)
		stops = append(stops, stop)
	}
	for _, stop := range stops {
		stop()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.listeners) != 0 {
		t.Errorf("%d portals are still followed", len(b.listeners))
	}
	if after := runtime.NumGoroutine(); after > before+50 {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}
