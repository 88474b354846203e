// Package expectation compares a guest's file system with what it should have.
//
// Each line is an expectation: a path, a kind, and any number of fields.
//
//	/run/pipe pipe mode=0600 uid=0 gid=0 nlink=1
//
// The kind is file, dir, slink, pipe, sock, a device (b or c), absent (without fields), or run: a
// program that must end with exit code 0. Fields:
//
//	mode    permissions, octal
//	uid     owner, decimal; so are gid, nlink, size in bytes, and mtime in
//	        seconds since 1970
//	names   the number of names in a directory, without . and ..
//	rdev    MAJOR:MINOR of a device
//	same    a path that is another name of the same file
//	sha256  the digest of a file's content in hexadecimal
//	target  the target of a symbolic link
//	text    the content of a file, or the output of a program
//
// Blanks separate fields. In a path or value, \ooo is a byte and \n a newline. Empty lines, and
// those that begin with #, are ignored.
package expectation

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// An Expectation is one line.
type Expectation struct {
	Path   string
	Kind   string // see the package
	Fields []Field
}

// A Field is a property that the file must have.
type Field struct{ Key, Value string }

func (e Expectation) String() string {
	text := fmt.Sprintf("%s %s", e.Path, e.Kind)
	for _, f := range e.Fields {
		text += fmt.Sprintf(" %s=%s", f.Key, strings.TrimSuffix(strconv.Quote(f.Value)[1:], `"`))
	}
	return text
}

const (
	absent = "absent"
	run    = "run"
)

var kinds = []string{"file", "dir", "slink", "pipe", "sock", "b", "c", absent, run}

// Read reads expectations. Its errors name the line.
func Read(r io.Reader) ([]Expectation, error) {
	var all []Expectation
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		e, err := parse(words)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		all = append(all, e)
	}
	return all, lines.Err()
}

func parse(words []string) (e Expectation, err error) {
	if e.Path, err = unescape(words[0]); err != nil {
		return e, err
	}
	if !strings.HasPrefix(e.Path, "/") {
		return e, fmt.Errorf("%q is not an absolute path", e.Path)
	}
	if len(words) < 2 || !slices.Contains(kinds, words[1]) {
		return e, fmt.Errorf("%s: want one of %s after the path", e.Path, strings.Join(kinds, ", "))
	}
	e.Kind = words[1]
	for _, word := range words[2:] {
		key, value, _ := strings.Cut(word, "=")
		if !e.allows(key) {
			return e, fmt.Errorf("%s: the field %q is not valid for the kind %q", e.Path, word, e.Kind)
		}
		if value, err = unescape(value); err != nil {
			return e, fmt.Errorf("%s: %w", e.Path, err)
		}
		e.Fields = append(e.Fields, Field{key, value})
	}
	return e, nil
}

// allows reports whether the kind may have a field with this key.
func (e Expectation) allows(key string) bool {
	switch e.Kind {
	case absent:
		return false
	case run:
		return key == "text"
	}
	return getters[key] != nil
}

func unescape(word string) (string, error) {
	text, err := strconv.Unquote(`"` + word + `"`)
	if err != nil {
		return "", fmt.Errorf("%q is not valid: write quotes and backslashes as \\ooo", word)
	}
	return text, nil
}
