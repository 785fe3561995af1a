package direct

import (
	"context"
	"maps"

	"github.com/99designs/gqlgen/graphql"
)

// Object is an object type of the schema whose values are *T.
type Object[T any] struct {
	names  []string
	fields Fields[T]
}

// Fields are fields of an object type by name. Those with arguments do not belong here.
type Fields[T any] map[string]Field[T]

// Field compiles one field of an object; nil like Type.
type Field[T any] func(*selection) writer[*T]

// NewObject names an object type and the interfaces that it implements.
func NewObject[T any](name string, interfaces ...string) *Object[T] {
	return &Object[T]{names: append([]string{name}, interfaces...), fields: Fields[T]{}}
}

// Plain adds fields that T has itself, under the same name in any case, as gqlgen finds them.
func (o *Object[T]) Plain(names ...string) *Object[T] {
	for _, name := range names {
		o.fields[name] = Plain[T](name)
	}
	return o
}

// With adds other fields. Types can hold each other: what is added later counts too.
func (o *Object[T]) With(fields Fields[T]) *Object[T] {
	maps.Copy(o.fields, fields)
	return o
}

// step writes one field: what stands before its value, and the value unless that is always the same.
type step[T any] struct {
	literal string
	value   writer[*T] // may be nil
}

// Type is the object's type where it must not be null.
func (o *Object[T]) Type(s *selection) writer[*T] {
	steps := o.steps(s)
	if steps == nil {
		return nil
	}
	return func(a *answer, v *T) {
		if v == nil {
			a.failed = true
			return
		}
		for i := range steps {
			a.raw(steps[i].literal)
			if steps[i].value != nil {
				steps[i].value(a, v)
			}
		}
	}
}

func (o *Object[T]) steps(s *selection) []step[T] {
	fields := graphql.CollectFields(s.oc, s.field.Selections, o.names)
	steps := make([]step[T], 0, len(fields)+1)
	written := make(map[string]bool, len(fields))
	before := "{"
	for _, field := range fields {
		if written[field.Alias] {
			continue
		}
		written[field.Alias] = true
		literal := before + `"` + field.Alias + `":` // a name of GraphQL has nothing to escape
		before = ","
		if field.Name == "__typename" {
			steps = append(steps, step[T]{literal: literal + `"` + o.names[0] + `"`})
			continue
		}
		known := o.fields[field.Name]
		if known == nil || field.IsDeferred() {
			return nil
		}
		value := known(&selection{ctx: s.ctx, oc: s.oc, field: field})
		if value == nil {
			return nil
		}
		steps = append(steps, step[T]{literal, value})
	}
	if len(steps) == 0 {
		return []step[T]{{literal: "{}"}}
	}
	return append(steps, step[T]{literal: "}"})
}

// Get is a field whose value the object has.
func Get[T, V any](get func(*T) V, of Type[V]) Field[T] {
	return func(s *selection) writer[*T] {
		write := of(s)
		if write == nil {
			return nil
		}
		return func(a *answer, v *T) { write(a, get(v)) }
	}
}

// Resolve is a field that has to be asked for. The resolver finds the field in its context, but nothing of the fields
// above.
func Resolve[T, V any](resolve func(context.Context, *T) (V, error), of Type[V]) Field[T] {
	return func(s *selection) writer[*T] {
		write := of(s)
		if write == nil {
			return nil
		}
		ctx := graphql.WithFieldContext(s.ctx, &graphql.FieldContext{Field: s.field, IsResolver: true})
		return func(a *answer, v *T) {
			value, err := resolve(ctx, v)
			if err != nil {
				a.failed = true
				return
			}
			write(a, value)
		}
	}
}
