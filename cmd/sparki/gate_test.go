package main

import (
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// gate stands before a server and can be shut: connections are cut, and new ones are too. It can
// also hold: connections stay, but nothing comes through any more, as when a cable is pulled. And it can
// be slow.
type gate struct {
	listener net.Listener

	mu      sync.Mutex
	moved   *sync.Cond
	network string // of the server
	address string
	state   gateState
	delay   time.Duration // of everything that is sent through it, each way
	conns   map[net.Conn]bool
}

type gateState int

const (
	gateOpen gateState = iota
	gateShut
	gateHolding
)

func newGate(t *testing.T, network, address string) *gate {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{listener: listener, network: network, address: address, conns: map[net.Conn]bool{}}
	g.moved = sync.NewCond(&g.mu)
	go g.run()
	t.Cleanup(func() {
		_ = listener.Close()
		g.set(gateShut)
	})
	return g
}

// postgresGate puts a gate before the database and gives its URL through the gate.
func postgresGate(t *testing.T, databaseURL string) (*gate, string) {
	t.Helper()
	c, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	network, address := pgxAddress(c)
	g := newGate(t, network, address)
	u := url.URL{Scheme: "postgres", User: url.UserPassword(c.User, c.Password), Host: g.listener.Addr().String(), Path: "/" + c.Database, RawQuery: "sslmode=disable"}
	return g, u.String()
}

func pgxAddress(c *pgx.ConnConfig) (network, address string) {
	port := itoa(int(c.Port))
	if strings.HasPrefix(c.Host, "/") {
		return "unix", filepath.Join(c.Host, ".s.PGSQL."+port)
	}
	return "tcp", net.JoinHostPort(c.Host, port)
}

// redisGate puts a gate before Redis and gives its URL through the gate.
func redisGate(t *testing.T, redisURL string) (*gate, string) {
	t.Helper()
	o, err := redis.ParseURL(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	g := newGate(t, o.Network, o.Addr)
	u := url.URL{Scheme: "redis", Host: g.listener.Addr().String(), Path: "/" + itoa(o.DB)}
	if o.Password != "" {
		u.User = url.UserPassword(o.Username, o.Password)
	}
	return g, u.String()
}

// withRedisDB is a Redis URL with another database number.
func withRedisDB(t *testing.T, redisURL string, db int) string {
	t.Helper()
	u, err := url.Parse(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	if u.Scheme == "unix" {
		q := u.Query()
		q.Set("db", itoa(db))
		u.RawQuery = q.Encode()
	} else {
		u.Path = "/" + itoa(db)
	}
	return u.String()
}

func (g *gate) shut() { g.set(gateShut) }
func (g *gate) hold() { g.set(gateHolding) }
func (g *gate) open() { g.set(gateOpen) }

func (g *gate) set(state gateState) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.state = state
	if state == gateShut {
		for c := range g.conns {
			_ = c.Close()
		}
	}
	g.moved.Broadcast()
}

// slow delays everything that is sent through the gate.
func (g *gate) slow(delay time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.delay = delay
}

// lead opens the gate to another server.
func (g *gate) lead(network, address string) {
	g.mu.Lock()
	g.network, g.address = network, address
	g.mu.Unlock()
	g.open()
}

func (g *gate) server() (network, address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.network, g.address
}

// pass waits while the gate holds, and says whether it is open.
func (g *gate) pass() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.delay > 0 {
		until := time.Now().Add(g.delay) // before the timer starts, which else might wake us too early
		over := time.AfterFunc(g.delay, g.moved.Broadcast)
		defer over.Stop()
		for g.state == gateOpen && time.Now().Before(until) {
			g.moved.Wait()
		}
	}
	for g.state == gateHolding {
		g.moved.Wait()
	}
	return g.state == gateOpen
}

func (g *gate) keep(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state != gateShut {
		g.conns[c] = true
	}
	return g.state != gateShut
}

func (g *gate) drop(c net.Conn) {
	_ = c.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.conns, c)
}

func (g *gate) run() {
	for {
		c, err := g.listener.Accept()
		if err != nil {
			return
		}
		go g.serve(c)
	}
}

func (g *gate) serve(client net.Conn) {
	defer g.drop(client)
	if !g.keep(client) || !g.pass() {
		return
	}
	network, address := g.server()
	server, err := net.Dial(network, address)
	if err != nil {
		return
	}
	defer g.drop(server)
	if !g.keep(server) {
		return
	}
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		go func() {
			_, _ = io.Copy(guarded{way[0], g}, way[1])
			ended <- struct{}{}
		}()
	}
	<-ended
}

// guarded passes bytes on only while the gate is open.
type guarded struct {
	net.Conn
	gate *gate
}

func (w guarded) Write(p []byte) (int, error) {
	if !w.gate.pass() {
		return 0, net.ErrClosed
	}
	return w.Conn.Write(p)
}

// ReadFrom hides the connection's own one, which would not ask the gate.
func (w guarded) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{w}, r)
}
