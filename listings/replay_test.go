package listings

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/uuid"

	"sparki.app/integrations"
)

func TestReplay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.crm.put(ref(1), "Huis", 1)
	first := b.deliver(t, ref(1))
	b.process(t)
	b.Messages = func(context.Context, *sparki.Integration, []byte) ([]sparki.Message, error) {
		return first.Messages, nil
	}
	reads := b.crm.reads

	again, err := b.Replay(t.Context(), b.who, first.ID)
	if err != nil || again.Outcome != sparki.OutcomePending || *again.ReplayOf != first.ID {
		t.Fatalf("the replay is %+v, %v", again, err)
	}
	b.process(t)
	if got := b.outcome(t, again); got != "PROCESSED" || b.crm.reads != reads+1 {
		t.Errorf("the replay is %s after %d reads", got, b.crm.reads-reads)
	}
	items, err := b.DB.ItemsOfDelivery(t.Context(), b.portal.ID, first.ID, false)
	if err != nil || len(items) != 1 || items[0].ExternalID != ref(1).ID {
		t.Errorf("the delivery's items are %v, %v", items, err)
	}
	stored, err := b.DB.DeliveriesByID(t.Context(), b.portal.ID, []uuid.UUID{first.ID})
	if err != nil || stored[0].Attempts != 1 || stored[0].ProcessedAt == nil {
		t.Errorf("the first delivery is %+v, %v", stored[0], err)
	}
	stranger := *b.who
	stranger.PortalID = sparki.NewID()
	if _, err := b.Replay(t.Context(), &stranger, first.ID); sparki.KindOf(err) != sparki.NotFound {
		t.Errorf("another portal's delivery: %v", err)
	}
	b.exec(t, `update deliveries set body = null`)
	var refused sparki.Refusal
	if _, err := b.Replay(t.Context(), b.who, first.ID); !errors.As(err, &refused) || !slices.Equal(refused[0].Field, []string{"deliveryId"}) {
		t.Errorf("a delivery whose body is no longer kept: %v", err)
	}
}

func TestConsentTakenBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.crm.put(ref(1), "Huis", 1)
	d := b.deliver(t, ref(1))
	b.exec(t, `update messages set kind = 'REVOKED'`)
	b.process(t)
	i, err := b.DB.Integration(t.Context(), b.portal.ID, b.integration.ID)
	if err != nil || i.Connection.State != sparki.ConnectionRevoked || i.Connection.Problem == nil {
		t.Fatalf("the connection is %+v, %v", i.Connection, err)
	}
	if got := b.outcome(t, d); got != "PROCESSED" {
		t.Errorf("the delivery is %s", got)
	}
	b.deliver(t, ref(1))
	b.process(t)
	if b.crm.reads != 0 {
		t.Errorf("%d calls without consent", b.crm.reads)
	}
	if n := b.count(t, `select count(*) from fetches where state = 'WAITING' and due_at > now() + interval '1 hour'`); n != 1 {
		t.Error("the fetch is not parked")
	}
}
