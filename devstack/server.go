//go:build unix

package devstack

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"sparki.app/integrations/devstack/internal/own"
)

// kind is what Postgres and Redis have in common for the processes that share a directory.
type kind struct {
	// name is that of the lock file, too.
	name string
	// ping tells whether the server at url is ready to work.
	ping func(ctx context.Context, url string) error
	// run brings up a server of our own. It publishes the URL on lock, and keeps lock until that
	// server has been stopped.
	run func(ctx context.Context, dir string, o Options, lock *own.Lock) (service, error)
}

// joinOrRun returns the server another process runs for o.Dir, or else one of our own.
func (k kind) joinOrRun(ctx context.Context, o Options) (service, error) {
	dir, err := makeDir(o.Dir)
	if err != nil {
		return service{}, err
	}
	lock, url, err := own.Acquire(ctx, filepath.Join(dir, k.name+".lock"), k.ping)
	if err != nil {
		return service{}, err
	}
	if lock == nil {
		o.Log.Info("server adopted from another process", "server", k.name, "url", url)
		return service{url: url}, nil
	}
	s, err := k.run(ctx, dir, o, lock)
	if err != nil {
		lock.Release()
	}
	return s, err
}

// server is a process that was just launched.
type server struct {
	*process
	name    string
	url     string
	ping    func(ctx context.Context, url string) error
	logFile string
	end     func(context.Context) error
}

// serve waits until the server is ready and lets other processes know.
func (s server) serve(ctx context.Context, lock *own.Lock, log *slog.Logger) (service, error) {
	err := s.awaitReady(ctx, func(ctx context.Context) error { return s.ping(ctx, s.url) })
	if err == nil {
		err = lock.Publish(s.url)
	}
	if err != nil {
		s.end(ctx)
		return service{}, fmt.Errorf("start %s: %w\n%s", s.cmd.Path, err, logTail(s.logFile))
	}
	asked := make(chan struct{})
	go s.watch(asked, log.With("server", s.name, "log", s.logFile))
	return service{url: s.url, stop: func(ctx context.Context) error {
		close(asked)
		defer lock.Release()
		lock.Publish("")
		return s.end(ctx)
	}}, nil
}
