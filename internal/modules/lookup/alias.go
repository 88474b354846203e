package lookup

import (
	"slices"
	"strings"
)

// Aliases are patterns, and the modules that they are of. The zero value has none.
type Aliases struct {
	// buckets has the patterns by what a match begins with: all up to the first colon
	// or, if there is none, the whole. The bucket of "" has those with a wildcard in it.
	buckets map[string][]aliasOf
	count   int
}

type aliasOf struct {
	pattern, module string
	number          int
}

func readAliases(name string) (*Aliases, error) {
	text, err := readOptional(name)
	if err != nil {
		return nil, err
	}
	a := &Aliases{}
	for line := range strings.Lines(text) {
		a.Parse(line)
	}
	return a, nil
}

// Parse adds a line "alias PATTERN MODULE", of modules.alias or modprobe.d(5), and
// reports whether it is one.
func (a *Aliases) Parse(line string) bool {
	rest, ok := strings.CutPrefix(strings.TrimSpace(line), "alias ")
	if !ok {
		return false
	}
	pattern, module, ok := strings.Cut(strings.TrimLeft(rest, " \t"), " ")
	if pattern == "" || !ok {
		return false
	}
	if a.buckets == nil {
		a.buckets = map[string][]aliasOf{}
	}
	pattern = normalize(pattern)
	key := bucket(pattern)
	if strings.ContainsAny(key, `*?[\`) {
		key = ""
	}
	a.count++
	a.buckets[key] = append(a.buckets[key], aliasOf{pattern, Name(strings.TrimSpace(module)), a.count})
	return true
}

func bucket(alias string) string {
	return alias[:strings.IndexByte(alias, ':')+1]
}

// Match returns the modules of the patterns that match an alias, each once, in the order
// in which the patterns were added.
func (a *Aliases) Match(alias string) []string {
	alias = normalize(alias)
	var found []aliasOf
	keys := []string{bucket(alias)}
	if keys[0] != "" {
		keys = append(keys, "")
	}
	for _, key := range keys {
		for _, candidate := range a.buckets[key] {
			if matches(candidate.pattern, alias) {
				found = append(found, candidate)
			}
		}
	}
	slices.SortFunc(found, func(x, y aliasOf) int { return x.number - y.number })
	var names []string
	for _, f := range found {
		if !slices.Contains(names, f.module) {
			names = append(names, f.module)
		}
	}
	return names
}

// normalize replaces - by _ except between brackets (alias_normalize of kmod's
// shared/util.c).
func normalize(alias string) string {
	if strings.IndexByte(alias, '-') < 0 {
		return alias
	}
	b := []byte(alias)
	inside := false
	for i, c := range b {
		switch {
		case c == '[':
			inside = true
		case c == ']':
			inside = false
		case c == '-' && !inside:
			b[i] = '_'
		}
	}
	return string(b)
}

// matches reports whether text matches a pattern as fnmatch(3) without flags has it,
// which is what kmod calls (libkmod/libkmod-index.c): * is any text, ? any byte, [a-z]
// and [!a-z] a set, and \ takes the next byte as it is. The time is at most the product of
// the lengths.
func matches(pattern, text string) bool {
	star, resume := -1, 0 // after the last *, and where its match ends so far
	p, t := 0, 0
	for t < len(text) {
		if p < len(pattern) && pattern[p] == '*' {
			p++
			star, resume = p, t
			continue
		}
		if next, ok := matchByte(pattern, p, text[t]); ok {
			p = next
			t++
			continue
		}
		if star < 0 {
			return false
		}
		resume++
		p, t = star, resume
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// matchByte reports whether the element of the pattern at p matches a byte, and returns
// where the next element is.
func matchByte(pattern string, p int, c byte) (next int, ok bool) {
	if p >= len(pattern) {
		return 0, false
	}
	switch pattern[p] {
	case '?':
		return p + 1, true
	case '[':
		if end, in, ok := matchSet(pattern, p+1, c); ok {
			return end, in
		}
	case '\\':
		if p+1 < len(pattern) {
			return p + 2, pattern[p+1] == c
		}
	}
	return p + 1, pattern[p] == c
}

// matchSet reports whether the set that begins at p, after its bracket, has a byte, and
// returns where it ends. It is not a set if it has no end: then the bracket is a
// character like others.
func matchSet(pattern string, p int, c byte) (end int, in, ok bool) {
	negated := p < len(pattern) && (pattern[p] == '!' || pattern[p] == '^')
	if negated {
		p++
	}
	for first := true; p < len(pattern); first = false {
		if pattern[p] == ']' && !first {
			return p + 1, in != negated, true
		}
		low := pattern[p]
		high := low
		p++
		if p+1 < len(pattern) && pattern[p] == '-' && pattern[p+1] != ']' {
			high = pattern[p+1]
			p += 2
		}
		in = in || low <= c && c <= high
	}
	return 0, false, false
}
