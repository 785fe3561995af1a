package listings

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/tracing"
)

// inboxBatch is how many messages become fetches in one transaction.
const inboxBatch = 1000

// ReadInbox turns an integration's waiting messages into work: one fetch per object, however often it
// was named. It stops when nothing waits.
func (s *Service) ReadInbox(ctx context.Context, portal, integration uuid.UUID) error {
	ring := map[sparki.JobKind]bool{}
	for {
		n := 0
		var bells []sparki.JobKind
		var read []*reader
		err := s.DB.Tx(ctx, portal, func(tx *db.Tx) (err error) {
			n, bells, read, err = s.readMessages(ctx, tx, integration)
			return err
		})
		for _, r := range read {
			r.end(s.Log, err)
		}
		if err != nil {
			return err
		}
		for _, job := range bells {
			ring[job] = true
		}
		if n > 0 {
			s.Signals.Wake(ctx, portal)
		}
		if n < inboxBatch {
			break
		}
	}
	for job := range ring {
		s.Signals.Ring(ctx, sparki.Bell{Job: job, PortalID: portal, ID: integration})
	}
	return nil
}

// reader is who reads a delivery, in the delivery's trace.
type reader struct {
	delivery uuid.UUID
	fetches  []uuid.UUID // that it asked for
	ctx      context.Context
	span     trace.Span
}

// end says that the delivery was read. Of several that ask for the same fetch, the last one's trace goes
// on with it; the others' is found by the fetch's id.
func (r *reader) end(log *slog.Logger, err error) {
	tracing.End(r.span, err)
	if err == nil {
		log.DebugContext(r.ctx, "delivery read", slog.String("delivery", sparki.DeliveryNode.ID(r.delivery)), slog.Any("fetches", r.fetches))
	}
}

// readers begins to read messages: what they cause belongs to their deliveries' traces, below the readers.
func readers(ctx context.Context, i *sparki.Integration, messages []db.InboxMessage) (all []*reader) {
	for n := range messages {
		m := &messages[n] // ordered by delivery
		if n == 0 || m.DeliveryID != all[len(all)-1].delivery {
			r := &reader{delivery: m.DeliveryID}
			r.ctx, r.span = tracing.Continue(ctx, m.Trace, "read delivery", slog.String("integration", i.NodeID()), slog.String("delivery", sparki.DeliveryNode.ID(m.DeliveryID)))
			all = append(all, r)
		}
		m.Trace = tracing.Place(all[len(all)-1].ctx)
	}
	return all
}

func (s *Service) readMessages(ctx context.Context, tx *db.Tx, integration uuid.UUID) (n int, bells []sparki.JobKind, read []*reader, err error) {
	i, err := tx.ShareIntegration(ctx, integration)
	if err != nil {
		return 0, nil, nil, err
	}
	messages, err := tx.ClaimMessages(ctx, integration, inboxBatch)
	if err != nil || len(messages) == 0 {
		return 0, []sparki.JobKind{sparki.FetchItems}, nil, err
	}
	read = readers(ctx, i, messages)
	sorted := sortMessages(i, messages)
	for reason, ignored := range sorted.ignored {
		if err := tx.SettleMessages(ctx, integration, ignored, sparki.OutcomeIgnored, reason); err != nil {
			return 0, nil, read, err
		}
	}
	for k, m := range sorted.taken {
		if k == 0 || m.DeliveryID != sorted.taken[k-1].DeliveryID {
			tx.Tell(sparki.Activity{Type: sparki.DeliveryReceived, Actor: sparki.SyncActor, IntegrationID: &integration,
				SubjectKind: sparki.DeliveryNode, SubjectID: m.DeliveryID})
		}
	}
	if err := s.revoke(ctx, tx, i, sorted.of[sparki.MessageRevoked]); err != nil {
		return 0, nil, read, err
	}
	if bells, err = s.agendaMessages(ctx, tx, i, sorted); err != nil {
		return 0, nil, read, err
	}
	refresh := sorted.of[sparki.MessageRefresh]
	if len(refresh) == 0 {
		return len(messages), bells, read, nil
	}
	wanted := make([]db.Wanted, len(refresh))
	for k, m := range refresh {
		wanted[k] = db.Wanted{Ref: m.Ref, Cause: m.Cause, Trace: m.Trace}
	}
	hints, err := tx.HintFetches(ctx, integration, wanted)
	if err != nil {
		return 0, nil, read, err
	}
	for n, k := 0, 0; k < len(refresh); k++ { // both ordered by delivery
		for read[n].delivery != refresh[k].DeliveryID {
			n++
		}
		read[n].fetches = append(read[n].fetches, hints[refresh[k].Ref.Key()].FetchID)
	}
	return len(messages), append(bells, sparki.FetchItems), read, tx.AwaitFetch(ctx, integration, refresh, hints)
}

// sortedMessages are messages by what is to be done about them, each in the order in which they came.
type sortedMessages struct {
	taken   []db.InboxMessage
	of      map[sparki.MessageKind][]db.InboxMessage
	ignored map[string][]db.InboxMessage // by the reason
}

// sortMessages asks the integration's switches which messages count.
func sortMessages(i *sparki.Integration, messages []db.InboxMessage) sortedMessages {
	s := sortedMessages{of: map[sparki.MessageKind][]db.InboxMessage{}, ignored: map[string][]db.InboxMessage{}}
	for _, m := range messages {
		reason := ""
		switch {
		case !i.Enabled:
			reason = "the integration is switched off"
		case m.Kind == sparki.MessageRefresh && !i.Domains.Listings:
			reason = "listings are switched off"
		case (m.Kind == sparki.MessageTargets || m.Kind == sparki.MessageAgendaItem) && !i.Domains.Agenda:
			reason = "the agenda is switched off"
		}
		if reason != "" {
			s.ignored[reason] = append(s.ignored[reason], m)
			continue
		}
		s.taken, s.of[m.Kind] = append(s.taken, m), append(s.of[m.Kind], m)
	}
	return s
}

// agendaMessages lets the agendas be read again that changed, and the items be looked at that are ours.
func (s *Service) agendaMessages(ctx context.Context, tx *db.Tx, i *sparki.Integration, sorted sortedMessages) (bells []sparki.JobKind, err error) {
	if targets := sorted.of[sparki.MessageTargets]; len(targets) > 0 {
		if err := tx.ScheduleTargets(ctx, i.ID, 0); err != nil {
			return nil, err
		}
		if err := tx.SettleMessages(ctx, i.ID, targets, sparki.OutcomeProcessed, ""); err != nil {
			return nil, err
		}
	}
	items := sorted.of[sparki.MessageAgendaItem]
	if len(items) == 0 {
		return nil, nil
	}
	found, err := tx.LookAtItems(ctx, i.ID, items)
	if err != nil {
		return nil, err
	}
	var ours, others []db.InboxMessage
	for _, m := range items {
		if slices.Contains(found, m.Ref.ID) {
			ours = append(ours, m)
		} else {
			others = append(others, m)
		}
	}
	if err := tx.SettleMessages(ctx, i.ID, ours, sparki.OutcomeProcessed, ""); err != nil {
		return nil, err
	}
	if len(ours) > 0 {
		bells = append(bells, sparki.PushAppointments)
	}
	return bells, tx.SettleMessages(ctx, i.ID, others, sparki.OutcomeIgnored, "it is about an agenda item that Sparki did not write")
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
