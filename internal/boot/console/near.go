package console

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode"
)

// maxNear is the longest line that can be a near miss, in bytes. People read it in a message.
const maxNear = 300

// A loosened pattern matches the lines that a pattern misses for a common reason: case, blanks,
// and ^ or $. Its pattern is nil if it would match too much.
type loosened struct {
	pattern *regexp.Regexp
	source  string // the pattern itself, if it is not a text too
}

func loosen(re *regexp.Regexp) (l loosened) {
	if source := re.String(); regexp.QuoteMeta(source) != source {
		l.source = source
	}
	tree, err := syntax.Parse(re.String(), syntax.Perl|syntax.FoldCase)
	const few = 3
	if err != nil || len(collectText(tree)) < few {
		return l
	}
	pattern, err := regexp.Compile(loosenTree(tree).String())
	if err == nil && !pattern.MatchString("") {
		l.pattern = pattern
	}
	return l
}

// loosenTree removes what matches a place and not text, and lets any blanks match blanks.
func loosenTree(re *syntax.Regexp) *syntax.Regexp {
	switch re.Op {
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary:
		return &syntax.Regexp{Op: syntax.OpEmptyMatch}
	case syntax.OpLiteral:
		blank := &syntax.Regexp{Op: syntax.OpCharClass, Rune: []rune{'\t', '\r', ' ', ' '}}
		var parts []*syntax.Regexp
		for _, r := range re.Rune {
			part := &syntax.Regexp{Op: syntax.OpLiteral, Flags: re.Flags, Rune: []rune{r}}
			if unicode.IsSpace(r) {
				part = &syntax.Regexp{Op: syntax.OpStar, Sub: []*syntax.Regexp{blank}}
			}
			parts = append(parts, part)
		}
		return &syntax.Regexp{Op: syntax.OpConcat, Sub: parts}
	}
	for i := range re.Sub {
		re.Sub[i] = loosenTree(re.Sub[i])
	}
	return re
}

// match reports whether a line is a near miss.
func (l loosened) match(line string) bool {
	return len(line) <= maxNear && (l.pattern != nil && l.pattern.MatchString(line) || l.hasSource(line))
}

// hasSource reports whether a line has the pattern itself in it: an author who does not think of
// regular expressions expects "[ OK ]".
func (l loosened) hasSource(line string) bool {
	return l.source != "" && strings.Contains(line, l.source)
}

// findSimilar returns the line that is most like the text of a pattern: most of the pairs of
// characters in the text are in the line. It is empty if no line is.
func findSimilar(lines []string, pattern *regexp.Regexp) (similar string) {
	tree, err := syntax.Parse(pattern.String(), syntax.Perl)
	const few = 5
	if err != nil || len(collectText(tree)) < few {
		return ""
	}
	wanted := pairs(collectText(tree))
	most := len(wanted) * 3 / 5
	for _, line := range lines {
		if len(line) > maxNear {
			continue
		}
		has, n := pairs(line), 0
		for pair := range wanted {
			if has[pair] {
				n++
			}
		}
		// A long line has many pairs by chance.
		if n > most && len(has) <= 4*len(wanted) {
			similar, most = line, n
		}
	}
	return similar
}

func pairs(text string) map[string]bool {
	found := map[string]bool{}
	text = strings.ToLower(text)
	for i := range len(text) - 1 {
		found[text[i:i+2]] = true
	}
	return found
}

// collectText returns what a pattern has as text.
func collectText(re *syntax.Regexp) string {
	if re.Op == syntax.OpLiteral {
		return string(re.Rune)
	}
	text := ""
	for _, sub := range re.Sub {
		text += collectText(sub)
	}
	return text
}

// controls matches what a pattern can have and a line of the console cannot.
var controls = regexp.MustCompile(`\\x1[bB]|\\033|\\r|\\x0[dD]|\x1b|\r`)

// Advice says why a pattern that was not seen did not match, and what to do. It is empty if
// that is unknown.
func (e Expectation) Advice() string {
	source := e.Pattern.String()
	if controls.MatchString(source) {
		return "lines have no escape sequences and no carriage returns: leave them out of the pattern"
	}
	if e.Near == "" {
		return ""
	}
	with := func(flags, pattern string) bool {
		re, err := regexp.Compile(flags + pattern)
		return err == nil && re.MatchString(e.Near)
	}
	inner := strings.TrimSuffix(strings.TrimPrefix(source, "^"), "$")
	reason := "it differs in case, in blanks, or at its ends"
	switch {
	case e.Pattern.MatchString(e.Near) && e.Kind == Ordered:
		reason = "it came before a pattern that must come first, or is the line of that pattern: each pattern of expect needs a line of its own, in this order"
	case e.Pattern.MatchString(e.Near):
		reason = "it came before the prompts that come first, or only the beginning of it was a prompt"
	case loosen(e.Pattern).hasSource(e.Near):
		reason = fmt.Sprintf("the pattern is a regular expression: for this text, write \"%s\"", regexp.QuoteMeta(source))
	case e.Pattern.MatchString(strings.TrimSpace(e.Near)):
		reason = "it has blanks at an end, which ^ or $ excludes"
	case with("(?i)", source):
		reason = "it differs in case: write (?i) first if that does not matter"
	case inner != source && with("", inner):
		reason = "it has more text, which ^ or $ excludes"
	case with("", strings.Join(strings.Fields(inner), `\s*`)) || with("", strings.ReplaceAll(inner, " ", `\s*`)):
		reason = "it differs in blanks"
	}
	return fmt.Sprintf("the nearest line is \"%s\": %s", e.Near, reason)
}

// Advice is like Expectation.Advice. Without a near miss, it names the line that is most like
// the pattern among the last lines.
func (w *Watcher) Advice(e Expectation) string {
	if advice := e.Advice(); advice != "" {
		return advice
	}
	if line := findSimilar(w.Tail(), e.Pattern); line != "" {
		return fmt.Sprintf("the most similar line is \"%s\"", line)
	}
	return ""
}
