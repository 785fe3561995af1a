// Package pubsub carries wake-ups between processes over Redis: "something changed in this portal".
// It carries no data: whoever is woken reads the database, and looks there now and then anyway.
package pubsub

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// Broker has one Redis subscription in and many listeners out.
type Broker struct {
	publisher *redis.Client
	sub       *redis.PubSub
	prefix    string
	log       *slog.Logger

	mu        sync.Mutex
	listeners map[uuid.UUID]map[chan struct{}]bool
	done      chan struct{}
}

// NewBroker starts a broker. hints publishes, see HintClient; subscriber keeps the subscription, and
// with its own time-outs. prefix keeps the channels of several programs on one Redis apart.
func NewBroker(hints, subscriber *redis.Client, prefix string, log *slog.Logger) *Broker {
	b := &Broker{publisher: hints, sub: subscriber.Subscribe(context.Background()), prefix: prefix + ":wake:", log: log,
		listeners: map[uuid.UUID]map[chan struct{}]bool{}, done: make(chan struct{})}
	go b.run()
	return b
}

// Close ends the subscription; listeners hear nothing any more.
func (b *Broker) Close() {
	_ = b.sub.Close()
	<-b.done
}

// run wakes listeners. A subscription that Redis confirms, also anew after it was away, is a wake-up
// as well: something may have been missed.
func (b *Broker) run() {
	defer close(b.done)
	for message := range b.sub.ChannelWithSubscriptions(redis.WithChannelHealthCheckInterval(3 * time.Second)) {
		switch m := message.(type) {
		case *redis.Message:
			b.wake(m.Channel)
		case *redis.Subscription:
			if m.Kind == "subscribe" {
				b.wake(m.Channel)
			}
		}
	}
}

func (b *Broker) wake(channel string) {
	if portal, err := uuid.Parse(strings.TrimPrefix(channel, b.prefix)); err == nil {
		b.wakeLocal(portal)
	}
}

func (b *Broker) wakeLocal(portal uuid.UUID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for listener := range b.listeners[portal] {
		select {
		case listener <- struct{}{}:
		default: // it is awake already
		}
	}
}

// Wake tells everybody who listens to these portals, in every process, that something changed there.
// Listeners in this process hear it even while Redis is away.
func (b *Broker) Wake(ctx context.Context, portals ...uuid.UUID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hintTimeout)
	defer cancel()
	for _, portal := range portals {
		b.wakeLocal(portal)
		if err := b.publisher.Publish(ctx, b.prefix+portal.String(), "").Err(); err != nil {
			b.log.DebugContext(ctx, "wake-up not sent", slog.Any("error", err))
		}
	}
}

// Listen gives a channel that holds a token whenever something changed since it was last read, until
// stop is called.
func (b *Broker) Listen(portal uuid.UUID) (woken <-chan struct{}, stop func()) {
	listener := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listeners[portal] == nil {
		b.listeners[portal] = map[chan struct{}]bool{}
		b.follow(portal, b.sub.Subscribe)
	}
	b.listeners[portal][listener] = true
	return listener, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.listeners[portal], listener)
		if len(b.listeners[portal]) == 0 {
			delete(b.listeners, portal)
			b.follow(portal, b.sub.Unsubscribe)
		}
	}
}

// follow changes the subscription. go-redis remembers it while Redis is away.
func (b *Broker) follow(portal uuid.UUID, change func(context.Context, ...string) error) {
	ctx, cancel := context.WithTimeout(context.Background(), hintTimeout)
	defer cancel()
	if err := change(ctx, b.prefix+portal.String()); err != nil {
		b.log.Debug("subscription not changed", slog.Any("error", err))
	}
}
