package rest

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// OneLine makes one line of at most limit bytes of a foreign text: single spaces for white space
// and controls, nothing for broken characters, cut after a whole one.
func OneLine(text string, limit int) string {
	if !isOneLine(text) {
		text = strings.Map(func(r rune) rune {
			switch {
			case r == utf8.RuneError:
				return -1
			case unicode.IsControl(r):
				return ' '
			}
			return r
		}, text)
		text = strings.Join(strings.Fields(text), " ")
	}
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return strings.TrimSpace(text[:limit])
}

// isOneLine says whether a text can stay as it is. Most are.
func isOneLine(text string) bool {
	before := ' '
	for _, r := range text {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.IsSpace(r) && (r != ' ' || before == ' ') {
			return false
		}
		before = r
	}
	return text == "" || before != ' '
}
