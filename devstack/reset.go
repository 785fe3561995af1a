//go:build unix

package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"sparki.app/integrations/devstack/internal/own"
)

// Reset deletes the data in dir, of every Postgres version, so that the next Start begins empty. It
// refuses while a server runs there, and does nothing to a directory Start has not used.
func Reset(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	dir, err = filepath.EvalSymlinks(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(resetPostgres(dir), resetRedis(dir))
}

func resetPostgres(dir string) error {
	return locked(filepath.Join(dir, "postgres.lock"), func(ctx context.Context) error {
		as, err := postgresAccount(dir)
		if err != nil {
			return err
		}
		home, err := postgresHome(dir, as)
		if err != nil {
			return err
		}
		if err := evictClusters(ctx, home); err != nil {
			return err
		}
		if parent := filepath.Dir(home); parent != dir {
			home = parent // the fallback holds nothing else
		}
		return errors.Join(os.RemoveAll(home), os.RemoveAll(shortSocketDir(home, as)))
	})
}

func resetRedis(dir string) error {
	return locked(filepath.Join(dir, "redis.lock"), func(ctx context.Context) error {
		home := filepath.Join(dir, "redis")
		if err := evict(ctx, home, filepath.Join(home, "redis.pid"), syscall.SIGTERM); err != nil {
			return err
		}
		return errors.Join(os.RemoveAll(home), os.RemoveAll(shortSocketDir(home, self())))
	})
}

// locked runs remove as the owner of the lock at path. Without that file there is nothing of ours.
func locked(path string, remove func(context.Context) error) error {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	lock, err := own.Try(path)
	if err != nil {
		return err
	}
	if lock == nil {
		return fmt.Errorf("reset: %s is held by a running server; stop it first", path)
	}
	defer lock.Release()
	return remove(context.Background())
}
