package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/devstack/teststack"
	"sparki.app/integrations/pubsub"
)

func TestMain(m *testing.M) { teststack.Main(m) }

// bundle is a feed on a database of its own, with one portal.
type bundle struct {
	*Feed
	portal *sparki.Portal
	told   int
}

func setup(t *testing.T) *bundle {
	t.Helper()
	url := teststack.RedisURL(t)
	hints, err := pubsub.HintClient(url)
	if err != nil {
		t.Fatal(err)
	}
	options, err := pubsub.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	subscriber := redis.NewClient(options)
	d := dbtest.New(t)
	b := &bundle{portal: dbtest.Portal(t, d)}
	broker := pubsub.NewBroker(hints, subscriber, "test:"+sparki.NewID().String(), slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		broker.Close()
		_ = subscriber.Close()
		_ = hints.Close()
	})
	b.Feed = &Feed{DB: d, Broker: broker, Log: slog.New(slog.DiscardHandler)}
	return b
}

// tell writes so many activities in one transaction; their actors count from 1.
func (b *bundle) tell(t *testing.T, n int) {
	t.Helper()
	b.do(t, func(tx *db.Tx) error {
		for range n {
			b.told++
			tx.Tell(sparki.Activity{Type: sparki.ItemCreated, Actor: fmt.Sprint(b.told)})
		}
		return nil
	})
	b.Broker.Wake(t.Context(), b.portal.ID)
}

func (b *bundle) do(t *testing.T, f func(*db.Tx) error) {
	t.Helper()
	if err := b.DB.Tx(t.Context(), b.portal.ID, f); err != nil {
		t.Fatal(err)
	}
}

func (b *bundle) follow(t *testing.T, after int64) Source {
	t.Helper()
	s, err := b.Activities(t.Context(), b.portal.ID, &after, sparki.ActivityFilter{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// next waits for the next activity, which must be this one.
func next(t *testing.T, s Source, number int) *sparki.Activity {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	event, err := s.Next(ctx)
	if err != nil {
		t.Fatalf("activity %d: %v", number, err)
	}
	a := event.(*sparki.Activity)
	if a.Actor != fmt.Sprint(number) {
		t.Fatalf("activity %d is %s", number, a.Actor)
	}
	return a
}

// Many who come back with one cursor are served from memory, which is filled from the table once.
func TestComingBackTogether(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tell(t, 300)
	followers := make([]Source, 10)
	for n := range followers {
		followers[n] = b.follow(t, int64(100+n%2))
	}
	b.tell(t, 10)
	for number := 102; number <= 310; number++ {
		var same *sparki.Activity
		for n, s := range followers {
			if number == 102 && n%2 == 0 {
				next(t, s, 101)
			}
			a := next(t, s, number)
			if same != nil && a != same {
				t.Fatalf("activity %d was read twice", number)
			}
			same = a
		}
	}
}

// Whoever comes back from long ago gets everything, page by page; what is kept no more is passed over.
func TestComingBackFromLongAgo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.tell(t, 3*readLimit)
	s := b.follow(t, 0)
	for number := 1; number <= 3*readLimit; number++ {
		next(t, s, number)
	}
	prune := func(upTo int) {
		b.do(t, func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), `delete from activities where portal_id = $1 and seq <= $2`, b.portal.ID, upTo)
			return err
		})
	}
	prune(readLimit + 7)
	late := b.follow(t, 3)
	for number := readLimit + 8; number <= 3*readLimit; number++ {
		next(t, late, number)
	}
	prune(3 * readLimit)
	other := setup(t) // another process, which remembers nothing
	other.DB, other.portal, other.told = b.DB, b.portal, b.told
	later := other.follow(t, 3)
	other.tell(t, 1)
	next(t, later, 3*readLimit+1)
}

// Whoever was up to date and then takes too little for too long is sent away, and misses nothing when
// it comes back.
func TestTooFarBehind(t *testing.T) {
	t.Parallel()
	b := setup(t)
	slow, quick := b.follow(t, 0), b.follow(t, 0)
	b.tell(t, 1)
	next(t, slow, 1)
	next(t, quick, 1)
	soon, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if event, err := slow.Next(soon); !errors.Is(err, context.DeadlineExceeded) { // so it is up to date
		t.Fatalf("got %v, %v", event, err)
	}
	for number := 2; number < tooFar+100; number += 1000 {
		b.tell(t, 1000)
		for n := range 1000 {
			next(t, quick, number+n)
		}
	}
	if event, err := slow.Next(t.Context()); !errors.Is(err, ErrBehind) {
		t.Fatalf("got %v, %v", event, err)
	}
	back := b.follow(t, 1)
	for number := 2; number <= b.told; number++ {
		next(t, back, number)
	}
}
