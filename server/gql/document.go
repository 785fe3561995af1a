package gql

import (
	"container/list"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// Bounds of the document cache. The second is what memory is about: the syntax tree of a hostile document is a hundred
// times as large as its text.
const (
	maxDocuments = 1_000
	maxNodes     = 60_000 // fields, arguments and fragments of all cached documents, at about 400 bytes each
)

// document is parsed, within limits and valid for the schema. It is shared between requests and never changes.
type document struct {
	query  string // its own copy: what came in may be a slice of a whole request body
	ast    *ast.QueryDocument
	nodes  int
	firsts []string // variables that some argument named first is given
	varies bool     // the cost is above the limit for the largest values of firsts, so each request's has to be reckoned
}

// documents turns query texts into documents, remembering the latest ones.
type documents struct {
	schema *ast.Schema
	limits Limits
	rules  *rules.Rules
	listed map[string]bool // the documents that may be served, in one form; nil for all

	mu     sync.Mutex
	byText map[string]*list.Element
	recent *list.List // of *document, the latest first
	nodes  int
}

func newDocuments(schema *ast.Schema, limits Limits, operations []string) *documents {
	r := rules.NewDefaultRules()
	// The same rules without "Did you mean", which tells a stranger the schema field by field and takes time.
	r.ReplaceRule(rules.FieldsOnCorrectTypeRule.Name, rules.FieldsOnCorrectTypeRuleWithoutSuggestions.RuleFunc)
	r.ReplaceRule(rules.ScalarLeafsRule.Name, rules.ScalarLeafsRuleWithoutSuggestions.RuleFunc)
	r.ReplaceRule(rules.ValuesOfCorrectTypeRule.Name, rules.ValuesOfCorrectTypeRuleWithoutSuggestions.RuleFunc)
	r.ReplaceRule(rules.KnownTypeNamesRule.Name, rules.KnownTypeNamesRuleWithoutSuggestions.RuleFunc)
	r.ReplaceRule(rules.KnownArgumentNamesRule.Name, rules.KnownArgumentNamesRuleWithoutSuggestions.RuleFunc)
	d := &documents{
		schema: schema,
		limits: limits,
		rules:  r,
		byText: make(map[string]*list.Element),
		recent: list.New(),
	}
	if err := d.list(operations); err != nil {
		panic("gql: Config.Operations: " + err.Error())
	}
	return d
}

// list allows these operations and no others.
func (d *documents) list(operations []string) error {
	if len(operations) == 0 {
		return nil
	}
	listed := make(map[string]bool, len(operations))
	for i, operation := range operations {
		if _, errs := d.load(operation); errs != nil {
			return fmt.Errorf("number %d: %w", i+1, errs)
		}
		tree, err := parser.ParseQuery(&ast.Source{Input: operation}) // as it was before load changed it
		if err != nil {
			return err
		}
		listed[inOneForm(tree)] = true
	}
	d.listed = listed
	return nil
}

// CheckOperations says what is wrong with a list for Config.Operations: one that the default limits or the schema refuse.
func CheckOperations(schema *ast.Schema, operations []string) error {
	return newDocuments(schema, Limits{}.withDefaults(), nil).list(operations)
}

// inOneForm writes a document without what means nothing: white space, commas and comments.
func inOneForm(doc *ast.QueryDocument) string {
	var text strings.Builder
	formatter.NewFormatter(&text).FormatQueryDocument(doc)
	return text.String()
}

// load gives the document of a query text, or the errors that its sender gets. The limits come before validation, whose
// time grows with the square of some of what they bound.
func (d *documents) load(query string) (*document, gqlerror.List) {
	if doc := d.cached(query); doc != nil {
		return doc, nil
	}
	query = strings.Clone(query)
	tree, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: query}, d.limits.Tokens)
	if err != nil {
		e, ok := errors.AsType[*gqlerror.Error](err)
		if ok && len(e.Locations) > 0 {
			return nil, badInput(gqlerror.List{e})
		}
		// The token limit is the one error that the parser gives no place for.
		return nil, gqlerror.List{failure(codeTooComplex, "the document has more than %d tokens", d.limits.Tokens)}
	}
	if len(tree.Operations) == 0 {
		return nil, gqlerror.List{failure(codeBadInput, "the document has no operation")}
	}
	if d.listed != nil && !d.listed[inOneForm(tree)] {
		return nil, gqlerror.List{failure(codeForbidden, "this document is not among those that are served here")}
	}
	b := newBudget(d.schema, &d.limits, tree)
	if err := b.check(); err != nil {
		return nil, gqlerror.List{err}
	}
	if errs := validator.ValidateWithRules(d.schema, tree, d.rules); len(errs) > 0 {
		return nil, badInput(errs)
	}
	b.dropDefer()
	doc := &document{query: query, ast: tree, nodes: b.nodes, firsts: b.firsts, varies: b.varies}
	d.remember(doc)
	return doc, nil
}

func (d *documents) cached(query string) *document {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.byText[query]
	if !ok {
		return nil
	}
	d.recent.MoveToFront(e)
	return e.Value.(*document)
}

func (d *documents) remember(doc *document) {
	doc.nodes += len(doc.query) / 400
	if doc.nodes > maxNodes/20 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.byText[doc.query]; ok {
		return
	}
	d.byText[doc.query] = d.recent.PushFront(doc)
	d.nodes += doc.nodes
	for d.recent.Len() > maxDocuments || d.nodes > maxNodes {
		oldest := d.recent.Remove(d.recent.Back()).(*document)
		delete(d.byText, oldest.query)
		d.nodes -= oldest.nodes
	}
}
