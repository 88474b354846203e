package list

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Escape writes text as one field: white space, and a backslash that would
// begin an escape, as \ooo.
func Escape(text string) string {
	if !strings.ContainsAny(text, " \t\n\v\f\r\\") {
		return text
	}
	var b strings.Builder
	for i := range len(text) {
		if isSpace(text[i]) || isEscape(text[i:]) {
			fmt.Fprintf(&b, `\%03o`, text[i])
		} else {
			b.WriteByte(text[i])
		}
	}
	return b.String()
}

// escapeLocation is Escape for a location, where a literal ${ must not expand.
func escapeLocation(text string) string {
	return strings.ReplaceAll(Escape(text), "${", `\044{`)
}

// isEscape reports whether text begins with an escape.
func isEscape(text string) bool {
	return len(text) >= 4 && text[0] == '\\' && '0' <= text[1] && text[1] <= '3' &&
		isOctal(text[2]) && isOctal(text[3])
}

func isOctal(c byte) bool { return '0' <= c && c <= '7' }

// unescape undoes Escape. A backslash before anything but three octal digits up
// to 377 is itself.
func unescape(field string) (string, error) {
	if strings.IndexByte(field, '\\') < 0 {
		return field, nil
	}
	var b strings.Builder
	for i := 0; i < len(field); i++ {
		if !isEscape(field[i:]) {
			b.WriteByte(field[i])
			continue
		}
		c := (field[i+1]-'0')<<6 | (field[i+2]-'0')<<3 | (field[i+3] - '0')
		if c == 0 {
			return "", errors.New(`\000 is not possible: a path has no NUL in it`)
		}
		b.WriteByte(c)
		i += 3
	}
	return b.String(), nil
}

// verbatim is an unescape that knows no escapes.
func verbatim(field string) (string, error) { return field, nil }

// expand replaces ${VAR} in a location by its value, in which ${VAR} is
// replaced in turn, as the kernel's tool does, and unescapes what is around.
func expand(field string, vars map[string]string, unescape func(string) (string, error)) (string, error) {
	x := &expander{vars: vars}
	text, err := x.expand(field, nil, unescape)
	switch {
	case err != nil:
		return "", err
	case len(text) > MaxPath:
		return "", fmt.Errorf("the location has %d bytes, more than %d: %.40s...", len(text), MaxPath, text)
	case strings.IndexByte(text, 0) >= 0:
		return "", errors.New("the location has a NUL byte in it")
	}
	return text, nil
}

// maxExpansions bounds the variables in a location, those in their values included:
// values that name two others each would take exponential time.
const maxExpansions = 1000

type expander struct {
	vars map[string]string
	// count is how many variables have been expanded.
	count int
}

// expand expands the value of the last of the variables in within; literal treats what
// stands between variables. Values are literal as they are.
func (x *expander) expand(field string, within []string, literal func(string) (string, error)) (string, error) {
	var b strings.Builder
	for {
		start := strings.Index(field, "${")
		end := -1
		if start >= 0 {
			end = strings.IndexByte(field[start:], '}')
		}
		if end < 0 {
			start = len(field)
		}
		text, err := literal(field[:start])
		if err != nil {
			return "", fmt.Errorf("location: %w", err)
		}
		b.WriteString(text)
		if end < 0 {
			return b.String(), nil
		}
		name := field[start+2 : start+end]
		value, ok := x.vars[name]
		x.count++
		switch {
		case x.count > maxExpansions:
			return "", fmt.Errorf("the location has more than %d variables with their values expanded", maxExpansions)
		case !ok:
			return "", fmt.Errorf("the location's variable ${%s} is not set", name)
		case slices.Contains(within, name):
			return "", fmt.Errorf("the value of ${%s} contains itself", name)
		}
		if value, err = x.expand(value, append(within, name), verbatim); err != nil {
			return "", err
		}
		b.WriteString(value)
		if b.Len() > MaxPath {
			return "", fmt.Errorf("the location has more than %d bytes with ${%s} expanded", MaxPath, name)
		}
		field = field[start+end+1:]
	}
}
