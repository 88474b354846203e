package receive

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/guest/frame"
	"github.com/rules-initramfs/rules_initramfs/internal/guest/outputs"
)

// console is what a guest prints: the test's own text is "PASS" and a line without an end.
func console(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "test.xml"), []byte("<testsuites/>"), 0o644); err != nil {
		t.Fatal(err)
	}
	var archive, out bytes.Buffer
	if _, err := outputs.Pack(&archive, dir); err != nil {
		t.Fatal(err)
	}
	w := frame.NewWriter(&out)
	write := func(kind frame.Kind, payload []byte) {
		if err := w.Write(kind, payload); err != nil {
			t.Fatal(err)
		}
	}
	out.WriteString("Linux version\n")
	write(frame.Begin, nil)
	out.WriteString("PASS\nno end")
	write(frame.Exit, []byte(`{"code":3}`))
	write(frame.Data, archive.Bytes())
	write(frame.End, nil)
	out.WriteString("reboot: Power down\n")
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

func TestReceive(t *testing.T) {
	var out strings.Builder
	r := New(&out)
	lines := console(t)
	for i, line := range lines {
		if done := r.Line(line); done != (i >= len(lines)-2) {
			t.Errorf("line %d of %d: done is %t", i, len(lines), done)
		}
	}
	if out.String() != "PASS\nno end" {
		t.Errorf("the test's output is %q", out.String())
	}
	dir := t.TempDir()
	ending, err := r.Result(dir)
	if err != nil || ending.Code != 3 {
		t.Fatalf("%v, %v", ending, err)
	}
	to := filepath.Join(t.TempDir(), "xml")
	if there, err := Move(dir, "test.xml", to); !there || err != nil {
		t.Errorf("test.xml: %t, %v", there, err)
	}
	if there, err := Move(dir, "other", to); there || err != nil {
		t.Errorf("other: %t, %v", there, err)
	}
	if content, err := os.ReadFile(to); err != nil || string(content) != "<testsuites/>" {
		t.Errorf("%q, %v", content, err)
	}
}

func TestReceivePart(t *testing.T) {
	lines := console(t)
	for _, test := range []struct {
		lines []string
		want  string
	}{
		{lines[:1], "the guest ended before the test had"},
		{lines[:3], "the guest ended before the test had"},
		{lines[:4], "the guest ended before it had sent the test's outputs"},
		{append(append([]string{}, lines[:4]...), lines[5]), "the console has lost a part of what the guest sent: frame 3 comes where 2 has to"},
	} {
		r := New(&strings.Builder{})
		for _, line := range test.lines {
			r.Line(line)
		}
		if _, err := r.Result(t.TempDir()); err == nil || err.Error() != test.want {
			t.Errorf("%d lines: %v, want %s", len(test.lines), err, test.want)
		}
	}
}
