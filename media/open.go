package media

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
)

// openTimeout bounds how long a reader waits for the store's first answer.
const openTimeout = 10 * time.Second

// Find gives the copy of a medium, whichever portal's it is; NotFound when there is none.
func (s *Service) Find(ctx context.Context, id uuid.UUID) (*db.Blob, error) {
	if !s.On() {
		return nil, sparki.Errorf(sparki.NotFound, "no copy of this medium")
	}
	return s.db.BlobOfMedia(ctx, id)
}

// Open opens a copy, to be read until the context ends. A store that is away, or has it no more or
// not whole, is Unavailable.
func (s *Service) Open(ctx context.Context, file *db.Blob) (io.ReadSeekCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(openTimeout, cancel) // bounds the opening only
	reader, err := s.bucket.NewReader(ctx, file.Key(), nil)
	switch {
	case err == nil && !late.Stop():
		err = errors.Join(context.DeadlineExceeded, reader.Close())
	case err == nil && reader.Size() != file.Size:
		err = errors.Join(fmt.Errorf("it has %d bytes instead of %d", reader.Size(), file.Size), reader.Close())
	}
	if err != nil {
		cancel()
		return nil, &sparki.Error{Kind: sparki.Unavailable, Text: "the copy cannot be read", Err: err}
	}
	return &opened{reader, cancel}, nil
}

type opened struct {
	io.ReadSeekCloser
	done context.CancelFunc
}

func (o *opened) Close() error {
	defer o.done()
	return o.ReadSeekCloser.Close()
}
