// Package words gives the texts that the program writes for people in their language.
//
// Everybody else writes English, into errors, activities and the database alike, and knows of no
// languages. The catalogue's keys are that English: the formats as they stand in the code, verbs and
// all. A finished sentence finds its format again by its form, so a stored text needs nothing stored
// beside it. A test walks the code for texts that have no entry, and for entries that have no text.
//
// What only programmers and operators see stays English: refused requests and documents, webhook
// answers, the command line. A listing's own content is the CRM's, and is never translated.
package words

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/language"
)

// languages are those that are spoken, the default first; catalogues are their texts.
var (
	tags       = []language.Tag{language.English, language.Dutch}
	languages  = language.NewMatcher(tags)
	catalogues = []*catalogue{nil, newCatalogue(dutch)}
)

type languageKey struct{}

// With gives the context the language that an Accept-Language header asks for: English when it asks
// for none that is spoken, or cannot be read.
func With(ctx context.Context, acceptLanguage string) context.Context {
	_, n := language.MatchStrings(languages, acceptLanguage)
	return context.WithValue(ctx, languageKey{}, catalogues[n])
}

// LanguageOf is the context's language, as a BCP 47 tag.
func LanguageOf(ctx context.Context) string {
	c, _ := ctx.Value(languageKey{}).(*catalogue)
	return tags[max(slices.Index(catalogues, c), 0)].String()
}

// In gives an English text in the context's language. A text that is in no catalogue stays as it is,
// for example a CRM's own words.
func In(ctx context.Context, english string) string {
	c, _ := ctx.Value(languageKey{}).(*catalogue)
	if c == nil {
		return english
	}
	return c.translate(english)
}

// InOrNil is In for a text that may be missing.
func InOrNil(ctx context.Context, english *string) *string {
	if english == nil {
		return nil
	}
	text := In(ctx, *english)
	return &text
}

// catalogue holds the texts of one language.
type catalogue struct {
	plain   map[string]string
	formats []format // the most specific first
}

// format is a text with verbs: the form of its English, and its translation.
type format struct {
	form        *regexp.Regexp
	translation string
}

// verb is a verb of fmt as the program's texts use them; [n] names the argument that it stands for.
var verb = regexp.MustCompile(`%(?:\[(\d)\])?(?:\.\d+)?([sdqv])`)

func newCatalogue(texts map[string]string) *catalogue {
	c := &catalogue{plain: map[string]string{}}
	type entry struct {
		format
		letters int // besides the verbs
	}
	var entries []entry
	for english, translation := range texts {
		if !verb.MatchString(english) {
			c.plain[english] = translation
			continue
		}
		entries = append(entries, entry{format{formOf(english), translation}, len(verb.ReplaceAllString(english, ""))})
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(b.letters-a.letters, strings.Compare(a.form.String(), b.form.String()))
	})
	for _, e := range entries {
		c.formats = append(c.formats, e.format)
	}
	return c
}

// formOf matches what a format makes, and captures its arguments.
func formOf(english string) *regexp.Regexp {
	var form strings.Builder
	form.WriteString(`(?s)^`)
	for english != "" {
		at := verb.FindStringSubmatchIndex(english)
		if at == nil {
			at = []int{len(english), len(english), -1, -1, -1, -1}
		}
		form.WriteString(regexp.QuoteMeta(english[:at[0]]))
		switch {
		case at[4] < 0:
		case english[at[4]:at[5]] == "d":
			form.WriteString(`(-?\d+)`)
		case english[at[4]:at[5]] == "q":
			form.WriteString(`("(?:[^"\\]|\\.)*")`)
		default:
			form.WriteString(`(.+?)`)
		}
		english = english[at[1]:]
	}
	form.WriteString(`$`)
	return regexp.MustCompile(form.String())
}

func (c *catalogue) translate(english string) string {
	if translation, known := c.plain[english]; known {
		return translation
	}
	for _, f := range c.formats {
		if args := f.form.FindStringSubmatch(english); args != nil {
			return c.fill(f.translation, args[1:])
		}
	}
	return english
}

// fill puts arguments, which may be texts themselves, where a translation's verbs are.
func (c *catalogue) fill(translation string, args []string) string {
	next := 0
	return verb.ReplaceAllStringFunc(translation, func(v string) string {
		n := next
		if named := verb.FindStringSubmatch(v)[1]; named != "" {
			n, _ = strconv.Atoi(named) // one digit
			n--
		}
		next = n + 1
		return c.translate(args[n])
	})
}
