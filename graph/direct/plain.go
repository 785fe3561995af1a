package direct

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Plain makes a field that is a field of T: text of any type, a number, a truth value, a time or a list of texts; a pointer
// to one of them may be nil. It panics for others.
func Plain[T any](name string) Field[T] {
	field, found := reflect.TypeFor[T]().FieldByNameFunc(func(s string) bool { return strings.EqualFold(s, name) })
	if !found {
		panic(fmt.Sprintf("direct: %v has no field %s", reflect.TypeFor[T](), name))
	}
	write := writerOf(field.Type)
	return func(*selection) writer[*T] {
		return func(a *answer, v *T) { write(a, reflect.ValueOf(v).Elem().FieldByIndex(field.Index)) }
	}
}

func writerOf(t reflect.Type) writer[reflect.Value] {
	switch {
	case t.Kind() == reflect.Pointer:
		write := writerOf(t.Elem())
		return func(a *answer, v reflect.Value) {
			if v.IsNil() {
				a.raw("null")
				return
			}
			write(a, v.Elem())
		}
	case t == reflect.TypeFor[[]string]():
		write := List(Text[string])(nil)
		return func(a *answer, v reflect.Value) { write(a, *v.Addr().Interface().(*[]string)) }
	case t == reflect.TypeFor[time.Time]():
		return func(a *answer, v reflect.Value) { appendTime(a, *v.Addr().Interface().(*time.Time)) }
	case t.Kind() == reflect.String:
		return func(a *answer, v reflect.Value) { a.json = appendText(a.json, v.String()) }
	case t.Kind() == reflect.Int:
		return func(a *answer, v reflect.Value) { appendInt(a, int(v.Int())) }
	case t.Kind() == reflect.Float64:
		return func(a *answer, v reflect.Value) { appendFloat(a, v.Float()) }
	case t.Kind() == reflect.Bool:
		return func(a *answer, v reflect.Value) { appendBool(a, v.Bool()) }
	}
	panic(fmt.Sprintf("direct: cannot write a %v", t))
}
