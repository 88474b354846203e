// Package cpiotest builds archives for tests, record by record and without the checks
// of package cpio, so that a test can give a reader what no writer would produce.
package cpiotest

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

// Record is a record of an archive with its body.
type Record struct {
	cpio.Header
	Body string
}

// File returns a regular file with mode 0644.
func File(name, body string) Record {
	return Record{cpio.Header{Name: name, Mode: 0o100644, NLink: 1}, body}
}

// Dir returns a directory with mode 0755.
func Dir(name string) Record {
	return Record{cpio.Header{Name: name, Mode: 0o040755, NLink: 2}, ""}
}

// Symlink returns a symbolic link.
func Symlink(name, target string) Record {
	return Record{cpio.Header{Name: name, Mode: 0o120777, NLink: 1}, target + "\x00"}
}

// Pipe returns a named pipe with a link count of 2.
func Pipe(name string) Record {
	return Record{cpio.Header{Name: name, Mode: 0o010600, NLink: 2}, ""}
}

// Link returns one name of a file that has several: those with the same ino.
func Link(ino uint32, name, body string) Record {
	return Record{cpio.Header{Name: name, Mode: 0o100644, NLink: 2, Ino: ino}, body}
}

// Trailer is the record that ends an archive.
var Trailer = Record{cpio.Header{Name: cpio.TrailerName, NLink: 1}, ""}

// Archive returns the records as an uncompressed archive. It adds no trailer.
func Archive(records ...Record) string {
	var b strings.Builder
	for _, r := range records {
		h := r.Header
		fmt.Fprintf(&b, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00", h.Ino, h.Mode, h.UID, h.GID, h.NLink,
			h.MTime, len(r.Body), h.Major, h.Minor, h.RMajor, h.RMinor, len(h.Name)+1, 0, h.Name)
		b.WriteString(NULs(-b.Len() & 3))
		b.WriteString(r.Body)
		b.WriteString(NULs(-b.Len() & 3))
	}
	return b.String()
}

// NULs returns n NUL bytes.
func NULs(n int) string { return strings.Repeat("\x00", n) }

// Compressed returns content compressed with the codec of this name.
func Compressed(t testing.TB, name, content string) string {
	t.Helper()
	method, err := codec.Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := method.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
