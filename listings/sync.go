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
		err := readsListings(ctx, tx, integration, "integrationId", "domain")
		if err != nil {
			return err
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

// readsListings refuses, at one of these fields, while the integration or its listings are switched off.
func readsListings(ctx context.Context, tx *db.Tx, integration uuid.UUID, field, domainField string) error {
	i, err := tx.ShareIntegration(ctx, integration)
	switch {
	case err != nil:
		return err
	case !i.Enabled:
		return sparki.Refuse(sparki.CodeIntegrationDisabled, "the integration is switched off: switch it on first", field)
	case !i.Domains.Listings:
		return sparki.Refuse(sparki.CodeDomainOff, "listings are switched off: switch them on first", domainField)
	}
	return nil
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
	run, err := s.endRun(ctx, who, id, []sparki.SyncRunState{sparki.RunQueued, sparki.RunRunning, sparki.RunNeedsApproval}, sparki.RunCancelled)
	if sparki.KindOf(err) == sparki.Conflict {
		err = sparki.Refuse(sparki.CodeInvalid, "this run has ended: there is nothing to stop", "syncRunId")
	}
	return run, err
}

// Approve settles a run in NEEDS_APPROVAL. Approved, it goes on: the CRM is asked for each object that
// it misses, and what is gone is deactivated. Otherwise it ends, and all items stay as they are.
func (s *Service) Approve(ctx context.Context, who *sparki.Principal, id uuid.UUID, approve bool) (*sparki.SyncRun, error) {
	run, err := s.DB.Run(ctx, who.PortalID, id)
	if err != nil {
		return nil, err
	}
	if !approve {
		run, err = s.endRun(ctx, who, id, []sparki.SyncRunState{sparki.RunNeedsApproval}, sparki.RunSucceeded)
		if sparki.KindOf(err) == sparki.Conflict {
			err = errNothingToApprove
		}
		return run, err
	}
	err = s.DB.Tx(ctx, who.PortalID, func(tx *db.Tx) error {
		if err := readsListings(ctx, tx, run.IntegrationID, "syncRunId", "syncRunId"); err != nil {
			return err
		}
		switch run, err = tx.ApproveRun(ctx, id); sparki.KindOf(err) {
		case sparki.NotFound:
			return errNothingToApprove
		case sparki.Conflict:
			return sparki.Refuse(sparki.CodeSyncAlreadyRunning, "a sync is under way: approve this when it has ended", "syncRunId")
		}
		if err == nil {
			tellRun(tx, sparki.SyncRunStarted, who.Name, run, run.State)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	s.announceRun(ctx, who.PortalID, id)
	return run, nil
}

var errNothingToApprove = sparki.Refuse(sparki.CodeNothingToApprove, "this run waits for no approval", "syncRunId")

func (s *Service) endRun(ctx context.Context, who *sparki.Principal, id uuid.UUID, from []sparki.SyncRunState, to sparki.SyncRunState) (*sparki.SyncRun, error) {
	if _, err := s.DB.Run(ctx, who.PortalID, id); err != nil {
		return nil, err
	}
	var run *sparki.SyncRun
	err := s.DB.Tx(ctx, who.PortalID, func(tx *db.Tx) (err error) {
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
