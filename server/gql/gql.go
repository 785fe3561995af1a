// Package gql speaks GraphQL with the outside world: over HTTP, over server-sent events and over WebSocket, straight on
// gqlgen's executor, because gqlgen's own transports break the specifications they name.
//
// It keeps to "GraphQL over HTTP" (graphql.github.io/graphql-over-http), to PROTOCOL.md of the npm package graphql-ws
// (subprotocol graphql-transport-ws) and to the distinct connections mode of PROTOCOL.md of the npm package graphql-sse.
// It bounds what an operation may ask for before it is validated or run. What the schema means, who may do what and how
// a resolver's error reads is left to the caller.
package gql

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Config says what a Handler serves and whom it asks. Schema and Authenticate are needed, the rest has defaults.
type Config struct {
	Schema graphql.ExecutableSchema

	// Authenticate turns what a caller shows into the context that resolvers see, or refuses: 401 over HTTP, close code
	// 4403 over a socket. authorization is the Authorization header, or the member "Authorization" of connection_init's
	// payload, "" when there was none; cookies are in r. For a socket r is the handshake, whose Accept-Language gives way
	// to that of the payload, and ctx lives as long as the socket: context.AfterFunc tells when it is gone.
	// An error that wraps ErrUnavailable is no verdict: 503 and close code 1013.
	Authenticate func(ctx context.Context, r *http.Request, authorization string) (context.Context, error)

	// Caller names whom Authenticate let in: sockets and event streams of one name are counted together. nil or "" tells
	// nobody apart.
	Caller func(ctx context.Context) string

	// Proof names what the caller showed, of which it may have several: Alive is asked once for all that was opened with
	// one. nil takes Caller's word for it.
	Proof func(ctx context.Context) string

	// Alive is asked about everybody who has an open socket or event stream, every Limits.AliveEvery, with a context that
	// Authenticate made. An error ends all that was opened with the same proof, sockets with 4403, unless it wraps
	// ErrUnavailable or a context error: then it is asked again.
	Alive func(ctx context.Context) error

	// Admit is asked before each operation. Anything above zero refuses it with RATE_LIMITED, over HTTP with 429, and says
	// when it is worth another try. nil admits all.
	Admit func(ctx context.Context) (retryAfter time.Duration)

	// Operations, if any, are the only documents that are served, whatever their white space and comments.
	Operations []string

	// CheckOrigin decides on the Origin of a WebSocket handshake; nil lets in only the page's own origin.
	CheckOrigin func(*http.Request) bool

	// OnOperation makes what one answer needs, such as dataloaders. It runs before an operation starts, and once more for
	// every event of a subscription, so that nothing outlives one answer. It may set oc.DisableIntrospection.
	OnOperation func(ctx context.Context, oc *graphql.OperationContext) context.Context

	// Done is told of each operation when its answer is made, of a subscription when its first one is: its kind, "" when it
	// was refused before that was known, the extensions.code of its first error, "" without one, and how long it took.
	Done func(kind ast.Operation, code string, took time.Duration)

	// Sharing has what is made of an event made once for all who are shown the same; nil makes it for each subscription.
	Sharing *Sharing

	// Errors words the errors of resolvers. It does not see refused requests, nor arguments that do not fit their type:
	// those are BAD_USER_INPUT already. nil hides every error without an extensions.code and logs it.
	Errors graphql.ErrorPresenterFunc

	// Field sees every field being resolved, and may answer with a graphql.Marshaler in place of what the field's resolver
	// says, so that the executor does not look below it. nil leaves all to the executor.
	Field graphql.FieldMiddleware

	// Recover turns a panic into an error, which goes through Errors. nil logs it with its stack.
	Recover graphql.RecoverFunc

	Limits Limits
	Log    *slog.Logger
}

// Limits bounds what one caller can ask for. Zero means the default that stands behind each field.
type Limits struct {
	Body    int64 // bytes of an HTTP request body; 1 MiB
	Message int64 // bytes of one socket message from the client; 256 KiB

	Tokens        int   // lexical tokens of a document; 2,000
	Depth         int   // fields below each other, leaves included; 12
	Introspection int   // the same below __schema and __type; 15, which graphql-js' own query needs
	Aliases       int   // aliases written in a document; 30
	RootFields    int   // fields of an operation's root, fragments expanded; 20
	First         int   // largest value of an argument named first; 100
	List          int   // assumed length of a list that no first bounds; 3
	Cost          int64 // objects that an answer may hold by its first arguments and List; 10,000

	Operation  time.Duration // for a query or a mutation to run; 10 s
	Operations int           // at a time on one socket; 100
	Streams    int           // open sockets and event streams together; 2,000

	CallerStreams int // those of one caller; 20
	Subscriptions int // of one caller at a time, on all of its sockets; 200

	InitWait   time.Duration // from the handshake to connection_init; 3 s
	WriteWait  time.Duration // for a peer to take one frame; 5 s
	PingEvery  time.Duration // a peer that is silent for twice as long is gone; 15 s
	AliveEvery time.Duration // 5 s
	Queue      int           // frames that wait for one socket; 64
}

