package gql

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Source gives one subscription its events.
type Source interface {
	// Next waits for the next event: a comparable value, the same for every subscription that the event goes to. io.EOF
	// completes the subscription; any other error, but for ctx's, closes its socket with 1013, for its client to come back
	// and go on where it was.
	Next(ctx context.Context) (event any, err error)
	Close()
}

// Sharing lets subscriptions share what is made of an event: one that is the same for many is executed and encoded once.
type Sharing struct {
	// Open makes the context in which a subscription's resolver may leave a Source, and return a channel that has ended.
	// opened gives the source; nil when the resolver returned a channel of events, which are shared with nobody.
	Open func(ctx context.Context) (opening context.Context, opened func() Source)
	// Show makes the context in which the resolver returns a channel of this event and no other.
	Show func(ctx context.Context, event any) context.Context
	// Audience names those who are shown the same for the same operation and variables: by portal, rights, language.
	Audience func(ctx context.Context) string
	// Positions are the arguments of the schema's subscriptions that only say where to begin: variables given to them
	// alone are left out of the comparison.
	Positions []string
}

const (
	// keepAnswers bounds the answers that wait for a group's slower members.
	keepAnswers = 64
	// shareFor is how long an answer is given to more members: what it shows besides the event may change.
	shareFor = 5 * time.Second
)

// shares are the groups of subscriptions that are shown the same.
type shares struct {
	mu     sync.Mutex
	groups map[groupKey]*group
}

type groupKey struct{ query, operation, variables, audience string }

// group is the subscriptions that are shown the same.
type group struct {
	shares  *shares
	key     groupKey
	members int // under shares.mu

	mu      sync.Mutex
	answers map[any]*sharedAnswer // by event
	order   []any                 // events of answers, the oldest first
}

// sharedAnswer is made once.
type sharedAnswer struct {
	made    time.Time // when it was begun
	done    chan struct{}
	payload payload // after done
}

func (s *shares) join(key groupKey) *group {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[key]
	if g == nil {
		g = &group{shares: s, key: key}
		s.groups[key] = g
	}
	g.members++
	return g
}

func (g *group) leave() {
	g.shares.mu.Lock()
	defer g.shares.mu.Unlock()
	if g.members--; g.members == 0 {
		delete(g.shares.groups, g.key)
	}
}

// answer gives what is shown of an event. The first member who asks has it made.
func (g *group) answer(event any, make func() payload) payload {
	g.mu.Lock()
	a := g.answers[event]
	if a == nil || time.Since(a.made) > shareFor {
		a = g.remember(event)
		// The executor's stack is deep, and those of the members, who are many, stay small.
		go func() {
			defer close(a.done)
			a.payload = make()
		}()
	}
	g.mu.Unlock()
	<-a.done
	return a.payload
}

// remember begins an answer. The caller holds mu.
func (g *group) remember(event any) *sharedAnswer {
	a := &sharedAnswer{made: time.Now(), done: make(chan struct{})}
	if g.answers == nil {
		g.answers = map[any]*sharedAnswer{}
	}
	for len(g.order) > 0 && (len(g.order) >= keepAnswers || a.made.Sub(g.answers[g.order[0]].made) > shareFor) {
		delete(g.answers, g.order[0])
		g.order = g.order[1:]
	}
	g.answers[event] = a
	g.order = append(g.order, event)
	return a
}

// follower is what is left of a subscription while it waits for events.
type follower struct {
	h      *Handler
	ctx    context.Context
	params *graphql.RawParams
	source Source
	group  *group
}

// next waits for the next event, and gives what is shown of it. io.EOF is the end.
func (f *follower) next() (p payload, err error) {
	defer func() {
		if v := recover(); v != nil {
			p, err = refusal(f.h.internal(f.ctx, v)), nil
		}
	}()
	event, err := f.source.Next(f.ctx)
	if err != nil {
		return p, err
	}
	return f.group.answer(event, func() payload { return f.h.show(f.ctx, f.params, event) }), nil
}

func (f *follower) stop() {
	f.source.Close()
	f.group.leave()
}

// show executes a subscription for one event. Others may wait for it, so it does not end with its first asker.
func (h *Handler) show(ctx context.Context, params *graphql.RawParams, event any) (p payload) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.limits.Operation)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			p = refusal(h.internal(ctx, v))
		}
	}()
	e, errs := h.prepare(h.config.Sharing.Show(ctx, event), params)
	if errs != nil {
		return refusal(errs)
	}
	e.dispatch()
	r := e.responses(e.event())
	if r == nil {
		return refusal(gqlerror.List{failure(codeInternal, "an event took longer than %v", h.limits.Operation)})
	}
	return payloadOf(r)
}

// open starts a subscription and finds out whether its resolver left a source. If it did not, first is the first
// response, nil when there is none.
func (e *execution) open() (f *follower, first *graphql.Response) {
	sharing := e.h.config.Sharing
	if sharing == nil {
		e.dispatch()
		return nil, e.responses(e.event())
	}
	audience := sharing.Audience(e.ctx)
	ctx := e.ctx
	var opened func() Source
	e.ctx, opened = sharing.Open(e.ctx)
	e.dispatch()
	r := e.responses(e.event())
	source := opened()
	if source == nil {
		return nil, r
	}
	if r != nil { // it also failed
		source.Close()
		return nil, r
	}
	params := &graphql.RawParams{Query: e.oc.RawQuery, OperationName: e.oc.OperationName, Variables: e.given}
	key := groupKey{params.Query, params.OperationName, sharing.variables(e.oc.Operation, params), audience}
	return &follower{h: e.h, ctx: ctx, params: params, source: source, group: e.h.shares.join(key)}, nil
}

// variables are those that the answers depend on, as text.
func (s *Sharing) variables(op *ast.OperationDefinition, p *graphql.RawParams) string {
	if len(p.Variables) == 0 {
		return ""
	}
	relevant := make(map[string]any, len(p.Variables))
	for name, value := range p.Variables {
		relevant[name] = value
	}
	for _, selection := range op.SelectionSet {
		field, ok := selection.(*ast.Field)
		if !ok {
			continue
		}
		for _, name := range s.Positions {
			a := field.Arguments.ForName(name)
			if a != nil && a.Value.Kind == ast.Variable && timesUsed(p.Query, a.Value.Raw) == 2 { // declared, and given here
				delete(relevant, a.Value.Raw)
			}
		}
	}
	text, _ := json.Marshal(relevant) // it came as JSON; keys are sorted
	return string(text)
}

// timesUsed counts a variable in a valid document, declarations included. A dollar sign that does not stand right before
// a name, as in a string, counts as one of it: it might be.
func timesUsed(query, variable string) (n int) {
	for _, rest := range strings.Split(query, "$")[1:] {
		end := strings.IndexFunc(rest, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if end < 0 {
			end = len(rest)
		}
		if end == 0 || rest[:end] == variable {
			n++
		}
	}
	return n
}

// ended reports whether an error of Source.Next is the usual end of a subscription.
func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
