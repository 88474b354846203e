package source

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/rules-initramfs/rules_initramfs/internal/untar"
)

func nowhere(name string) (string, error) { return "", fs.ErrNotExist }

func tarball(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range headers {
		body := ""
		if h.Typeflag == tar.TypeReg {
			body = "content of " + h.Name
			h.Size = int64(len(body))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func sound(t *testing.T) []byte {
	return tarball(t,
		tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": "abc"}},
		tar.Header{Typeflag: tar.TypeDir, Name: "linux-1/", Mode: 0o700},
		tar.Header{Typeflag: tar.TypeReg, Name: "linux-1/Makefile", Mode: 0o664},
		tar.Header{Typeflag: tar.TypeReg, Name: "linux-1/scripts/run.sh", Mode: 0o775},
		tar.Header{Typeflag: tar.TypeSymlink, Name: "linux-1/scripts/link", Linkname: "../Makefile"},
		tar.Header{Typeflag: tar.TypeLink, Name: "linux-1/hard", Linkname: "linux-1/Makefile"},
	)
}

func unpack(t *testing.T, content []byte, lookPath func(string) (string, error)) (*Tree, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "linux.tar")
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return Unpack(context.Background(), name, t.TempDir(), lookPath)
}

func compress(t *testing.T, content []byte, newWriter func(io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := newWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestUnpack(t *testing.T) {
	plain := sound(t)
	withXZ := compress(t, plain, func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) })
	for _, test := range []struct {
		name     string
		content  []byte
		lookPath func(string) (string, error)
	}{
		{"plain", plain, nowhere},
		{"gzip", compress(t, plain, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }), nowhere},
		{"zstd", compress(t, plain, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }), nowhere},
		{"xz", withXZ, nowhere},
		{"xz program", withXZ, exec.LookPath},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := test.lookPath("xz"); err != nil && test.name == "xz program" {
				t.Skip("there is no xz")
			}
			tree, err := unpack(t, test.content, test.lookPath)
			if err != nil {
				t.Fatal(err)
			}
			if len(tree.Files) != 4 || !tree.Files["hard"] || !tree.Files["scripts/link"] {
				t.Errorf("files: %v", tree.Files)
			}
			for name, want := range map[string]string{
				"hard":         "content of linux-1/Makefile",
				"scripts/link": "content of linux-1/Makefile",
			} {
				if got, err := os.ReadFile(filepath.Join(tree.Dir, name)); err != nil || string(got) != want {
					t.Errorf("%s: %q, %v", name, got, err)
				}
			}
			for name, want := range map[string]fs.FileMode{"Makefile": 0o644, "scripts/run.sh": 0o755} {
				if info, err := os.Stat(filepath.Join(tree.Dir, name)); err != nil || info.Mode() != want {
					t.Errorf("%s: %v, %v", name, info.Mode(), err)
				}
			}
		})
	}
}

