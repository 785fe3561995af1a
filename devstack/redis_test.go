//go:build unix

package devstack

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// onlyOnPath makes PATH one directory with those links, name to target.
func onlyOnPath(t *testing.T, links map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, target := range links {
		must(t, os.Symlink(target, filepath.Join(dir, name)))
	}
	t.Setenv("PATH", dir)
}

// fakeRedisOnPath puts fakeRedis before what PATH has.
func fakeRedisOnPath(t *testing.T) {
	t.Helper()
	path := os.Getenv("PATH")
	self, err := os.Executable()
	must(t, err)
	onlyOnPath(t, map[string]string{"redis-server": self, "valkey-server": "/no/such/program"})
	t.Setenv("PATH", os.Getenv("PATH")+":"+path)
}

func startOnlyRedis(t *testing.T, dir string) (*Stack, *redis.Client) {
	t.Helper()
	s := start(t, Options{Dir: dir, DatabaseURL: noServer})
	opt, err := redis.ParseURL(s.RedisURL)
	must(t, err)
	client := redis.NewClient(opt)
	t.Cleanup(func() { client.Close() })
	return s, client
}

func TestRedisOnPath(t *testing.T) {
	t.Run("RunsOnASocket", func(t *testing.T) {
		fakeRedisOnPath(t)
		dir := filepath.Join(openDir(t), "it's +")
		s, client := startOnlyRedis(t, dir)
		if !strings.HasPrefix(s.RedisURL, "unix:///") {
			t.Errorf("got %s", s.RedisURL)
		}
		must(t, client.Set(t.Context(), "a", "b", 0).Err())
		stop(t, s)
		wantVacant(t, filepath.Join(dir, "redis"), "redis.pid")
	})

	t.Run("LongPath", func(t *testing.T) {
		fakeRedisOnPath(t)
		dir := filepath.Join(openDir(t), strings.Repeat("long/", 30))
		t.Cleanup(func() { must(t, Reset(dir)) })
		s, _ := startOnlyRedis(t, dir)
		if !strings.HasPrefix(s.RedisURL, "unix:///tmp/sparki-") {
			t.Errorf("got %s", s.RedisURL)
		}
		stop(t, s)
	})

	t.Run("RecoversFromAHardKill", func(t *testing.T) {
		fakeRedisOnPath(t)
		dir := openDir(t)
		owner := startOther(t, dir, "DATABASE_URL="+noServer)
		owner.kill()
		_, client := startOnlyRedis(t, dir)
		must(t, client.Ping(t.Context()).Err())
	})

	t.Run("ShowsWhyItDoesNotStart", func(t *testing.T) {
		fakeRedisOnPath(t)
		t.Setenv("FAKE_REDIS_FAILS", "1")
		_, err := Start(t.Context(), Options{Dir: openDir(t), DatabaseURL: noServer})
		wantError(t, err, "redis: start", "exit status 1", "# FATAL CONFIG FILE ERROR")
	})

	t.Run("StopsPostgresWhenItDoesNotStart", func(t *testing.T) {
		fakeRedisOnPath(t)
		t.Setenv("FAKE_REDIS_FAILS", "1")
		dir := openDir(t)
		_, err := Start(t.Context(), Options{Dir: dir})
		wantError(t, err, "redis: start")
		wantVacant(t, dataDir(t, dir), "postmaster.pid")
	})

	t.Run("WritesToDiskUnlessEphemeral", func(t *testing.T) {
		for ephemeral, want := range map[bool]string{false: "--appendonly yes", true: "--appendonly no"} {
			if args := strings.Join(redisServer{ephemeral: ephemeral}.args(), " "); !strings.Contains(args, want) {
				t.Errorf("ephemeral %t: %s", ephemeral, args)
			}
		}
	})
}

// TestRealRedis says more where the machine has one; the tests above play it.
func TestRealRedis(t *testing.T) {
	program, found := lookRedis()
	if !found {
		t.Log("no valkey-server or redis-server on PATH")
		return
	}
	t.Log(program)
	dir := openDir(t)
	s, client := startOnlyRedis(t, dir)
	must(t, client.Set(t.Context(), "kept", "over a stop", 0).Err())
	policy, err := client.ConfigGet(t.Context(), "maxmemory-policy").Result()
	must(t, err)
	if policy["maxmemory-policy"] != "noeviction" {
		t.Errorf("got %v", policy)
	}
	stop(t, s)
	wantVacant(t, filepath.Join(dir, "redis"), "redis.pid")

	s, client = startOnlyRedis(t, dir)
	wantKey(t, client, "kept", "over a stop")
	must(t, client.Set(t.Context(), "kept", "over a crash", 0).Err())
	home := filepath.Join(dir, "redis")
	must(t, syscall.Kill(readPID(filepath.Join(home, "redis.pid")), syscall.SIGKILL))
	stop(t, s)

	_, client = startOnlyRedis(t, dir)
	wantKey(t, client, "kept", "over a crash")
}

func wantKey(t *testing.T, client *redis.Client, key, want string) {
	t.Helper()
	got, err := client.Get(t.Context(), key).Result()
	must(t, err)
	if got != want {
		t.Errorf("%s is %q, want %q", key, got, want)
	}
}

func TestMiniredis(t *testing.T) {
	onlyOnPath(t, nil)
	dir := openDir(t)
	log := newLogLines()
	s, err := Start(t.Context(), Options{Dir: dir, DatabaseURL: noServer, Log: log.logger()})
	must(t, err)
	log.want(t, "queue is in memory")

	adopter, client := startOnlyRedis(t, dir)
	if adopter.RedisURL != s.RedisURL {
		t.Errorf("got %s, want %s", adopter.RedisURL, s.RedisURL)
	}
	must(t, client.Set(t.Context(), "short", "life", 100*time.Millisecond).Err())
	eventually(t, "the key expires", func() bool { return client.Exists(context.Background(), "short").Val() == 0 })
	stop(t, s)
	if err := pingRedis(t.Context(), s.RedisURL); err == nil {
		t.Error("it still answers")
	}
}
