package untar

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

type entry struct {
	tar.Header
	content string
}

func archive(t *testing.T, entries ...entry) *Archive {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		e.Size = int64(len(e.content))
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return NewReader(&b)
}

func file(name, content string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600}, content}
}

func link(kind byte, name, target string) entry {
	return entry{tar.Header{Typeflag: kind, Name: name, Linkname: target}, ""}
}

func TestExtract(t *testing.T) {
	program := file("a/program", "x")
	program.Mode = 0o710
	large := strings.Repeat("0123456789abcdef", maxMemory/16+1)
	entries := []entry{
		{tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "a commit"}}, ""},
		{tar.Header{Typeflag: tar.TypeDir, Name: "empty/", Mode: 0o700}, ""},
		program, file("./b/c/small", "small"), file("large", large), file("none", ""),
		link(tar.TypeLink, "hard", "b/c/small"), link(tar.TypeSymlink, "b/soft", "c/small"),
	}
	dir := t.TempDir()
	modTime := time.Unix(1_000_000_000, 0)
	var names []string
	err := Extract(context.Background(), archive(t, entries...), dir, Options{
		Check:   func(h *tar.Header) error { names = append(names, h.Name); return nil },
		ModTime: modTime,
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != len(entries)-1 {
		t.Errorf("checked %q", names)
	}
	for name, want := range map[string]string{
		"a/program": "x", "b/c/small": "small", "large": large, "none": "", "hard": "small", "b/soft": "small",
	} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(got) != want {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || !info.ModTime().Equal(modTime) {
			t.Errorf("%s: %v, %v", name, info.ModTime(), err)
		}
		if executable := info.Mode()&0o111 != 0; executable != (name == "a/program") {
			t.Errorf("%s: mode %v", name, info.Mode())
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "empty")); err != nil || !info.IsDir() {
		t.Errorf("an empty directory: %v", err)
	}
}

// Names can be changed before, and contents after they are read.
func TestChange(t *testing.T) {
	dir := t.TempDir()
	err := Extract(context.Background(), archive(t, file("top/a", "1"), link(tar.TypeLink, "top/b", "top/a")), dir, Options{
		Check: func(h *tar.Header) error {
			h.Name, h.Linkname = strings.TrimPrefix(h.Name, "top/"), strings.TrimPrefix(h.Linkname, "top/")
			return nil
		},
		Rewrite: func(h *tar.Header, content []byte) []byte { return append(content, h.Name...) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != "1a" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestErrors(t *testing.T) {
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	refused := errors.New("refused")
	for name, test := range map[string]struct {
		ctx     context.Context
		entries []entry
		check   func(*tar.Header) error
		want    error // nil: any
	}{
		"a device":                     {entries: []entry{link(tar.TypeChar, "dev", "")}, want: ErrType},
		"a file twice":                 {entries: []entry{file("a", ""), file("a", "")}, want: fs.ErrExist},
		"a large file twice":           {entries: []entry{file("a", ""), file("a", strings.Repeat("x", maxMemory+1))}, want: fs.ErrExist},
		"a file above":                 {entries: []entry{file("../out", "")}},
		"a file above, indirectly":     {entries: []entry{file("a/../../out", "")}},
		"an absolute path":             {entries: []entry{file("/out", "")}},
		"a directory above":            {entries: []entry{{tar.Header{Typeflag: tar.TypeDir, Name: "../out/"}, ""}}},
		"through a symbolic link":      {entries: []entry{link(tar.TypeSymlink, "a", ".."), file("a/out", "")}},
		"a hard link to what is above": {entries: []entry{link(tar.TypeLink, "a", "../secret")}},
		"a hard link to nothing":       {entries: []entry{link(tar.TypeLink, "a", "b")}, want: fs.ErrNotExist},
		"a check that fails":           {entries: []entry{file("a", "")}, check: func(*tar.Header) error { return refused }, want: refused},
		"canceled":                     {ctx: canceled, entries: []entry{file("a", "")}, want: context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "in")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "../secret"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
			ctx := test.ctx
			if ctx == nil {
				ctx = context.Background()
			}
			err := Extract(ctx, archive(t, test.entries...), dir, Options{Check: test.check})
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if _, err := os.Lstat(filepath.Join(dir, "../out")); err == nil {
				t.Error("written outside")
			}
		})
	}
	if err := Extract(context.Background(), archive(t), filepath.Join(t.TempDir(), "none"), Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a directory: %v", err)
	}
	cut := NewReader(strings.NewReader(strings.Repeat("x", 700)))
	if err := Extract(context.Background(), cut, t.TempDir(), Options{}); !errors.Is(err, tar.ErrHeader) {
		t.Errorf("what is not an archive: %v", err)
	}
}

// An archive that ends between two entries, where archive/tar sees nothing wrong, is an error.
func TestCut(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range []string{"a", "b", "zeros"} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: 1024}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, 1024)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	const entry = 3 * 512
	for n, whole := range map[int]bool{
		0: false, 1: false, 511: false, 512: false, entry - 1: false, entry: false, entry + 512: false,
		2 * entry: false, 3*entry - 512: false, 3 * entry: false, 3*entry + 511: false,
		// One block of zeros is enough for tar too.
		3*entry + 512: true, 3*entry + 1024: true,
	} {
		err := Extract(context.Background(), NewReader(bytes.NewReader(b.Bytes()[:n])), t.TempDir(), Options{})
		if (err == nil) != whole || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes of %d: %v", n, b.Len(), err)
		}
	}
}

// Names from an archive are printable in errors.
func TestErrorsArePrintable(t *testing.T) {
	const name = "a\x1b]0;title\a\n\u202e"
	for what, entries := range map[string][]entry{
		"type":      {{tar.Header{Typeflag: tar.TypeFifo, Name: name}, ""}},
		"twice":     {file(name, "1"), file(name, "2")},
		"below":     {file(name, "1"), file(name+"/x", "2")},
		"link":      {link(tar.TypeLink, "x", name)},
		"link path": {link(tar.TypeLink, name, "x")},
		"soft":      {link(tar.TypeSymlink, name, "x"), link(tar.TypeSymlink, name, "x")},
		"too long":  {file(strings.Repeat(name, 100), "1")},
	} {
		err := Extract(context.Background(), archive(t, entries...), t.TempDir(), Options{})
		if err == nil || printable.Lines(err.Error()) != err.Error() {
			t.Errorf("%s: %q", what, err)
		}
	}
}
