package gql

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
	"github.com/gorilla/websocket"
	"github.com/tidwall/gjson"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// subprotocol is the only one spoken. The legacy "graphql-ws" is another protocol and not offered.
const subprotocol = "graphql-transport-ws"

// Close codes: RFC 6455 §7.4.1, then PROTOCOL.md.
const (
	closeGoingAway   = 1001
	closeUnsupported = 1003 // a binary message
	closeNotUTF8     = 1007
	closeTryAgain    = 1013

	closeBadRequest   = 4400
	closeUnauthorized = 4401 // subscribe before connection_ack
	closeForbidden    = 4403
	closeSubprotocol  = 4406
	closeInitTimeout  = 4408
	closeIDInUse      = 4409
	closeTooManyInits = 4429 // also for too many connections of one caller
)

// maxReason is what RFC 6455 §5.5 leaves for a close reason: 125 bytes less the code.
const maxReason = 123

const invalidMessage = "Invalid message received"

// operation is one id on one socket, from subscribe until the last frame is written or the client's complete.
type operation struct {
	id      string
	quoted  string // the id as JSON, as the client wrote it
	cancel  context.CancelFunc
	counted bool // among its caller's subscriptions
	stopped bool // nothing more is written for it; socket.mu guards it, and queued
	queued  bool // a frame of it waits to be written
}

// message is a client's message of PROTOCOL.md.
type message struct {
	kind    string
	id      gjson.Result
	payload gjson.Result
}

func parseMessage(b []byte) (m message, ok bool) {
	if !json.Valid(b) {
		return m, false
	}
	v := gjson.ParseBytes(b)
	if !v.IsObject() {
		return m, false
	}
	v.ForEach(func(name, v gjson.Result) bool {
		switch name.Str {
		case "type":
			m.kind = v.Str
		case "id":
			m.id = v
		case "payload":
			m.payload = v
		}
		return true
	})
	return m, true
}

// hasOptionalObject reports whether the payload is an object, null or absent.
func (m message) hasOptionalObject() bool {
	return m.payload.Type == gjson.Null || m.payload.IsObject()
}

// hasID reports whether there is an id to speak of. gjson's zero value, for an absent one, is null.
func (m message) hasID() bool { return m.id.Type == gjson.String && m.id.Str != "" }

// handle acts on one message. A code other than 0 closes the socket.
func (s *socket) handle(kind int, b []byte) (code int, reason string) {
	switch {
	case kind != websocket.TextMessage:
		return closeUnsupported, "Binary messages are not supported"
	case !utf8.Valid(b):
		return closeNotUTF8, "Message is not UTF-8"
	}
	m, ok := parseMessage(b)
	if !ok {
		return closeBadRequest, invalidMessage
	}
	switch m.kind {
	case "connection_init":
		return s.initialise(m)
	case "subscribe":
		return s.subscribe(m)
	case "complete":
		if !m.hasID() {
			break
		}
		s.complete(m.id.Str)
		return 0, ""
	case "ping":
		if !m.hasOptionalObject() {
			break
		}
		f := frame{kind: framePong}
		if m.payload.IsObject() {
			f.payload = []byte(m.payload.Raw)
		}
		s.send(f)
		return 0, ""
	case "pong":
		if m.hasOptionalObject() {
			return 0, ""
		}
	}
	return closeBadRequest, invalidMessage
}

// initialise answers connection_init (PROTOCOL.md, ConnectionInit). It runs in the reader, so that messages sent in
// advance wait for the answer.
func (s *socket) initialise(m message) (code int, reason string) {
	if s.handshake == nil {
		return closeTooManyInits, "Too many initialisation requests"
	}
	if !m.hasOptionalObject() {
		return closeBadRequest, invalidMessage
	}
	s.initTimer.Stop()
	r, authorization := presented(s.handshake, m.payload)
	s.handshake = nil
	ctx, err := s.authenticate(r, authorization)
	switch {
	case errors.Is(err, ErrUnavailable):
		return closeTryAgain, "Try again later"
	case err != nil:
		return closeForbidden, "Forbidden"
	}
	s.ctx = ctx
	if !s.h.streams.identify(s, ctx) {
		return closeTooManyInits, "Too many connections"
	}
	s.send(frame{kind: frameAck})
	return 0, ""
}

// authenticate asks in a goroutine that goes, whose stack is deep: the reader's, which stays, is kept small.
func (s *socket) authenticate(r *http.Request, authorization string) (ctx context.Context, err error) {
	var asking sync.WaitGroup
	asking.Go(func() { ctx, err = s.h.authenticate(s.ctx, r, authorization) })
	asking.Wait()
	return ctx, err
}

