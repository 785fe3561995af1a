package gql

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// maxPairs bounds how many pairs of fields with one name validation compares ("fields can merge"): 2,000 tokens of the
// same field would be 2 million, 200 ms of CPU.
const maxPairs = 200_000

// What one use of introspection is taken to hold, in objects.
const (
	costOfSchema = 2_000
	costOfType   = 50
)

// shape is what a selection set asks for, with its fragments expanded. A fragment has one shape wherever it is spread,
// so it is measured once: 26 fragments that each spread the next one twice are 26 visits, not 2^26.
type shape struct {
	depth int // fields below each other
	meta  int // the same, of what starts at __schema or __type in this set
	roots int // fields of the set itself
	// The objects that the set holds are once + n × each, where n is the length of the lists right below it: the field
	// that owns the set may have an argument first for them, as the fields of Relay connections do.
	once, each int64
}

func (s shape) plus(t shape) shape {
	return shape{
		depth: max(s.depth, t.depth),
		meta:  max(s.meta, t.meta),
		roots: int(plus(int64(s.roots), int64(t.roots))),
		once:  plus(s.once, t.once),
		each:  plus(s.each, t.each),
	}
}

// plus and times work on counts and stop at ceiling, far above any limit, rather than overflow.
const ceiling = math.MaxInt32

func plus(a, b int64) int64  { return min(a+b, ceiling) }
func times(a, b int64) int64 { return min(a*b, ceiling) }

// budget measures a document against the limits, before validation: what validation would refuse it passes over.
type budget struct {
	schema    *ast.Schema
	limits    *Limits
	tree      *ast.QueryDocument
	variables map[string]any // of one request; nil while none is known, when each is taken to be as large as it may be

	fragments map[string]*ast.FragmentDefinition
	shapes    map[string]shape // of fragments; zero while a fragment is being measured, which ends cycles

	// Found on the way.
	nodes   int
	named   map[string]int64 // fields written, by the name they have in the answer
	pairs   int64
	aliases int
	firsts  []string
	varies  bool
	tooMany *gqlerror.Error // a first above its limit
	defers  []*ast.DirectiveList
}

func newBudget(schema *ast.Schema, limits *Limits, tree *ast.QueryDocument) *budget {
	b := &budget{
		schema:    schema,
		limits:    limits,
		tree:      tree,
		fragments: make(map[string]*ast.FragmentDefinition, len(tree.Fragments)),
		shapes:    make(map[string]shape, len(tree.Fragments)),
		named:     make(map[string]int64),
	}
	for _, f := range tree.Fragments {
		b.fragments[f.Name] = f
	}
	return b
}

// check measures every operation of the document: validation will look at all of them.
func (b *budget) check() *gqlerror.Error {
	for _, op := range b.tree.Operations {
		s := b.set(b.root(op), op.SelectionSet)
		switch {
		case b.tooMany != nil:
			return b.tooMany
		case s.depth > b.limits.Depth:
			return failure(codeTooComplex, "the operation is %d fields deep, at most %d are served", s.depth, b.limits.Depth)
		case s.meta > b.limits.Introspection:
			return failure(codeTooComplex, "introspection is %d fields deep, at most %d are served", s.meta, b.limits.Introspection)
		case s.roots > b.limits.RootFields:
			return failure(codeTooComplex, "the operation has more than %d fields at its root", b.limits.RootFields)
		case b.pairs > maxPairs:
			return failure(codeTooComplex, "the document repeats fields too often")
		case b.aliases > b.limits.Aliases:
			return failure(codeTooComplex, "the document has more than %d aliases", b.limits.Aliases)
		case b.cost(s) <= b.limits.Cost:
		case b.firsts == nil:
			return tooCostly(b.limits)
		default:
			b.varies = true
		}
	}
	return nil
}

func (b *budget) cost(s shape) int64 { return plus(s.once, times(s.each, int64(b.limits.List))) }

func tooCostly(l *Limits) *gqlerror.Error {
	return failure(codeTooComplex, "the operation asks for more than %d objects: ask for fewer with first", l.Cost)
}

func tooManyFirst(l *Limits) *gqlerror.Error {
	return failure(codeTooComplex, "first is above %d", l.First)
}

// allows decides on what depends on the variables of one request. It costs next to nothing, unless the document is only
// within limits for some values.
func (d *document) allows(schema *ast.Schema, l *Limits, op *ast.OperationDefinition, variables map[string]any) *gqlerror.Error {
	for _, name := range d.firsts {
		if n, ok := variables[name].(int64); ok && n > int64(l.First) {
			return tooManyFirst(l)
		}
	}
	if !d.varies {
		return nil
	}
	b := newBudget(schema, l, d.ast)
	b.variables = variables
	if b.cost(b.set(b.root(op), op.SelectionSet)) > l.Cost {
		return tooCostly(l)
	}
	return b.tooMany
}

