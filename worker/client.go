// Package worker runs background work. It is the only package that knows asynq, and asynq is only a
// bell: what there is to do stands in Postgres, so a queue that is emptied loses nothing.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"sparki.app/integrations"
)

const (
	// ringTimeout bounds how long whoever changed something waits for Redis.
	ringTimeout = 500 * time.Millisecond
	// taskTimeout is far above the longest crawl: work is bounded by its leases, not by asynq.
	taskTimeout = 6 * time.Hour
	// taskRetries is how often asynq delivers a task whose worker died. Never 0: it would archive it
	// and keep its id taken.
	taskRetries = 1000
)

// Client rings bells.
type Client struct {
	asynq     *asynq.Client
	inspector *asynq.Inspector
	prefix    string
	log       *slog.Logger
}

// NewClient makes a client over a Redis client made for hints. prefix names the queues, so that
// several programs can share one Redis.
func NewClient(hints *redis.Client, prefix string, log *slog.Logger) *Client {
	return &Client{asynq.NewClientFromRedisClient(hints), asynq.NewInspectorFromRedisClient(hints), prefix, log}
}

// Ring wakes a worker for each bell, and gives up after half a second: the sweep rings again.
func (c *Client) Ring(ctx context.Context, bells ...sparki.Bell) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ringTimeout)
	defer cancel()
	c.ringAll(ctx, bells)
}

// ringAll rings, and gives back the bells that Redis did not take.
func (c *Client) ringAll(ctx context.Context, bells []sparki.Bell) (left []sparki.Bell) {
	for _, bell := range bells {
		if err := c.ring(ctx, bell); err != nil {
			c.log.DebugContext(ctx, "bell not rung; the sweep will see to it", slog.String("job", string(bell.Job)), slog.Any("error", err))
			left = append(left, bell)
		}
	}
	return left
}

// ring enqueues a task unless the same bell hangs already. One that is being answered does not count:
// its worker may have looked before we changed something. So there are two ids to take turns, and for
// tasks whose worker died, which keep their ids for minutes, one more every ten seconds.
func (c *Client) ring(ctx context.Context, bell sparki.Bell) error {
	task := asynq.NewTask(string(bell.Job), payload(bell), asynq.Queue(queueOf(c.prefix, bell.Job)), asynq.MaxRetry(taskRetries), asynq.Timeout(taskTimeout))
	for _, slot := range []string{"a", "b", fmt.Sprint(time.Now().Unix() / 10)} {
		_, err := c.asynq.EnqueueContext(ctx, task, asynq.TaskID(taskID(bell, slot)))
		if !errors.Is(err, asynq.ErrTaskIDConflict) {
			return err
		}
		if c.waits(bell, slot) {
			return nil
		}
	}
	return nil
}

// waits says whether the task with this id has yet to be picked up.
func (c *Client) waits(bell sparki.Bell, slot string) bool {
	info, err := c.inspector.GetTaskInfo(queueOf(c.prefix, bell.Job), taskID(bell, slot))
	return err == nil && info.State == asynq.TaskStatePending
}

func taskID(bell sparki.Bell, slot string) string {
	return fmt.Sprintf("%s:%s:%s", bell.Job, bell.ID, slot)
}

// queueOf is the queue of a kind of job: "inbox:read" waits in "<prefix>inbox".
func queueOf(prefix string, job sparki.JobKind) string {
	noun, _, _ := strings.Cut(string(job), ":")
	return prefix + noun
}

// A payload is the bell's portal and id, and nothing else.
func payload(bell sparki.Bell) []byte {
	return []byte(bell.PortalID.String() + "/" + bell.ID.String())
}

func parsePayload(job string, payload []byte) (sparki.Bell, error) {
	portal, id, _ := strings.Cut(string(payload), "/")
	bell := sparki.Bell{Job: sparki.JobKind(job)}
	var err error
	if bell.PortalID, err = uuid.Parse(portal); err == nil {
		bell.ID, err = uuid.Parse(id)
	}
	if err != nil {
		return bell, fmt.Errorf("read task %s: %w", job, err)
	}
	return bell, nil
}

// Queue is what hangs in a queue of bells.
type Queue struct {
	Name                       string // without the prefix
	Waiting, Running, Archived int
}

// Queues lists the queues that exist.
func Queues(client *redis.Client, prefix string) ([]Queue, error) {
	inspector := asynq.NewInspectorFromRedisClient(client)
	names, err := inspector.Queues()
	if err != nil {
		return nil, fmt.Errorf("read queues: %w", err)
	}
	var queues []Queue
	for _, name := range names {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		info, err := inspector.GetQueueInfo(name)
		if err != nil {
			if there, listErr := inspector.Queues(); listErr == nil && !slices.Contains(there, name) {
				continue // Redis was emptied meanwhile
			}
			return nil, fmt.Errorf("read queue %s: %w", name, err)
		}
		queues = append(queues, Queue{strings.TrimPrefix(name, prefix), info.Pending + info.Scheduled + info.Retry, info.Active, info.Archived})
	}
	return queues, nil
}
