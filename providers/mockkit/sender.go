package mockkit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Pace says when webhooks are sent.
type Pace struct {
	// Every is the least time between two deliveries.
	Every time.Duration
	// Timeout is how long one attempt may take.
	Timeout time.Duration
	// RetryBase is the wait after the first failure; each further wait is √2 as long, up to RetryCap.
	RetryBase time.Duration
	RetryCap  time.Duration
	// GiveUp is how long after the first attempt a delivery is dropped.
	GiveUp time.Duration
}

// DefaultPace is that of a CRM that tries for five minutes.
var DefaultPace = Pace{
	Every: time.Second, Timeout: 15 * time.Second, RetryBase: time.Second, RetryCap: time.Minute, GiveUp: 5 * time.Minute,
}

// retry is the wait after failure number n, counted from 1.
func (p Pace) retry(n int) time.Duration {
	wait := float64(p.RetryBase) * math.Pow(math.Sqrt2, float64(n-1))
	return time.Duration(min(wait, float64(p.RetryCap)))
}

// Sender sends the messages of a mock CRM in the order in which they were queued. Its goroutine
// exists only while there is something to send. Set the exported fields before the first use.
type Sender[M any] struct {
	URL string // "" sends nothing
	// Client is nil for http.DefaultClient.
	Client *http.Client
	Pace   *Pace
	Now    func() time.Time
	// Batch is how many messages one delivery may hold.
	Batch int
	// Bodies makes the deliveries of a batch.
	Bodies func(batch []M) [][]byte
	// Sign gives the headers of an attempt; nil for a CRM that does not sign.
	Sign func(ctx context.Context, body []byte) (http.Header, error)
	// Describe is what the log says of a message.
	Describe func(M) DeliveryEvent
	// GoesOn is told how each attempt ended. False ends it: a failed one is not made again, and what
	// waits is dropped. Nil always goes on.
	GoesOn func(ctx context.Context, delivered bool) bool
	// Log keeps the log, one call for each attempt.
	Log func(context.Context, Delivery)

	mu      sync.Mutex
	ctx     context.Context // ends with Close; nil before the first message
	stop    context.CancelFunc
	waiting []M
	running bool
	closed  bool
	last    time.Time // of the last delivery
	done    sync.WaitGroup
}

// Delivery is one line of the webhook log.
type Delivery struct {
	ID       string          `json:"id"`    // rises with time
	At       time.Time       `json:"at"`    // of the last attempt
	State    string          `json:"state"` // delivered, retrying, failed
	Attempts int             `json:"attempts"`
	Status   int             `json:"status"` // HTTP status of the last attempt; 0 without an answer
	Problem  string          `json:"problem,omitempty"`
	Count    int             `json:"count"` // of messages
	Messages []DeliveryEvent `json:"messages"`
}

// DeliveryEvent is a message as the log names it.
type DeliveryEvent struct {
	EntityType string `json:"entityType"`
	EntityID   string `json:"entityId"`
	Event      string `json:"event"`
}

// LogLength is how many deliveries a log shows, and logNames how many messages of each it names.
const (
	LogLength = 50
	logNames  = 20
)

// Close drops what waits and ends the goroutine. What is queued later is dropped as well.
func (s *Sender[M]) Close() {
	s.mu.Lock()
	s.closed = true
	s.waiting = nil
	stop := s.stop
	s.mu.Unlock()
	if stop != nil {
		stop()
	}
	s.done.Wait()
}

// Queue hands messages to the goroutine.
func (s *Sender[M]) Queue(messages []M) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.URL == "" || s.closed || len(messages) == 0 {
		return
	}
	if s.ctx == nil {
		s.ctx, s.stop = context.WithCancel(context.Background())
	}
	s.waiting = append(s.waiting, messages...)
	if !s.running {
		s.running = true
		s.done.Go(s.run)
	}
}

// idle says whether nothing waits, and then lets the next message start a new goroutine.
func (s *Sender[M]) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = len(s.waiting) > 0
	return !s.running
}

// drop forgets what waits.
func (s *Sender[M]) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = nil
}

// take takes the next batch.
func (s *Sender[M]) take() []M {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.waiting), s.Batch)
	batch := slices.Clone(s.waiting[:n])
	s.waiting = s.waiting[n:]
	return batch
}

// Pending is how many messages wait for their first attempt.
func (s *Sender[M]) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting)
}

func (s *Sender[M]) run() {
	for !s.idle() {
		if !s.last.IsZero() { // what is queued meanwhile joins the batch
			s.wait(s.Pace.Every - time.Since(s.last))
		}
		batch := s.take()
		for _, body := range s.Bodies(batch) {
			s.deliver(batch, body)
		}
		s.last = time.Now()
	}
}

// wait waits, or returns early when the sender is closed.
func (s *Sender[M]) wait(d time.Duration) {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.ctx.Done():
	}
}

// deliver sends one body, again and again until it is taken or too old.
func (s *Sender[M]) deliver(batch []M, body []byte) {
	d := Delivery{ID: uuid.Must(uuid.NewV7()).String(), Count: len(batch)}
	for _, m := range batch[:min(len(batch), logNames)] {
		d.Messages = append(d.Messages, s.Describe(m))
	}
	first := time.Now()
	for s.ctx.Err() == nil {
		d.Attempts++
		status, err := s.post(body)
		d.Status, d.Problem, d.State = status, "", "delivered"
		if err != nil {
			d.Problem, d.State = err.Error(), "retrying"
		}
		goesOn := s.GoesOn == nil || s.GoesOn(s.ctx, err == nil)
		wait := s.Pace.retry(d.Attempts)
		if err != nil && (!goesOn || time.Since(first)+wait > s.Pace.GiveUp) {
			d.State = "failed"
		}
		d.At = s.Now().UTC()
		s.Log(s.ctx, d)
		if !goesOn {
			s.drop()
		}
		if d.State != "retrying" {
			return
		}
		s.wait(wait)
	}
}

// post makes one attempt. Success is 200 to 209, as Ably has it.
func (s *Sender[M]) post(body []byte) (status int, err error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.Pace.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	if s.Sign != nil {
		if req.Header, err = s.Sign(ctx, body); err != nil {
			return 0, err
		}
	}
	req.Header.Set("Content-Type", "application/json")
	client := s.Client
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	if res.StatusCode < 200 || res.StatusCode > 209 {
		return res.StatusCode, fmt.Errorf("answered %s", res.Status)
	}
	return res.StatusCode, nil
}
