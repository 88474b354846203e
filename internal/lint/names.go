package lint

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

func checkName(x *contents, i int, report reporter) {
	e := &x.entries[i]
	if !e.odd {
		return
	}
	name, ok := x.names[int32(i)]
	if !ok {
		name = e.path[1:]
	}
	report(e.path, "its name "+strings.Join(oddities(name), " and "), "")
}

// oddities describes what programs may misread in a name. It returns nil for most names. The root
// directory is "" or ".".
func oddities(name string) []string {
	if isPlain(name) {
		return nil
	}
	var what []string
	check := func(isOdd bool, text string) {
		if isOdd {
			what = append(what, text)
		}
	}
	components := strings.Split(name, "/")
	check(strings.HasPrefix(name, "/"), "begins with a slash")
	check(strings.HasPrefix(name, "./"), "begins with ./")
	check(slices.ContainsFunc(components, func(c string) bool { return c == ".." }), "contains ..")
	check(len(name) > 1 && strings.HasSuffix(name, "/"), "ends in a slash")
	check(slices.ContainsFunc(components, func(c string) bool { return strings.HasPrefix(c, "-") }), "has a component that begins with a dash")
	check(strings.IndexFunc(name, unicode.IsSpace) >= 0, "contains white space")
	check(strings.IndexFunc(name, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) }) >= 0, "contains control characters")
	check(!utf8.ValidString(name), "is not UTF-8")
	return what
}

// isPlain quickly recognizes most of the names that have no oddities.
func isPlain(name string) bool {
	isStart := true // of a component
	for i := range len(name) {
		c := name[i]
		if c <= ' ' || c >= 0x7f || isStart && (c == '-' || c == '.' || c == '/') {
			return false
		}
		isStart = c == '/'
	}
	return !isStart || name == ""
}
