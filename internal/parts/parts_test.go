package parts

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestParts(t *testing.T) {
	dir := t.TempDir()
	var names []string
	for name, content := range map[string]string{"a": "12345", "b": "", "c": "678"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a", "b", "c"} {
		names = append(names, filepath.Join(dir, name))
	}
	p, err := Open(names)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	n, err := p.WriteTo(&b)
	if want := "12345\x00\x00\x00678"; err != nil || b.String() != want || p.Size() != n || n != int64(len(want)) {
		t.Errorf("%q, %d of %d bytes, %v, want %q", b.String(), n, p.Size(), err, want)
	}
	if err := os.WriteFile(names[0], []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := p.WriteTo(&b); err == nil {
		t.Error("no error for a file that changed")
	}
	for _, bad := range []string{dir, filepath.Join(dir, "absent"), names[1]} {
		if _, err := Open([]string{bad}); err == nil {
			t.Errorf("no error for %s", bad)
		}
	}
}
