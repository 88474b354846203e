// Package expectation says what a guest should find in its root directory, and
// compares.
//
// A line is an expectation: a path, what is there, and any number of fields.
//
//	/run/pipe pipe mode=0600 uid=0 gid=0 nlink=1
//
// What is there is file, dir, slink, pipe, sock, a device (b or c) or nothing
// (absent), in which case there are no fields; or run: a program that is to end
// with exit code 0. Fields:
//
//	mode    permissions, octal
//	uid     owner, decimal; so are gid, nlink, size in bytes, and mtime in
//	        seconds since 1970
//	names   how many names a directory has, less . and ..
//	rdev    a device's MAJOR:MINOR
//	same    a path that is another name of the same file
//	sha256  a file's content, as a digest in hexadecimal
//	target  a symbolic link's
//	text    a file's content, or what a program prints
//
// Fields are separated by blanks; in a path and a value \ooo stands for a byte and
// \n for a newline. Empty lines and those that begin with # say nothing.
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
	Kind   string // what is there: see the package
	Fields []Field
}

// A Field is something that is known of what is there.
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

// Read reads expectations. Errors tell the line.
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
		return e, fmt.Errorf("%q is no absolute path", e.Path)
	}
	if len(words) < 2 || !slices.Contains(kinds, words[1]) {
		return e, fmt.Errorf("%s: want one of %s behind the path", e.Path, strings.Join(kinds, ", "))
	}
	e.Kind = words[1]
	for _, word := range words[2:] {
		key, value, _ := strings.Cut(word, "=")
		if !e.takes(key) {
			return e, fmt.Errorf("%s: %q is nothing that can be known of %q", e.Path, word, e.Kind)
		}
		if value, err = unescape(value); err != nil {
			return e, fmt.Errorf("%s: %w", e.Path, err)
		}
		e.Fields = append(e.Fields, Field{key, value})
	}
	return e, nil
}

// takes reports whether there are fields with this key for what is there.
func (e Expectation) takes(key string) bool {
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
		return "", fmt.Errorf("%q cannot be read: quotes and backslashes are written as \\ooo", word)
	}
	return text, nil
}
