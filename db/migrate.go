package db

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"sparki.app/integrations"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the database up to date. Several may run at once: one works, the others wait.
func Migrate(ctx context.Context, url string) error {
	return withProvider(url, func(p *goose.Provider) error {
		_, err := p.Up(ctx)
		return err
	})
}

// CheckSchema fails when the database is older than this program. A newer one is fine: a migration
// is readable by the program before it.
func (d *DB) CheckSchema(ctx context.Context) error {
	want, err := newestMigration()
	if err != nil {
		return err
	}
	have, err := one(ctx, d, uuid.Nil, pgx.RowTo[int64], `select coalesce(max(version_id), 0) from goose_db_version where is_applied`)
	if hasNoSchema(err) {
		return sparki.Errorf(sparki.Misconfigured, "the database has no schema yet: run `sparki migrate`")
	}
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if have < want {
		return sparki.Errorf(sparki.Misconfigured, "the database is at schema version %d, this program needs %d: run `sparki migrate`", have, want)
	}
	return nil
}

// hasNoSchema recognises a database that was never migrated: the table is not there, or the role.
func hasNoSchema(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pgErr.Code == pgerrcodeUndefinedTable || pgErr.Code == pgerrcodeUndefinedObject)
}

// Codes of Postgres, appendix A of its manual.
const (
	pgerrcodeUndefinedTable  = "42P01"
	pgerrcodeUndefinedObject = "22023" // invalid_parameter_value: set role to one that does not exist
)

func newestMigration() (int64, error) {
	all := Migrations()
	return goose.NumericComponent(all[len(all)-1].Name)
}

func withProvider(url string, f func(*goose.Provider) error) error {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return sparki.Errorf(sparki.Misconfigured, "DATABASE_URL is not a Postgres connection string")
	}
	pool := stdlib.OpenDB(*config)
	defer pool.Close()
	provider, err := newProvider(pool)
	if err != nil {
		return err
	}
	return f(provider)
}

func newProvider(pool *sql.DB) (*goose.Provider, error) {
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, pool, files, goose.WithSessionLocker(locker))
}

// Migration is one step of the schema.
type Migration struct{ Name, SQL string }

// Migrations lists all steps, in order.
func Migrations() []Migration {
	entries, err := migrations.ReadDir("migrations")
	if err != nil {
		panic(err) // embedded
	}
	all := make([]Migration, len(entries))
	for i, entry := range entries {
		sql, err := migrations.ReadFile("migrations/" + entry.Name())
		if err != nil {
			panic(err) // embedded
		}
		all[i] = Migration{entry.Name(), string(sql)}
	}
	return all
}