func (b *budget) root(op *ast.OperationDefinition) *ast.Definition {
	switch op.Operation {
	case ast.Mutation:
		return b.schema.Mutation
	case ast.Subscription:
		return b.schema.Subscription
	}
	return b.schema.Query
}

func (b *budget) set(parent *ast.Definition, set ast.SelectionSet) (s shape) {
	for _, selection := range set {
		b.nodes++
		switch sel := selection.(type) {
		case *ast.Field:
			s = s.plus(b.field(parent, sel))
		case *ast.InlineFragment:
			b.noteDefer(&sel.Directives)
			on := parent
			if sel.TypeCondition != "" {
				on = b.schema.Types[sel.TypeCondition]
			}
			s = s.plus(b.set(on, sel.SelectionSet))
		case *ast.FragmentSpread:
			b.noteDefer(&sel.Directives)
			s = s.plus(b.fragment(sel.Name))
		}
	}
	return s
}

func (b *budget) fragment(name string) shape {
	if s, ok := b.shapes[name]; ok {
		return s
	}
	f := b.fragments[name]
	if f == nil {
		return shape{}
	}
	b.shapes[name] = shape{}
	s := b.set(b.schema.Types[f.TypeCondition], f.SelectionSet)
	b.shapes[name] = s
	return s
}

func (b *budget) field(parent *ast.Definition, f *ast.Field) shape {
	b.nodes += len(f.Arguments)
	b.pairs += b.named[f.Alias]
	b.named[f.Alias]++
	if f.Alias != f.Name {
		b.aliases++
	}
	var def *ast.FieldDefinition
	if parent != nil {
		def = parent.Fields.ForName(f.Name)
	}
	var of *ast.Definition
	if def != nil {
		of = b.schema.Types[def.Type.Name()]
	}
	below := b.set(of, f.SelectionSet)
	s := shape{depth: 1 + below.depth, roots: 1}
	switch {
	case f.Name == "__schema":
		return shape{meta: s.depth, roots: 1, once: costOfSchema}
	case f.Name == "__type":
		return shape{meta: s.depth, roots: 1, once: costOfType}
	case of == nil || of.IsLeafType():
		return s
	}
	first, bounded := b.first(f, def)
	isList := def.Type.Elem != nil
	list := int64(b.limits.List)
	switch {
	case isList && bounded:
		s.once = times(first, b.object(below, list))
	case isList:
		s.each = b.object(below, list)
	case bounded:
		s.once = b.object(below, first)
	default:
		s.once = b.object(below, list)
	}
	return s
}

// object counts one object with everything below it, where the lists right below it have n elements.
func (b *budget) object(below shape, n int64) int64 {
	return plus(1, plus(below.once, times(below.each, n)))
}

// first gives the value of a field's argument first, and whether its definition has one.
func (b *budget) first(f *ast.Field, def *ast.FieldDefinition) (n int64, bounded bool) {
	argument := def.Arguments.ForName("first")
	if argument == nil {
		return 0, false
	}
	value := argument.DefaultValue
	largest := int64(b.limits.First)
	if given := f.Arguments.ForName("first"); given != nil {
		value = given.Value
		if value.Kind == ast.Variable {
			if b.variables == nil {
				if !slices.Contains(b.firsts, value.Raw) {
					b.firsts = append(b.firsts, strings.Clone(value.Raw))
				}
				return largest, true
			}
			v, ok := b.variables[value.Raw]
			if n, isInt := v.(int64); isInt { // as coercion leaves every Int
				return max(n, 0), true
			}
			if ok {
				return largest, true
			}
			value = argument.DefaultValue
		}
	}
	if value == nil || value.Kind != ast.IntValue {
		return largest, true // absent or null: the resolver's own choice
	}
	n, err := strconv.ParseInt(value.Raw, 10, 64)
	if err != nil {
		n = ceiling
	}
	if n > largest {
		b.tooMany = tooManyFirst(b.limits)
	}
	return min(max(n, 0), ceiling), true
}

// noteDefer remembers where @defer stands, for dropDefer.
func (b *budget) noteDefer(l *ast.DirectiveList) {
	if len(*l) > 0 && l.ForName("defer") != nil {
		b.defers = append(b.defers, l)
	}
}

// dropDefer takes @defer out of a valid document. gqlparser's prelude has it in every schema and gqlgen would answer in
// parts; a server may always answer in one, and none of our transports has a way to send parts.
func (b *budget) dropDefer() {
	for _, l := range b.defers {
		*l = slices.DeleteFunc(*l, func(d *ast.Directive) bool { return d.Name == "defer" })
	}
}
