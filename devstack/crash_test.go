//go:build unix

package devstack

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestCrash(t *testing.T) {
	t.Run("OfThisProcessAndTheServer", func(t *testing.T) {
		t.Parallel()
		dir := openDir(t)
		owner := startOther(t, dir, "REDIS_URL="+noServer)
		keepNumber(t, owner.DatabaseURL, 9)
		must(t, syscall.Kill(readPID(filepath.Join(dataDir(t, dir), "postmaster.pid")), syscall.SIGKILL))
		owner.kill()

		wantNumber(t, startPG(t, dir).DatabaseURL, 9)
	})

	t.Run("OfThisProcessAndAStartRightAfter", func(t *testing.T) {
		t.Parallel()
		dir := openDir(t)
		owner := startOther(t, dir, "REDIS_URL="+noServer)
		keepNumber(t, owner.DatabaseURL, 8)
		owner.kill()

		wantNumber(t, startPG(t, dir).DatabaseURL, 8)
	})

	t.Run("OfTheServer", func(t *testing.T) {
		t.Parallel()
		dir := openDir(t)
		log := newLogLines()
		s := start(t, Options{Dir: dir, RedisURL: noServer, Log: log.logger()})
		keepNumber(t, s.DatabaseURL, 7)
		must(t, syscall.Kill(readPID(filepath.Join(dataDir(t, dir), "postmaster.pid")), syscall.SIGKILL))
		log.want(t, "server ended by itself")
		stop(t, s)
		wantVacant(t, dataDir(t, dir), "postmaster.pid")

		wantNumber(t, startPG(t, dir).DatabaseURL, 7)
	})

	t.Run("WithTheProcessNumberGivenToSomebodyElse", func(t *testing.T) {
		t.Parallel()
		dir := openDir(t)
		s := startPG(t, dir)
		stop(t, s)
		stale := fmt.Appendf(nil, "%d\n", os.Getpid())
		socket := filepath.Join(dir, "postgres", "run", postgresSocket)
		for _, path := range []string{filepath.Join(dataDir(t, dir), "postmaster.pid"), socket + ".lock"} {
			must(t, os.WriteFile(path, stale, 0o600))
		}
		must(t, pingPostgres(t.Context(), startPG(t, dir).DatabaseURL))
	})
}
