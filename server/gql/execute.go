package gql

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// execution is an operation that may run: parsed, valid, within limits and with variables that fit. One goroutine calls
// next, or payload, until there is no more, and then stop.
type execution struct {
	h         *Handler
	oc        *graphql.OperationContext
	given     map[string]any // the variables as they came
	follower  *follower      // of a subscription that shares its answers, once it was started
	ctx       context.Context
	cancel    context.CancelFunc
	responses graphql.ResponseHandler
	over      bool
	began     time.Time
	told      bool // Config.Done was
}

// prepare reads an operation and refuses it before anything runs. The errors are ready to be sent.
func (h *Handler) prepare(ctx context.Context, p *graphql.RawParams) (e *execution, errs gqlerror.List) {
	began := time.Now()
	defer func() {
		if v := recover(); v != nil {
			e, errs = nil, h.internal(ctx, v)
		}
	}()
	doc, errs := h.documents.load(p.Query)
	if errs != nil {
		return nil, errs
	}
	p.Query = doc.query
	op := doc.ast.Operations.ForName(p.OperationName)
	if op == nil {
		return nil, gqlerror.List{failure(codeBadInput, "operationName must be the name of an operation of the document")}
	}
	if err := misfit(h.documents.schema, op, p.Variables); err != nil {
		return nil, gqlerror.List{err}
	}
	ctx = graphql.StartOperationTrace(ctx)
	oc, errs := h.executor.CreateOperationContext(context.WithValue(ctx, documentKey{}, doc.ast), p)
	if errs != nil {
		return nil, badInput(errs)
	}
	if err := doc.allows(h.documents.schema, &h.limits, oc.Operation, oc.Variables); err != nil {
		return nil, gqlerror.List{err}
	}
	oc.DisableIntrospection = false
	return &execution{h: h, oc: oc, given: p.Variables, ctx: ctx, cancel: func() {}, began: began}, nil
}

func (e *execution) kind() ast.Operation { return e.oc.Operation.Operation }

// start makes a query or a mutation ready to run in next, where its deadline ends it.
func (e *execution) start() {
	e.ctx, e.cancel = context.WithTimeout(e.ctx, e.h.limits.Operation)
	e.dispatch()
}

// dispatch runs the resolver of a subscription's source stream; queries and mutations run in responses.
func (e *execution) dispatch() {
	e.ctx = graphql.WithOperationContext(e.ctx, e.oc)
	e.responses, e.ctx = e.h.executor.DispatchOperation(e.answering(e.ctx), e.oc)
}

// stop gives back what start took. A follower is stopped by itself.
func (e *execution) stop() { e.cancel() }

// answering makes the context for one answer.
func (e *execution) answering(ctx context.Context) context.Context {
	if e.h.config.OnOperation == nil {
		return ctx
	}
	if c := e.h.config.OnOperation(ctx, e.oc); c != nil {
		return c
	}
	return ctx
}

// next waits for and makes the next response, whose Data is good until the call after it. nil means that there is none:
// the stream has ended, or ctx has, or there is a follower now.
func (e *execution) next() (r *graphql.Response) {
	if e.over {
		return nil
	}
	ctx := e.ctx
	defer func() { e.tell(r) }()
	defer func() {
		if v := recover(); v != nil {
			r = &graphql.Response{Errors: e.h.internal(ctx, v)}
		}
		if r == nil || len(r.Data) == 0 || e.kind() != ast.Subscription {
			e.over = true
		}
	}()
	switch {
	case e.kind() == ast.Subscription && e.responses == nil:
		e.follower, r = e.open()
		return r
	case e.kind() == ast.Subscription:
		return e.responses(e.event())
	case e.responses == nil:
		e.start()
		ctx = e.ctx
	}
	r = e.responses(ctx)
	if r == nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		r = &graphql.Response{Errors: gqlerror.List{failure(codeInternal, "the operation took longer than %v", e.h.limits.Operation)}}
	}
	return r
}

// tell tells of the first response; nil is that of a subscription with a follower, or of somebody who left.
func (e *execution) tell(r *graphql.Response) {
	if e.told {
		return
	}
	e.told = true
	var errs gqlerror.List
	if r != nil {
		errs = r.Errors
	}
	e.h.done(e.kind(), errs, e.began)
}

// errFollow says that e.follower has the answers of a subscription.
var errFollow = errors.New("the answers come from a source")

// payload makes the next answer ready to be sent. This is all that sockets and event streams know of an execution. Its
// error says why there is none: errFollow, or as of Source.Next.
func (e *execution) payload() (p payload, err error) {
	defer func() {
		if v := recover(); v != nil {
			e.over = true
			p, err = refusal(e.h.internal(e.ctx, v)), nil
		}
	}()
	r := e.next()
	switch {
	case r != nil:
		return payloadOf(r), nil
	case e.follower != nil:
		return p, errFollow
	}
	return p, io.EOF
}

// event makes the context for one event of a subscription. The executor forgets the subscription's field between events,
// so the paths of errors would lack their beginning.
func (e *execution) event() context.Context {
	ctx := e.answering(e.ctx)
	root := e.h.documents.schema.Subscription.Name
	fields := graphql.CollectFields(e.oc, e.oc.Operation.SelectionSet, []string{root})
	if len(fields) != 1 {
		return ctx
	}
	return graphql.WithFieldContext(ctx, &graphql.FieldContext{Object: root, Field: fields[0]})
}
