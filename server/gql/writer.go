package gql

import (
	"bytes"
	"errors"
	"time"

	"github.com/gorilla/websocket"
)

// maxQueued bounds the bytes that wait for one socket; a single frame may be larger.
const maxQueued = 1 << 20

// frameKind is a type of message of PROTOCOL.md, or a control frame of RFC 6455.
type frameKind uint8

const (
	frameNext frameKind = iota
	frameError
	frameComplete
	framePong
	frameAck
	framePing  // control
	frameClose // control
)

// frame waits to be written. Payloads are shared between sockets; the id is put around them when they are written.
type frame struct {
	kind    frameKind
	op      *operation // of frameNext, frameError, frameComplete
	payload []byte
	code    int // of frameClose, like reason
	reason  string
}

// last reports whether an operation is over with f.
func (f frame) last() bool { return f.kind == frameError || f.kind == frameComplete }

// send queues a frame of the reader's, waiting for room when the peer is slow.
func (s *socket) send(f frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wait(f) {
		s.push(f)
	}
}

// deliver sends an operation's frame, in the caller's goroutine if nobody else is writing. It waits until the operation's
// last frame is on its way: so what is sent to a slow peer is made when the peer can take it, and a state that has changed
// meanwhile is sent as it is then. It reports whether there is any use in going on.
func (s *socket) deliver(f frame) bool {
	s.mu.Lock()
	for !s.unwanted(f) && f.op.queued {
		s.room.Wait()
	}
	wanted, write := s.wait(f), false
	if wanted && !s.gone {
		s.enqueue(f)
		f.op.queued = true
		write, s.writing = !s.writing, true
	}
	s.mu.Unlock()
	if write {
		s.write()
	}
	return wanted
}

// wait waits for room in the queue, and reports whether f is still wanted then. The caller holds mu.
func (s *socket) wait(f frame) bool {
	for !s.unwanted(f) && len(s.queue) > 0 && (len(s.queue) >= s.h.limits.Queue || s.queued+len(f.payload) > maxQueued) {
		s.room.Wait()
	}
	return !s.unwanted(f)
}

// unwanted reports whether f must not be sent: the socket is closing, or the client has completed the operation.
func (s *socket) unwanted(f frame) bool {
	return s.sealed || f.op != nil && f.op.stopped
}

// ping asks a peer that we write nothing to for a sign of life. One that has frames waiting will be told by the write
// deadline.
func (s *socket) ping() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sealed && len(s.queue) == 0 {
		s.push(frame{kind: framePing})
	}
}

// push queues f and sees to it that somebody writes. The caller holds mu.
func (s *socket) push(f frame) {
	if s.gone {
		return
	}
	s.enqueue(f)
	if !s.writing {
		s.writing = true
		s.running.Go(s.write)
	}
}

func (s *socket) enqueue(f frame) {
	s.queue = append(s.queue, f)
	s.queued += len(f.payload)
}

// pop takes the next frame that is still wanted. Operations end here and not when their last frame is queued: a client
// that completes an operation meanwhile gets nothing, and can use the id again.
func (s *socket) pop() (f frame, deadline time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > 0 {
		f = s.queue[0]
		s.queue[0] = frame{}
		s.queue = s.queue[1:]
		s.queued -= len(f.payload)
		if f.op != nil {
			f.op.queued = false
		}
		s.room.Broadcast()
		if f.op != nil && f.op.stopped {
			continue
		}
		if f.last() {
			s.forget(f.op)
		}
		if s.sealed {
			return f, s.closeBy, true
		}
		return f, time.Now().Add(s.h.limits.WriteWait), true
	}
	s.queue = nil
	s.writing = false
	return frame{}, time.Time{}, false
}

// write empties the queue.
func (s *socket) write() {
	buf := scratch.Get().(*bytes.Buffer)
	defer release(buf)
	for {
		f, deadline, ok := s.pop()
		if !ok {
			return
		}
		var err error
		switch f.kind {
		case framePing:
			err = s.conn.WriteControl(websocket.PingMessage, nil, deadline)
		case frameClose:
			err = s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(f.code, f.reason), deadline)
			closeWrite(s.conn)
		default:
			buf.Reset()
			f.encode(buf)
			_ = s.conn.SetWriteDeadline(deadline)
			err = s.conn.WriteMessage(websocket.TextMessage, buf.Bytes())
		}
		if err != nil {
			s.seal()
			if !errors.Is(err, websocket.ErrCloseSent) { // else gorilla has closed, and the reader is draining
				_ = s.conn.Close()
			}
			return
		}
	}
}

// encode writes the message of PROTOCOL.md.
func (f frame) encode(b *bytes.Buffer) {
	switch f.kind {
	case frameAck:
		b.WriteString(`{"type":"connection_ack"}`)
	case framePong:
		b.WriteString(`{"type":"pong"`)
		if len(f.payload) > 0 {
			b.WriteString(`,"payload":`)
			b.Write(f.payload)
		}
		b.WriteByte('}')
	case frameComplete:
		b.WriteString(`{"id":`)
		b.WriteString(f.op.quoted)
		b.WriteString(`,"type":"complete"}`)
	case frameNext, frameError:
		b.WriteString(`{"id":`)
		b.WriteString(f.op.quoted)
		if f.kind == frameNext {
			b.WriteString(`,"type":"next","payload":`)
		} else {
			b.WriteString(`,"type":"error","payload":`)
		}
		b.Write(f.payload)
		b.WriteByte('}')
	}
}
