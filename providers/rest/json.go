package rest

import (
	"bytes"

	"github.com/tidwall/gjson"
)

// maxDepth is how deep JSON may be nested. encoding/json has the same bound; gjson has none and
// would run out of stack.
const maxDepth = 10_000

// ValidJSON says whether a text is JSON that is safe to read with gjson.
func ValidJSON(text []byte) bool {
	// Nothing is nested deeper than it has brackets, and these are counted at memory speed.
	if bytes.Count(text, []byte{'['})+bytes.Count(text, []byte{'{'}) > maxDepth && depth(text) > maxDepth {
		return false
	}
	return gjson.ValidBytes(text)
}

// depth is how deep a JSON text is nested.
func depth(text []byte) int {
	deepest, level, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			level++
			deepest = max(deepest, level)
		case c == ']' || c == '}':
			level--
		}
	}
	return deepest
}
