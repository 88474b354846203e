// Package printable makes text from outside, such as names in archives and what a console
// printed, safe to show. Everything that shows such text to a person uses this package.
package printable

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
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

// JSON returns JSON with what Text escapes, in strings, as the escapes of JSON.
func JSON(text []byte) []byte {
	var b []byte
	for _, r := range string(text) {
		switch {
		case r < 0x7f || !isUnsafe(r): // encoders escape the controls below
			b = utf8.AppendRune(b, r)
		default:
			for _, unit := range utf16.AppendRune(nil, r) {
				b = fmt.Appendf(b, `\u%04x`, unit)
			}
		}
	}
	return b
}

// Block marks an error whose text has lines of its own, such as the output of a program. A
// line feed in the text of any other error came from outside.
func Block(err error) error { return &block{err} }

type block struct{ error }

func (b *block) Unwrap() error { return b.error }

// ErrorLines returns the lines of a message about an error, safe to show: one for each of
// several errors joined, and those of a Block.
func ErrorLines(err error) []string {
	switch e := err.(type) {
	case *block:
		return strings.Split(Lines(e.Error()), "\n")
	case interface{ Unwrap() []error }:
		var texts, lines []string
		for _, err := range e.Unwrap() {
			texts = append(texts, err.Error())
			lines = append(lines, ErrorLines(err)...)
		}
		if err.Error() == strings.Join(texts, "\n") {
			return lines
		}
	case interface{ Unwrap() error }:
		inner := e.Unwrap()
		if inner == nil {
			break
		}
		lines := ErrorLines(inner)
		if before, after, ok := strings.Cut(err.Error(), inner.Error()); ok && len(lines) > 1 {
			lines[0] = Text(before) + lines[0]
			lines[len(lines)-1] += Text(after)
			return lines
		}
	}
	return []string{Text(err.Error())}
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