func TestUnpackErrors(t *testing.T) {
	withXZ := compress(t, sound(t), func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) })
	for _, test := range []struct {
		name     string
		content  []byte
		lookPath func(string) (string, error)
		want     error  // nil: any
		text     string // in the message
	}{
		{"no tarball", []byte("hello, this is not a tarball"), nowhere, ErrNotTar, ""},
		{"empty", nil, nowhere, ErrNotTar, ""},
		{"two top directories", tarball(t,
			tar.Header{Typeflag: tar.TypeReg, Name: "a/b"}, tar.Header{Typeflag: tar.TypeReg, Name: "c/d"}), nowhere, nil, "c/d: not below a/"},
		{"no top directory", tarball(t, tar.Header{Typeflag: tar.TypeReg, Name: "a"}), nowhere, ErrNotTar, ""},
		{"device", tarball(t, tar.Header{Typeflag: tar.TypeChar, Name: "a/null"}), nowhere, untar.ErrType, "a/null: "},
		{"twice", tarball(t, tar.Header{Typeflag: tar.TypeReg, Name: "a/b"}, tar.Header{Typeflag: tar.TypeReg, Name: "a/b"}), nowhere, fs.ErrExist, ""},
		{"cut off", sound(t)[:1600], nowhere, io.ErrUnexpectedEOF, ""},
		{"cut off xz", withXZ[:len(withXZ)-8], nowhere, io.ErrUnexpectedEOF, ""},
		{"cut off xz, program", withXZ[:len(withXZ)-8], exec.LookPath, nil, "xz: exit status 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := exec.LookPath("xz"); err != nil && strings.Contains(test.name, "program") {
				t.Skip("there is no xz")
			}
			_, err := unpack(t, test.content, test.lookPath)
			if err == nil || test.want != nil && !errors.Is(err, test.want) ||
				!strings.Contains(err.Error(), test.text) || !strings.Contains(err.Error(), "linux.tar") {
				t.Errorf("error %v, want %v, the file's name and %q", err, test.want, test.text)
			}
		})
	}
}

// Nothing is written outside, whatever the names and links are.
func TestUnpackEscapes(t *testing.T) {
	outside := t.TempDir()
	for _, headers := range [][]tar.Header{
		{{Typeflag: tar.TypeSymlink, Name: "a/out", Linkname: outside}, {Typeflag: tar.TypeReg, Name: "a/out/file"}},
		{{Typeflag: tar.TypeSymlink, Name: "a/out", Linkname: "../../../../../../../.." + outside}, {Typeflag: tar.TypeReg, Name: "a/out/file"}},
		{{Typeflag: tar.TypeReg, Name: "a/../../" + outside + "/file"}, {Typeflag: tar.TypeReg, Name: "a/x"}},
	} {
		if _, err := unpack(t, tarball(t, headers...), nowhere); err == nil {
			t.Errorf("no error for %v", headers)
		}
	}
	left, err := os.ReadDir(outside)
	if err != nil || len(left) > 0 {
		t.Errorf("outside: %v, %v", left, err)
	}
}

func TestCheck(t *testing.T) {
	tree, err := unpack(t, sound(t), nowhere)
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Check("x86"); err == nil || !strings.Contains(err.Error(), "Kbuild") {
		t.Errorf("error %v", err)
	}
	for _, name := range []string{"Kbuild", "Kconfig", "scripts/kconfig/Makefile", "usr/Makefile", "arch/x86/Makefile"} {
		name = filepath.Join(tree.Dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tree.Check("x86"); err != nil {
		t.Error(err)
	}
	if err := tree.Check("vax"); err == nil || !strings.Contains(err.Error(), "arch/vax") {
		t.Errorf("error %v", err)
	}
}

func TestPatch(t *testing.T) {
	if _, err := exec.LookPath("patch"); err != nil {
		t.Skip("there is no patch")
	}
	tree, err := unpack(t, sound(t), nowhere)
	if err != nil {
		t.Fatal(err)
	}
	write := func(old string) string {
		name := filepath.Join(t.TempDir(), "fix.patch")
		text := "--- a/Makefile\n+++ b/Makefile\n@@ -1 +1 @@\n-" + old + "\n\\ No newline at end of file\n+patched\n"
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	if err := tree.Patch(context.Background(), write("something else"), exec.LookPath); err == nil || !strings.Contains(err.Error(), "fix.patch does not apply") {
		t.Errorf("error %v", err)
	}
	if err := tree.Patch(context.Background(), write("content of linux-1/Makefile"), exec.LookPath); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(tree.Dir, "Makefile")); err != nil || string(got) != "patched\n" {
		t.Errorf("patched: %q, %v", got, err)
	}
	if err := tree.Patch(context.Background(), "x.patch", nowhere); err == nil || !strings.Contains(err.Error(), "x.patch: ") {
		t.Errorf("error %v", err)
	}
}
