//go:build unix

package devstack

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"sparki.app/integrations/devstack/internal/own"
)

func TestStart(t *testing.T) {
	t.Run("KeepsDataOverARestart", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(openDir(t), ".data")
		first := startPG(t, dir)
		keepNumber(t, first.DatabaseURL, 15)
		stop(t, first)
		wantVacant(t, dataDir(t, dir), "postmaster.pid")

		second := startPG(t, dir)
		wantNumber(t, second.DatabaseURL, 15)
	})

	t.Run("UsesGivenURLsAndStartsNothing", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(openDir(t), ".data")
		s := start(t, Options{Dir: dir, DatabaseURL: "postgres://a/b", RedisURL: "redis://c"})
		if s.DatabaseURL != "postgres://a/b" || s.RedisURL != "redis://c" {
			t.Errorf("got %+v", s)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("it made the data directory (%v)", err)
		}
	})

	t.Run("NeedsADirectoryForItsOwn", func(t *testing.T) {
		t.Parallel()
		_, err := Start(t.Context(), Options{RedisURL: noServer})
		wantError(t, err, "no directory")
	})

	t.Run("SharesOneServerAmongManyAtOnce", func(t *testing.T) {
		t.Parallel()
		dir := openDir(t)
		stacks := make([]*Stack, 4)
		var wg sync.WaitGroup
		for i := range stacks {
			wg.Go(func() {
				var err error
				if stacks[i], err = Start(t.Context(), Options{Dir: dir}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if t.Failed() {
			return
		}
		owners := 0
		for _, s := range stacks {
			if s.postgres.stop != nil {
				owners++
				defer stop(t, s)
			}
			if s.DatabaseURL != stacks[0].DatabaseURL || s.RedisURL != stacks[0].RedisURL {
				t.Errorf("got %+v and %+v", s, stacks[0])
			}
		}
		if owners != 1 {
			t.Errorf("%d of them own the server", owners)
		}
	})

	t.Run("NothingIsLeftWhenTheContextEndsInBetween", func(t *testing.T) {
		t.Parallel()
		dir := openDir(t)
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error)
		go func() {
			_, err := Start(ctx, Options{Dir: dir, RedisURL: noServer})
			errs <- err
		}()
		eventually(t, "initdb runs", func() bool { return len(dataDirs(t, dir)) > 0 })
		cancel()
		wantError(t, <-errs, "context canceled")
		if left := dataDirs(t, dir); len(left) > 0 {
			t.Errorf("left %v", left)
		}
		startPG(t, dir)
	})

	t.Run("RemovesWhatAnInterruptedInitdbLeft", func(t *testing.T) {
		t.Parallel()
		dir := openDir(t)
		stop(t, startPG(t, dir))
		data := dataDir(t, dir)
		must(t, os.Rename(data, data+".new-1"))
		startPG(t, dir)
		if got := dataDir(t, dir); got != data {
			t.Errorf("data is in %s, want %s", got, data)
		}
	})

	t.Run("IgnoresPGSERVICE", func(t *testing.T) {
		t.Setenv("PGSERVICE", "somewhere-else")
		t.Setenv("PG_BIN_DIR", "")
		log := newLogLines()
		start(t, Options{Dir: openDir(t), RedisURL: noServer, Log: log.logger()})
		log.want(t, "PGSERVICE")
		if _, kept := os.LookupEnv("PG_BIN_DIR"); !kept {
			t.Error("PG_BIN_DIR is ours and should stay")
		}
	})
}

func TestAdopt(t *testing.T) {
	t.Run("LeavesTheServerToItsOwner", func(t *testing.T) {
		t.Parallel()
		dir := openDir(t)
		owner := startOther(t, dir)
		s := start(t, Options{Dir: dir})
		if s.DatabaseURL != owner.DatabaseURL || s.RedisURL != owner.RedisURL {
			t.Errorf("got %+v, the owner has %+v", s, owner.Stack)
		}
		stop(t, s)
		must(t, pingPostgres(t.Context(), owner.DatabaseURL))
		must(t, pingRedis(t.Context(), owner.RedisURL))
		owner.finish(t)
		wantVacant(t, dataDir(t, dir), "postmaster.pid")
	})

	t.Run("StartsAfreshWhenTheOwnerIsLeaving", func(t *testing.T) {
		t.Parallel()
		dir := openDir(t)
		leaving, err := own.Try(filepath.Join(dir, "postgres.lock"))
		must(t, err)
		listener, err := net.Listen("unix", filepath.Join(dir, postgresSocket))
		must(t, err)
		must(t, leaving.Publish("postgres://postgres@/postgres?sslmode=disable&host="+dir))
		stacks := make(chan *Stack)
		go func() {
			s, err := Start(t.Context(), Options{Dir: dir, RedisURL: noServer})
			if err != nil {
				t.Error(err)
			}
			stacks <- s
		}()
		conn, err := listener.Accept() // it asks the old server whether it is well
		must(t, err)
		must(t, conn.Close())
		must(t, listener.Close())
		leaving.Release()
		s := <-stacks
		if s == nil {
			return
		}
		defer stop(t, s)
		must(t, pingPostgres(t.Context(), s.DatabaseURL))
	})
}

func TestStop(t *testing.T) {
	t.Run("LeavesNothingEvenInAHurry", func(t *testing.T) {
		t.Parallel()
		dir := openDir(t)
		s := startPG(t, dir)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		must(t, s.Stop(ended))
		wantVacant(t, dataDir(t, dir), "postmaster.pid")
	})

	t.Run("KillsAServerThatDoesNotListen", func(t *testing.T) {
		t.Parallel()
		dir := openDir(t)
		s := startPG(t, dir)
		data := dataDir(t, dir)
		must(t, syscall.Kill(readPID(filepath.Join(data, "postmaster.pid")), syscall.SIGSTOP))
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		must(t, s.Stop(ended))
		wantVacant(t, data, "postmaster.pid")
		startPG(t, dir)
	})
}

func TestReset(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	s := start(t, Options{Dir: dir})
	wantError(t, Reset(dir), "stop it first")
	stop(t, s)
	must(t, os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600))

	must(t, Reset(dir))
	var left []string
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if got := strings.Join(left, " "); got != "mine postgres.lock postgres.log redis.lock" && got != "mine postgres.lock postgres.log redis.lock redis.log" {
		t.Errorf("left: %s", got)
	}

	unused := t.TempDir()
	must(t, os.Mkdir(filepath.Join(unused, "postgres"), 0o700))
	must(t, Reset(unused))
	if _, err := os.Stat(filepath.Join(unused, "postgres")); err != nil {
		t.Errorf("it deleted a directory Start has not used: %v", err)
	}
	must(t, Reset(filepath.Join(unused, "missing")))
}
