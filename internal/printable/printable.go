// Package printable makes text from outside, such as names in archives and what a console
// printed, safe to show. Everything that shows such text to a person uses this package.
package printable

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns text for one line of a message or a report: what a terminal could take as a
// command or as the end of the line, what changes the order of characters, what cannot be
// seen, and what is not UTF-8 becomes \ooo, one for each byte. A backslash remains as it is.
func Text(text string) string { return escape(text, isUnsafe) }

// Lines is Text for a text of several lines: line feeds and tabs remain.
func Lines(text string) string {
	return escape(text, func(r rune) bool { return r != '\n' && r != '\t' && isUnsafe(r) })
}

func escape(text string, unsafe func(rune) bool) string {
	if utf8.ValidString(text) && strings.IndexFunc(text, unsafe) < 0 {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if unsafe(r) || r == utf8.RuneError && n == 1 {
			for _, c := range []byte(text[i : i+n]) {
				fmt.Fprintf(&b, `\%03o`, c)
			}
		} else {
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// isUnsafe reports whether r is a control character (C0, DEL, C1), a line or paragraph
// separator, or an invisible format character. The last include all marks, embeddings,
// overrides and isolates of bidirectional text (Unicode, UAX #9), the byte order mark and tags.
func isUnsafe(r rune) bool {
	return r < 0x20 || 0x7f <= r && r < 0xa0 || r > 0xa0 && unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}
