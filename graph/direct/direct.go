// Package direct writes answers straight from the program's values. The selection below a field is compiled once an
// answer, to literals and functions that append to one buffer; the executor collects, resolves and keeps closures for
// every object anew, and starts a goroutine for each element of a list.
//
// It writes what the executor would, byte for byte. Selections that hold anything it was not told of, and answers
// with an error in them, are left to the executor.
package direct

import (
	"context"
	"io"
	"sync"

	"github.com/99designs/gqlgen/graphql"
)

// Type compiles the selection below a field of this type; nil when it does not know all that is selected.
type Type[V any] func(*selection) writer[V]

// writer appends one value to an answer.
type writer[V any] func(*answer, V)

// selection is a field and what is selected below it.
type selection struct {
	ctx   context.Context
	oc    *graphql.OperationContext
	field graphql.CollectedField
}

// answer is JSON in the making.
type answer struct {
	json []byte
	// failed: the executor has to answer, for the error that it makes of this.
	failed bool
}

// Write makes the answer of the field that ctx is about, whose value is v: what a field middleware returns in place of
// v. It is v itself when the executor has to answer.
func Write[V any](ctx context.Context, v V, of Type[V]) (out any) {
	out = v
	defer func() { _ = recover() }() // the executor will meet the same, and says so
	write := of(&selection{ctx: ctx, oc: graphql.GetOperationContext(ctx), field: graphql.GetFieldContext(ctx).Field})
	if write == nil {
		return v
	}
	a := answers.Get().(*answer)
	write(a, v)
	if a.failed {
		a.release()
		return v
	}
	return a
}

// answers keeps buffers for the next answer. Large ones are left to the collector.
var answers = sync.Pool{New: func() any { return new(answer) }}

func (a *answer) release() {
	if cap(a.json) <= 256<<10 {
		a.json, a.failed = a.json[:0], false
		answers.Put(a)
	}
}

// MarshalGQL implements graphql.Marshaler. The executor calls it once.
func (a *answer) MarshalGQL(w io.Writer) {
	_, _ = w.Write(a.json)
	a.release()
}

func (a *answer) raw(json string) { a.json = append(a.json, json...) }
