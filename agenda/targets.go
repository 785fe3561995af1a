package agenda

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/tracing"
)

const (
	// TargetsEvery is how often the agendas of a CRM are read again by themselves.
	TargetsEvery = 24 * time.Hour
	runTries     = 6 // about two minutes
)

// StartSync starts to read the agendas of a CRM because a person asked for it.
func (s *Service) StartSync(ctx context.Context, who *sparki.Principal, integration uuid.UUID) (*sparki.SyncRun, error) {
	var run *sparki.SyncRun
	err := s.DB.Tx(ctx, who.PortalID, func(tx *db.Tx) error {
		i, err := tx.ShareIntegration(ctx, integration)
		if err != nil {
			return err
		}
		switch {
		case !i.Enabled:
			return sparki.Refuse(sparki.CodeIntegrationDisabled, "the integration is switched off: switch it on first", "integrationId")
		case !i.Domains.Agenda:
			return sparki.Refuse(sparki.CodeDomainOff, "the agenda is switched off: switch it on first", "domain")
		}
		var started bool
		if run, started, err = start(ctx, tx, who.Name, integration, sparki.TriggerManual); err == nil && !started {
			return sparki.Refuse(sparki.CodeSyncAlreadyRunning, "a sync is under way already", "domain")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	s.announce(ctx, who.PortalID, run.ID)
	return run, nil
}

func start(ctx context.Context, tx *db.Tx, actor string, integration uuid.UUID, trigger sparki.SyncTrigger) (*sparki.SyncRun, bool, error) {
	run, started, err := tx.StartRun(ctx, integration, sparki.SyncAgenda, trigger, true)
	if err == nil && started {
		tellRun(tx, sparki.SyncRunStarted, actor, run, run.State)
	}
	return run, started, err
}

func (s *Service) announce(ctx context.Context, portal, run uuid.UUID) {
	s.Signals.Wake(ctx, portal)
	s.Signals.Ring(ctx, sparki.Bell{Job: sparki.SyncTargets, PortalID: portal, ID: run})
}

func tellRun(tx *db.Tx, what sparki.ActivityType, actor string, run *sparki.SyncRun, state sparki.SyncRunState) {
	tx.Tell(sparki.Activity{Type: what, Actor: actor, Params: map[string]string{"state": string(state), "domain": string(run.Domain)},
		IntegrationID: &run.IntegrationID, SubjectKind: sparki.SyncRunNode, SubjectID: run.ID})
}

// StartDueSyncs starts the runs whose time has come: nightly, and after the CRM told of a change.
func (s *Service) StartDueSyncs(ctx context.Context) error {
	due, err := s.DB.TakeDueTargets(ctx, TargetsEvery)
	if err != nil {
		return err
	}
	for _, d := range due {
		var run *sparki.SyncRun
		err := s.DB.Tx(ctx, d.PortalID, func(tx *db.Tx) error {
			i, err := tx.ShareIntegration(ctx, d.IntegrationID)
			if err != nil || !i.ReadsAgenda() {
				return err
			}
			run, _, err = start(ctx, tx, sparki.SyncActor, i.ID, sparki.TriggerScheduled)
			return err
		})
		if err != nil {
			return err
		}
		if run != nil {
			s.announce(ctx, d.PortalID, run.ID)
		}
	}
	return nil
}

// SyncTargets goes on with a run that reads the agendas of a CRM.
func (s *Service) SyncTargets(ctx context.Context, portal, id uuid.UUID) error {
	held, err := s.DB.ClaimRun(ctx, portal, id, callLease)
	if err != nil || held == nil {
		return err
	}
	i, err := s.DB.Integration(ctx, portal, held.Run.IntegrationID)
	if err != nil {
		return err
	}
	ctx, span := tracing.Continue(ctx, held.Trace, "read agendas", slog.String("integration", i.NodeID()), slog.String("run", held.Run.NodeID()))
	err = s.readTargets(ctx, i, held)
	tracing.End(span, db.Failure(err))
	if err == nil || errors.Is(err, db.ErrLeaseLost) {
		return nil // another worker has it, or a person stopped it
	}
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBack)
	defer cancel()
	if err = s.settleRun(after, i, held, err); errors.Is(err, db.ErrLeaseLost) {
		return nil
	}
	s.Signals.Wake(ctx, portal)
	return err
}

func (s *Service) readTargets(ctx context.Context, i *sparki.Integration, held *db.RunLease) error {
	conn, err := s.Connect(ctx, i)
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	targets, err := conn.Targets(bounded)
	if err != nil {
		return err
	}
	err = s.DB.Tx(ctx, i.PortalID, func(tx *db.Tx) error {
		now, err := tx.ShareIntegration(ctx, i.ID)
		if err != nil {
			return err
		}
		if !now.UpdatedAt.Equal(i.UpdatedAt) {
			return db.ErrLeaseLost // whoever changed the settings stopped this run
		}
		counts, err := tx.UpsertTargets(ctx, i.ID, targets)
		if err != nil {
			return err
		}
		if err := tx.SavePage(ctx, held, "", len(targets), counts, nil, []string{}, callLease); err != nil {
			return err
		}
		return s.endRun(ctx, tx, held, sparki.RunSucceeded, nil)
	})
	if err == nil {
		s.Signals.Wake(ctx, i.PortalID)
	}
	return err
}

func (s *Service) endRun(ctx context.Context, tx *db.Tx, held *db.RunLease, state sparki.SyncRunState, problem *string) error {
	tellRun(tx, sparki.SyncRunFinished, sparki.SyncActor, held.Run, state)
	return tx.FinishRun(ctx, held, state, problem)
}

// settleRun stores what becomes of a run that did not succeed, by the class of the error.
func (s *Service) settleRun(ctx context.Context, i *sparki.Integration, held *db.RunLease, cause error) error {
	kind := sparki.KindOf(cause)
	stopped := errors.Is(cause, context.Canceled)
	s.Log.WarnContext(ctx, "agendas could not be read", slog.String("integration", i.NodeID()), slog.String("run", held.Run.NodeID()), slog.Any("error", cause))
	return s.DB.Tx(ctx, i.PortalID, func(tx *db.Tx) error {
		if stopped {
			return tx.RetryRun(ctx, held, 0, "the worker was stopped")
		}
		if sparki.Unasked(cause) {
			return tx.ParkRun(ctx, held, sparki.RetryAfter(cause), sparki.TextOf(cause))
		}
		if (kind == sparki.Unavailable || kind == sparki.Internal) && held.Attempts < runTries {
			return tx.RetryRun(ctx, held, sparki.Backoff(held.Attempts, cause), sparki.TextOf(cause))
		}
		if kind == sparki.Unauthorized {
			found, _ := sparki.ConnectionAfter(cause, time.Now())
			if _, err := tx.SetConnection(ctx, i.ID, found); err != nil {
				return err
			}
		}
		problem := sparki.TextOf(cause)
		if problem == "" {
			problem = "an internal error"
		}
		return s.endRun(ctx, tx, held, sparki.RunFailed, &problem)
	})
}
