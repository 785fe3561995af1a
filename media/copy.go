package media

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
	"golang.org/x/sync/errgroup"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// Bounds of copying. A lease outlives a fetch and what is stored of it.
const (
	lease        = 60 * time.Second
	parallel     = 4 // media of one portal under way; each is held in memory
	storeTimeout = 20 * time.Second
	storeRetry   = time.Minute // after the store failed
	copyTries    = 10          // about four hours; after that it stays where the CRM has it
	firstDelay   = 30 * time.Second
	longest      = 2 * time.Hour
	giveBack     = 5 * time.Second
)

// backoff is how long to wait before the next try, after this many: 30 s, doubled each time, up to
// two hours, the upper half by chance. What the host asks for wins.
func backoff(attempts int, err error) time.Duration {
	if e, ok := errors.AsType[*sparki.Error](err); ok && e.RetryAfter > 0 {
		return e.RetryAfter
	}
	delay := min(firstDelay<<min(max(attempts-1, 0), 10), longest)
	return delay/2 + rand.N(delay/2)
}

// Copy copies a portal's media that are due, until none is. Nobody rings for a single medium: until
// the sweep does, the CRM's URL is as good.
func (s *Service) Copy(ctx context.Context, portal, _ uuid.UUID) error {
	if !s.On() {
		return nil
	}
	for ctx.Err() == nil {
		// As many as are copied at once: a lease runs from its claim on.
		media, err := s.db.ClaimMediaCopies(ctx, portal, lease, parallel)
		if err != nil || len(media) == 0 {
			return err
		}
		copies, copying := errgroup.WithContext(ctx)
		for n := range media {
			copies.Go(func() error { return s.copy(copying, portal, &media[n]) })
		}
		if err := copies.Wait(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// copy copies one medium. Its error is our own, of the database or the store, and ends the others'
// fetches too: whatever the host did is stored with the medium.
func (s *Service) copy(ctx context.Context, portal uuid.UUID, m *db.MediaCopy) error {
	content, mimeType, err := s.fetch(ctx, m.URL)
	if err == nil {
		err = s.keep(ctx, portal, m, content, mimeType)
	}
	if err == nil || errors.Is(err, db.ErrLeaseLost) {
		return nil // it is done, or another worker has it
	}
	// Also when we are being stopped: it is given back at once, not when its lease runs out.
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBack)
	defer cancel()
	log := s.log.With(slog.String("portal", sparki.PortalNode.ID(portal)), slog.String("media", sparki.MediaNode.ID(m.ID)), slog.Int("attempt", m.Attempts))
	cause := err
	if errors.Is(err, context.Canceled) {
		cause = context.Cause(ctx) // of another copy, if the store failed it
	}
	problem := sparki.TextOf(cause)
	store, ours := errors.AsType[*storeError](cause)
	switch {
	case ours:
		log.WarnContext(ctx, "copy not stored", slog.Any("error", store))
		err = s.db.ReturnMediaCopy(after, portal, m, storeRetry, "the blob store does not take it")
	case errors.Is(cause, context.Canceled):
		err = s.db.ReturnMediaCopy(after, portal, m, 0, "the worker was stopped")
	case sparki.KindOf(cause) == sparki.Internal:
		err = s.db.RetryMediaCopy(after, portal, m, backoff(m.Attempts, cause), "an internal error; it is tried again")
		ours = true
	case sparki.KindOf(cause) == sparki.Unavailable && m.Attempts < copyTries:
		log.InfoContext(ctx, "medium not copied; it is tried again", slog.String("problem", problem))
		err = s.db.RetryMediaCopy(after, portal, m, backoff(m.Attempts, cause), problem)
	default:
		log.InfoContext(ctx, "medium not copied; the CRM's URL stays", slog.String("problem", problem))
		err = s.db.GiveUpMediaCopy(after, portal, m, problem)
	}
	if errors.Is(err, db.ErrLeaseLost) {
		err = nil
	}
	if ours {
		return errors.Join(cause, err)
	}
	return err
}

// keep stores what was fetched, unless the portal has it already, and lets the medium refer to it.
func (s *Service) keep(ctx context.Context, portal uuid.UUID, m *db.MediaCopy, content []byte, mimeType string) error {
	sum := sha256.Sum256(content)
	file, err := s.db.HoldBlob(ctx, portal, hex.EncodeToString(sum[:]), mimeType, int64(len(content)))
	if err != nil {
		return err
	}
	if !file.Stored { // several that store the same at once write the same
		if err := s.store(ctx, file, content); err != nil {
			return err
		}
	}
	return s.db.Tx(ctx, portal, func(tx *db.Tx) error { return tx.FinishMediaCopy(ctx, m, file.ID) })
}

// storeError is a fault of the blob store: full, away, or closed to us.
type storeError struct{ error }

func (e *storeError) Unwrap() error { return e.error }

func (s *Service) store(ctx context.Context, file *db.Blob, content []byte) error {
	within, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	w, err := s.bucket.NewWriter(within, file.Key(), &blob.WriterOptions{ContentType: file.MimeType})
	if err == nil {
		err = write(w, cancel, content)
	}
	if err != nil && !errors.Is(err, context.Canceled) { // also when another copy was quicker to fail
		return &storeError{err}
	}
	return err
}

// write writes a whole file or none: closed without being cancelled, a writer keeps what it got, even over a file that
// is whole.
func write(w *blob.Writer, cancel context.CancelFunc, content []byte) error {
	if _, err := w.Write(content); err != nil {
		cancel()
		_ = w.Close() // says that it was cancelled
		return err
	}
	return w.Close()
}

func (s *Service) remove(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := s.bucket.Delete(ctx, key); gcerrors.Code(err) != gcerrors.NotFound {
		return err // nil too
	}
	return nil
}
