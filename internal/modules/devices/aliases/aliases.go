// Package aliases matches modaliases of devices with the aliases of modules, as kmod does.
package aliases

import (
	"fmt"
	"strings"
)

// Set holds patterns, each with a value. Looking up a modalias takes time that depends on how
// many patterns begin like it, not on the size of the set.
type Set[T any] struct {
	patterns []entry[T]
	// byPrefix has the patterns by what comes before their first special character.
	byPrefix map[string][]int
	// byCompatible has those of "of:N*T*Ccompatible" and "of:N*T*CcompatibleC*" by the compatible.
	byCompatible map[string][]int
}

type entry[T any] struct {
	pattern string
	value   T
}

// anyNode is what the patterns of drivers for device trees begin with.
const anyNode = "of:N*T*C"

// Add adds a pattern as fnmatch(3) has it, without flags. One that Normalize refuses is an error,
// and matches nothing.
func (s *Set[T]) Add(pattern string, value T) error {
	pattern, err := Normalize(pattern)
	if err != nil {
		return err
	}
	if s.byPrefix == nil {
		s.byPrefix, s.byCompatible = map[string][]int{}, map[string][]int{}
	}
	i := len(s.patterns)
	s.patterns = append(s.patterns, entry[T]{pattern, value})
	if compatible, ok := strings.CutPrefix(pattern, anyNode); ok {
		compatible, open := strings.CutSuffix(compatible, "C*")
		if !open {
			compatible = strings.TrimSuffix(compatible, "*")
		}
		if literal(compatible) == compatible && (open || !strings.HasSuffix(pattern, "*")) {
			s.byCompatible[compatible] = append(s.byCompatible[compatible], i)
			return nil
		}
	}
	prefix := literal(pattern)
	s.byPrefix[prefix] = append(s.byPrefix[prefix], i)
	return nil
}

// literal returns what comes before the first special character.
func literal(pattern string) string {
	if i := strings.IndexAny(pattern, `*?[\`); i >= 0 {
		return pattern[:i]
	}
	return pattern
}

// maxCompatible is how many parts of a modalias that begin with C are looked up.
const maxCompatible = 256

// Match returns the values of the patterns that match a modalias, in the order in which they
// were added for each part of the modalias. A value comes as often as its patterns match.
func (s *Set[T]) Match(modalias string) []T {
	modalias, err := Normalize(modalias)
	if err != nil {
		return nil
	}
	var values []T
	try := func(candidates []int) {
		for _, i := range candidates {
			if match(s.patterns[i].pattern, modalias) {
				values = append(values, s.patterns[i].value)
			}
		}
	}
	if strings.HasPrefix(modalias, "of:N") {
		for _, compatible := range compatibles(modalias) {
			try(s.byCompatible[compatible])
		}
	}
	for end := range len(modalias) + 1 {
		try(s.byPrefix[modalias[:end]])
	}
	return values
}

// compatibles returns what can be a compatible string in the modalias of a node, each once.
// Compatible strings may have a C themselves.
func compatibles(modalias string) []string {
	var bounds []int
	for i := range len(modalias) {
		if modalias[i] == 'C' && len(bounds) < maxCompatible {
			bounds = append(bounds, i)
		}
	}
	seen := map[string]bool{}
	var all []string
	for i, begin := range bounds {
		for _, end := range append(bounds[i+1:len(bounds):len(bounds)], len(modalias)) {
			if part := modalias[begin+1 : end]; !seen[part] {
				seen[part] = true
				all = append(all, part)
			}
		}
	}
	return all
}

// Normalize returns an alias as kmod compares it: with _ for -, but not between brackets. A bracket
// without its counterpart is an error (alias_normalize in shared/util.c of kmod).
func Normalize(alias string) (string, error) {
	if strings.IndexAny(alias, "-[]") < 0 {
		return alias, nil
	}
	normal := []byte(alias)
	for i := 0; i < len(normal); i++ {
		switch normal[i] {
		case '-':
			normal[i] = '_'
		case '[':
			end := strings.IndexByte(alias[i:], ']')
			if end < 0 {
				return "", fmt.Errorf("a bracket of the alias %q has no end", alias)
			}
			i += end
		case ']':
			return "", fmt.Errorf("a bracket of the alias %q has no beginning", alias)
		}
	}
	return string(normal), nil
}

// Matches reports whether a modalias matches the pattern of a module.
func Matches(pattern, modalias string) bool {
	pattern, patternErr := Normalize(pattern)
	modalias, err := Normalize(modalias)
	return err == nil && patternErr == nil && match(pattern, modalias)
}

// match reports whether a name matches a pattern, as fnmatch(3) of the C locale does without
// flags: * matches any bytes, ? one byte, [abc], [a-z] and [!abc] one byte that is in the set or
// is not, and a backslash makes the next byte a plain one. kmod matches aliases so
// (kmod_lookup_alias_from_config in libkmod/libkmod-module.c). A [ without ] is a plain byte.
func match(pattern, name string) bool {
	p, n := 0, 0
	starP, starN := -1, 0
	for n < len(name) || p < len(pattern) {
		if p < len(pattern) {
			if pattern[p] == '*' {
				starP, starN = p, n
				p++
				continue
			}
			if n < len(name) {
				if width, ok := matchByte(pattern[p:], name[n]); ok {
					p, n = p+width, n+1
					continue
				}
			}
		}
		if starP < 0 || starN >= len(name) {
			return false
		}
		starN++
		p, n = starP+1, starN
	}
	return true
}

// matchByte reports whether a byte matches what a pattern begins with, and how long that is.
func matchByte(pattern string, b byte) (width int, ok bool) {
	switch pattern[0] {
	case '?':
		return 1, true
	case '\\':
		if len(pattern) > 1 {
			return 2, pattern[1] == b
		}
		return 1, false
	case '[':
		if width, ok, closed := matchSet(pattern, b); closed {
			return width, ok
		}
	}
	return 1, pattern[0] == b
}

// matchSet matches a byte with a set, if there is one.
func matchSet(pattern string, b byte) (width int, ok, closed bool) {
	i := 1
	negated := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negated {
		i++
	}
	for first := true; ; first = false {
		if i >= len(pattern) {
			return 0, false, false
		}
		if pattern[i] == ']' && !first {
			return i + 1, ok != negated, true
		}
		low, next, valid := setByte(pattern, i)
		if !valid {
			return 0, false, false
		}
		high := low
		if next+1 < len(pattern) && pattern[next] == '-' && pattern[next+1] != ']' {
			if high, next, valid = setByte(pattern, next+1); !valid {
				return 0, false, false
			}
		}
		ok = ok || low <= b && b <= high
		i = next
	}
}

// setByte returns the byte of a set at i, and where the next one is.
func setByte(pattern string, i int) (b byte, next int, ok bool) {
	if pattern[i] == '\\' {
		i++
	}
	if i >= len(pattern) {
		return 0, 0, false
	}
	return pattern[i], i + 1, true
}
