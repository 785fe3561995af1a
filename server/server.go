// Package server speaks HTTP: the API, webhooks, the explorer and the health checks. routes.go lists
// every route; what they mean is decided elsewhere.
package server

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/google/uuid"
	"github.com/vektah/gqlparser/v2/ast"
	"go.opentelemetry.io/otel/trace"

	"sparki.app/integrations"
	"sparki.app/integrations/auth"
	"sparki.app/integrations/db"
	"sparki.app/integrations/feed"
	"sparki.app/integrations/graph"
	"sparki.app/integrations/integrations"
	"sparki.app/integrations/listings"
	"sparki.app/integrations/media"
	"sparki.app/integrations/providers"
	"sparki.app/integrations/resolvers"
	"sparki.app/integrations/server/gql"
	"sparki.app/integrations/tracing"
	"sparki.app/integrations/web"
	"sparki.app/integrations/words"
)

// Server is what the routes need.
type Server struct {
	DB           *db.DB
	Tokens       *auth.Tokens
	Integrations *integrations.Service
	Inbox        *listings.Inbox
	Media        *media.Service
	Providers    []providers.Provider
	Resolver     *resolvers.Resolver
	// PublicURL is the absolute URL of this server, without a slash at the end.
	PublicURL string
	// TrustedProxies are those whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// RedisPing proves that Redis answers.
	RedisPing func(context.Context) error
	// AllowedOrigins are the origins besides our own whose pages may use the API.
	AllowedOrigins []string
	// RateLimit is how many operations a second a portal may ask of this process, twice that at once; 0 for no limit.
	RateLimit float64
	// Limits are the API's other limits.
	Limits gql.Limits
	// Operations, if any, are the only documents that the API serves.
	Operations []string
	// SDL is schema.graphqls.
	SDL []byte
	// Facts stand on the home page.
	Facts []web.Fact
	// Mocks: the mock CRMs' pages and APIs are served, not only their media.
	Mocks bool
	// Drain is how long a server that stops goes on answering, so that its proxy can turn elsewhere.
	Drain time.Duration
	// Traces makes the traces of requests; nil for none.
	Traces trace.TracerProvider
	Log    *slog.Logger
	// Told says what happens; its functions may be nil.
	Told Told

	graphql  *gql.Handler
	http     *http.Server
	stopping atomic.Bool
	signIns  *failures // by address
	webhooks *failures // by address and integration
}

// Told is what somebody wants to be told about requests. The functions are fast.
type Told struct {
	// Requests wraps the routes.
	Requests func(http.Handler) http.Handler
	// Operation is told of each GraphQL operation, see gql.Config.Done.
	Operation func(kind, code string, took time.Duration)
	// Delivery is told of each webhook delivery that was read: "accepted", "ignored", "failed" (kept, but it
	// cannot be read), or why it was refused: "unverified", "unknown", "unreadable", "too_many", "not_stored".
	Delivery func(provider, answer string)
}

const (
	headerTimeout = 5 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 12 << 10         // net/http adds 4 KiB
	finishWithin  = 10 * time.Second // what is in flight when nothing more is taken
)

// Start serves on a listener, and returns. Errors that end it are sent to failed.
func (s *Server) Start(listener net.Listener) (failed <-chan error) {
	s.http = &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
	errs := make(chan error, 1)
	go func() {
		if err := s.http.Serve(listener); err != http.ErrServerClosed {
			errs <- fmt.Errorf("serve HTTP: %w", err)
		}
	}()
	return errs
}

// Stop says at once that it is not ready, closes sockets with 1001, goes on answering for a while, then
// takes no more requests and finishes what is in flight.
func (s *Server) Stop(ctx context.Context) error {
	s.stopping.Store(true)
	ctx, cancel := context.WithTimeout(ctx, s.Drain+finishWithin)
	defer cancel()
	sockets := make(chan error, 1)
	go func() { sockets <- s.graphql.Shutdown(ctx) }()
	drained := time.NewTimer(s.Drain)
	defer drained.Stop()
	select {
	case <-drained.C:
	case <-ctx.Done():
	}
	err := s.http.Shutdown(ctx)
	if socketErr := <-sockets; err == nil {
		err = socketErr
	}
	return err
}

