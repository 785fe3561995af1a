package realworks

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"

	"sparki.app/integrations/providers/dutch"
	"sparki.app/integrations/providers/wire"
)

// prose is what is told about an object: plain text, whatever the office wrote it in.
type prose struct {
	heading string // above the long text; "" where it has none of its own
	summary string
	long    string // paragraphs, with a blank line between
}

// prose reads the texts (contract §2.5, §7): the long one is that of the office's own site, else that
// of the offer, which the summary is always made of.
func (c *conversion) prose() prose {
	offered := linesOf(wire.Text(c.at("teksten.aanbiedingstekst")))
	own := linesOf(wire.Text(c.at("teksten.eigenSiteTekst")))
	if len(own) == 0 {
		own = offered
	}
	if len(offered) == 0 {
		offered = own
	}
	heading, rest := cutHeading(own)
	_, told := cutHeading(offered)
	return prose{heading: heading, summary: summary(told), long: joinLines(rest)}
}

// english begins the translation that offices append to the Dutch text (contract §2.5).
var english = regexp.MustCompile(`(?i)^english( (text|version|translation))?:?$`)

// linesOf makes plain lines of a text in HTML or in the offices' own marks; bold ones keep their
// marks, blank ones stand between paragraphs, and a translation is cut off.
func linesOf(text string) []string {
	var lines []string
	for line := range strings.SplitSeq(plain(text), "\n") {
		line = strings.Join(strings.Fields(line), " ")
		if english.MatchString(unmarked(line)) {
			break
		}
		if unmarked(line) == "" {
			line = ""
		}
		if line != "" || len(lines) > 0 && lines[len(lines)-1] != "" {
			lines = append(lines, line)
		}
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// unmarked is a line without the marks for bold text.
func unmarked(line string) string {
	return strings.TrimSpace(strings.ReplaceAll(line, "**", ""))
}

const shortLine = 80 // characters that a heading has at most; assumed

// isHeading: all bold, or short and no sentence.
func isHeading(line string) bool {
	if isBold(line) {
		return true
	}
	return !isBullet(line) && utf8.RuneCountInString(line) <= shortLine && !strings.ContainsAny(line[len(line)-1:], ".!?:;,")
}

func isBold(line string) bool {
	return len(line) > 4 && strings.HasPrefix(line, "**") && strings.HasSuffix(line, "**") && strings.Count(line, "**") == 2
}

func isBullet(line string) bool {
	return strings.HasPrefix(line, "- ") || strings.HasPrefix(line, "• ")
}

// cutHeading takes a text's first line away if it is a heading.
func cutHeading(lines []string) (heading string, rest []string) {
	if len(lines) < 2 || !isHeading(lines[0]) {
		return "", lines
	}
	rest = lines[1:]
	for len(rest) > 0 && rest[0] == "" {
		rest = rest[1:]
	}
	return wire.OneLine(unmarked(lines[0])), rest
}

// joinLines writes a text down without its marks.
func joinLines(lines []string) string {
	plain := make([]string, len(lines))
	for i, line := range lines {
		plain[i] = unmarked(line)
	}
	return strings.Join(plain, "\n")
}

const summaryLength = 280 // characters, about (contract §7)

// summary is the first paragraph that is told in sentences, cut at a word; else what comes first.
func summary(lines []string) string {
	var first string
	for len(lines) > 0 {
		end := slices.Index(lines, "")
		if end < 0 {
			end = len(lines)
		}
		paragraph := lines[:end]
		lines = lines[min(end+1, len(lines)):]
		var told []string
		for _, line := range paragraph {
			if !isBullet(line) && !isHeading(line) {
				told = append(told, unmarked(line))
			}
		}
		if len(told) > 0 {
			return shortened(strings.Join(told, " "))
		}
		if first == "" {
			first = dutch.Joined(" ", strings.Split(joinLines(paragraph), "\n")...)
		}
	}
	return shortened(first)
}

// shortened cuts a text at a word, and says so.
func shortened(text string) string {
	if utf8.RuneCountInString(text) <= summaryLength {
		return text
	}
	text = string([]rune(text)[:summaryLength])
	if cut := strings.LastIndexByte(text, ' '); cut > 0 {
		text = text[:cut]
	}
	return strings.TrimRight(text, " ,;:–-") + "…"
}

// mayBeTag finds what a browser could take for a tag.
var mayBeTag = regexp.MustCompile(`<[A-Za-z/!?]`)

// plain takes the tags out of a text: breaks and blocks become lines, bold text gets marks, list
// items dashes. What hides behind entities is taken out as well, so that nothing is left that means
// something to a browser.
func plain(text string) string {
	const rounds = 4 // of entities in entities; nobody means more
	for range rounds {
		before := text
		if text = untagged(text); text == before {
			break
		}
	}
	if mayBeTag.MatchString(text) {
		return strings.ReplaceAll(text, "<", "")
	}
	return text
}

var (
	breaks = fieldSet(`br hr tr`)
	blocks = fieldSet(`p div ul ol table h1 h2 h3 h4 h5 h6 blockquote section article`)
	bold   = fieldSet(`b strong`)
	hidden = fieldSet(`script style template noscript iframe object svg head title textarea select`)
)

func untagged(text string) string {
	inHTML := breaksIn(text)
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(text))
	for hiding := ""; ; {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		token := z.Token()
		start := kind == html.StartTagToken
		switch name := token.Data; {
		case hiding != "":
			if kind == html.EndTagToken && name == hiding {
				hiding = ""
			}
		case kind == html.TextToken:
			if inHTML {
				b.WriteString(strings.ReplaceAll(name, "\n", " ")) // a line's end means nothing in HTML
				break
			}
			b.WriteString(name)
		case kind != html.StartTagToken && kind != html.EndTagToken && kind != html.SelfClosingTagToken:
		case hidden[name]:
			if start {
				hiding = name
			}
		case breaks[name]:
			b.WriteByte('\n')
		case blocks[name]:
			b.WriteString("\n\n")
		case bold[name]:
			b.WriteString("**")
		case name == "li" && start:
			b.WriteString("\n- ")
		}
	}
	return strings.ReplaceAll(b.String(), "\u00a0", " ")
}

// breaksIn says whether a text marks its lines in HTML.
func breaksIn(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "<br") || strings.Contains(text, "<p") || strings.Contains(text, "<li") || strings.Contains(text, "<div")
}
