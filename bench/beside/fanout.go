package beside

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// sockets are the connections that a broadcast goes to.
type sockets struct {
	mu   sync.Mutex
	open map[*websocket.Conn]bool
}

var upgrader = websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024, Subprotocols: []string{"graphql-transport-ws"}}

const writeWait = 5 * time.Second

// subscribe opens a socket that hears every broadcast.
func (s *Server) subscribe(w http.ResponseWriter, r *http.Request) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	s.sockets.mu.Lock()
	if s.sockets.open == nil {
		s.sockets.open = map[*websocket.Conn]bool{}
	}
	s.sockets.open[conn] = true
	s.sockets.mu.Unlock()
	defer func() {
		s.sockets.mu.Lock()
		defer s.sockets.mu.Unlock()
		delete(s.sockets.open, conn)
		_ = conn.Close()
	}()
	for {
		if _, _, err := conn.NextReader(); err != nil { // pings, and the end
			return
		}
	}
}

// broadcast sends the body to every socket, framed once.
func (s *Server) broadcast(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the body did not come whole", http.StatusBadRequest)
		return
	}
	message, err := websocket.NewPreparedMessage(websocket.TextMessage, body)
	if err != nil {
		fail(w, err)
		return
	}
	s.sockets.mu.Lock()
	defer s.sockets.mu.Unlock()
	for conn := range s.sockets.open {
		_ = conn.SetWriteDeadline(time.Now().Add(writeWait))
		if err := conn.WritePreparedMessage(message); err != nil {
			_ = conn.Close() // its reader takes it out
		}
	}
	w.WriteHeader(http.StatusNoContent)
}
