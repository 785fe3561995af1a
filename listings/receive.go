package listings

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations"
)

// Group commit: deliveries that arrive while a batch is being written share the next one, so that a
// burst costs a few transactions and not one each.
const (
	flushers    = 2
	batchSize   = 256
	keepTimeout = 2 * time.Second
)

// Inbox keeps webhook deliveries, durably, before they are answered.
type Inbox struct {
	keep    func(context.Context, []*sparki.Delivery) error
	signals sparki.Signals
	waiting chan entry
	closing sync.Once
	done    sync.WaitGroup
}

type entry struct {
	delivery *sparki.Delivery
	kept     chan<- error
}

// NewInbox starts an inbox; Close ends it.
func (s *Service) NewInbox() *Inbox {
	in := &Inbox{keep: s.DB.KeepDeliveries, signals: s.Signals, waiting: make(chan entry, batchSize)}
	for range flushers {
		in.done.Go(in.flush)
	}
	return in
}

// Close keeps what still waits and returns. Nobody may call Receive any more.
func (in *Inbox) Close() {
	in.closing.Do(func() { close(in.waiting) })
	in.done.Wait()
}

// Receive returns when the delivery and its messages are stored for good; only then may the sender
// be told. After an error it may be stored all the same: sent again, it is a double.
func (in *Inbox) Receive(ctx context.Context, d *sparki.Delivery) error {
	kept := make(chan error, 1)
	select {
	case in.waiting <- entry{d, kept}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-kept:
		return err
	case <-ctx.Done():
		return ctx.Err() // it may be stored all the same
	}
}

func (in *Inbox) flush() {
	for first := range in.waiting {
		batch := append(make([]entry, 0, 16), first)
	more:
		for len(batch) < batchSize {
			select {
			case e, open := <-in.waiting:
				if !open {
					break more
				}
				batch = append(batch, e)
			default:
				break more
			}
		}
		in.write(batch)
	}
}

// write keeps a batch. One that fails is kept member by member, so that no delivery fails for another's sake.
func (in *Inbox) write(batch []entry) {
	ctx, cancel := context.WithTimeout(context.Background(), keepTimeout)
	defer cancel()
	deliveries := make([]*sparki.Delivery, len(batch))
	for i, e := range batch {
		deliveries[i] = e.delivery
	}
	err := in.keep(ctx, deliveries)
	if err != nil && len(batch) > 1 && sparki.KindOf(err) != sparki.Unavailable {
		for _, e := range batch {
			in.write([]entry{e})
		}
		return
	}
	for _, e := range batch {
		e.kept <- err
	}
	if err == nil {
		in.announce(deliveries)
	}
}

func (in *Inbox) announce(deliveries []*sparki.Delivery) {
	bells, portals := map[sparki.Bell]bool{}, map[uuid.UUID]bool{}
	for _, d := range deliveries {
		bells[sparki.Bell{Job: sparki.ReadInbox, PortalID: d.PortalID, ID: d.IntegrationID}] = true
		portals[d.PortalID] = true
	}
	ctx := context.Background()
	for bell := range bells {
		in.signals.Ring(ctx, bell)
	}
	for portal := range portals {
		in.signals.Wake(ctx, portal)
	}
}
