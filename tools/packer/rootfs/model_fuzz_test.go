package rootfs_test

import (
	"bytes"
	"fmt"
	"io"
	"path"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/tools/packer/newc"
	"github.com/rules-initramfs/rules_initramfs/tools/packer/rootfs"
)

// checkModel checks what is true of any file system.
func checkModel(t *testing.T, m *rootfs.Model) {
	t.Helper()
	names := map[*rootfs.File]int{}
	below := map[string]int{}
	for at, f := range m.Files {
		names[f]++
		if at != rootfs.CleanPath(at) {
			t.Errorf("%q is not clean", at)
		}
		if at != "/" {
			parent := m.Files[path.Dir(at)]
			if parent == nil || parent.Type() != rootfs.TypeDir {
				t.Errorf("%q is in no directory", at)
			}
			if f.Type() == rootfs.TypeDir {
				below[path.Dir(at)]++
			}
		}
		// A slash behind follows the last link too.
		if f.Type() != rootfs.TypeSymlink {
			if got, gotAt, err := m.Lookup(at); got != f || gotAt != at || err != nil {
				t.Errorf("%q is looked up: %v at %q, %v", at, got, gotAt, err)
			}
		} else if got, gotAt, err := m.Lookup(at); err == nil && (got == nil || m.Files[gotAt] != got || got.Type() == rootfs.TypeSymlink) {
			t.Errorf("%q leads to %v at %q", at, got, gotAt)
		}
	}
	for at, f := range m.Files {
		want := names[f]
		if f.Type() == rootfs.TypeDir {
			if want > 1 {
				t.Errorf("the directory %q has %d names", at, want)
			}
			want = 2 + below[at]
		}
		if f.NLink != want {
			t.Errorf("%q has nlink %d, want %d", at, f.NLink, want)
		}
		if (f.Type() == rootfs.TypeRegular) != (f.Body >= 0) {
			t.Errorf("%q, mode %o, has the body %d", at, f.Mode, f.Body)
		}
	}
}

// checkResult checks that a result says what is there.
func checkResult(t *testing.T, m *rootfs.Model, e *rootfs.Entry, r rootfs.Result) {
	t.Helper()
	switch {
	case (r.File == nil) != (r.Drop != 0), (r.Drop != 0) != (r.Detail != ""), r.Drop.String() == "unknown":
		t.Errorf("%q: %+v", e.Name, r)
	case r.File == nil && r.Path != rootfs.CleanPath(e.Name):
		t.Errorf("%q is dropped, and called %q", e.Name, r.Path)
	case r.File != nil && m.Files[r.Path] != r.File:
		t.Errorf("%q is not at %q", e.Name, r.Path)
	}
}

// Whatever an image says, the model of it is a file system.
func FuzzModel(f *testing.F) {
	for _, s := range semantics {
		f.Add([]byte(archive(s.records...)))
	}
	f.Fuzz(func(t *testing.T, image []byte) {
		if len(image) > 1<<16 {
			t.Skip("its memory is a matter of the readers' tests")
		}
		var m *rootfs.Model
		entries := 0
		m, err := rootfs.ReadModel(rootfs.NewReader(io.LimitReader(bytes.NewReader(image), 1<<16)), true, func(e *rootfs.Entry, r rootfs.Result, _ io.Reader) error {
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
	types := []uint32{rootfs.TypeRegular, rootfs.TypeDir, rootfs.TypeSymlink, rootfs.TypePipe, rootfs.TypeRegular, rootfs.TypeDir, rootfs.TypeSymlink, 0}
	f.Fuzz(func(t *testing.T, choices []byte) {
		m := rootfs.NewModel()
		if len(choices) > 3000 {
			choices = choices[:3000]
		}
		for i := 0; i+3 <= len(choices); i += 3 {
			a, b, c := choices[i], choices[i+1], choices[i+2]
			e := &rootfs.Entry{Header: newc.Header{Name: components[a&15], Mode: types[b&7] | 0o755, NLink: uint32(b >> 3 & 3), Ino: uint32(b >> 5 & 3), Size: int64(c & 1)}, Index: i / 3, Trailers: i / 300}
			if e.Type() == rootfs.TypeSymlink {
				e.Target = components[a>>4]
			}
			checkResult(t, m, e, m.Add(e))
		}
		m.End()
		checkModel(t, m)
	})
}

func ExampleModel_Add() {
	m := rootfs.NewModel()
	for _, e := range []*rootfs.Entry{
		{Header: newc.Header{Name: "usr", Mode: rootfs.TypeDir | 0o755}},
		{Header: newc.Header{Name: "lib", Mode: rootfs.TypeSymlink | 0o777}, Target: "usr"},
		{Header: newc.Header{Name: "lib/a", Mode: rootfs.TypeRegular | 0o644}},
		{Header: newc.Header{Name: "share/b", Mode: rootfs.TypeRegular | 0o644}},
	} {
		r := m.Add(e)
		fmt.Println(strings.TrimSpace(fmt.Sprint(e.Name, " ", r.Path, " ", r.Detail)))
	}
	// Output:
	// usr /usr
	// lib /lib
	// lib/a /usr/a
	// share/b /share/b there is no directory /share
}
