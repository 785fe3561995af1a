package gql

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// linger is how long a closed socket waits for its peer: for it to take the close frame, and then to answer it. A
// connection that is closed with unread data in it is reset, and the peer would never see the close frame.
const linger = time.Second

// socket is one WebSocket that speaks graphql-transport-ws. One goroutine reads it for as long as it lives, and owns its
// end; each operation has a goroutine, and a third kind writes while there is something to write.
type socket struct {
	h         *Handler
	conn      *websocket.Conn
	handshake *http.Request // until connection_init was answered; only the reader looks
	ctx       context.Context
	cancel    context.CancelFunc
	initTimer *time.Timer
	running   sync.WaitGroup // operations and the writer

	mu         sync.Mutex
	room       sync.Cond // the queue got shorter, or its end came, or an operation was stopped
	operations map[string]*operation
	queue      []frame
	queued     int // bytes
	writing    bool
	sealed     bool      // nothing more is queued: a close frame is the last
	closeBy    time.Time // when sealed
	gone       bool      // the reader has left, nothing more is written
}

// serveSocket upgrades and returns at once, so that net/http's goroutine and buffers go.
func (h *Handler) serveSocket(w http.ResponseWriter, r *http.Request) {
	if !h.streams.reserve() {
		(answer{w: w, media: mediaJSON}).unavailable(failure(codeRateLimited, "too many open streams"))
		return
	}
	conn, err := h.upgrader.Upgrade(eagerHijacker{w}, r, nil)
	if err != nil {
		h.streams.release()
		return // Upgrade has answered
	}
	s := &socket{h: h, conn: conn, handshake: r, operations: make(map[string]*operation)}
	s.room.L = &s.mu
	// net/http cancels the request's context when the handler returns.
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(r.Context()))
	if !h.streams.add(s) {
		s.cancel()
		_ = conn.Close()
		return
	}
	s.initTimer = time.AfterFunc(h.limits.InitWait, func() {
		s.close(closeInitTimeout, "Connection initialisation timeout")
	})
	if conn.Subprotocol() != subprotocol {
		s.close(closeSubprotocol, "Subprotocol not acceptable")
	}
	go s.read()
}

func (s *socket) read() {
	defer s.finish()
	defer s.h.survive(s.ctx)
	s.conn.SetReadLimit(s.h.limits.Message)
	s.conn.SetPongHandler(func(string) error {
		s.extend()
		return nil
	})
	s.extend()
	for {
		kind, message, err := s.conn.NextReader()
		if err == nil {
			err = s.receive(kind, message)
		}
		if err != nil {
			s.drain(err)
			return
		}
	}
}

// receive reads one message and acts on it. Its error is the connection's.
func (s *socket) receive(kind int, message io.Reader) error {
	s.extend()
	if s.closing() {
		return nil // NextReader skips the rest
	}
	buf := scratch.Get().(*bytes.Buffer)
	defer release(buf)
	if _, err := buf.ReadFrom(message); err != nil {
		return err
	}
	if code, reason := s.handle(kind, buf.Bytes()); code != 0 {
		s.close(code, reason)
	}
	return nil
}

// extend gives the peer another two pings' time to be heard of.
func (s *socket) extend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sealed {
		_ = s.conn.SetReadDeadline(time.Now().Add(2 * s.h.limits.PingEvery))
	}
}

func (s *socket) closing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sealed
}

// drain waits for the peer to have read why it was refused, when gorilla itself sent the close frame: 1009 for a message
// above the limit, 1002 for a broken frame. What arrives meanwhile is thrown away.
func (s *socket) drain(err error) {
	var timeout net.Error
	if errors.As(err, new(*websocket.CloseError)) || errors.As(err, &timeout) {
		return
	}
	s.seal()
	closeWrite(s.conn)
	_ = s.conn.SetReadDeadline(time.Now().Add(linger))
	_, _ = io.Copy(io.Discard, s.conn.NetConn())
}

// finish ends everything that the socket began.
func (s *socket) finish() {
	s.initTimer.Stop()
	s.seal()
	s.cancel()
	_ = s.conn.Close()
	s.running.Wait()
	s.h.streams.remove(s)
}

// seal throws away what is queued and lets nothing in any more.
func (s *socket) seal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = true
	s.gone = true
	s.queue = nil
	s.room.Broadcast()
}

// close sends what is queued and then the close frame, and ends the operations. The reader ends the socket when the peer
// answers or linger is over.
func (s *socket) close(code int, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sealed {
		return
	}
	s.closeBy = time.Now().Add(linger)
	_ = s.conn.NetConn().SetWriteDeadline(s.closeBy)
	_ = s.conn.SetReadDeadline(s.closeBy.Add(linger))
	s.push(frame{kind: frameClose, code: code, reason: cut(reason, maxReason)})
	s.sealed = true
	s.cancel()
	s.room.Broadcast()
}

func (s *socket) abort() { _ = s.conn.Close() }

// closeWrite tells the peer that nothing follows the close frame, so that it need not wait for our close.
func closeWrite(c *websocket.Conn) {
	if half, ok := c.NetConn().(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
