package gql

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// ErrUnavailable, wrapped by an error of Authenticate or Alive, says that nobody could tell whether the caller is good,
// for example because the database is away. Nobody is signed out for that.
var ErrUnavailable = errors.New("cannot tell who is asking right now")

// The extensions.code of the errors that this package makes itself.
const (
	codeBadInput        = "BAD_USER_INPUT"
	codeTooComplex      = "TOO_COMPLEX"
	codeUnauthenticated = "UNAUTHENTICATED"
	codeForbidden       = "FORBIDDEN"
	codeRateLimited     = "RATE_LIMITED"
	codeInternal        = "INTERNAL"
)

const (
	maxErrors  = 5   // of one refused document; a hostile one holds thousands
	maxMessage = 256 // bytes of an error that quotes the request, whose names may be as long as a body
)

func failure(code, format string, args ...any) *gqlerror.Error {
	return &gqlerror.Error{Message: fmt.Sprintf(format, args...), Extensions: map[string]any{"code": code}}
}

// badInput makes the errors of a parser or a validator fit to be sent: few, short and with a code.
func badInput(list gqlerror.List) gqlerror.List {
	list = list[:min(len(list), maxErrors)]
	for i, e := range list {
		list[i] = &gqlerror.Error{
			Message:    cut(e.Message, maxMessage),
			Path:       e.Path,
			Locations:  e.Locations[:min(len(e.Locations), maxErrors)],
			Extensions: map[string]any{"code": codeBadInput},
		}
	}
	return list
}

// cut shortens s to at most n bytes without breaking a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// present words an error that came up while an operation ran.
func (h *Handler) present(ctx context.Context, err error) *gqlerror.Error {
	if argumentsFailed(ctx) && !errors.As(err, new(panicked)) {
		e := *graphql.DefaultErrorPresenter(ctx, err)
		if e.Extensions["code"] == nil {
			e.Extensions = maps.Clone(e.Extensions)
			if e.Extensions == nil {
				e.Extensions = make(map[string]any, 1)
			}
			e.Extensions["code"] = codeBadInput
		}
		e.Message = cut(e.Message, maxMessage)
		return &e
	}
	if h.config.Errors != nil {
		return h.config.Errors(ctx, err)
	}
	e, ok := errors.AsType[*gqlerror.Error](err)
	if ok && e.Extensions["code"] != nil {
		return e
	}
	h.log.ErrorContext(ctx, "resolver failed", "path", graphql.GetPath(ctx).String(), "error", err)
	return &gqlerror.Error{
		Message:    "internal error",
		Path:       graphql.GetPath(ctx),
		Extensions: map[string]any{"code": codeInternal},
	}
}

// argumentsFailed reports whether the field under way never got its arguments. Generated code sets Args, to a map that
// is not nil, as soon as all of them fit their types; scalars of the schema's own are only checked there.
func argumentsFailed(ctx context.Context) bool {
	fc := graphql.GetFieldContext(ctx)
	return fc != nil && fc.Args == nil && fc.Field.Field != nil && fc.Field.Definition != nil &&
		len(fc.Field.Definition.Arguments) > 0
}

// panicked marks the error that stands for a panic.
type panicked struct{ error }

func (p panicked) Unwrap() error { return p.error }

// recovered is the executor's graphql.RecoverFunc.
func (h *Handler) recovered(ctx context.Context, v any) error {
	// ast.Field.ArgumentMap panics on a number that no int64 holds: the caller's mistake, not ours.
	if err, ok := v.(error); ok && errors.As(err, new(*strconv.NumError)) {
		return failure(codeBadInput, "number out of range")
	}
	// So does graphql.CollectFields on a variable that has a default and is given null.
	if text, ok := v.(string); ok && strings.HasSuffix(text, "argument 'if' is not a boolean") {
		return failure(codeBadInput, "%s", text)
	}
	if h.config.Recover != nil {
		if err := h.config.Recover(ctx, v); err != nil {
			return panicked{err}
		}
		return panicked{failure(codeInternal, "internal error")}
	}
	h.log.ErrorContext(ctx, "panic", "cause", v, "stack", string(debug.Stack()))
	return panicked{failure(codeInternal, "internal error")}
}

// survive, deferred, keeps a panic of a goroutine of ours from ending the process.
func (h *Handler) survive(ctx context.Context) {
	if v := recover(); v != nil {
		_ = h.recovered(ctx, v)
	}
}

// internal is the answer to a panic outside of any resolver.
func (h *Handler) internal(ctx context.Context, v any) gqlerror.List {
	err := h.recovered(ctx, v)
	if e, ok := err.(*gqlerror.Error); ok {
		return gqlerror.List{e}
	}
	if h.config.Errors != nil {
		if e := h.config.Errors(ctx, err); e != nil {
			return gqlerror.List{e}
		}
	}
	if e, ok := errors.AsType[*gqlerror.Error](err); ok && e.Extensions["code"] != nil {
		return gqlerror.List{e}
	}
	return gqlerror.List{failure(codeInternal, "internal error")}
}

// authenticate asks Config.Authenticate, and takes a panic of it for ErrUnavailable.
func (h *Handler) authenticate(ctx context.Context, r *http.Request, authorization string) (out context.Context, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %w", ErrUnavailable, h.recovered(ctx, v))
		}
	}()
	out, err = h.config.Authenticate(ctx, r, authorization)
	if out == nil {
		out = ctx
	}
	return out, err
}

// names asks Config.Caller and Config.Proof.
func (h *Handler) names(ctx context.Context) (caller, proof string) {
	if h.config.Caller != nil {
		caller = h.config.Caller(ctx)
	}
	if h.config.Proof == nil {
		return caller, caller
	}
	return caller, h.config.Proof(ctx)
}

// admit asks Config.Admit. Its error is ready to be sent.
func (h *Handler) admit(ctx context.Context) (retryAfter time.Duration, err *gqlerror.Error) {
	if h.config.Admit == nil {
		return 0, nil
	}
	if retryAfter = h.config.Admit(ctx); retryAfter <= 0 {
		return 0, nil
	}
	return retryAfter, failure(codeRateLimited, "too many requests: try again in %v", retryAfter.Round(time.Millisecond))
}

// alive asks Config.Alive, and takes a panic of it for ErrUnavailable.
func (h *Handler) alive(ctx context.Context) (err error) {
	if h.config.Alive == nil {
		return nil
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %w", ErrUnavailable, h.recovered(ctx, v))
		}
	}()
	return h.config.Alive(ctx)
}
