package db

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"sparki.app/integrations"
)

func itoa(n int) string { return strconv.Itoa(n) }

// conditions collects the WHERE of a filtered list. $1 is the portal.
type conditions struct {
	sql  strings.Builder
	args []any
}

func newConditions(portal uuid.UUID) *conditions { return &conditions{args: []any{portal}} }

// add joins a condition; each ? in it stands for the next argument.
func (c *conditions) add(condition string, args ...any) {
	c.sql.WriteString(" and ")
	for _, arg := range args {
		c.args = append(c.args, arg)
		condition = strings.Replace(condition, "?", "$"+itoa(len(c.args)), 1)
	}
	c.sql.WriteString(condition)
}

// addEqual joins a condition when there is a value.
func addEqual[T any](c *conditions, column string, value *T) {
	if value != nil {
		c.add(column+" = ?", *value)
	}
}

var likeEscape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// mostFound is how many rows of a portal the trigram index is asked for. A word that more of them hold
// is found soon in the list's own order.
const mostFound = 1000

// addSearch wants every word of the search in the table's search text, which is lower case. function
// looks for the longest word in the table's trigram index, see 0009_search.sql.
func (d *DB) addSearch(ctx context.Context, portal uuid.UUID, c *conditions, table, function, search string) error {
	longest := ""
	for _, word := range strings.Fields(strings.ToLower(search)) {
		like := "%" + likeEscape.Replace(word) + "%"
		c.add(table+".search like ?", like)
		if len(like) > len(longest) {
			longest = like
		}
	}
	if utf8.RuneCountInString(longest) < len("%abc%") {
		return nil // no trigram in it
	}
	ids, err := query(ctx, d, portal, pgx.RowTo[uuid.UUID], `select `+function+`($1, $2)`, longest, mostFound+1)
	if err == nil && len(ids) <= mostFound {
		c.add(table+".id = any(?)", ids)
	}
	return err
}

// sortColumn is a column that a list can be ordered by, ties by id. Null comes last both ways.
type sortColumn[T any] struct {
	column, cast string
	nullable     bool
	// value gives a node's value in the column, as text; nil for null.
	value func(T) *string
}

func timeText(t time.Time) *string {
	s := t.UTC().Format(time.RFC3339Nano)
	return &s
}

func amountText(l *sparki.Listing) *string {
	if l.Price == nil {
		return nil
	}
	return (*string)(l.Price.Amount)
}

// listQuery is a list that is paged by keyset: a page costs the same wherever it lies.
type listQuery[T any] struct {
	columns, from, id string
	scan              pgx.RowToFunc[T]
	where             *conditions
	sort              sortColumn[T]
	desc              bool
	nodeID            func(T) uuid.UUID
}

// position is what a cursor holds: the place of a node in one order of a list.
type position struct {
	Order string  `json:"o"`
	Value *string `json:"v"`
	ID    string  `json:"i"`
}

func (q *listQuery[T]) order() string {
	if q.desc {
		return q.sort.column + " desc"
	}
	return q.sort.column + " asc"
}

func (q *listQuery[T]) cursor(node T) string {
	b, _ := json.Marshal(position{q.order(), q.sort.value(node), q.nodeID(node).String()}) // strings only
	return base64.RawURLEncoding.EncodeToString(b)
}

var errCursor = sparki.Errorf(sparki.Invalid, "after: this cursor is not of this list in this order")

// after joins the condition that leaves out everything up to the cursor.
func (q *listQuery[T]) after(cursor string) error {
	var p position
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if _, idErr := uuid.Parse(p.ID); err != nil || idErr != nil || p.Order != q.order() {
		return errCursor
	}
	than := map[bool]string{true: "<", false: ">"}[q.desc]
	column, cast := q.sort.column, q.sort.cast
	if p.Value == nil && q.sort.nullable {
		q.where.add(column+" is null and "+q.id+" "+than+" ?::uuid", p.ID)
		return nil
	}
	next := "(" + column + ", " + q.id + ") " + than + " (?::text::" + cast + ", ?::uuid)"
	if q.sort.nullable {
		next = "(" + next + " or " + column + " is null)"
	}
	q.where.add(next, text(p.Value), p.ID)
	return nil
}

// list reads one page.
func list[T any](ctx context.Context, d *DB, portal uuid.UUID, q listQuery[T], page sparki.PageArgs) (*sparki.Page[T], error) {
	if err := page.Check(); err != nil {
		return nil, err
	}
	countSQL, countArgs := `select count(*)`+q.from+q.where.sql.String(), q.where.args
	if page.After != "" {
		if err := q.after(page.After); err != nil {
			return nil, err
		}
	}
	direction := map[bool]string{true: " desc", false: ""}[q.desc]
	nulls := map[bool]string{true: " nulls last", false: ""}[q.sort.nullable]
	q.where.args = append(q.where.args, page.First+1) // one more tells whether a page follows
	sql := `select ` + q.columns + q.from + q.where.sql.String() +
		` order by ` + q.sort.column + direction + nulls + `, ` + q.id + direction + ` limit $` + itoa(len(q.where.args))
	nodes, err := query(ctx, d, portal, q.scan, sql, q.where.args...)
	if page.After != "" && isData(err, "22") {
		return nil, errCursor // its value is none of the column
	}
	if err != nil {
		return nil, err
	}
	out := &sparki.Page[T]{Nodes: nodes, HasPrevious: page.After != "", Cursor: q.cursor}
	if len(nodes) > page.First {
		out.Nodes, out.HasNext = nodes[:page.First], true
	}
	out.Count = func(ctx context.Context) (int, error) {
		return one(ctx, d, portal, pgx.RowTo[int], countSQL, countArgs...)
	}
	return out, nil
}
