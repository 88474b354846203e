package kernel_test

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio/cpiotest"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

// checkModel checks what holds for any file system.
func checkModel(t *testing.T, m *kernel.Model) {
	t.Helper()
	names := map[*kernel.File]int{}
	below := map[string]int{}
	for at, f := range m.Files {
		names[f]++
		if at != kernel.CleanPath(at) {
			t.Errorf("%q is not clean", at)
		}
		if at != "/" {
			parent := m.Files[path.Dir(at)]
			if parent == nil || parent.Type() != cpio.TypeDir {
				t.Errorf("%q is not in a directory", at)
			}
			if f.Type() == cpio.TypeDir {
				below[path.Dir(at)]++
			}
		}
		// A slash at the end follows the last link too.
		if f.Type() != cpio.TypeSymlink {
			if got, gotAt, err := m.Lookup(at); got != f || gotAt != at || err != nil {
				t.Errorf("%q is looked up: %v at %q, %v", at, got, gotAt, err)
			}
		} else if got, gotAt, err := m.Lookup(at); err == nil && (got == nil || m.Files[gotAt] != got || got.Type() == cpio.TypeSymlink) {
			t.Errorf("%q leads to %v at %q", at, got, gotAt)
		}
	}
	for at, f := range m.Files {
		want := names[f]
		if f.Type() == cpio.TypeDir {
			if want > 1 {
				t.Errorf("the directory %q has %d names", at, want)
			}
			want = 2 + below[at]
		}
		if f.NLink != want {
			t.Errorf("%q has nlink %d, want %d", at, f.NLink, want)
		}
		if (f.Type() == cpio.TypeRegular) != (f.Body >= 0) {
			t.Errorf("%q, mode %o, has the body %d", at, f.Mode, f.Body)
		}
	}
}

// checkResult checks that a result agrees with the files.
func checkResult(t *testing.T, m *kernel.Model, e *kernel.Record, r kernel.Result) {
	t.Helper()
	switch {
	case r.Created && (r.Linked != "" || r.Replaced == r.File), r.Linked != "" && r.Linked != r.Path && m.Files[r.Linked] != r.File:
		t.Errorf("%q: %+v", e.Name, r)
	case (r.File == nil) != (r.Drop != 0), (r.Drop != 0) != (r.Detail != ""):
		t.Errorf("%q: %+v", e.Name, r)
	case r.File == nil && r.Path != kernel.CleanPath(e.Name):
		t.Errorf("%q is dropped, and called %q", e.Name, r.Path)
	case r.File != nil && m.Files[r.Path] != r.File:
		t.Errorf("%q is not at %q", e.Name, r.Path)
	}
}

// Whatever an image says, the model of it is a file system.
func FuzzModel(f *testing.F) {
	for _, s := range cpiotest.Semantics {
		f.Add([]byte(cpiotest.Archive(s.Records...)))
	}
	f.Fuzz(func(t *testing.T, img []byte) {
		if len(img) > 1<<16 {
			t.Skip("its memory is a matter of the readers' tests")
		}
		var m *kernel.Model
		entries := 0
		m, err := kernel.ReadModel(image.NewReader(io.LimitReader(bytes.NewReader(img), 1<<16)), true, func(e *image.Entry, r kernel.Result, _ io.Reader) error {
			if entries++; entries > 1000 {
				return io.ErrShortBuffer
			}
			return nil
		})
		if err != nil {
			return
		}
		checkModel(t, m)
		if len(m.Files) > entries+1 {
			t.Errorf("%d files of %d entries", len(m.Files), entries)
		}
	})
}

// The bytes choose the entries: more of them mean something than in FuzzModel.
func FuzzModelAdd(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09"))
	f.Add([]byte("\x12\x00\x44\x01\x08\x21\x90\x17\x33\x42\x51\x66\x07\x18\x29\x3a\x4b\x5c\x6d\x7e\x8f"))
	components := []string{"a", "b", "l", "..", ".", "", "a/b", "l/a", "l/", "b/l", "/l/..", "a/l/b", strings.Repeat("n", 256), "b/../l", "../a", "l/l/l"}
	types := []uint32{cpio.TypeRegular, cpio.TypeDir, cpio.TypeSymlink, cpio.TypePipe, cpio.TypeRegular, cpio.TypeDir, cpio.TypeSymlink, 0}
	f.Fuzz(func(t *testing.T, choices []byte) {
		m, overlay := kernel.NewModel(), kernel.NewOverlay()
		if len(choices) > 3000 {
			choices = choices[:3000]
		}
		for i := 0; i+3 <= len(choices); i += 3 {
			a, b, c := choices[i], choices[i+1], choices[i+2]
			e := &image.Entry{Header: cpio.Header{Name: components[a&15], Mode: types[b&7] | 0o755, NLink: uint32(b >> 3 & 3), Ino: uint32(b >> 5 & 3), Size: int64(c & 1)}, Index: i / 3, Trailers: i / 300}
			if e.Type() == cpio.TypeSymlink {
				e.Target = components[a>>4]
			}
			r := kernel.RecordOf(e)
			checkResult(t, m, r, m.Add(r))
			overlay.Add(r)
		}
		m.End()
		checkModel(t, m)
	})
}

func ExampleModel_Add() {
	m := kernel.NewModel()
	for _, r := range []*kernel.Record{
		{Name: "usr", Mode: cpio.TypeDir | 0o755},
		{Name: "lib", Mode: cpio.TypeSymlink | 0o777, Target: "usr"},
		{Name: "lib/a", Mode: cpio.TypeRegular | 0o644},
		{Name: "share/b", Mode: cpio.TypeRegular | 0o644},
	} {
		made := m.Add(r)
		fmt.Println(strings.TrimSpace(fmt.Sprint(r.Name, " ", made.Path, " ", made.Detail)))
	}
	// Output:
	// usr /usr
	// lib /lib
	// lib/a /usr/a
	// share/b /share/b there is no directory /share
}
