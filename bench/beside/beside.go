// Package beside holds what Sparki is measured against: for each load the plain server that a good
// engineer would write by hand with net/http, pgx and encoding/json, and nothing that slows it down.
package beside

import (
	"context"
	_ "embed"
	"encoding/json"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Options say what a server works with.
type Options struct {
	// DatabaseURL is its database. For the list that is Sparki's own, so that both read the same rows.
	DatabaseURL string
	// WebhookSecret signs the webhooks.
	WebhookSecret string
	// Token is the one API token that the list accepts, and Portal whose items it lists.
	Token  string
	Portal uuid.UUID
	// PlanOnce writes the list's limit into its statement, so that Postgres need not plan it at each
	// call: a tuned variant.
	PlanOnce bool
}

// Server is all of the plain servers in one.
type Server struct {
	Options
	pool    *pgxpool.Pool
	sockets sockets
}

// maxConns is what Sparki's own pool has.
const maxConns = 16

// New connects to the database and makes the tables.
func New(ctx context.Context, o Options) (*Server, error) {
	config, err := pgxpool.ParseConfig(o.DatabaseURL)
	if err != nil {
		return nil, err
	}
	config.MaxConns = maxConns
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if _, err := pool.Exec(ctx, schema); err != nil {
		pool.Close()
		return nil, err
	}
	return &Server{Options: o, pool: pool}, nil
}

// Close gives the connections back.
func (s *Server) Close() { s.pool.Close() }

//go:embed schema.sql
var schema string

// Handler lists the routes. README.md describes them for other servers that take this one's place.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ready", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /ingest", s.ingest)
	mux.HandleFunc("GET /list", s.list)
	mux.HandleFunc("POST /backfill", s.backfill)
	mux.HandleFunc("GET /fan-out", s.subscribe)
	mux.HandleFunc("POST /fan-out", s.broadcast)
	return mux
}

// Serve answers on an address until the context ends.
func (s *Server) Serve(ctx context.Context, address string) error {
	server := &http.Server{Addr: address, Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second}
	stopped := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stopped()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the peer is gone otherwise
}

func fail(w http.ResponseWriter, err error) {
	http.Error(w, err.Error(), http.StatusInternalServerError)
}