func (l Limits) withDefaults() Limits {
	l.Body = cmp.Or(l.Body, 1<<20)
	l.Message = cmp.Or(l.Message, 256<<10)
	l.Tokens = cmp.Or(l.Tokens, 2_000)
	l.Depth = cmp.Or(l.Depth, 12)
	l.Introspection = cmp.Or(l.Introspection, 15)
	l.Aliases = cmp.Or(l.Aliases, 30)
	l.RootFields = cmp.Or(l.RootFields, 20)
	l.First = cmp.Or(l.First, 100)
	l.List = cmp.Or(l.List, 3)
	l.Cost = cmp.Or(l.Cost, 10_000)
	l.Operation = cmp.Or(l.Operation, 10*time.Second)
	l.Operations = cmp.Or(l.Operations, 100)
	l.Streams = cmp.Or(l.Streams, 2_000)
	l.CallerStreams = cmp.Or(l.CallerStreams, 20)
	l.Subscriptions = cmp.Or(l.Subscriptions, 200)
	l.InitWait = cmp.Or(l.InitWait, 3*time.Second)
	l.WriteWait = cmp.Or(l.WriteWait, 5*time.Second)
	l.PingEvery = cmp.Or(l.PingEvery, 15*time.Second)
	l.AliveEvery = cmp.Or(l.AliveEvery, 5*time.Second)
	l.Queue = cmp.Or(l.Queue, 64)
	return l
}

// Handler serves one schema at one path. It is safe for concurrent use.
type Handler struct {
	config    Config
	limits    Limits
	log       *slog.Logger
	documents *documents
	executor  *executor.Executor
	streams   *streams
	shares    *shares
	upgrader  websocket.Upgrader
}

// New panics when the schema or Authenticate is missing: without them nothing can be served safely. So it does when
// CheckOperations refuses the operations.
func New(c Config) *Handler {
	if c.Schema == nil || c.Authenticate == nil {
		panic("gql: Config.Schema and Config.Authenticate are required")
	}
	limits := c.Limits.withDefaults()
	h := &Handler{
		config:    c,
		limits:    limits,
		log:       cmp.Or(c.Log, slog.Default()),
		documents: newDocuments(c.Schema.Schema(), limits, c.Operations),
		executor:  executor.New(c.Schema),
		shares:    &shares{groups: make(map[groupKey]*group)},
		upgrader: websocket.Upgrader{
			// Idle sockets cost what they hold: a small read buffer, and a write buffer only while writing.
			ReadBufferSize:  512,
			WriteBufferSize: 4 << 10,
			WriteBufferPool: new(sync.Pool),
			Subprotocols:    []string{subprotocol},
			CheckOrigin:     c.CheckOrigin,
			// No compression: gorilla's read limit counts compressed bytes, so it would let bombs in.
			EnableCompression: false,
		},
	}
	h.streams = newStreams(&h.limits, h.alive, h.names)
	h.executor.SetErrorPresenter(h.present)
	h.executor.SetRecoverFunc(h.recovered)
	h.executor.SetQueryCache(prepared{})
	if c.Field != nil {
		h.executor.AroundFields(c.Field)
	}
	return h
}

// ServeHTTP answers GET and POST, and upgrades WebSocket handshakes.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if websocket.IsWebSocketUpgrade(r) {
		h.serveSocket(w, r)
		return
	}
	h.serveHTTP(w, r)
}

// Streams is how many sockets and event streams are open.
func (h *Handler) Streams() int { return h.streams.count() }

// done tells Config.Done.
func (h *Handler) done(kind ast.Operation, errs gqlerror.List, began time.Time) {
	if h.config.Done == nil {
		return
	}
	code := ""
	if len(errs) > 0 {
		if code, _ = errs[0].Extensions["code"].(string); code == "" {
			code = codeInternal
		}
	}
	h.config.Done(kind, code, time.Since(began))
}

// Shutdown refuses new sockets and event streams, closes the open sockets with 1001, ends the event streams without
// "complete" so that their clients come back elsewhere, and waits until all of them are gone. When ctx ends first it
// cuts what is left and returns ctx's error. Plain requests are served on: the HTTP server's own Shutdown ends those.
func (h *Handler) Shutdown(ctx context.Context) error {
	return h.streams.shutdown(ctx)
}

// prepared hands the executor the document that prepare put into the context, so that it never parses or validates.
type prepared struct{}

// documentKey finds the *ast.QueryDocument of the operation under way.
type documentKey struct{}

func (prepared) Get(ctx context.Context, _ string) (*ast.QueryDocument, bool) {
	doc, ok := ctx.Value(documentKey{}).(*ast.QueryDocument)
	return doc, ok
}

func (prepared) Add(context.Context, string, *ast.QueryDocument) {}
