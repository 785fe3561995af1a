//go:build unix

package devstack

import (
	"context"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"sparki.app/integrations/devstack/internal/own"
)

// startPostgres joins the server another process runs for o.Dir, or runs it.
func startPostgres(ctx context.Context, o Options) (service, error) {
	if names := UnsetLibpqEnv(); len(names) > 0 {
		o.Log.Warn("libpq variables removed from the environment, they would change the connection to our own Postgres", "names", names)
	}
	return kind{"postgres", pingPostgres, runPostgres}.joinOrRun(ctx, o)
}

func runPostgres(ctx context.Context, dir string, o Options, lock *own.Lock) (service, error) {
	began := time.Now()
	c, err := newCluster(ctx, dir, o)
	if err != nil {
		return service{}, err
	}
	if others := c.otherMajors(); len(others) > 0 {
		o.Log.Warn("data of other Postgres versions is left as it is and not used", "home", c.home, "used", c.major, "others", others)
	}
	if err := c.clear(ctx); err != nil {
		return service{}, err
	}
	if err := c.create(ctx); err != nil {
		return service{}, err
	}
	p, err := c.start()
	if err != nil {
		return service{}, err
	}
	end := func(ctx context.Context) error { return c.stop(ctx, p) }
	s, err := server{p, "postgres", c.url(), pingPostgres, c.logFile, end}.serve(ctx, lock, o.Log)
	if err == nil {
		o.Log.Info("postgres ready", "version", c.major, "programs", c.dir, "data", c.data(), "took", time.Since(began))
	}
	return s, err
}

// newCluster decides who runs which Postgres where.
func newCluster(ctx context.Context, dir string, o Options) (c cluster, err error) {
	if c.as, err = postgresAccount(dir); err != nil {
		return c, err
	}
	if c.binaries, err = newFinder(c.as, o.Log).find(ctx); err != nil {
		return c, err
	}
	if c.home, err = postgresHome(dir, c.as); err != nil {
		return c, err
	}
	if c.sockets, err = socketDir(c.home, postgresSocket, c.as); err != nil {
		return c, err
	}
	c.logFile = filepath.Join(dir, "postgres.log")
	if o.Ephemeral {
		c.settings = ephemeralSettings
	}
	return c, nil
}

// pingPostgres tells whether the server takes connections.
func pingPostgres(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}
