package direct

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Text is a string, an id, an enum or a scalar that is written like them.
func Text[S ~string](*selection) writer[S] {
	return func(a *answer, v S) { a.json = appendText(a.json, string(v)) }
}

// OptionalText is a string that may be missing.
func OptionalText(*selection) writer[*string] {
	return func(a *answer, v *string) {
		if v == nil {
			a.raw("null")
			return
		}
		a.json = appendText(a.json, *v)
	}
}

// Int is a whole number.
func Int(*selection) writer[int] { return appendInt }

// Nullable is an object that may be missing.
func Nullable[T any](of Type[*T]) Type[*T] {
	return func(s *selection) writer[*T] {
		write := of(s)
		if write == nil {
			return nil
		}
		return func(a *answer, v *T) {
			if v == nil {
				a.raw("null")
				return
			}
			write(a, v)
		}
	}
}

// List is a list that must not be null; nil is written as an empty one.
func List[V any](of Type[V]) Type[[]V] {
	return listOf(of, func(all []V, i int) V { return all[i] })
}

// Structs is List for objects that stand in the list themselves.
func Structs[T any](of Type[*T]) Type[[]T] {
	return listOf(of, func(all []T, i int) *T { return &all[i] })
}

func listOf[E, V any](of Type[V], element func([]E, int) V) Type[[]E] {
	return func(s *selection) writer[[]E] {
		write := of(s)
		if write == nil {
			return nil
		}
		return func(a *answer, all []E) {
			a.raw("[")
			for i := range all {
				if i > 0 {
					a.raw(",")
				}
				if write(a, element(all, i)); a.failed {
					return
				}
			}
			a.raw("]")
		}
	}
}

func appendInt(a *answer, v int) { a.json = strconv.AppendInt(a.json, int64(v), 10) }

func appendBool(a *answer, v bool) { a.json = strconv.AppendBool(a.json, v) }

// appendFloat writes a number as graphql.MarshalFloatContext does.
func appendFloat(a *answer, v float64) {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		a.failed = true
		return
	}
	a.json = fmt.Appendf(a.json, "%g", v)
}

// appendTime writes a time as graph.MarshalDateTime does.
func appendTime(a *answer, v time.Time) {
	a.json = append(v.UTC().AppendFormat(append(a.json, '"'), time.RFC3339Nano), '"')
}

const hex = "0123456789ABCDEF"

// appendText quotes a string as graphql.MarshalString does.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\t':
			b = append(b, `\t`...)
		case '\r':
			b = append(b, `\r`...)
		case '\n':
			b = append(b, `\n`...)
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
	}
	return append(append(b, s[start:]...), '"')
}