// presented gives what a client shows of itself: the payload of connection_init goes before the handshake's headers,
// which browsers let no page set.
func presented(handshake *http.Request, payload gjson.Result) (r *http.Request, authorization string) {
	r, authorization = handshake, handshake.Header.Get("Authorization")
	payload.ForEach(func(name, v gjson.Result) bool {
		if v.Type != gjson.String {
			return true
		}
		switch {
		case strings.EqualFold(name.Str, "Authorization"):
			authorization = strings.Clone(v.Str)
		case strings.EqualFold(name.Str, "Accept-Language"):
			copied := *handshake
			copied.Header = handshake.Header.Clone()
			copied.Header.Set("Accept-Language", strings.Clone(v.Str))
			r = &copied
		}
		return true
	})
	return r, authorization
}

// subscribe begins an operation of any kind (PROTOCOL.md, Subscribe).
func (s *socket) subscribe(m message) (code int, reason string) {
	if !m.hasID() || !m.payload.IsObject() {
		return closeBadRequest, invalidMessage
	}
	params, err := jsonParams(m.payload)
	switch {
	case err != nil:
		return closeBadRequest, err.Error()
	case s.handshake != nil:
		return closeUnauthorized, "Unauthorized"
	}
	op := &operation{id: strings.Clone(m.id.Str), quoted: strings.Clone(m.id.Raw)}
	ctx, cancel := context.WithCancel(s.ctx)
	op.cancel = cancel
	switch s.begin(op) {
	case inUse:
		cancel()
		return closeIDInUse, "Subscriber for " + op.id + " already exists"
	case tooMany:
		cancel()
		s.send(frame{kind: frameError, op: op, payload: refusal(gqlerror.List{
			failure(codeTooComplex, "more than %d operations at a time on one socket", s.h.limits.Operations),
		}).json})
		return 0, ""
	}
	s.running.Add(1)
	go s.run(ctx, op, params)
	return 0, ""
}

// What became of an id.
type beginning int

const (
	begun beginning = iota
	inUse
	tooMany
)

func (s *socket) begin(op *operation) beginning {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.operations[op.id]; ok {
		return inUse
	}
	if len(s.operations) >= s.h.limits.Operations {
		return tooMany
	}
	s.operations[op.id] = op
	return begun
}

// complete stops an operation for the client. An id that is not in use is no mistake (PROTOCOL.md, Invalid message).
func (s *socket) complete(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if op, ok := s.operations[id]; ok {
		s.forget(op)
		op.cancel()
		s.room.Broadcast()
	}
}

// forget frees the id. The caller holds mu.
func (s *socket) forget(op *operation) {
	op.stopped = true
	if s.operations[op.id] == op {
		delete(s.operations, op.id)
	}
}

// run executes an operation and sends what it yields.
func (s *socket) run(ctx context.Context, op *operation, params *graphql.RawParams) {
	began := time.Now()
	e, errs := s.prepare(ctx, op, params)
	if errs != nil {
		s.h.done("", errs, began)
		s.yield(op, refusal(errs), nil)
		s.end(op)
		return
	}
	for {
		p, err := e.payload()
		if errors.Is(err, errFollow) {
			go s.follow(op, e.follower) // in a goroutine whose stack the executor has not enlarged
			return
		}
		if !s.yield(op, p, err) {
			break
		}
	}
	e.stop()
	s.end(op)
}

// prepare reads an operation and refuses it before anything runs.
func (s *socket) prepare(ctx context.Context, op *operation, params *graphql.RawParams) (*execution, gqlerror.List) {
	if _, err := s.h.admit(ctx); err != nil {
		return nil, gqlerror.List{err}
	}
	e, errs := s.h.prepare(ctx, params)
	if errs != nil || e.kind() != ast.Subscription {
		return e, errs
	}
	if op.counted = s.h.streams.subscribe(s); !op.counted {
		return nil, gqlerror.List{failure(codeRateLimited, "more than %d subscriptions at a time", s.h.limits.Subscriptions)}
	}
	return e, nil
}

// follow sends what a subscription yields from its source.
func (s *socket) follow(op *operation, f *follower) {
	defer s.end(op)
	defer f.stop()
	for {
		if p, err := f.next(); !s.yield(op, p, err) {
			return
		}
	}
}

// yield sends one payload, or says that there is none any more: after "error" nothing follows, else "complete" does. It
// reports whether there is any use in going on.
func (s *socket) yield(op *operation, p payload, err error) bool {
	switch {
	case err == nil && !p.refused:
		return s.deliver(frame{kind: frameNext, op: op, payload: p.json})
	case err == nil:
		s.deliver(frame{kind: frameError, op: op, payload: p.json})
	case ended(err):
		s.deliver(frame{kind: frameComplete, op: op})
	default:
		s.close(closeTryAgain, "Try again later")
	}
	return false
}

// end gives back what subscribe took.
func (s *socket) end(op *operation) {
	op.cancel()
	if op.counted {
		s.h.streams.unsubscribe(s)
	}
	s.running.Done()
}
