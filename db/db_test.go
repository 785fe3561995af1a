package db_test

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
	"sparki.app/integrations/db"
	"sparki.app/integrations/db/dbtest"
	"sparki.app/integrations/devstack/teststack"
)

func TestMain(m *testing.M) { teststack.Main(m) }

// superuser connects past row-level security, to look at what is really there.
func superuser(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func column(t *testing.T, conn *pgx.Conn, sql string) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Every table and view of the schema keeps portals apart; a new one that forgets to is named here.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	conn := superuser(t, dbtest.URL(t))
	const tables = `from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = 'public' and c.relkind in ('r', 'p') and c.relname <> 'goose_db_version'`
	if got := column(t, conn, `select relname `+tables); len(got) < 16 {
		t.Fatalf("the catalogue lists only %v", got)
	}
	for what, sql := range map[string]string{
		"tables without forced row-level security": `select relname ` + tables + ` and not (c.relrowsecurity and c.relforcerowsecurity)`,
		"tables without a policy that compares the portal": `select relname ` + tables + ` and not exists (
			select from pg_policy p where p.polrelid = c.oid and pg_get_expr(p.polqual, c.oid) like '%portal_id = %app.portal%'
				and p.polroles = array[(select oid from pg_roles where rolname = 'sparki_app')])`,
		"policies for anybody else": `select polname || ' on ' || polrelid::regclass from pg_policy
			where not polroles <@ (select array_agg(oid) from pg_roles where rolname in ('sparki_app', 'sparki_system'))
				and not (polname = 'search' and polcmd = 'r' and polroles = array[(select oid from pg_roles where rolname = 'sparki_search')])`,
		"unique keys that do not begin with the portal": `select i.indexrelid::regclass::text from pg_index i join pg_class c on c.oid = i.indrelid
			join pg_namespace n on n.oid = c.relnamespace
			where n.nspname = 'public' and c.relname <> 'goose_db_version' and i.indisunique
				and (select attname from pg_attribute where attrelid = c.oid and attnum = i.indkey[0]) <> 'portal_id'`,
		"foreign keys that do not begin with the portal": `select conname from pg_constraint k where contype = 'f'
			and (select attname from pg_attribute where attrelid = k.conrelid and attnum = k.conkey[1]) <> 'portal_id'`,
		"views that run with their owner's rights": `select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
			where n.nspname = 'public' and c.relkind in ('v', 'm') and coalesce(array_to_string(c.reloptions, ','), '') not like '%security_invoker=true%'`,
		"functions that run with their owner's rights": `select p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace
			where n.nspname = 'public' and p.prosecdef and not (proowner = (select oid from pg_roles where rolname = 'sparki_search')
				and prosrc like 'begin return query_select id from % where portal_id = nullif(current_setting(''app.portal'', true), '''')::uuid and %')`,
		"functions of the searching role that others than the program may call": `select proname from pg_proc where proowner = 'sparki_search'::regrole
			and has_function_privilege('sparki_system', oid, 'execute')`,
		"grants to the searching role": `select table_name || '.' || column_name || ' ' || privilege_type from information_schema.column_privileges
			where grantee = 'sparki_search' and (privilege_type <> 'SELECT' or table_name not in ('item_searches', 'project_searches') or column_name not in ('portal_id', 'id', 'search'))`,
		"roles that row-level security does not bind": `select rolname from pg_roles
			where rolname in ('sparki_app', 'sparki_system', 'sparki_search') and (rolsuper or rolbypassrls or rolcanlogin)`,
		"grants to the system role on columns that hold what belongs to customers": `select table_name || '.' || column_name from information_schema.column_privileges
			where grantee = 'sparki_system' and column_name in ('body', 'raw', 'listing', 'value', 'sealed', 'previous', 'title', 'content', 'hash', 'params', 'document')`,
	} {
		if got := column(t, conn, sql); len(got) > 0 {
			t.Errorf("%s: %v", what, got)
		}
	}
}

// Two portals take turns on a pool of one connection: neither ever sees a row of the other.
func TestPortalsAreApart(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Options{URL: dbtest.URL(t), MaxConns: 1})
	a, b := dbtest.Portal(t, d), dbtest.Portal(t, d)
	for range 1000 {
		for _, p := range []*sparki.Portal{a, b} {
			if got, err := d.Portal(t.Context(), p.ID); err != nil || got.ID != p.ID {
				t.Fatalf("read own portal: %v, %v", got, err)
			}
			err := d.Tx(t.Context(), p.ID, func(tx *db.Tx) error {
				var n int
				if err := tx.QueryRow(t.Context(), `select count(*) from portals`).Scan(&n); err != nil {
					return err
				}
				if n != 1 {
					t.Errorf("a query without WHERE sees %d portals, want 1", n)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := d.Tokens(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
}

// Who names no portal sees no row, in any table and in either role, and can write none (reliability.md H4).
func TestNoPortalSeesNothing(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	d := dbtest.Open(t, db.Options{URL: url})
	p := dbtest.Portal(t, d)
	conn := superuser(t, url)
	tables := column(t, conn, `select relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = 'public' and c.relkind in ('r', 'p') and c.relname <> 'goose_db_version' order by 1`)
	for what, setting := range map[string]string{"nothing": "", "another portal": sparki.NewID().String(), "a portal that does not exist": "00000000-0000-0000-0000-000000000000"} {
		for _, table := range tables {
			var n int
			err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
				if _, err := tx.Exec(t.Context(), `set local role sparki_app`); err != nil {
					return err
				}
				if _, err := tx.Exec(t.Context(), `select set_config('app.portal', $1, true)`, setting); err != nil {
					return err
				}
				return tx.QueryRow(t.Context(), `select count(*) from `+table).Scan(&n)
			})
			if err != nil || n != 0 {
				t.Errorf("who names %s sees %d rows of %s, %v", what, n, table, err)
			}
		}
		err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), `set local role sparki_app`); err != nil {
				return err
			}
			if _, err := tx.Exec(t.Context(), `select set_config('app.portal', $1, true)`, setting); err != nil {
				return err
			}
			_, err := tx.Exec(t.Context(), `insert into activity_heads (portal_id) values ($1)`, p.ID)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "row-level security") {
			t.Errorf("who names %s writes a row of a portal: %v", what, err)
		}
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	t.Run("SeveralAtOnce", func(t *testing.T) {
		t.Parallel()
		url := dbtest.URL(t)
		conn := superuser(t, url)
		if _, err := conn.Exec(t.Context(), `drop schema public cascade; create schema public`); err != nil {
			t.Fatal(err)
		}
		errs := make(chan error)
		for range 4 {
			go func() { errs <- db.Migrate(t.Context(), url) }()
		}
		for range 4 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if err := dbtest.Open(t, db.Options{URL: url}).CheckSchema(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("OlderSchemaIsRefused", func(t *testing.T) {
		t.Parallel()
		url := dbtest.URL(t)
		if _, err := superuser(t, url).Exec(t.Context(), `delete from goose_db_version where version_id > 0`); err != nil {
			t.Fatal(err)
		}
		err := dbtest.Open(t, db.Options{URL: url}).CheckSchema(t.Context())
		if sparki.KindOf(err) != sparki.Misconfigured {
			t.Errorf("an older schema gives %v", err)
		}
	})
}
