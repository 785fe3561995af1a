package listings

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/tracing"
)

const (
	runTries = 6    // of one page, about two minutes
	maxPages = 1000 // of one crawl: a list that never ends is broken
	// crawlDone is the cursor of a run that has read all pages and looks at what it missed.
	crawlDone = "!"
)

// ContinueRun goes on with a run where it stopped, page by page, until it ends or its lease is lost.
func (s *Service) ContinueRun(ctx context.Context, portal, id uuid.UUID) error {
	held, err := s.DB.ClaimRun(ctx, portal, id, lease)
	if err != nil || held == nil {
		return err
	}
	i, err := s.DB.Integration(ctx, portal, held.Run.IntegrationID)
	if err != nil {
		return err
	}
	facts := []slog.Attr{slog.String("integration", i.NodeID()), slog.String("run", held.Run.NodeID())}
	ctx, span := tracing.Continue(ctx, held.Trace, "crawl", facts...)
	r := &running{Service: s, integration: i, RunLease: held, log: slog.New(s.Log.Handler().WithAttrs(facts))}
	err = r.crawl(ctx)
	tracing.End(span, db.Failure(err))
	if err == nil || errors.Is(err, db.ErrLeaseLost) {
		return nil // another worker has it, or a person stopped it
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBack)
	defer cancel()
	if err = r.settle(ctx, err); errors.Is(err, db.ErrLeaseLost) {
		return nil
	}
	s.Signals.Wake(ctx, portal)
	return err
}

// running is a run that this worker holds the lease of.
type running struct {
	*Service
	*db.RunLease
	integration *sparki.Integration
	conn        providers.Conn
	log         *slog.Logger
}

func (r *running) crawl(ctx context.Context) error {
	var err error
	if r.conn, err = r.Connect(ctx, r.integration); err != nil {
		return err
	}
	if r.Run.Cursor != crawlDone {
		if err := r.pages(ctx); err != nil {
			return err
		}
	}
	return r.finish(ctx)
}

// pages reads what is left of the list. While one page is stored, the next one is read.
func (r *running) pages(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	next := r.ahead(ctx, r.Run.Cursor)
	defer func() {
		cancel()
		_, _ = next() // leave nothing behind that still reads
	}()
	for cursor := r.Run.Cursor; cursor != crawlDone; {
		if r.Page >= maxPages {
			return sparki.Errorf(sparki.Rejected, "the CRM's list does not end: more than %d pages", maxPages)
		}
		p, err := next()
		if err != nil {
			return err
		}
		after := p.Next
		if after == "" {
			after = crawlDone
		} else {
			if after == cursor {
				return sparki.Errorf(sparki.Rejected, "the CRM's list repeats the same page")
			}
			next = r.ahead(ctx, after)
		}
		err = r.save(ctx, p.objects, func(tx *db.Tx, counts sparki.SyncRunCounts) error {
			counts = counts.Add(sparki.SyncRunCounts{Processed: p.unchanged, Unchanged: p.unchanged})
			return r.savePage(ctx, tx, after, p.Total, counts, p.newest, p.Refs)
		})
		if err != nil {
			return err
		}
		r.Signals.Wake(ctx, r.integration.PortalID)
		r.Attempts, cursor = 1, after
	}
	return nil
}

// page is a page of the list, each object once, and in full what is new or changed on it.
type page struct {
	providers.Page
	newest    *time.Time // modification
	unchanged int
	objects   objects
}

// objects are what was read, with the list or one by one: found, or failed so that they need a fetch of
// their own.
type objects struct {
	found  []reading
	failed []sparki.Ref
}

// ahead starts to read a page and gives a function that waits for it.
func (r *running) ahead(ctx context.Context, cursor string) func() (*page, error) {
	read := sync.OnceValues(func() (*page, error) { return r.page(ctx, cursor) })
	go read() //nolint:errcheck // whoever waits gets it
	return read
}

func (r *running) page(ctx context.Context, cursor string) (*page, error) {
	crawl := providers.Crawl{Cursor: cursor}
	if r.Run.Since != nil {
		crawl.Since = *r.Run.Since
	}
	listed, err := r.DB.Now(ctx)
	if err != nil {
		return nil, err
	}
	list, err := r.conn.Page(ctx, crawl)
	if err != nil {
		return nil, err
	}
	p := &page{Page: list}
	p.Refs, p.newest = unique(list.Refs)
	known, now, err := r.DB.KnownItems(ctx, r.integration.PortalID, r.integration.ID, p.Refs)
	if err != nil {
		return nil, err
	}
	whole := make(map[string]*sparki.Found, len(list.Found))
	for _, found := range list.Found {
		whole[found.Ref.Key()] = found
	}
	var given []reading
	var changed []sparki.Ref
	for _, ref := range p.Refs {
		before, stored := known[ref.Key()]
		switch found := whole[ref.Key()]; {
		case stored && current(before, ref):
			p.unchanged++
		case found != nil:
			given = append(given, reading{found, listed})
		default:
			changed = append(changed, ref)
		}
	}
	if p.objects, err = r.readAll(ctx, changed, now); err != nil {
		return nil, err
	}
	p.objects.found = append(p.objects.found, given...)
	return p, nil
}

