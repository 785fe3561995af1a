//go:build unix

package devstack

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"sparki.app/integrations/devstack/internal/own"
)

const redisSocket = "redis.sock"

// startRedis joins the server another process runs for o.Dir, or runs it.
func startRedis(ctx context.Context, o Options) (service, error) {
	return kind{"redis", pingRedis, runRedis}.joinOrRun(ctx, o)
}

// runRedis runs Valkey or Redis when the machine has it, else one in our own memory.
func runRedis(ctx context.Context, dir string, o Options, lock *own.Lock) (service, error) {
	program, found := lookRedis()
	if !found {
		return runMiniredis(o, lock)
	}
	began := time.Now()
	r, err := newRedisServer(dir, program, o.Ephemeral)
	if err != nil {
		return service{}, err
	}
	if err := evict(ctx, r.home, r.pidFile(), syscall.SIGTERM); err != nil {
		return service{}, err
	}
	p, err := r.start()
	if err != nil {
		return service{}, err
	}
	end := func(ctx context.Context) error {
		p.stop(ctx, syscall.SIGTERM)
		return nil
	}
	s, err := server{p, "redis", r.url(), pingRedis, r.logFile, end}.serve(ctx, lock, o.Log)
	if err == nil {
		o.Log.Info("redis ready", "program", r.program, "data", r.home, "took", time.Since(began))
	}
	return s, err
}

func lookRedis() (program string, found bool) {
	for _, name := range []string{"valkey-server", "redis-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	return "", false
}

// redisServer is a Valkey or Redis of our own. It runs as us; unlike Postgres it does not mind root.
type redisServer struct {
	program   string
	home      string // holds its append-only file
	socket    string
	logFile   string
	ephemeral bool
}

func newRedisServer(dir, program string, ephemeral bool) (r redisServer, err error) {
	r = redisServer{
		program:   program,
		home:      filepath.Join(dir, "redis"),
		logFile:   filepath.Join(dir, "redis.log"),
		ephemeral: ephemeral,
	}
	if err := own.Dir(r.home, 0o700, os.Geteuid(), os.Getegid()); err != nil {
		return r, err
	}
	sockets, err := socketDir(r.home, redisSocket, self())
	r.socket = filepath.Join(sockets, redisSocket)
	return r, err
}

func (r redisServer) pidFile() string { return filepath.Join(r.home, "redis.pid") }

func (r redisServer) url() string { return (&url.URL{Scheme: "unix", Path: r.socket}).String() }

// args are the settings. noeviction: a queue must refuse new jobs rather than forget old ones.
func (r redisServer) args() []string {
	appendonly := "yes"
	if r.ephemeral {
		appendonly = "no"
	}
	return []string{
		"--port", "0", "--unixsocket", r.socket, "--unixsocketperm", "700",
		"--dir", r.home, "--pidfile", r.pidFile(), "--daemonize", "no",
		"--save", "", "--appendonly", appendonly, "--appendfsync", "everysec",
		"--maxmemory-policy", "noeviction",
	}
}

func (r redisServer) start() (*process, error) {
	log, err := openLog(r.logFile)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(r.program, r.args()...)
	cmd.Dir = r.home
	cmd.Stdout, cmd.Stderr = log, log
	return launch(cmd, self(), syscall.SIGTERM)
}

// pingRedis tells whether the server at url answers. It does not ask through go-redis, whose pause
// between dials would make up most of a start.
func pingRedis(ctx context.Context, url string) error {
	opt, err := redis.ParseURL(url)
	if err != nil {
		return err
	}
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, opt.Network, opt.Addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("*1\r\n$4\r\nPING\r\n")); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && strings.TrimSpace(answer) != "+PONG" {
		err = fmt.Errorf("answer to PING: %s", strings.TrimSpace(answer)) // -LOADING
	}
	return err
}
