// Command check is an /init that compares what the kernel has unpacked with the expectations in the
// files of /expect. For each one it prints a line with PASS or FAIL, and at the end how many passed
// and failed.
//
// Each line of a file is an expectation: a path, a kind, and any number of fields.
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
package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// An expectation is one line.
type expectation struct {
	path, kind string
	fields     []field
}

// A field is a property that the file must have.
type field struct{ key, value string }

func (e expectation) String() string {
	text := fmt.Sprintf("%s %s", e.path, e.kind)
	for _, f := range e.fields {
		text += fmt.Sprintf(" %s=%s", f.key, strings.TrimSuffix(strconv.Quote(f.value)[1:], `"`))
	}
	return text
}

const (
	absent = "absent"
	run    = "run"
)

var kinds = []string{"file", "dir", "slink", "pipe", "sock", "b", "c", absent, run}

// read reads expectations. Its errors name the line.
func read(text string) ([]expectation, error) {
	var all []expectation
	for i, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		e, err := parse(words)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		all = append(all, e)
	}
	return all, nil
}

func parse(words []string) (e expectation, err error) {
	if e.path, err = unescape(words[0]); err != nil {
		return e, err
	}
	if !strings.HasPrefix(e.path, "/") {
		return e, fmt.Errorf("%q is not an absolute path", e.path)
	}
	if len(words) < 2 || !slices.Contains(kinds, words[1]) {
		return e, fmt.Errorf("%s: want one of %s after the path", e.path, strings.Join(kinds, ", "))
	}
	e.kind = words[1]
	for _, word := range words[2:] {
		key, value, _ := strings.Cut(word, "=")
		if !e.allows(key) {
			return e, fmt.Errorf("%s: the field %q is not valid for the kind %q", e.path, word, e.kind)
		}
		if value, err = unescape(value); err != nil {
			return e, fmt.Errorf("%s: %w", e.path, err)
		}
		e.fields = append(e.fields, field{key, value})
	}
	return e, nil
}

// allows reports whether the kind may have a field with this key.
func (e expectation) allows(key string) bool {
	switch e.kind {
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
