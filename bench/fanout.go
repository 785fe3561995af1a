package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"sparki.app/integrations/bench/beside"
)

// subscribers are how many sockets hear each event.
var subscribers = []int{1000, 5000}

const (
	events = 40 // of a slice
	// leastDelivered is the floor, beside a broadcast that knows of no portals, cursors or rights.
	leastDelivered = 0.6
	// mostMemory is what an idle socket may take, in kB.
	mostMemory = 20
	// settle is how long sockets have been idle when their memory is measured.
	settle = 2 * time.Second
	// breath is how long nothing happens between two events. Sparki looks for new activities at most
	// every 20 ms, so that a burst costs a few looks; one event at a time should not wait for that.
	breath = 100 * time.Millisecond
	// deliveredWithin bounds one event.
	deliveredWithin = 10 * time.Second
)

const activitySubscription = `subscription { activity { id cursor type message } }`

// fanOut measures one event at a time to many sockets of one portal: from the request that makes it
// happen to the last socket that has heard of it. And what a socket costs that hears nothing.
func fanOut(ctx context.Context, b *bench) ([]*row, error) {
	p, err := b.program(ctx, "fan_out", true)
	defer p.stop()
	if err != nil {
		return nil, err
	}
	theirs, err := b.rival(ctx, "fan_out_beside", beside.Options{})
	defer theirs.stop()
	if err != nil {
		return nil, err
	}
	edit, err := newEditing(ctx, p)
	if err != nil {
		return nil, err
	}
	var rows []*row
	for _, n := range subscribers {
		of, err := b.fanOutTo(ctx, n, p, theirs, edit)
		if err != nil {
			return nil, err
		}
		rows = append(rows, of...)
	}
	return rows, nil
}

// fanOutTo measures with so many sockets on either side.
func (b *bench) fanOutTo(ctx context.Context, n int, p *program, theirs *rival, edit *editing) ([]*row, error) {
	idle := &row{load: "fan-out", what: fmt.Sprintf("memory of each of %d idle sockets", n), unit: "kB", beside: "the same", ceiling: mostMemory}
	empty, emptyBeside := p.resident(), theirs.resident()
	ours, err := subscribe(ctx, "ws"+strings.TrimPrefix(p.url, "http")+"/graphql", n, transportWS(p.token))
	if err != nil {
		return nil, fmt.Errorf("ours: %w", err)
	}
	defer ours.close()
	raw, err := subscribe(ctx, "ws"+strings.TrimPrefix(theirs.url, "http")+"/fan-out", n, nil)
	if err != nil {
		return nil, fmt.Errorf("beside: %w", err)
	}
	defer raw.close()
	message, err := ours.everybodyHears(ctx, edit.next)
	if err != nil {
		return nil, fmt.Errorf("ours: %w", err)
	}
	if err := isActivity(message); err != nil {
		return nil, err
	}
	send := func(ctx context.Context) error { return theirs.post(ctx, http.MethodPost, "/fan-out", message, nil) }
	if _, err := raw.everybodyHears(ctx, send); err != nil {
		return nil, fmt.Errorf("beside: %w", err)
	}
	if !sleep(ctx, settle) {
		return nil, ctx.Err()
	}
	idle.ours, idle.theirs = memoryOf(p.resident()-empty, n), memoryOf(theirs.resident()-emptyBeside, n)
	whole := &row{load: "fan-out", what: fmt.Sprintf("one event to %d sockets, %d bytes each", n, len(message)), unit: "deliveries/s", beside: "raw gorilla, prepared message", floor: leastDelivered}
	spread := &row{load: "fan-out", what: "the same, first socket to last", unit: "deliveries/s", beside: "the same"}
	for range b.rounds {
		if err := b.deliver(ctx, whole, spread, true, ours, p.cpu, edit.next); err != nil {
			return nil, fmt.Errorf("ours: %w", err)
		}
		if err := b.deliver(ctx, whole, spread, false, raw, theirs.cpu, send); err != nil {
			return nil, fmt.Errorf("beside: %w", err)
		}
	}
	err = b.profiled(ctx, fmt.Sprintf("fan-out-%d", n), p.serve, func() error {
		return b.deliver(ctx, &row{}, &row{}, true, ours, p.cpu, edit.next)
	})
	whole.serve, whole.worker = p.peaks()
	return []*row{whole, spread, idle}, err
}

