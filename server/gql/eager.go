package gql

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

// eagerConn writes what the kernel takes at once without a deadline's timer and without telling the scheduler of a system
// call that might block: of an event to thousands of sockets that is most of the cost. Only what the kernel does not take
// is written the usual way. Writes come one at a time, as gorilla makes them.
type eagerConn struct {
	net.Conn // a *net.TCPConn, whose ways to write around us are hidden so
	raw      syscall.RawConn
	try      func(fd uintptr) (done bool) // tryWrite, made once

	rest []byte // of the write under way

	mu       sync.Mutex
	deadline time.Time
	waiting  bool // a write waits for the peer, by the deadline
}

// eager makes a hijacked connection an eagerConn, where there is such a thing.
func eager(c net.Conn) net.Conn {
	tcp, ok := c.(*net.TCPConn)
	if !ok || !canTry {
		return c
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return c
	}
	e := &eagerConn{Conn: tcp, raw: raw}
	e.try = e.tryWrite
	return e
}

// SetWriteDeadline is remembered until a write has to wait.
func (c *eagerConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	if c.waiting {
		return c.Conn.SetWriteDeadline(t)
	}
	return nil
}

func (c *eagerConn) Write(b []byte) (int, error) {
	c.rest = b
	err := c.raw.Write(c.try)
	rest := c.rest
	c.rest = nil
	if err != nil || len(rest) == 0 {
		return len(b) - len(rest), err
	}
	if err := c.wait(true); err != nil {
		return len(b) - len(rest), err
	}
	n, err := c.Conn.Write(rest)
	_ = c.wait(false)
	return len(b) - len(rest) + n, err
}

// wait puts the deadline on the connection, or takes it off.
func (c *eagerConn) wait(waiting bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = waiting
	if waiting {
		return c.Conn.SetWriteDeadline(c.deadline)
	}
	return c.Conn.SetWriteDeadline(time.Time{})
}

// tryWrite writes once. What happened to the connection, if anything did, the usual way will find out.
func (c *eagerConn) tryWrite(fd uintptr) bool {
	if n := writeNow(fd, c.rest); n > 0 {
		c.rest = c.rest[n:]
	}
	return true
}

func (c *eagerConn) CloseWrite() error { return c.Conn.(*net.TCPConn).CloseWrite() }

// eagerHijacker gives gorilla an eager connection.
type eagerHijacker struct{ http.ResponseWriter }

func (h eagerHijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return eager(c), rw, nil
}
