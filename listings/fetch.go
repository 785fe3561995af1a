package listings

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/tracing"
)

// Bounds of background work. A lease outlives the longest read: a token, a call, a renewal and the
// call again, 15 s each.
const (
	lease      = 60 * time.Second
	parallel   = 8  // reads under way for one integration
	fetchBatch = 32 // leases taken at once
	fetchTries = 20 // about two hours
	giveBack   = 5 * time.Second
	parked     = 24 * time.Hour // unless the settings are saved
)

// FetchItems reads the objects of an integration that wait to be read, until none is due.
func (s *Service) FetchItems(ctx context.Context, portal, integration uuid.UUID) error {
	for ctx.Err() == nil {
		i, err := s.DB.Integration(ctx, portal, integration)
		if err != nil {
			return err
		}
		if !i.ReadsListings() {
			return s.dropFetches(ctx, i)
		}
		fetches, err := s.DB.ClaimFetches(ctx, portal, integration, lease, fetchBatch)
		if err != nil || len(fetches) == 0 {
			return err
		}
		var reads errgroup.Group
		reads.SetLimit(parallel)
		refused := known(i)
		for n := range fetches {
			reads.Go(func() error { return s.fetch(ctx, i, &fetches[n], refused) })
		}
		if err := reads.Wait(); err != nil {
			return err
		}
		s.Signals.Wake(ctx, portal)
		if refused.wait > 0 {
			s.Log.Info("the CRM is left alone for a while", slog.String("integration", i.NodeID()), slog.Duration("wait", refused.wait))
			return s.DB.Tx(ctx, portal, func(tx *db.Tx) error { return tx.PauseFetches(ctx, integration, refused.wait) })
		}
	}
	return ctx.Err()
}

func (s *Service) dropFetches(ctx context.Context, i *sparki.Integration) error {
	return s.DB.Tx(ctx, i.PortalID, func(tx *db.Tx) error {
		now, err := tx.ShareIntegration(ctx, i.ID)
		if err != nil || now.ReadsListings() {
			return err
		}
		return tx.DropFetches(ctx, i.ID, "listings are switched off")
	})
}

// refusal remembers that the CRM refuses us, so that nobody asks again before a person has mended it, and
// that it is left alone.
type refusal struct {
	mu    sync.Mutex
	cause error         // nil: it does not, as far as we know
	wait  time.Duration // 0: it is not left alone
}

// known is the refusal that is stored with the connection; none while it works.
func known(i *sparki.Integration) *refusal {
	if !i.Parked() {
		return &refusal{}
	}
	return &refusal{cause: sparki.Errorf(sparki.Unauthorized, "%s", *i.Connection.Problem)}
}

func (r *refusal) get() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cause
}

func (r *refusal) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if kind := sparki.KindOf(err); kind == sparki.Unauthorized || kind == sparki.Misconfigured {
		r.cause = err
	}
	if sparki.Unasked(err) {
		r.wait = sparki.RetryAfter(err)
	}
}

// fetch reads one object and stores what it finds, in the trace of whatever asked for it last. Its error is
// one of our own: whatever the CRM did is stored with the fetch.
func (s *Service) fetch(ctx context.Context, i *sparki.Integration, f *db.Fetch, refused *refusal) error {
	facts := []slog.Attr{slog.String("integration", i.NodeID()), slog.String("fetch", f.ID.String()), slog.Int("attempt", f.Attempts)}
	ctx, span := tracing.Continue(ctx, f.Trace, "fetch item", facts...)
	log := slog.New(s.Log.Handler().WithAttrs(facts))
	err := s.readAndSave(ctx, i, f, refused)
	tracing.End(span, db.Failure(err))
	if err == nil {
		log.DebugContext(ctx, "fetch done")
		return nil
	}
	if errors.Is(err, db.ErrLeaseLost) {
		return nil // another worker has it
	}
	// Also when we are being stopped: the fetch is given back at once, not when its lease runs out.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBack)
	defer cancel()
	if !sparki.Unasked(err) {
		log.WarnContext(ctx, "fetch did not succeed", slog.Any("error", err))
	}
	err = s.DB.Tx(ctx, i.PortalID, func(tx *db.Tx) error { return s.settle(ctx, tx, i, f, err) })
	if errors.Is(err, db.ErrLeaseLost) {
		return nil
	}
	return err
}

