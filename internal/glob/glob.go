// Package glob matches paths in an image.
package glob

import (
	"fmt"
	"regexp"
	"strings"
)

// Glob is a pattern of absolute paths. In it * matches any bytes except slashes, ? matches
// one of these, ** matches any bytes, and [abc], [a-z] or [!abc] matches one byte that is
// or is not in the set. Any other byte matches itself.
//
// A pattern that is a plain path matches that path, whatever is there. Any other pattern
// matches directories if it ends with a slash, and everything else if it does not.
type Glob struct {
	text string
	// plain is the path that a pattern without special characters matches.
	plain string
	match *regexp.Regexp
	dirs  bool
}

// Parse reads a pattern.
func Parse(text string) (*Glob, error) {
	g := &Glob{text: text}
	if !strings.HasPrefix(text, "/") {
		return nil, fmt.Errorf("%q is not absolute: write %q", text, "/"+text)
	}
	if !strings.ContainsAny(text, "*?[") {
		g.plain = text
		if len(text) > 1 {
			g.plain = strings.TrimSuffix(text, "/")
		}
		return g, nil
	}
	pattern, dirs := strings.CutSuffix(text, "/")
	g.dirs = dirs
	var expression strings.Builder
	expression.WriteString(`(?s)^`)
	for rest := pattern; rest != ""; {
		switch {
		case strings.HasPrefix(rest, "**"):
			expression.WriteString(`.*`)
			rest = rest[2:]
		case rest[0] == '*':
			expression.WriteString(`[^/]*`)
			rest = rest[1:]
		case rest[0] == '?':
			expression.WriteString(`[^/]`)
			rest = rest[1:]
		case rest[0] == '[':
			set, n, err := parseSet(rest)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", text, err)
			}
			expression.WriteString(set)
			rest = rest[n:]
		default:
			n := strings.IndexAny(rest, "*?[")
			if n < 0 {
				n = len(rest)
			}
			expression.WriteString(regexp.QuoteMeta(rest[:n]))
			rest = rest[n:]
		}
	}
	expression.WriteString(`$`)
	match, err := regexp.Compile(expression.String())
	if err != nil {
		return nil, fmt.Errorf("%q is not a pattern: %w", text, err)
	}
	g.match = match
	return g, nil
}

// parseSet returns the regular expression of the set that text begins with, and
// its length in text.
func parseSet(text string) (string, int, error) {
	end := strings.IndexByte(text[1:], ']')
	if end < 0 {
		return "", 0, fmt.Errorf("a [ without its ]")
	}
	members, negated := strings.CutPrefix(text[1:1+end], "!")
	if members == "" {
		return "", 0, fmt.Errorf("an empty set")
	}
	var set strings.Builder
	set.WriteString("[")
	if negated {
		set.WriteString("^/")
	}
	for i, c := range []byte(members) {
		if c == '-' && i > 0 && i < len(members)-1 {
			set.WriteByte('-')
		} else {
			fmt.Fprintf(&set, `\x%02x`, c)
		}
	}
	set.WriteString("]")
	return set.String(), end + 2, nil
}

// String returns the pattern.
func (g *Glob) String() string { return g.text }

// Match reports whether the pattern matches an absolute path; dir says whether a directory
// is there.
func (g *Glob) Match(path string, dir bool) bool {
	if g.match == nil {
		return path == g.plain
	}
	return dir == g.dirs && g.match.MatchString(path)
}

// MatchPath reports whether the pattern matches an absolute path, whatever is there.
func (g *Glob) MatchPath(path string) bool { return g.Match(path, g.dirs) }

// Plain returns the path that the pattern matches, if it is a plain path.
func (g *Glob) Plain() (path string, plain bool) { return g.plain, g.match == nil }
