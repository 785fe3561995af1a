package sparki

import "context"

// A Guard is asked at the very moment at which a call begins that changes something in a CRM. An error
// forbids the call: it is not made, and fails with that error. Whatever the guard looked at holds until
// release is called, once the call has begun.
type Guard func(ctx context.Context) (release func(), err error)

type guardKey struct{}

// WithGuard puts a guard before all changing calls that are made with the context.
func WithGuard(ctx context.Context, g Guard) context.Context {
	return context.WithValue(ctx, guardKey{}, g)
}

// GuardOf is the guard of a context; one that forbids nothing when there is none.
func GuardOf(ctx context.Context) Guard {
	if g, ok := ctx.Value(guardKey{}).(Guard); ok {
		return g
	}
	return func(context.Context) (func(), error) { return func() {}, nil }
}
