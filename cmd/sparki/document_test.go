package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"sparki.app/integrations"
)

// writer writes operations for any field of the schema, so that tests reach what is added to it.
type writer struct{ schema *ast.Schema }

func newWriter(t *testing.T) *writer {
	t.Helper()
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphqls", Input: string(sparki.SDL)})
	if err != nil {
		t.Fatal(err)
	}
	return &writer{schema}
}

// fields lists a type's fields but those of the language itself.
func (w *writer) fields(name string) (fields []*ast.FieldDefinition) {
	for _, f := range w.schema.Types[name].Fields {
		if !strings.HasPrefix(f.Name, "__") {
			fields = append(fields, f)
		}
	}
	return fields
}

// nodes lists the types of objects that have an id.
func (w *writer) nodes() (names []string) {
	for _, t := range w.schema.PossibleTypes["Node"] {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	return names
}

// input is the place of a value in a field's arguments, for example ["filter", "integrationId"].
type input []string

func (i input) String() string { return strings.Join(i, ".") }

// inputs lists the places in a field's arguments that take a value of a type.
func (w *writer) inputs(f *ast.FieldDefinition, typeName string) (places []input) {
	for _, a := range f.Arguments {
		places = append(places, w.inputsIn(input{a.Name}, a.Type, typeName)...)
	}
	return places
}

func (w *writer) inputsIn(at input, t *ast.Type, typeName string) (places []input) {
	if t.Name() == typeName {
		return []input{at}
	}
	def := w.schema.Types[t.Name()]
	if def.Kind != ast.InputObject || len(at) > 4 {
		return nil
	}
	for _, f := range def.Fields {
		places = append(places, w.inputsIn(append(slices.Clone(at), f.Name), f.Type, typeName)...)
	}
	return places
}

// arguments writes a field's arguments: values at the given places, and whatever else is required.
// value gives the values of required ids.
func (w *writer) arguments(f *ast.FieldDefinition, set map[string]string, id func(place input) string) string {
	var parts []string
	for _, a := range f.Arguments {
		if v, ok := w.value(input{a.Name}, a.Type, a.DefaultValue != nil, set, id); ok {
			parts = append(parts, a.Name+": "+v)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func (w *writer) value(at input, t *ast.Type, hasDefault bool, set map[string]string, id func(input) string) (text string, needed bool) {
	needed = t.NonNull && !hasDefault
	for place := range set {
		needed = needed || place == at.String() || strings.HasPrefix(place, at.String()+".")
	}
	if !needed {
		return "", false
	}
	if v, ok := set[at.String()]; ok {
		text = v
		if t.Elem != nil {
			text = "[" + v + "]"
		}
		return text, true
	}
	def := w.schema.Types[t.Name()]
	switch {
	case def.Kind == ast.Enum:
		text = def.EnumValues[0].Name
	case def.Kind == ast.InputObject:
		var parts []string
		for _, f := range def.Fields {
			if v, ok := w.value(append(slices.Clone(at), f.Name), f.Type, f.DefaultValue != nil, set, id); ok {
				parts = append(parts, f.Name+": "+v)
			}
		}
		text = "{" + strings.Join(parts, ", ") + "}"
	case def.Name == "ID":
		text = id(at)
	case def.Name == "Boolean":
		text = "false"
	case def.Name == "Int", def.Name == "Float":
		text = "1"
	case def.Name == "Decimal":
		text = `"1.00"`
	case def.Name == "URL":
		text = `"https://example.com/"`
	case def.Name == "DateTime":
		text = `"2026-11-21T10:00:00Z"`
	case def.Name == "JSON":
		text = "{}"
	default:
		text = `"kolibri"` // a CRM's key, or any text
	}
	if t.Elem != nil {
		text = "[" + text + "]"
	}
	return text, true
}

// selection writes what to read of a type: its plain fields, and those of the objects in it, some
// levels deep. Fields with arguments keep their defaults.
func (w *writer) selection(typeName string, levels int) string {
	def := w.schema.Types[typeName]
	if def.IsLeafType() {
		return ""
	}
	parts := []string{"__typename"}
	if def.Kind == ast.Interface || def.Kind == ast.Union {
		for _, t := range w.schema.PossibleTypes[typeName] {
			parts = append(parts, fmt.Sprintf("... on %s { id }", t.Name))
		}
		return " { " + strings.Join(parts, " ") + " }"
	}
	for _, f := range w.fields(typeName) {
		of := w.schema.Types[f.Type.Name()]
		required := slices.ContainsFunc(f.Arguments, func(a *ast.ArgumentDefinition) bool { return a.Type.NonNull && a.DefaultValue == nil })
		switch {
		case required:
		case of.IsLeafType():
			parts = append(parts, f.Name)
		case levels > 0 && !hasArgument(f, "first"):
			parts = append(parts, f.Name+w.selection(of.Name, levels-1))
		case levels > 1:
			parts = append(parts, f.Name+"(first: 3)"+w.selection(of.Name, levels-1))
		}
	}
	return " { " + strings.Join(parts, " ") + " }"
}

func hasArgument(f *ast.FieldDefinition, name string) bool { return f.Arguments.ForName(name) != nil }
