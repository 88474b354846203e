package guest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestOutputs(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	files := map[string]string{"test.xml": "<testsuites/>", "a/b/c.bin": strings.Repeat("\x00\xff", 100_000), "a/empty": ""}
	for name, content := range files {
		name = filepath.Join(from, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc", filepath.Join(from, "a/link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(from, "none"), 0o755); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	skipped, err := Pack(&archive, from)
	if err != nil || !slices.Equal(skipped, []string{"a/link"}) {
		t.Fatalf("skipped %q, %v", skipped, err)
	}
	if err := Unpack(bytes.NewReader(archive.Bytes()), to, 1<<20); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if got, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(got) != content {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
	if info, err := os.Stat(filepath.Join(to, "none")); err != nil || !info.IsDir() {
		t.Errorf("an empty directory: %v", err)
	}
	if err := Unpack(bytes.NewReader(archive.Bytes()), t.TempDir(), 1000); !errors.Is(err, ErrTooLarge) || !strings.HasPrefix(err.Error(), "a/b/c.bin: ") {
		t.Errorf("over the limit: %v", err)
	}
	if err := Unpack(bytes.NewReader(archive.Bytes()[:archive.Len()/2]), t.TempDir(), 1<<20); err == nil {
		t.Error("half an archive: no error")
	}
}

func TestUnpackStaysInside(t *testing.T) {
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeReg, Name: "../out"},
		{Typeflag: tar.TypeReg, Name: "a/../../out"},
		{Typeflag: tar.TypeSymlink, Name: "a", Linkname: ".."},
		{Typeflag: tar.TypeDir, Name: "../out/"},
	} {
		var archive bytes.Buffer
		z := gzip.NewWriter(&archive)
		w := tar.NewWriter(z)
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		for _, c := range []io.Closer{w, z} {
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
		dir := filepath.Join(t.TempDir(), "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := Unpack(&archive, dir, 1<<20); err == nil {
			t.Errorf("%s: no error", h.Name)
		}
		if _, err := os.Lstat(filepath.Join(dir, "../out")); err == nil {
			t.Errorf("%s: written outside", h.Name)
		}
	}
}

func TestDeliver(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	for name, content := range map[string]string{XML: "<testsuites/>", Undeclared + "/a/b": "undeclared"} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{
		"XML_OUTPUT_FILE":             filepath.Join(to, "xml"),
		"TEST_SHARD_STATUS_FILE":      filepath.Join(to, "status"),
		"TEST_UNDECLARED_OUTPUTS_DIR": filepath.Join(to, "outputs"),
	}
	if err := Deliver(dir, func(name string) string { return env[name] }); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"xml": "<testsuites/>", "outputs/a/b": "undeclared"} {
		if got, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(to, "status")); !os.IsNotExist(err) {
		t.Errorf("the test does not support sharding, but there is a status file: %v", err)
	}
	env["XML_OUTPUT_FILE"] = filepath.Join(to, "none", "xml")
	if err := Deliver(dir, func(name string) string { return env[name] }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory for test.xml: error %v", err)
	}
	if err := Deliver(dir, func(string) string { return "" }); err != nil {
		t.Errorf("nowhere to deliver to: %v", err)
	}
}