func (s *Service) readAndSave(ctx context.Context, i *sparki.Integration, f *db.Fetch, refused *refusal) error {
	if err := refused.get(); err != nil {
		return err
	}
	found, err := s.read(ctx, i, f.Ref)
	refused.note(err)
	if err != nil {
		return err
	}
	ctx, span := tracing.Start(ctx, "store item")
	err = s.DB.Tx(ctx, i.PortalID, func(tx *db.Tx) error {
		return s.saveFetch(ctx, tx, i, f, found)
	})
	tracing.End(span, db.Failure(err))
	return err
}

// read asks the CRM for one object. An object that is gone is an answer, not an error.
func (s *Service) read(ctx context.Context, i *sparki.Integration, ref sparki.Ref) (*sparki.Found, error) {
	conn, err := s.Connect(ctx, i)
	if err != nil {
		return nil, err
	}
	return listing(ctx, conn, ref)
}

func listing(ctx context.Context, conn providers.Conn, ref sparki.Ref) (*sparki.Found, error) {
	found, err := conn.Listing(ctx, ref)
	if sparki.KindOf(err) == sparki.NotFound {
		return sparki.Gone(ref), nil
	}
	return found, err
}

func (s *Service) saveFetch(ctx context.Context, tx *db.Tx, i *sparki.Integration, f *db.Fetch, found *sparki.Found) error {
	now, err := tx.ShareIntegration(ctx, i.ID)
	if err != nil {
		return err
	}
	if !now.UpdatedAt.Equal(i.UpdatedAt) {
		// Switched off, or other settings: what was read may be another CRM's, so it is read again.
		return tx.RetryFetch(ctx, f, 0, "the settings changed while it was read")
	}
	if _, err := s.save(ctx, tx, i, f.Cause, []reading{{found, f.ReadAt}}); err != nil {
		return err
	}
	_, err = tx.FinishFetch(ctx, f)
	return err
}

// settle stores what becomes of a fetch that did not succeed, by the class of the error.
func (s *Service) settle(ctx context.Context, tx *db.Tx, i *sparki.Integration, f *db.Fetch, cause error) error {
	problem := sparki.TextOf(cause)
	switch kind := sparki.KindOf(cause); {
	case errors.Is(cause, context.Canceled):
		return tx.RetryFetch(ctx, f, 0, "the worker was stopped")
	case kind == sparki.Unauthorized || kind == sparki.Misconfigured:
		if !i.Parked() {
			if err := s.noteConnection(ctx, tx, i, cause); err != nil {
				return err
			}
		}
		return tx.ParkFetch(ctx, f, parked, problem)
	case sparki.Unasked(cause):
		return tx.ParkFetch(ctx, f, sparki.RetryAfter(cause), problem)
	case (kind == sparki.Unavailable || kind == sparki.Internal) && f.Attempts < fetchTries:
		if problem == "" {
			problem = "an internal error; it is tried again"
		}
		if err := tx.RetryFetch(ctx, f, sparki.Backoff(f.Attempts, cause), problem); err != nil {
			return err
		}
		if wait := sparki.RetryAfter(cause); wait > 0 {
			return tx.PauseFetches(ctx, i.ID, wait)
		}
		return nil
	default:
		if problem == "" {
			problem = "an internal error"
		}
		tx.Tell(sparki.Activity{Type: sparki.DeliveryFailed, Actor: sparki.SyncActor, Params: map[string]string{"problem": problem}, IntegrationID: &i.ID})
		if err := tx.FailFetch(ctx, f, problem); err != nil {
			return err
		}
		return tx.SetSyncError(ctx, i.ID, f.Ref, &problem)
	}
}

// noteConnection stores what a CRM's refusal tells about the line, and says so if it is news.
func (s *Service) noteConnection(ctx context.Context, tx *db.Tx, i *sparki.Integration, cause error) error {
	found, ok := sparki.ConnectionAfter(cause, time.Now())
	if !ok {
		return nil
	}
	changed, err := tx.SetConnection(ctx, i.ID, found)
	if err != nil || !changed {
		return err
	}
	tx.Tell(sparki.Activity{Type: sparki.ConnectionChecked, Actor: sparki.SyncActor, Params: map[string]string{"state": string(found.State)},
		IntegrationID: &i.ID, SubjectKind: sparki.IntegrationNode, SubjectID: i.ID})
	if found.State == sparki.ConnectionOK {
		return tx.UnparkFetches(ctx, i.ID)
	}
	return nil
}
