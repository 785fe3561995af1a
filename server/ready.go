package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"sparki.app/integrations/db"
)

// readyWithin is how long a dependency may take to answer a readiness check.
const readyWithin = time.Second

// Readiness answers whether a process can work, and names every dependency. Without Redis everything goes
// on, so that is only degraded.
type Readiness struct {
	DB *db.DB
	// RedisPing proves that Redis answers.
	RedisPing func(context.Context) error
	// Stopping: the process takes nothing more.
	Stopping func() bool
}

func (s *Readiness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
	defer cancel()
	status, answer := http.StatusOK, map[string]string{"status": "ready", "postgres": "ok", "schema": "ok", "redis": "ok"}
	if s.Stopping() {
		status, answer["status"] = http.StatusServiceUnavailable, "stopping"
	}
	if err := s.DB.Ping(ctx); errors.Is(err, db.ErrReadOnly) {
		status, answer["status"], answer["postgres"] = http.StatusServiceUnavailable, "not ready", "read only"
	} else if err != nil {
		status, answer["status"], answer["postgres"], answer["schema"] = http.StatusServiceUnavailable, "not ready", "unreachable", "unknown"
	} else if err := s.DB.CheckSchema(ctx); err != nil {
		status, answer["status"], answer["schema"] = http.StatusServiceUnavailable, "not ready", "older than this program"
	}
	redisCtx, cancelRedis := context.WithTimeout(r.Context(), readyWithin)
	defer cancelRedis()
	if err := s.RedisPing(redisCtx); err != nil {
		answer["redis"] = "degraded"
	}
	writeJSON(w, status, answer)
}
