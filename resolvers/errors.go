package resolvers

import (
	"context"
	"errors"
	"log/slog"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"sparki.app/integrations"
	"sparki.app/integrations/words"
)

// codes is the one table from an error's kind to extensions.code.
var codes = map[sparki.Kind]string{
	sparki.Invalid:         "BAD_USER_INPUT",
	sparki.Conflict:        "BAD_USER_INPUT",
	sparki.NotFound:        "NOT_FOUND",
	sparki.Unauthenticated: "UNAUTHENTICATED",
	sparki.Forbidden:       "FORBIDDEN",
}

// Present words the errors of resolvers. What has no code is INTERNAL: it carries a reference, and
// the cause stands in the log beside it.
func (r *Resolver) Present(ctx context.Context, err error) *gqlerror.Error {
	cause := err.Error() // out may be err itself, and is worded anew below
	out := graphql.DefaultErrorPresenter(ctx, err)
	if _, worded := out.Extensions["code"]; worded {
		return out
	}
	out.Extensions = map[string]any{}
	if code, ok := codes[sparki.KindOf(err)]; ok {
		out.Message, out.Extensions["code"] = words.In(ctx, sparki.TextOf(err)), code
		return out
	}
	reference := sparki.NewID().String()
	out.Message = words.In(ctx, "something went wrong on our side; the reference helps us find it")
	out.Extensions["code"], out.Extensions["reference"] = "INTERNAL", reference
	if !errors.Is(err, context.Canceled) {
		r.Log.ErrorContext(ctx, "resolver failed", slog.String("reference", reference), slog.String("path", out.Path.String()), slog.String("error", cause))
	}
	return out
}
