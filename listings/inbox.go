package listings

import (
	"context"
	"time"

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
	ignore := func(reason string) (int, bool, error) {
		return len(messages), false, tx.SettleMessages(ctx, integration, messages, sparki.OutcomeIgnored, reason)
	}
	switch {
	case !i.Enabled:
		return ignore("the integration is switched off")
	case !i.Domains.Listings:
		return ignore("listings are switched off")
	}
	var refresh, revoked []db.InboxMessage
	var refs []sparki.Ref
	for k, m := range messages {
		if m.Kind == sparki.MessageRevoked {
			revoked = append(revoked, m)
		} else {
			refresh, refs = append(refresh, m), append(refs, m.Ref)
		}
		if k == 0 || m.DeliveryID != messages[k-1].DeliveryID {
			tx.Tell(sparki.Activity{Type: sparki.DeliveryReceived, Actor: sparki.SyncActor, IntegrationID: &integration,
				SubjectKind: sparki.DeliveryNode, SubjectID: m.DeliveryID})
		}
	}
	if err := s.revoke(ctx, tx, i, revoked); err != nil {
		return 0, false, err
	}
	hints, err := tx.HintFetches(ctx, integration, refs, sparki.CauseWebhook)
	if err != nil {
		return 0, false, err
	}
	return len(messages), true, tx.AwaitFetch(ctx, integration, refresh, hints)
}

// revoke parks an integration whose office took its consent back, until its settings are saved.
func (s *Service) revoke(ctx context.Context, tx *db.Tx, i *sparki.Integration, messages []db.InboxMessage) error {
	if len(messages) == 0 {
		return nil
	}
	now := time.Now()
	problem := "the office took its consent back: ask its CRM administrator to give it again, then save the settings"
	if _, err := tx.SetConnection(ctx, i.ID, sparki.Connection{State: sparki.ConnectionRevoked, CheckedAt: &now, Problem: &problem}); err != nil {
		return err
	}
	tx.Tell(sparki.Activity{Type: sparki.ConnectionChecked, Actor: sparki.SyncActor, Params: map[string]string{"state": string(sparki.ConnectionRevoked)},
		IntegrationID: &i.ID, SubjectKind: sparki.IntegrationNode, SubjectID: i.ID})
	stopped, err := tx.CancelRuns(ctx, i.ID)
	if err != nil {
		return err
	}
	for _, run := range stopped {
		tellRun(tx, sparki.SyncRunFinished, sparki.SyncActor, run, run.State)
	}
	return tx.SettleMessages(ctx, i.ID, messages, sparki.OutcomeProcessed, "")
}
