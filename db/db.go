// Package db keeps everything in Postgres: one file per noun, hand-written SQL.
//
// Every statement runs inside a portal (row-level security hides all others) or, for finding due
// work and looking up ids, in the system role, which is granted a few columns and nothing else.
package db

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"sparki.app/integrations"
)

// DB is the database. Safe for concurrent use.
type DB struct {
	pool *pgxpool.Pool
}

// Options are what a pool is made of.
type Options struct {
	// URL is a Postgres connection string.
	URL string
	// MaxConns bounds the pool; 0 means 10.
	MaxConns int32
	// StatementTimeout ends a statement that takes longer; 0 means 10 s.
	StatementTimeout time.Duration
	// Tracer sees every statement; may be nil.
	Tracer pgx.QueryTracer
}

// Open makes a pool whose connections see nothing until a portal is named.
func Open(ctx context.Context, o Options) (*DB, error) {
	config, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, errors.New("DATABASE_URL is not a Postgres connection string") // its own error may hold the password
	}
	config.MaxConns = 10
	if o.MaxConns > 0 {
		config.MaxConns = o.MaxConns
	}
	if o.StatementTimeout == 0 {
		o.StatementTimeout = 10 * time.Second
	}
	config.ConnConfig.Tracer = o.Tracer
	params := config.ConnConfig.RuntimeParams
	params["application_name"] = "sparki"
	params["timezone"] = "UTC"
	params["plan_cache_mode"] = "force_generic_plan" // LIMIT $n is else planned anew at every call
	params["random_page_cost"] = "1.1"               // flash or memory: else a filter makes Postgres read and sort a whole table
	params["statement_timeout"] = fmt.Sprint(o.StatementTimeout.Milliseconds())
	params["idle_in_transaction_session_timeout"] = "10000"
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		registerTypes(c.TypeMap())
		if _, err := c.Exec(ctx, "set role sparki_app"); err != nil {
			return fmt.Errorf("take the role sparki_app (does the schema exist? run `sparki migrate`): %w", err)
		}
		return nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return &DB{pool: pool}, nil
}

// Close gives all connections back.
func (d *DB) Close() { d.pool.Close() }

// ErrReadOnly: the database answers and takes no writes, as a replica does.
var ErrReadOnly = errors.New("the database takes no writes")

// Ping proves that the database answers and takes writes; ErrReadOnly when it does not take them.
func (d *DB) Ping(ctx context.Context) error {
	var readOnly bool
	err := d.pool.QueryRow(ctx, "select current_setting('transaction_read_only')::boolean").Scan(&readOnly)
	if err == nil && readOnly {
		return ErrReadOnly
	}
	return err
}

// setPortal opens a transaction's eyes for one portal, until it ends.
const setPortal = `select set_config('app.portal', $1, true)`

// A Tx is a transaction inside one portal.
type Tx struct {
	pgx.Tx
	portal     uuid.UUID
	activities []sparki.Activity // written last, see activity
}

// retryable are the states after which a whole transaction may simply be run again.
var retryable = map[string]bool{"40001": true, "40P01": true} // serialization failure, deadlock

// Tx runs f in a transaction that sees one portal, and once more after a deadlock. Activities that f
// added are written last, under the portal's activity lock.
func (d *DB) Tx(ctx context.Context, portal uuid.UUID, f func(*Tx) error) error {
	const tries = 3
	var err error
	for range tries {
		begin := pgx.TxOptions{BeginQuery: "begin; select set_config('app.portal', '" + portal.String() + "', true)"}
		err = pgx.BeginTxFunc(ctx, d.pool, begin, func(pgtx pgx.Tx) error {
			tx := &Tx{Tx: pgtx, portal: portal}
			if err := f(tx); err != nil {
				return err
			}
			return tx.writeActivities(ctx)
		})
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); !ok || !retryable[pgErr.Code] {
			break
		}
	}
	return classify(err)
}

