package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sync/errgroup"
)

// operationID is the id of the one operation on each socket, so that all hear the same bytes.
const operationID = "1"

// audience are sockets that should all hear the same.
type audience struct {
	sockets []*websocket.Conn
	failed  chan error // the first socket that broke
	readers sync.WaitGroup

	event atomic.Pointer[event]
}

// event is one message on its way to the audience.
type event struct {
	began time.Time
	left  atomic.Int64 // sockets that have not heard it
	first atomic.Int64 // Unix nanoseconds
	all   chan struct{}

	mu      sync.Mutex
	message []byte // what the first socket heard
	last    time.Time
}

// heard says when an event was heard.
type heard struct{ began, first, last time.Time }

// subscribe opens so many sockets; greet, if any, makes each hear events.
func subscribe(ctx context.Context, url string, n int, greet func(*websocket.Conn) error) (*audience, error) {
	a := &audience{failed: make(chan error, 1)}
	dialer := &websocket.Dialer{HandshakeTimeout: 30 * time.Second, ReadBufferSize: 1024, WriteBufferSize: 256, Subprotocols: []string{"graphql-transport-ws"}}
	var dialing errgroup.Group
	dialing.SetLimit(32)
	sockets := make([]*websocket.Conn, n)
	for i := range sockets {
		dialing.Go(func() error {
			conn, _, err := dialer.DialContext(ctx, url, nil)
			if err != nil {
				return err
			}
			sockets[i] = conn
			if greet != nil {
				return greet(conn)
			}
			return nil
		})
	}
	err := dialing.Wait()
	for _, conn := range sockets {
		if conn != nil {
			a.sockets = append(a.sockets, conn)
		}
	}
	if err != nil {
		a.close()
		return nil, err
	}
	for _, conn := range a.sockets {
		a.readers.Go(func() { a.read(conn) })
	}
	return a, nil
}

// transportWS greets in graphql-transport-ws.
func transportWS(token string) func(*websocket.Conn) error {
	return func(conn *websocket.Conn) error {
		if err := conn.WriteJSON(map[string]any{"type": "connection_init", "payload": map[string]string{"Authorization": "Bearer " + token}}); err != nil {
			return err
		}
		var ack struct{ Type string }
		if err := conn.ReadJSON(&ack); err != nil || ack.Type != "connection_ack" {
			return errors.Join(fmt.Errorf("not acknowledged: %q", ack.Type), err)
		}
		query, _ := json.Marshal(activitySubscription)
		return conn.WriteMessage(websocket.TextMessage, []byte(`{"id":"`+operationID+`","type":"subscribe","payload":{"query":`+string(query)+`}}`))
	}
}

func (a *audience) close() {
	for _, conn := range a.sockets {
		_ = conn.Close()
	}
	a.readers.Wait()
}

// read hears what comes on one socket until it is closed.
func (a *audience) read(conn *websocket.Conn) {
	var buf bytes.Buffer
	var last *event
	for {
		_, r, err := conn.NextReader()
		if err == nil {
			buf.Reset()
			_, err = buf.ReadFrom(r)
		}
		if err == nil && !isOurs(buf.Bytes()) {
			if bytes.Contains(buf.Bytes(), []byte(`"type":"next"`)) {
				continue
			}
			err = fmt.Errorf("heard %.300s", buf.Bytes())
		}
		if err == nil {
			e := a.event.Load()
			if e == nil || e == last {
				err = fmt.Errorf("heard out of turn: %.300s", buf.Bytes())
			} else {
				last, err = e, e.hear(buf.Bytes())
			}
		}
		if err != nil {
			select {
			case a.failed <- err:
			default:
			}
			return
		}
	}
}

// hear takes one socket's message; all must be the same.
func (e *event) hear(message []byte) error {
	e.first.CompareAndSwap(0, time.Now().UnixNano())
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.message == nil {
		e.message = bytes.Clone(message)
	} else if !bytes.Equal(e.message, message) {
		return fmt.Errorf("heard %s, another one heard %s", message, e.message)
	}
	if e.left.Add(-1) == 0 {
		e.last = time.Now()
		close(e.all)
	}
	return nil
}

var errNotHeard = errors.New("not every socket heard it in time")

// hear makes an event happen and waits until every socket has heard of it.
func (a *audience) hear(ctx context.Context, trigger func(context.Context) error) (heard, error) {
	e, err := a.tell(ctx, trigger, deliveredWithin)
	if err != nil {
		return heard{}, err
	}
	return heard{e.began, time.Unix(0, e.first.Load()), e.last}, nil
}

func (a *audience) tell(ctx context.Context, trigger func(context.Context) error, patience time.Duration) (*event, error) {
	e := &event{began: time.Now(), all: make(chan struct{})}
	e.left.Store(int64(len(a.sockets)))
	a.event.Store(e)
	if err := trigger(ctx); err != nil {
		return nil, err
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-e.all:
		return e, nil
	case err := <-a.failed:
		return nil, err
	case <-timeout.C:
		return nil, fmt.Errorf("%w: %d of %d did not", errNotHeard, e.left.Load(), len(a.sockets))
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// everybodyHears makes events happen until all sockets hear one: nothing says when a subscription has
// begun. It gives the last message.
func (a *audience) everybodyHears(ctx context.Context, trigger func(context.Context) error) ([]byte, error) {
	for tries := 0; ; tries++ {
		e, err := a.tell(ctx, trigger, 2*time.Second)
		if err == nil {
			return e.message, nil
		}
		if !errors.Is(err, errNotHeard) || tries == 10 {
			return nil, err
		}
	}
}

// onLoopback refuses a URL that leads elsewhere: bench loads nobody but 127.0.0.1.
func onLoopback(url string) error {
	_, rest, ok := strings.Cut(url, "://127.0.0.1:")
	if !ok || strings.ContainsAny(strings.SplitN(rest, "/", 2)[0], "@") {
		return fmt.Errorf("%s is not on 127.0.0.1", url)
	}
	return nil
}
