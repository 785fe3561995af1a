package listings

import (
	"context"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// StartSync starts a full crawl because a person asked for it.
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
		case !i.Domains.Listings:
			return sparki.Refuse(sparki.CodeDomainOff, "listings are switched off: switch them on first", "domain")
		}
		var started bool
		if run, started, err = s.start(ctx, tx, who.Name, integration, sparki.TriggerManual, true); err == nil && !started {
			return sparki.Refuse(sparki.CodeSyncAlreadyRunning, "a sync is under way already", "domain")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	s.announceRun(ctx, who.PortalID, run.ID)
	return run, nil
}

func (s *Service) start(ctx context.Context, tx *db.Tx, actor string, integration uuid.UUID, trigger sparki.SyncTrigger, full bool) (*sparki.SyncRun, bool, error) {
	run, started, err := tx.StartRun(ctx, integration, sparki.SyncListings, trigger, full)
	if err == nil && started {
		tellRun(tx, sparki.SyncRunStarted, actor, run, run.State)
	}
	return run, started, err
}

func (s *Service) announceRun(ctx context.Context, portal, run uuid.UUID) {
	s.Signals.Wake(ctx, portal)
	s.Signals.Ring(ctx, sparki.Bell{Job: sparki.ContinueRun, PortalID: portal, ID: run})
}

// StartDueCrawls starts the scheduled crawls that have come. One that finds another under way is left out.
func (s *Service) StartDueCrawls(ctx context.Context, incremental, full time.Duration) error {
	due, err := s.DB.TakeDueCrawls(ctx, incremental, full)
	if err != nil {
		return err
	}
	for _, crawl := range due {
		var run *sparki.SyncRun
		err := s.DB.Tx(ctx, crawl.PortalID, func(tx *db.Tx) (err error) {
			i, err := tx.ShareIntegration(ctx, crawl.IntegrationID)
			if err != nil || !i.ReadsListings() {
				return err
			}
			run, _, err = s.start(ctx, tx, sparki.SyncActor, crawl.IntegrationID, sparki.TriggerScheduled, crawl.Full)
			return err
		})
		if err != nil {
			return err
		}
		if run != nil {
			s.announceRun(ctx, crawl.PortalID, run.ID)
		}
	}
	return nil
}

// CancelSync stops a run. What it stored stays; nothing is deactivated for it.
func (s *Service) CancelSync(ctx context.Context, who *sparki.Principal, id uuid.UUID) (*sparki.SyncRun, error) {
	return s.endRun(ctx, who, id, []sparki.SyncRunState{sparki.RunQueued, sparki.RunRunning, sparki.RunNeedsApproval}, sparki.RunCancelled, nil)
}

// Approve settles a run in NEEDS_APPROVAL: its missing items are deactivated, or left as they are.
func (s *Service) Approve(ctx context.Context, who *sparki.Principal, id uuid.UUID, approve bool) (*sparki.SyncRun, error) {
	waiting := []sparki.SyncRunState{sparki.RunNeedsApproval}
	run, err := s.endRun(ctx, who, id, waiting, sparki.RunSucceeded, func(tx *db.Tx, run *sparki.SyncRun) error {
		if !approve {
			return nil
		}
		return s.deactivateMissing(ctx, tx, run)
	})
	if sparki.KindOf(err) == sparki.Conflict {
		return nil, sparki.Refuse(sparki.CodeNothingToApprove, "this run waits for no approval", "syncRunId")
	}
	return run, err
}

func (s *Service) endRun(ctx context.Context, who *sparki.Principal, id uuid.UUID, from []sparki.SyncRunState, to sparki.SyncRunState,
	before func(*db.Tx, *sparki.SyncRun) error) (*sparki.SyncRun, error) {
	if _, err := s.DB.Run(ctx, who.PortalID, id); err != nil {
		return nil, err
	}
	var run *sparki.SyncRun
	err := s.DB.Tx(ctx, who.PortalID, func(tx *db.Tx) (err error) {
		if run, err = tx.LockRun(ctx, id); err != nil {
			return err
		}
		if before != nil && run.State == sparki.RunNeedsApproval {
			if err := before(tx, run); err != nil {
				return err
			}
		}
		if run, err = tx.EndRun(ctx, id, from, to, nil); err != nil {
			return err
		}
		tellRun(tx, sparki.SyncRunFinished, who.Name, run, to)
		return nil
	})
	if err == nil {
		s.Signals.Wake(ctx, who.PortalID)
	}
	return run, err
}

// deactivateMissing deactivates what a run did not see and is still active: a person says so.
func (s *Service) deactivateMissing(ctx context.Context, tx *db.Tx, run *sparki.SyncRun) error {
	missing, _, err := tx.Missing(ctx, run)
	if err != nil || len(missing) == 0 {
		return err
	}
	known, err := tx.KnownItems(ctx, run.IntegrationID, missing)
	if err != nil {
		return err
	}
	ids, titles := make([]uuid.UUID, 0, len(known)), map[uuid.UUID]string{}
	for _, item := range known {
		ids = append(ids, item.ID)
		titles[item.ID] = item.Title
	}
	now, err := tx.Now(ctx)
	if err != nil {
		return err
	}
	changed, err := tx.DeactivateItems(ctx, ids, sparki.ReasonNotAvailable, now)
	if err != nil {
		return err
	}
	history := make(map[uuid.UUID][]*sparki.FieldChange, len(changed))
	for _, id := range changed {
		history[id] = []*sparki.FieldChange{{Field: "STATE", Before: sparki.ItemActive, After: sparki.ItemInactive}}
		tx.Tell(sparki.Activity{Type: sparki.ItemDeactivated, Actor: sparki.SyncActor, Params: map[string]string{"title": titles[id]},
			IntegrationID: &run.IntegrationID, SubjectKind: sparki.ItemNode, SubjectID: id})
	}
	if err := tx.WriteHistory(ctx, sparki.CauseManual, history); err != nil {
		return err
	}
	if err := tx.CountDeactivated(ctx, run.ID, len(changed)); err != nil {
		return err
	}
	return tx.SetNeedsReview(ctx, changed, true)
}
