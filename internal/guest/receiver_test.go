package guest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// console returns what a guest prints. The test's own output is "PASS" and a line without a
// newline.
func console(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "test.xml"), []byte("<testsuites/>"), 0o644); err != nil {
		t.Fatal(err)
	}
	var archive, out bytes.Buffer
	if _, err := Pack(&archive, dir); err != nil {
		t.Fatal(err)
	}
	w := NewFrameWriter(&out)
	write := func(kind FrameKind, payload []byte) {
		if err := w.Write(kind, payload); err != nil {
			t.Fatal(err)
		}
	}
	out.WriteString("Linux version\n")
	write(FrameBegin, nil)
	out.WriteString("PASS\nno end")
	write(FrameExit, []byte(`{"code":3}`))
	write(FrameData, archive.Bytes())
	write(FrameEnd, nil)
	out.WriteString("reboot: Power down\n")
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

func TestReceive(t *testing.T) {
	var out strings.Builder
	r := NewReceiver(&out)
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
	if content, err := os.ReadFile(filepath.Join(dir, XML)); err != nil || string(content) != "<testsuites/>" {
		t.Errorf("%q, %v", content, err)
	}
}

func TestReceivePart(t *testing.T) {
	lines := console(t)
	messages := map[string]string{}
	for name, test := range map[string]struct {
		lines []string
		want  error
	}{
		"kernel only":  {lines[:1], ErrTestNotEnded},
		"test running": {lines[:3], ErrTestNotEnded},
		"test ended":   {lines[:4], ErrOutputsNotSent},
		"lost frame":   {append(append([]string{}, lines[:4]...), lines[5]), ErrDamaged},
	} {
		r := NewReceiver(&strings.Builder{})
		for _, line := range test.lines {
			r.Line(line)
		}
		_, err := r.Result(t.TempDir())
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
			continue
		}
		messages[name] = err.Error()
	}
	golden.Messages(t, "TestReceivePart.txt", messages)
}