// memoryOf is what a socket takes, in kB, as a sample that the table can show; none when it is not known.
func memoryOf(resident int64, sockets int) []sample {
	if resident <= 0 {
		return nil
	}
	return []sample{{ops: int(resident) / sockets / 1000, took: time.Second}}
}

// deliver makes one slice of events.
func (b *bench) deliver(ctx context.Context, whole, spread *row, ours bool, a *audience, of meterOf, trigger func(context.Context) error) error {
	m := b.meter(of)
	var s, between sample
	var times []time.Duration
	m.start()
	for range events {
		if !sleep(ctx, breath) {
			return ctx.Err()
		}
		heard, err := a.hear(ctx, trigger)
		if err != nil {
			return err
		}
		s.ops += len(a.sockets)
		s.took += heard.last.Sub(heard.began)
		between.took += heard.last.Sub(heard.first)
		times = append(times, heard.last.Sub(heard.began))
	}
	m.stop(&s)
	s.p50, s.p99 = spreadOf(times)
	between.ops = s.ops - events // the first of each event is where the time begins
	if ours {
		whole.ours, spread.ours = append(whole.ours, s), append(spread.ours, between)
	} else {
		whole.theirs, spread.theirs = append(whole.theirs, s), append(spread.theirs, between)
	}
	return nil
}

// isActivity looks at a message closely; all others are compared with one like it.
func isActivity(message []byte) error {
	var m struct {
		ID, Type string
		Payload  struct {
			Data struct {
				Activity struct{ ID, Cursor, Type, Message string }
			}
			Errors []any
		}
	}
	if err := json.Unmarshal(message, &m); err != nil {
		return err
	}
	a := m.Payload.Data.Activity
	if m.ID != operationID || m.Type != "next" || len(m.Payload.Errors) > 0 || !strings.HasPrefix(a.ID, "activity_") ||
		a.Cursor == "" || a.Type != "PROJECT_UPDATED" || a.Message == "" {
		return fmt.Errorf("a message that was not to be expected: %s", message)
	}
	return nil
}

// isOurs says whether a message is about what editing does.
func isOurs(message []byte) bool { return bytes.Contains(message, []byte(`"PROJECT_UPDATED"`)) }

// editing makes events: a person gives a project one title after the other.
type editing struct {
	program *program
	project string
	edits   int
}

// newEditing makes the project.
func newEditing(ctx context.Context, p *program) (*editing, error) {
	e := &editing{program: p}
	var err error
	e.project, err = e.mutate(ctx, `createProject(input: {title: $title})`)
	return e, err
}

// next makes one event happen.
func (e *editing) next(ctx context.Context) error {
	_, err := e.mutate(ctx, fmt.Sprintf(`updateProject(projectId: %q, input: {title: $title})`, e.project))
	return err
}

// mutate asks for a change, and gives the project. All titles are equally long.
func (e *editing) mutate(ctx context.Context, field string) (string, error) {
	e.edits++
	var out struct {
		Done struct {
			Project    struct{ ID string }
			UserErrors []struct{ Message string }
		}
	}
	document := `mutation ($title: String!) { done: ` + field + ` { project { id } userErrors { message } } }`
	err := e.program.graphQL(ctx, document, map[string]any{"title": fmt.Sprintf("Kerkstraat %06d", e.edits)}, &out)
	if err == nil && len(out.Done.UserErrors) > 0 {
		err = fmt.Errorf("%s: %v", field, out.Done.UserErrors)
	}
	return out.Done.Project.ID, err
}
