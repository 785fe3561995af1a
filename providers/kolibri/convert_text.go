package kolibri

import (
	"strings"

	"github.com/tidwall/gjson"

	"sparki.app/integrations/providers/wire"
)

// longText is the listing's public text, or else what is said about its parts (contract §3.4).
func (c *conversion) longText() string {
	if advertisement := translated(c.assignment["advertisementText"]); advertisement != "" {
		return advertisement
	}
	var parts []string
	for _, name := range sectionTexts {
		if part := translated(c.assignment[name]); part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "\n\n")
}

// translated is a text in Dutch, else in English, else in the first language that has one
// (contract §3.4: languages are names, the list and each text may be empty).
func translated(texts gjson.Result) string {
	if texts.Type == gjson.String {
		return wire.Clean(texts.Str)
	}
	best, rank := "", 3
	wire.Elements(texts, func(t gjson.Result) {
		var language, words string
		wire.Each(t, func(key string, v gjson.Result) {
			switch key {
			case "language":
				language = wire.Text(v)
			case "text":
				words = wire.Text(v)
			}
		})
		if r := languageRank(language); words != "" && r < rank {
			best, rank = words, r
		}
	})
	return best
}

func languageRank(language string) int {
	switch language {
	case "Dutch":
		return 0
	case "English":
		return 1
	default:
		return 2
	}
}