// savePage stores the run's progress and place with what was read.
func (r *running) savePage(ctx context.Context, tx *db.Tx, next string, total int, counts sparki.SyncRunCounts, newest *time.Time, refs []sparki.Ref) error {
	keys := make([]string, len(refs))
	for n, ref := range refs {
		keys[n] = ref.Key()
	}
	if err := tx.SavePage(ctx, r.RunLease, next, total, counts, newest, keys, lease); err != nil {
		return err
	}
	r.Page++
	return nil
}

// unique drops the repeats of a page and finds its newest modification time.
func unique(refs []sparki.Ref) (out []sparki.Ref, newest *time.Time) {
	seen := make(map[string]bool, len(refs))
	for n, ref := range refs {
		if seen[ref.Key()] {
			continue
		}
		seen[ref.Key()] = true
		out = append(out, ref)
		if at := refs[n].ModifiedAt; !at.IsZero() && (newest == nil || at.After(*newest)) {
			newest = &at
		}
	}
	return out, newest
}

// current says whether a list row tells nothing new about what is stored, so that the object need not be read.
func current(before db.KnownItem, row sparki.Ref) bool {
	return before.SyncError == nil && before.SourceModifiedAt != nil && !row.ModifiedAt.IsZero() &&
		before.SourceModifiedAt.Equal(row.ModifiedAt.Truncate(time.Microsecond)) && // Postgres keeps microseconds
		(before.InactiveReason == nil || *before.InactiveReason != sparki.ReasonDeleted && *before.InactiveReason != sparki.ReasonFilteredOut)
}

// save stores objects, with whatever else store writes, in one transaction. An object that could not
// be read becomes a fetch of its own, with its own tries.
func (r *running) save(ctx context.Context, o objects, store func(*db.Tx, sparki.SyncRunCounts) error) error {
	return r.DB.Tx(ctx, r.integration.PortalID, func(tx *db.Tx) error {
		now, err := tx.ShareIntegration(ctx, r.integration.ID)
		if err != nil {
			return err
		}
		if !now.UpdatedAt.Equal(r.integration.UpdatedAt) {
			return db.ErrLeaseLost // whoever changed the settings stopped this run
		}
		counts, err := r.Service.save(ctx, tx, r.integration, sparki.CauseRun, o.found)
		if err != nil {
			return err
		}
		if len(o.failed) > 0 {
			wanted := make([]db.Wanted, len(o.failed))
			for n, ref := range o.failed {
				wanted[n] = db.Wanted{Ref: ref, Cause: sparki.CauseRun, Trace: tracing.Place(ctx)}
			}
			if _, err := tx.HintFetches(ctx, r.integration.ID, wanted); err != nil {
				return err
			}
		}
		counts.Processed, counts.Failed = counts.Processed+len(o.failed), counts.Failed+len(o.failed)
		return store(tx, counts)
	})
}

// readAll reads objects side by side. Refusals of the connection itself, and a CRM that is away for
// all of them, end the run's try; other failures are the object's own. at is when the reads begin.
func (r *running) readAll(ctx context.Context, refs []sparki.Ref, at time.Time) (o objects, err error) {
	found := make([]*sparki.Found, len(refs))
	errs := make([]error, len(refs))
	var reads errgroup.Group
	reads.SetLimit(parallel)
	for n, ref := range refs {
		reads.Go(func() error {
			found[n], errs[n] = listing(ctx, r.conn, ref)
			if kind := sparki.KindOf(errs[n]); kind == sparki.Unauthorized || kind == sparki.Misconfigured || ctx.Err() != nil {
				return errs[n]
			}
			return nil
		})
	}
	if err := reads.Wait(); err != nil {
		return o, err
	}
	var away error
	for n, err := range errs {
		if err != nil {
			if !sparki.Unasked(err) {
				r.log.WarnContext(ctx, "object could not be read", slog.String("type", refs[n].Type), slog.String("object", refs[n].ID), slog.Any("error", err))
			}
			if o.failed = append(o.failed, refs[n]); away == nil || sparki.Unasked(away) {
				away = err // one that was asked counts as a try
			}
			continue
		}
		o.found = append(o.found, reading{found[n], at})
	}
	if len(o.failed) == len(refs) && len(refs) > 1 && sparki.KindOf(away) == sparki.Unavailable {
		return o, away
	}
	return o, nil
}

