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
	report(e.path, "its name "+strings.Join(oddities(name), ", "), "")
}

// oddities says what of a name programs misread; nil of most names. The root
// directory is "" or ".".
func oddities(name string) []string {
	if plain(name) {
		return nil
	}
	var what []string
	is := func(odd bool, text string) {
		if odd {
			what = append(what, text)
		}
	}
	components := strings.Split(name, "/")
	is(strings.HasPrefix(name, "/"), "begins with a slash")
	is(strings.HasPrefix(name, "./"), "begins with ./")
	is(slices.ContainsFunc(components, func(c string) bool { return c == ".." }), "has .. in it")
	is(len(name) > 1 && strings.HasSuffix(name, "/"), "ends in a slash")
	is(slices.ContainsFunc(components, func(c string) bool { return strings.HasPrefix(c, "-") }), "has a component that begins with a dash")
	is(strings.IndexFunc(name, unicode.IsSpace) >= 0, "has white space in it")
	is(strings.IndexFunc(name, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) }) >= 0, "has control characters in it")
	is(!utf8.ValidString(name), "is not UTF-8")
	return what
}

// plain tells at a glance that nothing can be odd.
func plain(name string) bool {
	component := true // at the begin of one
	for i := range len(name) {
		c := name[i]
		if c <= ' ' || c >= 0x7f || component && (c == '-' || c == '.' || c == '/') {
			return false
		}
		component = c == '/'
	}
	return !component || name == ""
}
