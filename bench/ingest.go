package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations/bench/beside"
	"sparki.app/integrations/providers/kolibri"
)

const (
	ingestConns   = 64
	ingestObjects = 1000 // that the messages are about
	ingestPerBody = 3
)

// ingest measures how fast signed webhooks of three messages are stored for good. No worker runs, as
// the plain receiver has none; a last slice is taken with one, which works the backlog off meanwhile.
func ingest(ctx context.Context, b *bench) ([]*row, error) {
	c, err := startCRM(ctx, ingestObjects)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	p, err := b.program(ctx, "ingest", false)
	defer p.stop()
	if err != nil {
		return nil, err
	}
	theirs, err := b.rival(ctx, "ingest_beside", beside.Options{})
	defer theirs.stop()
	if err != nil {
		return nil, err
	}
	connected, err := p.connect(ctx, c)
	if err != nil {
		return nil, err
	}
	hook := connected.WebhookURL
	if err := onLoopback(hook); err != nil {
		return nil, err
	}
	r := &row{load: "ingest", what: "webhooks of 3 messages, stored for good", unit: "requests/s", floor: 2, beside: "one transaction a request"}
	ours, rivals := newSenders(hook), newSenders(theirs.url+"/ingest")
	for range b.rounds {
		if err := b.slice(ctx, &r.ours, p.cpu, ours.shooters()); err != nil {
			return nil, fmt.Errorf("ours: %w", err)
		}
		if err := b.slice(ctx, &r.theirs, theirs.cpu, rivals.shooters()); err != nil {
			return nil, fmt.Errorf("beside: %w", err)
		}
	}
	if err := errors.Join(ours.check(ctx, b, p.databaseURL, "deliveries", "messages"),
		rivals.check(ctx, b, theirs.databaseURL, "beside_deliveries", "beside_messages")); err != nil {
		return nil, err
	}
	if err := b.profiled(ctx, "ingest", p.serve, func() error { return b.slice(ctx, new([]sample), p.cpu, ours.shooters()) }); err != nil {
		return nil, err
	}
	r.serve, r.worker = p.peaks()
	rows := []*row{r}
	if p.serve == nil {
		return rows, nil
	}
	worked, err := ingestAndWork(ctx, b, p, ours)
	return append(rows, worked), err
}

// ingestAndWork takes one more slice while a worker on the same core works off the backlog of all
// slices before.
func ingestAndWork(ctx context.Context, b *bench, p *program, s *senders) (*row, error) {
	if err := p.startWorker(b); err != nil {
		return nil, err
	}
	r := &row{load: "ingest", what: "the same, with a worker on a backlog", unit: "requests/s"}
	if err := b.slice(ctx, &r.ours, p.cpu, s.shooters()); err != nil {
		return nil, err
	}
	r.serve, r.worker = p.peaks()
	return r, s.check(ctx, b, p.databaseURL, "deliveries", "messages")
}

// senders sign and send webhooks to one receiver.
type senders struct {
	url      string
	body     []byte // with placeholders
	holes    []hole
	accepted atomic.Int64
	length   atomic.Int64 // of the answers
}

// hole is where an id stands in the body.
type hole struct {
	at     int
	object bool // an object's id, else the message's
}

func newSenders(url string) *senders {
	s := &senders{url: url}
	var messages []kolibri.WebhookMessage
	var ids []string
	for range ingestPerBody {
		m := kolibri.WebhookMessage{ID: uuid.NewString(), EntityType: "ObjectAssignment", EntityID: uuid.NewString(), Event: "Update", At: time.Now()}
		messages, ids = append(messages, m), append(ids, m.ID, m.EntityID)
	}
	s.body = kolibri.Envelope(messages...)
	for i, id := range ids {
		s.holes = append(s.holes, hole{bytes.Index(s.body, []byte(id)), i%2 == 1})
	}
	return s
}

func (s *senders) shooters() []shooter {
	all := make([]shooter, ingestConns)
	for i := range all {
		all[i] = s.shooter()
	}
	return all
}

// shooter sends deliveries that nobody has sent before.
func (s *senders) shooter() shooter {
	body := bytes.Clone(s.body)
	mac := hmac.New(sha256.New, []byte(webhookSecret))
	last := ""
	return func(ctx context.Context, client *http.Client, scratch *bytes.Buffer) error {
		s.fill(body)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Signature", sign(mac, body))
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		scratch.Reset()
		if _, err := scratch.ReadFrom(io.LimitReader(resp.Body, 1<<10)); err != nil {
			return err
		}
		var answer struct{ DeliveryID string }
		if err := json.Unmarshal(scratch.Bytes(), &answer); err != nil || resp.StatusCode != http.StatusAccepted {
			return fmt.Errorf("answer: %s %.300s", resp.Status, scratch)
		}
		length := int64(scratch.Len())
		if s.length.CompareAndSwap(0, length); answer.DeliveryID == "" || answer.DeliveryID == last || s.length.Load() != length {
			return fmt.Errorf("answer: %.300s after %s", scratch, last)
		}
		last = answer.DeliveryID
		s.accepted.Add(1)
		return nil
	}
}

// fill puts new message ids and some objects' ids into the body.
func (s *senders) fill(body []byte) {
	for _, h := range s.holes {
		id := uuid.New()
		if h.object {
			copy(body[h.at:], kolibri.SeededObjectID(int(id[0])<<8|int(id[1])%ingestObjects))
			continue
		}
		text, _ := id.MarshalText() // never fails
		copy(body[h.at:], text)
	}
}

func sign(mac hash.Hash, body []byte) string {
	mac.Reset()
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// check counts what the receiver stored: every delivery that it accepted, with all its messages.
func (s *senders) check(ctx context.Context, b *bench, databaseURL, deliveries, messages string) error {
	if databaseURL == "" {
		return nil // somebody else's
	}
	var stored, inside int64
	err := b.stack.sql(ctx, databaseURL, func(c *pgx.Conn) error {
		return c.QueryRow(ctx, strings.NewReplacer("D", deliveries, "M", messages).Replace(
			`select (select count(*) from D), (select count(*) from M)`)).Scan(&stored, &inside)
	})
	if want := s.accepted.Load(); err == nil && (stored != want || inside != want*ingestPerBody) {
		err = fmt.Errorf("%s: %d deliveries with %d messages are stored, %d were accepted", deliveries, stored, inside, want)
	}
	return err
}