// finish looks at what a full run did not see, and ends the run.
func (r *running) finish(ctx context.Context) error {
	var missing []sparki.Ref
	active := 0
	if r.Run.Full {
		err := r.DB.Tx(ctx, r.integration.PortalID, func(tx *db.Tx) (err error) {
			missing, active, err = tx.Missing(ctx, r.Run)
			return err
		})
		if err != nil {
			return err
		}
	}
	if !r.Run.Approved && sparki.NeedsApproval(len(missing), active) {
		return r.end(ctx, sparki.RunNeedsApproval, nil)
	}
	// The list is only a hint as well: each missing object is asked for before it is given up.
	for chunk := range slices.Chunk(missing, 100) {
		_, now, err := r.DB.KnownItems(ctx, r.integration.PortalID, r.integration.ID, chunk)
		if err != nil {
			return err
		}
		asked, err := r.readAll(ctx, chunk, now)
		if err != nil {
			return err
		}
		err = r.save(ctx, asked, func(tx *db.Tx, counts sparki.SyncRunCounts) error {
			return r.savePage(ctx, tx, crawlDone, -1, counts, nil, chunk)
		})
		if err != nil {
			return err
		}
	}
	return r.end(ctx, sparki.RunSucceeded, nil)
}

// end ends the run and says so.
func (r *running) end(ctx context.Context, state sparki.SyncRunState, cause error) error {
	var problem *string
	if cause != nil {
		text := sparki.TextOf(cause)
		if text == "" {
			text = "an internal error"
		}
		problem = &text
	}
	err := r.DB.Tx(ctx, r.integration.PortalID, func(tx *db.Tx) error {
		if err := tx.FinishRun(ctx, r.RunLease, state, problem); err != nil {
			return err
		}
		if err := r.noteConnection(ctx, tx, r.integration, cause); err != nil {
			return err
		}
		tellRun(tx, sparki.SyncRunFinished, sparki.SyncActor, r.Run, state)
		if !r.Run.Full || state == sparki.RunFailed {
			return nil
		}
		replaced, err := tx.ReplaceRuns(ctx, r.Run)
		for _, old := range replaced {
			tellRun(tx, sparki.SyncRunFinished, sparki.SyncActor, old, old.State)
		}
		return err
	})
	if err != nil {
		return err
	}
	r.log.InfoContext(ctx, "run ended", slog.String("state", string(state)), slog.Any("error", cause))
	r.Signals.Wake(ctx, r.integration.PortalID)
	return nil
}

// settle stores what becomes of a run whose page did not succeed, by the class of the error.
func (r *running) settle(ctx context.Context, cause error) error {
	kind := sparki.KindOf(cause)
	if sparki.Unasked(cause) {
		wait := sparki.RetryAfter(cause)
		r.log.Info("the CRM is left alone for a while", slog.Duration("wait", wait))
		return r.DB.Tx(ctx, r.integration.PortalID, func(tx *db.Tx) error { return tx.ParkRun(ctx, r.RunLease, wait, sparki.TextOf(cause)) })
	}
	if stopped := errors.Is(cause, context.Canceled); stopped || (kind == sparki.Unavailable || kind == sparki.Internal) && r.Attempts < runTries {
		delay, problem := sparki.Backoff(r.Attempts, cause), sparki.TextOf(cause)
		if stopped {
			delay, problem = 0, "the worker was stopped"
		}
		r.log.WarnContext(ctx, "run is given back", slog.Any("error", cause), slog.Duration("delay", delay))
		return r.DB.Tx(ctx, r.integration.PortalID, func(tx *db.Tx) error { return tx.RetryRun(ctx, r.RunLease, delay, problem) })
	}
	return r.end(ctx, sparki.RunFailed, cause)
}

func tellRun(tx *db.Tx, what sparki.ActivityType, actor string, run *sparki.SyncRun, state sparki.SyncRunState) {
	tx.Tell(sparki.Activity{Type: what, Actor: actor, Params: map[string]string{"state": string(state)},
		IntegrationID: &run.IntegrationID, SubjectKind: sparki.SyncRunNode, SubjectID: run.ID})
}
