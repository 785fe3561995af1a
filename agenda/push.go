package agenda

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/providers/rest"
	"sparki.app/integrations/tracing"
)

// Bounds of background work. A claim is short, so that a worker that dies before it calls costs
// seconds; the lease of a call outlives the call, so that two never run at once for one appointment.
const (
	parallel   = 4 // appointments of one integration under way in one process
	claimLease = 10 * time.Second
	callLease  = 60 * time.Second
	callTime   = 40 * time.Second // of all requests that make up one action
	lastCall   = 20 * time.Second // of the lease are left when the request begins that changes something
	// settle is how long a request may still take effect at the CRM after we lost its answer.
	settle   = 45 * time.Second
	between  = 2 * time.Second        // from a send to an update of the same item
	glance   = 200 * time.Millisecond // how often other work is looked for while an update waits for that
	grace    = 8 * time.Second        // for a call under way when the worker is stopped
	giveBack = 5 * time.Second
	tries    = 20 // about two hours
	// maxGuards is how many requests at most are being handed over in one process: each holds a
	// connection to the database until its CRM has it.
	maxGuards = 6
)

// PushAppointments does what is to be done about the appointments of an integration, until none is due
// now or in a moment.
func (s *Service) PushAppointments(ctx context.Context, portal, integration uuid.UUID) error {
	for ctx.Err() == nil {
		claims, err := s.DB.ClaimWriteBacks(ctx, portal, integration, claimLease, parallel)
		if err != nil {
			return err
		}
		if len(claims) == 0 {
			if wait, err := s.DB.NextWriteBack(ctx, portal, integration, s.Between); err != nil || wait == 0 {
				return err
			} else if err := sleep(ctx, min(wait, glance)); err != nil {
				return err
			}
			continue
		}
		var pushes errgroup.Group
		for _, c := range claims {
			p := &push{Service: s, portal: portal, integration: integration, claim: c}
			pushes.Go(func() error { return p.run(ctx) })
		}
		if err := pushes.Wait(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// sleep waits, or until the context ends.
func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// push is one appointment that this worker holds the lease of.
type push struct {
	*Service
	portal, integration uuid.UUID
	claim               db.Claim
	situation           *db.Situation
	plan                plan
	conn                providers.Agenda
	cause               error // why the action did not succeed
}

// run decides what is to be done and does it, in the trace of whatever changed the appointment last. Its error
// is one of our own: whatever the CRM did is stored with the appointment.
func (p *push) run(ctx context.Context) error {
	ctx, span := tracing.Continue(ctx, p.claim.Trace, "write back", slog.String("integration", sparki.IntegrationNode.ID(p.integration)),
		slog.String("appointment", sparki.AppointmentNode.ID(p.claim.AppointmentID)), slog.Int("attempt", p.claim.Attempts))
	err := p.try(ctx)
	tracing.End(span, db.Failure(errors.Join(err, p.cause)))
	if err == nil || errors.Is(err, db.ErrLeaseLost) {
		return nil // another worker has it, or it is done
	}
	return err
}

func (p *push) try(ctx context.Context) error {
	offices, err := p.offices(ctx, p.portal)
	if err != nil {
		return err
	}
	situations, err := p.DB.Situations(ctx, p.portal, []uuid.UUID{p.claim.AppointmentID})
	if err != nil || len(situations) == 0 {
		return err
	}
	p.situation = situations[0]
	p.situation.Leased = false // it is our own lease
	if p.plan, err = planOf(p.situation, offices); err != nil {
		return err
	}
	v := p.plan.verdict(p.situation)
	calls := p.plan.do == look || v.State == sparki.WriteBackQueued || v.State == sparki.WriteBackUnknown
	if !calls || p.plan.office.ID != p.integration {
		return p.settle(ctx, func(tx *db.Tx) error { return tx.Unused(ctx, p.claim, p.situation.Seq) })
	}
	if p.conn, err = p.Connect(ctx, p.plan.office.Integration); err != nil {
		return err
	}
	call, cancel := p.calling(ctx)
	defer cancel()
	outcome, err := p.act(call)
	if err == db.ErrLeaseLost { //nolint:errorlint // the guard's refusal, which wraps it, is another thing
		return err
	}
	// Also when we are being stopped: what is known is stored, and the appointment given back.
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), giveBack)
	defer stop()
	if err != nil {
		return p.failed(ctx, err)
	}
	if outcome.Confirmed && outcome.Action != nil {
		p.log().InfoContext(ctx, "written back", slog.String("action", string(*outcome.Action)))
	}
	return p.settle(ctx, func(tx *db.Tx) error {
		if outcome.Confirmed && outcome.Action != nil {
			tell(tx, sparki.WriteBackSent, sparki.SyncActor, p.claim.AppointmentID, &p.integration, map[string]string{"action": string(*outcome.Action)})
		}
		if outcome.Drift != sparki.InSync && outcome.Drift != p.situation.WriteBack.Drift {
			tell(tx, sparki.WriteBackDrifted, sparki.SyncActor, p.claim.AppointmentID, &p.integration, map[string]string{"drift": string(outcome.Drift)})
		}
		return tx.Record(ctx, p.claim, *outcome)
	})
}

// calling bounds the calls of one action. They do not end at once when the worker is stopped: an answer
// that is on its way is worth a few seconds.
func (p *push) calling(ctx context.Context) (context.Context, context.CancelFunc) {
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	call = sparki.WithGuard(call, p.guard)
	return call, func() { stop(); cancel() }
}

// guard lets a request begin only while everything that was decided still holds.
func (p *push) guard(ctx context.Context) (func(), error) {
	select {
	case p.guards <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	release, err := p.DB.GuardSending(ctx, p.portal, p.claim, p.situation.Seq, p.plan.office.Integration, lastCall)
	if err != nil {
		<-p.guards
		if errors.Is(err, db.ErrLeaseLost) {
			return nil, &sparki.Error{Kind: sparki.Conflict, Text: "something changed before it was sent", Err: err}
		}
		return nil, err
	}
	return func() { release(); <-p.guards }, nil
}

// begin stores what is going to be called. For a create that is the intent: should we never learn of
// the answer, it is found out before anything else is sent. For a change it is how the item stands then.
func (p *push) begin(ctx context.Context, state sparki.WriteBackState) error {
	sending := db.Sending{State: state, Action: p.plan.do.sent(), IntegrationID: p.integration, ScheduleID: p.situation.RootID}
	switch p.plan.do {
	case create:
		sending.Intent = p.plan.entry
	case update:
		sending.Try = new(itemOf(p.plan.entry))
	case cancel:
		sending.Try = new(itemOf(p.situation.Item.Sent))
		sending.Try.Cancelled = true
	}
	err := p.DB.BeginSending(ctx, p.portal, p.claim, sending, callLease)
	if err == nil && state != "" {
		p.Signals.Wake(ctx, p.portal)
	}
	return err
}

// act makes the calls of the plan's action. A nil outcome with ErrLeaseLost means that nothing was called.
func (p *push) act(ctx context.Context) (*db.Outcome, error) {
	item := &p.situation.Item
	switch p.plan.do {
	case search:
		if err := p.begin(ctx, sparki.WriteBackUnknown); err != nil {
			return nil, err
		}
		return p.search(ctx, item.Intent)
	case look:
		if err := p.begin(ctx, ""); err != nil {
			return nil, err
		}
		return p.look(ctx)
	case create:
		if err := p.begin(ctx, sparki.WriteBackSending); err != nil {
			return nil, err
		}
		id, err := p.conn.Put(ctx, "", *p.plan.entry)
		if err != nil {
			return nil, err
		}
		return &db.Outcome{Live: true, RemoteID: &id, Sent: p.plan.entry, Action: p.plan.do.sent(), Confirmed: true, Drift: sparki.InSync}, nil
	}
	if err := p.begin(ctx, sparki.WriteBackSending); err != nil {
		return nil, err
	}
	if p.plan.office.info.WatchesAgenda {
		// What somebody changed is not overwritten, also when nobody told us of it.
		if found, err := p.look(ctx); err != nil || p.drifted(found) {
			return found, err
		}
	}
	if p.plan.do == cancel {
		return p.cancel(ctx)
	}
	return p.update(ctx)
}

// drifted says whether a look found something that has to be stored before anything is sent.
func (p *push) drifted(found *db.Outcome) bool {
	return found.Drift != p.situation.WriteBack.Drift && found.Drift != sparki.DeletedInCRM // the call itself finds that out
}

// search looks for the item that may have been created.
func (p *push) search(ctx context.Context, intent *sparki.AgendaEntry) (*db.Outcome, error) {
	id, err := p.conn.Find(ctx, *intent)
	switch {
	case err == nil:
		return &db.Outcome{Live: true, RemoteID: &id, Sent: intent, Action: new(sparki.WriteBackCreate), Confirmed: true,
			Look: p.plan.office.info.WatchesAgenda, Drift: sparki.InSync}, nil
	case sparki.KindOf(err) == sparki.NotFound:
		return &db.Outcome{Drift: sparki.InSync}, nil
	default:
		return nil, err
	}
}

// look compares the item in the CRM with what was sent last.
func (p *push) look(ctx context.Context) (*db.Outcome, error) {
	item := &p.situation.Item
	o := &db.Outcome{Live: true, Sent: item.Sent, Drift: sparki.InSync, Looked: true, Seq: p.situation.Seq}
	found, err := p.conn.Read(ctx, *item.RemoteID, *item.Sent)
	switch {
	case sparki.KindOf(err) == sparki.NotFound:
		o.Drift = sparki.DeletedInCRM
	case err != nil:
		return nil, err
	default:
		if o.Drift = driftOf(item, found); o.Drift != sparki.InSync {
			o.Item = found
		}
	}
	return o, nil
}

// itemOf is how an item stands that says what an entry says.
func itemOf(e *sparki.AgendaEntry) sparki.AgendaItem {
	return sparki.AgendaItem{Target: e.Target.ExternalID, Start: e.Start, End: e.End}
}

// driftOf says what somebody did to an item since it was sent. What we tried since then was nobody else.
func driftOf(item *db.AgendaItem, found *sparki.AgendaItem) sparki.Drift {
	for _, ours := range append(item.Tried, itemOf(item.Sent)) {
		if found.Cancelled == ours.Cancelled && found.Start.Equal(ours.Start) && found.End.Equal(ours.End) && found.Target == ours.Target {
			return sparki.InSync
		}
	}
	if found.Cancelled {
		return sparki.CancelledInCRM
	}
	return sparki.MovedInCRM
}

func (p *push) update(ctx context.Context) (*db.Outcome, error) {
	id, err := p.conn.Put(ctx, *p.situation.Item.RemoteID, *p.plan.entry)
	if sparki.KindOf(err) == sparki.NotFound {
		return &db.Outcome{Gone: p.plan.entry, Drift: sparki.InSync}, nil // it is searched for, and created anew
	}
	if err != nil {
		return nil, err
	}
	return &db.Outcome{Live: true, RemoteID: &id, Sent: p.plan.entry, Action: p.plan.do.sent(), Confirmed: true, Drift: sparki.InSync}, nil
}

func (p *push) cancel(ctx context.Context) (*db.Outcome, error) {
	err := p.conn.Cancel(ctx, *p.situation.Item.RemoteID, *p.situation.Item.Sent)
	if err != nil && sparki.KindOf(err) != sparki.NotFound {
		return nil, err
	}
	return &db.Outcome{Action: p.plan.do.sent(), Confirmed: true, Drift: sparki.InSync}, nil
}

// settle ends the lease with f, and decides what is to be done next.
func (p *push) settle(ctx context.Context, f func(*db.Tx) error) error {
	var bells []sparki.Bell
	err := p.retryStale(ctx, p.portal, func(tx *db.Tx, offices []*office) error {
		if err := f(tx); err != nil {
			return err
		}
		integrations, err := tx.Integrations(ctx) // after the row is locked: a switch that is turned from now on finds the row
		if err != nil {
			return err
		}
		if err := refresh(offices, integrations); err != nil {
			return err
		}
		bells, err = p.decide(ctx, tx, p.portal, offices, []uuid.UUID{p.claim.AppointmentID})
		return err
	})
	if err != nil {
		return err
	}
	p.Signals.Wake(ctx, p.portal)
	for _, bell := range bells {
		if bell.ID != p.integration { // ours is being answered
			p.Signals.Ring(ctx, bell)
		}
	}
	return nil
}

func (p *push) log() *slog.Logger {
	return p.Log.With(slog.String("integration", p.plan.office.NodeID()), slog.String("appointment", p.situation.NodeID()), slog.Int("attempt", p.claim.Attempts))
}

// failed stores what becomes of an action that did not succeed, by the class of the error.
func (p *push) failed(ctx context.Context, cause error) error {
	kind, lost := sparki.KindOf(cause), p.plan.do == create && sparki.Lost(cause)
	log := p.log()
	p.cause = cause
	switch {
	case errors.Is(cause, db.ErrLeaseLost): // the guard forbade it
		return p.settle(ctx, func(tx *db.Tx) error {
			if err := p.undone(ctx, tx, cause); err != nil {
				return err
			}
			return tx.Unused(ctx, p.claim, p.situation.Seq)
		})
	case errors.Is(cause, context.Canceled) && !lost:
		return p.settle(ctx, func(tx *db.Tx) error { return tx.Unused(ctx, p.claim, p.situation.Seq) })
	case kind == sparki.Unauthorized:
		log.WarnContext(ctx, "the CRM refuses us", slog.Any("error", cause))
		return p.refused(ctx, cause)
	}
	log.WarnContext(ctx, "write-back did not succeed", slog.Any("error", cause))
	if p.plan.do == look && sparki.KindOf(cause) == sparki.Unavailable && (p.claim.Attempts < tries || sparki.Unasked(cause)) {
		return p.DB.Tx(ctx, p.portal, func(tx *db.Tx) error {
			if err := p.spare(ctx, tx, cause); err != nil {
				return err
			}
			return tx.LookAgain(ctx, p.claim, sparki.Backoff(p.claim.Attempts, cause))
		})
	}
	if p.plan.do == look {
		return p.settle(ctx, func(tx *db.Tx) error { return tx.Unused(ctx, p.claim, p.situation.Seq) })
	}
	state, reason, text := p.judge(kind, cause, lost)
	delay := sparki.Backoff(p.claim.Attempts, cause)
	if lost {
		delay = max(delay, p.Settle)
	}
	err := p.DB.Tx(ctx, p.portal, func(tx *db.Tx) error {
		if err := p.undone(ctx, tx, cause); err != nil {
			return err
		}
		if state == sparki.WriteBackFailed {
			tell(tx, sparki.WriteBackFailedActivity, sparki.SyncActor, p.claim.AppointmentID, &p.integration, map[string]string{"problem": text})
		}
		if err := p.spare(ctx, tx, cause); err != nil {
			return err
		}
		if err := tx.Again(ctx, p.claim, p.situation.Seq, state, delay, reason, text); err != nil {
			return err
		}
		if wait := sparki.RetryAfter(cause); wait > 0 {
			return tx.PauseWriteBacks(ctx, p.integration, wait)
		}
		return nil
	})
	if err == nil {
		p.Signals.Wake(ctx, p.portal)
	}
	return err
}

// spare takes no try off a claim whose CRM was left alone.
func (p *push) spare(ctx context.Context, tx *db.Tx, cause error) error {
	if !sparki.Unasked(cause) {
		return nil
	}
	return tx.NoTry(ctx, p.claim)
}

// undone drops what a send left for the case that its answer gets lost, if it surely did nothing.
func (p *push) undone(ctx context.Context, tx *db.Tx, cause error) error {
	if p.plan.do.sent() == nil || sparki.Lost(cause) {
		return nil
	}
	return tx.Undone(ctx, p.claim, p.situation.Item.Tried)
}

// judge says how an error is shown, and whether it is worth another try.
func (p *push) judge(kind sparki.Kind, cause error, lost bool) (state sparki.WriteBackState, reason sparki.WriteBackReason, text string) {
	reason, text = sparki.ReasonRejected, sparki.TextOf(cause)
	switch {
	case rest.StatusOf(cause) == http.StatusTooManyRequests:
		reason = sparki.ReasonSlowDown
	case kind == sparki.Unavailable, kind == sparki.Internal:
		reason = sparki.ReasonNoAnswer
	}
	if text == "" {
		text = "an internal error; it is tried again"
	}
	again := (kind == sparki.Unavailable || kind == sparki.Internal) && p.claim.Attempts < tries || sparki.Unasked(cause)
	switch {
	case !again && !lost:
		state = sparki.WriteBackFailed
	case !again && p.claim.Attempts >= tries:
		state = sparki.WriteBackFailed
	case lost || p.plan.do == search:
		state = sparki.WriteBackUnknown
	default:
		state = sparki.WriteBackQueued
	}
	return state, reason, text
}

// refused parks the integration: the CRM refuses us, and asking again before the settings are saved
// would only be refused again.
func (p *push) refused(ctx context.Context, cause error) error {
	return p.settle(ctx, func(tx *db.Tx) error {
		found, _ := sparki.ConnectionAfter(cause, time.Now())
		changed, err := tx.SetConnection(ctx, p.integration, found)
		if err != nil {
			return err
		}
		if changed {
			tx.Tell(sparki.Activity{Type: sparki.ConnectionChecked, Actor: sparki.SyncActor, Params: map[string]string{"state": string(found.State)},
				IntegrationID: &p.integration, SubjectKind: sparki.IntegrationNode, SubjectID: p.integration})
		}
		if err := p.undone(ctx, tx, cause); err != nil {
			return err
		}
		return tx.Unused(ctx, p.claim, p.situation.Seq)
	})
}
