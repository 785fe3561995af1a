package testschema

import (
	"context"
	"fmt"
	"strings"
)

type resolvers struct{ *Server }

func (r resolvers) Query() QueryResolver               { return query(r) }
func (r resolvers) Mutation() MutationResolver         { return mutation(r) }
func (r resolvers) Subscription() SubscriptionResolver { return subscription(r) }

type query struct{ *Server }

func (query) Hello(_ context.Context, name string) (string, error) { return "Hello " + name, nil }

func (query) Viewer(ctx context.Context) (*string, error) {
	name := Viewer(ctx)
	return &name, nil
}

func (query) Fail(context.Context) (*string, error)    { return nil, ErrFail }
func (query) FailHard(context.Context) (string, error) { return "", ErrFail }
func (query) Panics(context.Context) (*string, error)  { panic(ErrFail) }

func (q query) Waits(ctx context.Context) (*string, error) {
	q.Live.Add(1)
	defer q.Live.Add(-1)
	q.Waiting.Add(1)
	<-ctx.Done()
	return nil, ctx.Err()
}

func (query) Big(_ context.Context, n int) (string, error) { return strings.Repeat("x", n), nil }

func (query) Odd(_ context.Context, value Odd) (*string, error) { return (*string)(&value), nil }

func (query) Raw(context.Context) (Raw, error) { return Raw(`{"a":[1,2]}`), nil }

func (query) Echo(_ context.Context, in EchoInput) (string, error) {
	return strings.Repeat(in.Text, in.Times), nil
}

func (query) Join(_ context.Context, texts []string) (string, error) {
	return strings.Join(texts, ""), nil
}
func (query) Half(_ context.Context, of float64) (float64, error) { return of / 2, nil }
func (query) Same(_ context.Context, id string) (string, error)   { return id, nil }

func (query) Person(context.Context) (*Person, error)  { return &Person{Name: "Ann"}, nil }
func (query) People(context.Context) ([]Person, error) { return []Person{{Name: "Ann"}}, nil }

func (query) Items(_ context.Context, first *int, _ *string) (*ItemConnection, error) {
	c, err := newConnection(*first)
	return &c, err
}

func (query) Latest(_ context.Context, first *int) ([]Item, error) {
	if first == nil {
		return nil, nil
	}
	c, err := newConnection(*first)
	return c.Nodes(), err
}

type mutation struct{ *Server }

func (m mutation) Bump(_ context.Context, by int) (int, error) {
	return int(m.Counter.Add(int64(by))), nil
}

type subscription struct{ *Server }

func (s subscription) Count(ctx context.Context, to int) (<-chan int, error) {
	return stream(ctx, s.Server, func(i int) (int, bool) { return i, i < to }), nil
}

func (s subscription) Messages(ctx context.Context) (<-chan *Message, error) {
	if answer, ok := ctx.Value(messagesKey{}).(func() <-chan *Message); ok {
		return answer(), nil
	}
	in, out := make(chan Message), make(chan *Message)
	s.mu.Lock()
	if s.subscribers == nil {
		s.subscribers = make(map[chan Message]struct{})
	}
	s.subscribers[in] = struct{}{}
	s.mu.Unlock()
	s.Live.Add(1)
	go func() {
		defer close(out)
		defer s.Live.Add(-1)
		defer func() {
			s.mu.Lock()
			delete(s.subscribers, in)
			s.mu.Unlock()
		}()
		for {
			select {
			case m, ok := <-in:
				if !ok {
					return
				}
				select {
				case out <- &m:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

func (subscription) Refused(context.Context) (<-chan int, error) { return nil, ErrFail }

func (s subscription) Flood(ctx context.Context, n int) (<-chan string, error) {
	text := strings.Repeat("x", n)
	return stream(ctx, s.Server, func(int) (string, bool) { return text, true }), nil
}

func (s subscription) RawEvents(ctx context.Context) (<-chan Raw, error) {
	return stream(ctx, s.Server, func(i int) (Raw, bool) { return Raw(fmt.Sprintf("{\n\"i\":\r\n%d}", i)), i < 2 }), nil
}

// stream yields what next makes until it says no or ctx ends.
func stream[T any](ctx context.Context, s *Server, next func(i int) (T, bool)) <-chan T {
	out := make(chan T)
	s.Live.Add(1)
	go func() {
		defer close(out)
		defer s.Live.Add(-1)
		for i := 0; ; i++ {
			v, ok := next(i)
			if !ok {
				return
			}
			select {
			case out <- v:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}