// newGraphQL binds the API's schema to its transports.
func (s *Server) newGraphQL() *gql.Handler {
	portals := &admission{perSecond: s.RateLimit}
	return gql.New(gql.Config{
		Schema:       graph.NewExecutableSchema(graph.Config{Resolvers: s.Resolver}),
		Authenticate: s.authenticate,
		Caller:       holder,
		Proof:        proof,
		Alive:        s.alive,
		Admit:        portals.admit,
		Operations:   s.Operations,
		Limits:       s.Limits,
		CheckOrigin:  s.sameOrAllowedOrigin,
		OnOperation: func(ctx context.Context, oc *graphql.OperationContext) context.Context {
			tracing.Note(ctx, slog.Any("operation", operation{oc}))
			return s.Resolver.WithLoaders(ctx)
		},
		Field: s.Resolver.Direct(),
		Sharing: &gql.Sharing{
			Open: func(ctx context.Context) (context.Context, func() gql.Source) {
				opening, opened := feed.Opening(ctx)
				return opening, func() gql.Source { return opened() }
			},
			Show:      feed.Showing,
			Audience:  audience,
			Positions: []string{"after"},
		},
		Done:   s.operation,
		Errors: s.Resolver.Present,
		Log:    s.Log,
	})
}

// operation names what is asked for by the schema's own names: a caller's may be any text.
type operation struct{ *graphql.OperationContext }

// LogValue is for example "mutation createAppointment".
func (o operation) LogValue() slog.Value {
	names := []string{string(o.Operation.Operation)}
	for _, selection := range o.Operation.SelectionSet {
		if field, ok := selection.(*ast.Field); ok {
			names = append(names, field.Name)
		}
	}
	return slog.StringValue(strings.Join(names, " "))
}

func (s *Server) operation(kind ast.Operation, code string, took time.Duration) {
	if s.Told.Operation != nil {
		s.Told.Operation(string(kind), code, took)
	}
}

// Streams is how many sockets and event streams are open, once it was started.
func (s *Server) Streams() int { return s.graphql.Streams() }

// holder names whose sockets are counted together: an API token with its sessions, or a person of the identity
// provider in a portal, whichever JWTs and sessions they have.
func holder(ctx context.Context) string {
	who, err := sparki.PrincipalFrom(ctx)
	switch {
	case err != nil:
		return ""
	case who.TokenID != uuid.Nil:
		return who.TokenID.String()
	default:
		return who.PortalID.String() + " " + who.Subject
	}
}

// proof names what the caller showed, each of which ends at its own time.
func proof(ctx context.Context) string {
	who, err := sparki.PrincipalFrom(ctx)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(who.Credential.Reveal()))
	return string(sum[:])
}

// audience is who sees the same as the caller: whoever has the same rights in the same portal, in the same language.
func audience(ctx context.Context) string {
	who, err := sparki.PrincipalFrom(ctx)
	if err != nil {
		return ""
	}
	return fmt.Sprint(who.PortalID, slices.Sorted(slices.Values(who.Permissions)), words.LanguageOf(ctx))
}

// CheckOperation says why a document cannot be served by the API.
func CheckOperation(document string) error {
	return gql.CheckOperations(graph.NewExecutableSchema(graph.Config{}).Schema(), []string{document})
}

func (s *Server) authenticate(ctx context.Context, r *http.Request, authorization string) (context.Context, error) {
	who, err := s.caller(ctx, r, authorization)
	if err != nil {
		return nil, noVerdict(err)
	}
	return words.With(sparki.WithPrincipal(ctx, who), strings.Join(r.Header.Values("Accept-Language"), ",")), nil
}

// caller is whom the Authorization header names, or else the session's cookie, where that counts.
func (s *Server) caller(ctx context.Context, r *http.Request, authorization string) (*sparki.Principal, error) {
	if cookie, err := r.Cookie(s.cookieName()); authorization == "" && err == nil && s.cookieCounts(r) {
		return s.Tokens.AuthenticateSession(ctx, cookie.Value)
	}
	return s.Tokens.Authenticate(ctx, authorization)
}

func (s *Server) alive(ctx context.Context) error {
	who, err := sparki.PrincipalFrom(ctx)
	if err == nil {
		err = s.Tokens.Alive(ctx, who)
	}
	return noVerdict(err)
}

// noVerdict marks an error that does not come from the token itself, so that nobody is turned away for it.
func noVerdict(err error) error {
	if err == nil || sparki.KindOf(err) == sparki.Unauthenticated {
		return err
	}
	return fmt.Errorf("%w: %w", gql.ErrUnavailable, err)
}
