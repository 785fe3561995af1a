package listings

import (
	"context"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// inboxBatch is how many messages become fetches in one transaction.
const inboxBatch = 1000

// ReadInbox turns an integration's waiting messages into fetches: one per object, however often it
// was named. It stops when nothing waits.
func (s *Service) ReadInbox(ctx context.Context, portal, integration uuid.UUID) error {
	fetch := false
	for {
		n := 0
		err := s.DB.Tx(ctx, portal, func(tx *db.Tx) (err error) {
			n, fetch, err = s.readMessages(ctx, tx, integration)
			return err
		})
		if err != nil {
			return err
		}
		if n > 0 {
			s.Signals.Wake(ctx, portal)
		}
		if n < inboxBatch {
			break
		}
	}
	if fetch {
		s.Signals.Ring(ctx, sparki.Bell{Job: sparki.FetchItems, PortalID: portal, ID: integration})
	}
	return nil
}

func (s *Service) readMessages(ctx context.Context, tx *db.Tx, integration uuid.UUID) (n int, fetch bool, err error) {
	i, err := tx.ShareIntegration(ctx, integration)
	if err != nil {
		return 0, false, err
	}
	messages, err := tx.ClaimMessages(ctx, integration, inboxBatch)
	if err != nil || len(messages) == 0 {
		return 0, true, err
	}
	switch {
	case !i.Enabled:
		return len(messages), false, tx.IgnoreMessages(ctx, integration, messages, "the integration is switched off")
	case !i.Domains.Listings:
		return len(messages), false, tx.IgnoreMessages(ctx, integration, messages, "listings are switched off")
	}
	refs := make([]sparki.Ref, len(messages))
	for k, m := range messages {
		refs[k] = m.Ref
		if k == 0 || m.DeliveryID != messages[k-1].DeliveryID {
			tx.Tell(sparki.Activity{Type: sparki.DeliveryReceived, Actor: sparki.SyncActor, IntegrationID: &integration,
				SubjectKind: sparki.DeliveryNode, SubjectID: m.DeliveryID})
		}
	}
	hints, err := tx.HintFetches(ctx, integration, refs, sparki.CauseWebhook)
	if err != nil {
		return 0, false, err
	}
	return len(messages), true, tx.AwaitFetch(ctx, integration, messages, hints)
}
