package feed

import (
	"context"
	"errors"
)

// Source gives one follower what happens, one after the other. It is not safe for concurrent use.
type Source interface {
	// Next waits for the next event. The same event is the same pointer for all who are served from
	// memory. It fails with the context's error, or with ErrBehind.
	Next(ctx context.Context) (any, error)
	// Close frees what the source holds; Next is not called any more.
	Close()
}

// ErrBehind means that a follower was up to date and then took so little that what it lacks is no
// longer in memory. It should come back with the cursor of what it saw last.
var ErrBehind = errors.New("too far behind")

type (
	openKey  struct{}
	shownKey struct{}
)

// Opening makes a context in which Serve opens a source and leaves it for opened, which gives nil if
// there is none.
func Opening(ctx context.Context) (opening context.Context, opened func() Source) {
	var source Source
	return context.WithValue(ctx, openKey{}, &source), func() Source { return source }
}

// Showing makes a context in which Serve gives this event and nothing else, so that one answer can be
// made for all who follow.
func Showing(ctx context.Context, event any) context.Context {
	return context.WithValue(ctx, shownKey{}, event)
}

// Serve answers a subscription's resolver in a context of Opening or of Showing. Its channel has ended.
func Serve[E any](ctx context.Context, open func() (Source, error)) (<-chan E, error) {
	out := make(chan E, 1)
	defer close(out)
	if event, ok := ctx.Value(shownKey{}).(E); ok {
		out <- event
		return out, nil
	}
	left, ok := ctx.Value(openKey{}).(*Source)
	if !ok {
		return nil, errors.New("feed: the context is neither of Opening nor of Showing")
	}
	source, err := open()
	if err != nil {
		return nil, err
	}
	*left = source
	return out, nil
}
