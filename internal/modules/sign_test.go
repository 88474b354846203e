package modules

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

// testSigning signs with a key of package signature's tests.
func testSigning(t testing.TB, key string) *signature.Signing {
	t.Helper()
	signer, err := signature.ReadKey("signature/testdata/" + key + ".key")
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := signature.ReadCertificate("signature/testdata/rsa.pem")
	if err != nil {
		t.Fatal(err)
	}
	hash, err := signature.ParseHash("sha512")
	if err != nil {
		t.Fatal(err)
	}
	return &signature.Signing{Signer: signer, Certificate: certificate, Hash: hash}
}

// archiveOf returns the archive of a layer that is to be signed.
func archiveOf(t testing.TB, l *Layer) []byte {
	t.Helper()
	out := t.TempDir()
	l.ForSigning = true
	if err := l.Write(context.Background(), out); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := WriteArchive(&archive, os.DirFS(out).(fs.ReadLinkFS)); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

// A layer that is written for signing, and then signed, has the same files and indexes as one that
// is not, with signed modules.
func TestSign(t *testing.T) {
	module := compileDebug(t)
	root, dir := kernelDir(t)
	for name, content := range map[string][]byte{"debug.ko": module, "debug-packed.ko.zst": pack(t, "zstd", module)} {
		if err := os.WriteFile(filepath.Join(dir, "kernel", name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	firmware := firmwareDir(t, map[string]string{"net.bin": "firmware"})
	signing := testSigning(t, "rsa")
	for _, compression := range []Compression{KeepCompression, "none", "gzip", "xz", "zstd"} {
		for _, strip := range []bool{false, true} {
			l := newLayer(t, root, "kernel/**")
			l.Compression, l.Strip, l.SignaturesForced = compression, strip, true
			l.Firmware = []Firmware{{Name: "net.bin", Source: filepath.Join(firmware, "net.bin")}, {Name: "link.bin", Target: "net.bin"}}
			archive := archiveOf(t, l)
			if len(l.Unsigned) > 0 {
				t.Errorf("%s: %q lose their signature", compression, l.Unsigned)
			}
			out := t.TempDir()
			opened, err := os.OpenRoot(out)
			if err != nil {
				t.Fatal(err)
			}
			defer opened.Close()
			var signed bytes.Buffer
			n, err := Sign(context.Background(), bytes.NewReader(archive), &signed, opened, signing)
			if err != nil || n != len(l.Written) {
				t.Fatalf("%s: %d modules, %v", compression, n, err)
			}
			var again bytes.Buffer
			if err := WriteArchive(&again, opened.FS().(fs.ReadLinkFS)); err != nil || !bytes.Equal(again.Bytes(), signed.Bytes()) {
				t.Errorf("%s: the directory is not the archive: %v", compression, err)
			}

			// What the layer is without a signature.
			plain := newLayer(t, root, "kernel/**")
			plain.Compression, plain.Strip, plain.Firmware = compression, strip, l.Firmware
			want := t.TempDir()
			if err := plain.Write(context.Background(), want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(filesIn(t, want), filesIn(t, out)); diff != "" {
				t.Errorf("%s: %s", compression, diff)
			}
			for _, name := range filesIn(t, out) {
				got, err := os.ReadFile(filepath.Join(out, name))
				if err != nil {
					t.Fatal(err)
				}
				unsigned, err := os.ReadFile(filepath.Join(want, name))
				if err != nil {
					t.Fatal(err)
				}
				if !IsModule(name) {
					if !bytes.Equal(got, unsigned) {
						t.Errorf("%s: %s differs", compression, name)
					}
					continue
				}
				if got, err = decompress(got); err != nil {
					t.Fatal(err)
				}
				if err := signature.Verify(got, signing.Certificate); err != nil {
					t.Errorf("%s: %s: %v", compression, name, err)
				}
				content, _, _ := signature.Split(got)
				if unsigned, err = decompress(unsigned); err != nil {
					t.Fatal(err)
				}
				if unsigned, _, err = signature.Split(unsigned); err != nil || !bytes.Equal(content, unsigned) {
					t.Errorf("%s: %s has another content, %v", compression, name, err)
				}
			}
			written, err := ReadTree(os.DirFS(filepath.Join(out, "lib/modules", release)))
			if err != nil {
				t.Fatal(err)
			}
			for i, m := range written.Modules {
				if !m.Signed || !l.Written[i].Signed || m.Path != l.Written[i].Path || m.Codec != l.Written[i].Codec {
					t.Errorf("%s: %+v, written as %+v", compression, m, l.Written[i])
				}
			}
		}
	}
}

// A kernel that refuses modules without a signature gets none of them.
func TestUnsigned(t *testing.T) {
	root, _ := kernelDir(t)
	l := newLayer(t, root, "kernel/**")
	l.SignaturesForced = true
	out := t.TempDir()
	err := l.Write(context.Background(), out)
	if !errors.Is(err, ErrUnsigned) || len(filesIn(t, out)) > 0 {
		t.Errorf("%v, %q", err, filesIn(t, out))
	}
	golden.Section(t, "messages.txt", map[string]string{"modules without signatures": err.Error()})
}

func TestSignErrors(t *testing.T) {
	root, _ := kernelDir(t)
	sound := archiveOf(t, newLayer(t, root, "core", "packed"))
	archive := func(headers ...cpio.Header) []byte {
		var out bytes.Buffer
		w := cpio.NewWriter(&out)
		for _, h := range headers {
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(w, strings.Repeat("\x7f", int(h.Size))); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	file := func(name string, size int64) cpio.Header {
		return cpio.Header{Name: name, Mode: cpio.TypeRegular | 0o644, NLink: 1, Size: size}
	}
	linked := file("a.ko", 4)
	linked.NLink = 2
	var packed bytes.Buffer
	w := cpio.NewWriter(&packed)
	content := pack(t, "xz", []byte("module"))
	h := file("a.ko.xz", int64(len(content)))
	if err := w.WriteHeader(&h); err != nil {
		t.Fatal(err)
	}
	w.Write(content)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		archive []byte
		key     string
		want    error // nil for any
	}{
		{"the key of another certificate", sound, "other", signature.ErrMismatch},
		{"cut off", sound[:len(sound)/2], "rsa", nil},
		{"an archive after it", slices.Concat(sound, sound), "rsa", ErrMore},
		{"bytes after it", append(slices.Clone(sound), "rest"...), "rsa", ErrMore},
		{"a byte after it, where no record may begin", append(slices.Clone(sound), "\x00rest"...), "rsa", ErrMore},
		{"neither modules nor indexes", archive(file("a.bin", 4)), "rsa", ErrPrepared},
		{"not an archive", []byte("hello, world"), "rsa", nil},
		{"a compressed module", packed.Bytes(), "rsa", ErrPrepared},
		{"a hard link", archive(linked), "rsa", ErrPrepared},
		{"a device", archive(cpio.Header{Name: "null", Mode: cpio.TypeChar, NLink: 1}), "rsa", ErrPrepared},
		{"a path that leads out", archive(file("../a.ko", 4)), "rsa", nil},
		{"a path twice", archive(file("a.ko", 4), file("a.ko", 4)), "rsa", os.ErrExist},
	} {
		opened, err := os.OpenRoot(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer opened.Close()
		_, err = Sign(context.Background(), bytes.NewReader(test.archive), io.Discard, opened, testSigning(t, test.key))
		if err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	padded := append(slices.Clone(sound), make([]byte, 1021)...)
	if _, err := Sign(context.Background(), bytes.NewReader(padded), io.Discard, nil, testSigning(t, "rsa")); err != nil {
		t.Errorf("with zeros after it: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Sign(ctx, bytes.NewReader(sound), io.Discard, nil, testSigning(t, "rsa")); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// The contents in memory are limited, and large files pass.
func TestSignLarge(t *testing.T) {
	var in bytes.Buffer
	w := cpio.NewWriter(&in)
	sizes := map[string]int64{"a.bin": maxWaiting + 1, "b.bin": maxWaiting, "c.ko": 1 << 20, "d.bin": 1}
	for _, name := range []string{"a.bin", "b.bin", "c.ko", "d.bin"} {
		if err := w.WriteHeader(&cpio.Header{Name: name, Mode: cpio.TypeRegular | 0o644, NLink: 1, Size: sizes[name]}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, sizes[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	dir := t.TempDir()
	opened, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	if n, err := Sign(context.Background(), &in, &out, opened, testSigning(t, "rsa")); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	for name, want := range sizes {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Size() < want || info.Size() > want && name != "c.ko" {
			t.Errorf("%s: %v, %v, want %d bytes", name, info, err, want)
		}
	}
	r := cpio.NewReader(&out)
	for _, name := range []string{"a.bin", "b.bin", "c.ko", "d.bin"} {
		if h, err := r.Next(); err != nil || h.Name != name {
			t.Fatalf("%v, %v, want %s", h, err, name)
		}
	}
}
