// Package dbtest gives every test a migrated database of its own, on a real Postgres.
package dbtest

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/devstack/teststack"
)

// New opens a fresh database that is dropped when the test ends.
func New(tb testing.TB) *db.DB {
	tb.Helper()
	return Open(tb, db.Options{URL: URL(tb)})
}

// Open opens a pool that is closed when the test ends.
func Open(tb testing.TB, o db.Options) *db.DB {
	tb.Helper()
	d, err := db.Open(tb.Context(), o)
	if err != nil {
		tb.Fatalf("open test database: %v", err)
	}
	tb.Cleanup(d.Close)
	return d
}

// URL makes a fresh database, a clone of a template that is migrated once per server and set of
// migrations, and gives its URL.
func URL(tb testing.TB) string {
	tb.Helper()
	ctx := context.Background()
	server := teststack.DatabaseURL(tb)
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		tb.Fatalf("connect to the test server: %v", err)
	}
	defer conn.Close(ctx)
	template := makeTemplate(tb, conn, server)
	name := "test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if _, err := conn.Exec(ctx, fmt.Sprintf("create database %s template %s strategy file_copy", name, template)); err != nil {
		tb.Fatalf("clone test database: %v", err)
	}
	tb.Cleanup(func() { drop(tb, server, name) })
	return withDatabase(tb, server, name)
}

func drop(tb testing.TB, server, name string) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		tb.Errorf("connect to the test server: %v", err)
		return
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "drop database "+name+" with (force)"); err != nil {
		tb.Errorf("drop test database: %v", err)
	}
}

// templateLock is the advisory lock under which one test process makes the template.
const templateLock = 7_203_114

func makeTemplate(tb testing.TB, conn *pgx.Conn, server string) string {
	tb.Helper()
	ctx := context.Background()
	name := "sparki_template_" + migrationsHash(tb)
	if _, err := conn.Exec(ctx, "select pg_advisory_lock($1)", templateLock); err != nil {
		tb.Fatalf("lock template: %v", err)
	}
	defer conn.Exec(ctx, "select pg_advisory_unlock($1)", templateLock) //nolint:errcheck // the connection is closed next
	var exists bool
	if err := conn.QueryRow(ctx, "select exists (select from pg_database where datname = $1 and datistemplate)", name).Scan(&exists); err != nil {
		tb.Fatalf("look for template: %v", err)
	}
	if exists {
		return name
	}
	for _, sql := range []string{"drop database if exists " + name, "create database " + name + " encoding 'UTF8' template template0"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			tb.Fatalf("make template: %v", err)
		}
	}
	if err := db.Migrate(ctx, withDatabase(tb, server, name)); err != nil {
		tb.Fatalf("migrate template: %v", err)
	}
	if _, err := conn.Exec(ctx, "alter database "+name+" is_template true"); err != nil {
		tb.Fatalf("mark template: %v", err)
	}
	return name
}

// migrationsHash names the template by what it is made of.
func migrationsHash(tb testing.TB) string {
	tb.Helper()
	hash := fnv.New64a()
	for _, migration := range db.Migrations() {
		fmt.Fprintf(hash, "%s\x00%s\x00", migration.Name, migration.SQL)
	}
	return fmt.Sprintf("%x", hash.Sum64())
}

// withDatabase is a server's URL with another database.
func withDatabase(tb testing.TB, server, name string) string {
	tb.Helper()
	if !strings.Contains(server, "://") {
		return server + " dbname=" + name // the last one counts
	}
	u, err := url.Parse(server)
	if err != nil {
		tb.Fatalf("read the test server's URL: %v", err)
	}
	u.Path = "/" + name
	return u.String()
}

// Portal adds a portal that may use these CRMs.
func Portal(tb testing.TB, d *db.DB, addOns ...string) *sparki.Portal {
	tb.Helper()
	p := &sparki.Portal{ID: sparki.NewID(), Name: "Test Makelaars", TimeZone: "Europe/Amsterdam", AddOns: append([]string{}, addOns...)}
	if err := d.CreatePortal(tb.Context(), p); err != nil {
		tb.Fatalf("create portal: %v", err)
	}
	return p
}