// system runs f in the role that sees all portals, but only what is granted to it.
func (d *DB) system(ctx context.Context, f func(pgx.Tx) error) error {
	begin := pgx.TxOptions{BeginQuery: "begin; set local role sparki_system"}
	return classify(pgx.BeginTxFunc(ctx, d.pool, begin, f))
}

// query reads rows inside one portal, in one round trip.
func query[T any](ctx context.Context, d *DB, portal uuid.UUID, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	var out []T
	batch := &pgx.Batch{}
	batch.Queue(setPortal, portal.String())
	batch.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		var err error
		out, err = pgx.CollectRows(rows, scan)
		return err
	})
	if err := d.pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, classify(err)
	}
	return out, nil
}

// one reads exactly one row inside one portal; NotFound when there is none.
func one[T any](ctx context.Context, d *DB, portal uuid.UUID, scan pgx.RowToFunc[T], sql string, args ...any) (T, error) {
	rows, err := query(ctx, d, portal, scan, sql, args...)
	if err != nil || len(rows) == 1 {
		return first(rows), err
	}
	return first(rows), errNotFound
}

// exec runs one statement inside one portal and tells how many rows it touched.
func (d *DB) exec(ctx context.Context, portal uuid.UUID, sql string, args ...any) (int64, error) {
	var tag pgconn.CommandTag
	batch := &pgx.Batch{}
	batch.Queue(setPortal, portal.String())
	batch.Queue(sql, args...).Exec(func(t pgconn.CommandTag) error { tag = t; return nil })
	if err := d.pool.SendBatch(ctx, batch).Close(); err != nil {
		return 0, classify(err)
	}
	return tag.RowsAffected(), nil
}

// collect reads rows inside a transaction.
func collect[T any](ctx context.Context, tx pgx.Tx, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// collectOne reads exactly one row inside a transaction; NotFound when there is none.
func collectOne[T any](ctx context.Context, tx pgx.Tx, scan pgx.RowToFunc[T], sql string, args ...any) (T, error) {
	rows, err := collect(ctx, tx, scan, sql, args...)
	if err != nil || len(rows) == 1 {
		return first(rows), err
	}
	return first(rows), errNotFound
}

func first[T any](rows []T) (zero T) {
	if len(rows) == 1 {
		return rows[0]
	}
	return zero
}

var errNotFound = sparki.Errorf(sparki.NotFound, "no object with this id")

// classify gives errors of the database their kind: a database that is away is Unavailable, a text
// that none can hold, with a NUL in it, Invalid.
func classify(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if _, ok := errors.AsType[*sparki.Error](err); ok {
		return err
	}
	if _, ok := errors.AsType[sparki.Refusal](err); ok {
		return err
	}
	if isAway(err) {
		return &sparki.Error{Kind: sparki.Unavailable, Text: "the database does not answer; try again", RetryAfter: 5 * time.Second, Err: err}
	}
	if isData(err, "22021") {
		return &sparki.Error{Kind: sparki.Invalid, Text: "the text holds a character that cannot be stored", Err: err}
	}
	return err
}

// isData says whether a statement failed for a value that it was given: one of class 22, as
// PostgreSQL's appendix A names them, whose code begins so.
func isData(err error, code string) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && strings.HasPrefix(pgErr.Code, code)
}

// isAway tells a database that cannot be reached or cannot take writes from a statement that is wrong.
func isAway(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		_, connect := errors.AsType[*pgconn.ConnectError](err)
		return connect || pgconn.SafeToRetry(err) || pgconn.Timeout(err) || errors.Is(err, context.DeadlineExceeded) || isNetwork(err)
	}
	// 08 connection, 53 out of resources, 57 shut down or starting, 58 system error, 25006 read only.
	for _, class := range []string{"08", "53", "57", "58", "25006"} {
		if strings.HasPrefix(pgErr.Code, class) {
			return true
		}
	}
	return false
}
