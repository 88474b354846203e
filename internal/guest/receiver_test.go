package guest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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
	write(FrameSent, []byte(`{"omitted":["fifo: why"]}`))
	write(FrameEnd, nil)
	out.WriteString("reboot: Power down\n")
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

// receive gives the lines of a console to a Receiver.
func receive(lines ...string) (r *Receiver, out *strings.Builder) {
	out = &strings.Builder{}
	r = NewReceiver(out, 20)
	for _, line := range lines {
		r.Line(line)
	}
	return r, out
}

func TestReceive(t *testing.T) {
	var out strings.Builder
	r := NewReceiver(&out, 0)
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
	ending, omitted, err := r.Result(dir)
	if err != nil || ending.Code != 3 || !slices.Equal(omitted, []string{"fifo: why"}) {
		t.Fatalf("%v, %q, %v", ending, omitted, err)
	}
	if content, err := os.ReadFile(filepath.Join(dir, XML)); err != nil || string(content) != "<testsuites/>" {
		t.Errorf("%q, %v", content, err)
	}
}

// TestReceiveText checks that the output of a test arrives as it was, whatever it ends with.
// The lines are those of a console that splits them after 20 bytes.
func TestReceiveText(t *testing.T) {
	long := strings.Repeat("x", 20)
	for _, text := range []string{
		"", "\n", "\n\n", "one", "one\n", "one\n\ntwo", "one\n\n", long, long + "\n", long + "\n\n", long + long + "end\n", "\x1b]0;title",
	} {
		var printed bytes.Buffer
		w := NewFrameWriter(&printed)
		if err := w.Write(FrameBegin, nil); err != nil {
			t.Fatal(err)
		}
		printed.WriteString(text)
		if err := w.Write(FrameExit, []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
		printed.WriteString("not the test's\n")
		var lines []string
		for line := range strings.Lines(printed.String()) {
			for ; len(line) > 20 && !strings.HasPrefix(line, frameStart); line = line[20:] {
				lines = append(lines, line[:20])
			}
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
		if _, out := receive(lines...); out.String() != text {
			t.Errorf("%q arrived as %q", text, out)
		}
	}
}

func TestProgress(t *testing.T) {
	lines := console(t)
	for n, want := range map[int]Progress{2: NotStarted, 3: Running, 5: Running, 6: Sending, len(lines) - 3: Sending, len(lines): Complete} {
		r, out := receive(lines[:n]...)
		r.Close()
		if got := r.Progress(); got != want {
			t.Errorf("after %d lines: %d, want %d", n, got, want)
		}
		if want >= Running && n == 5 && out.String() != "PASS\nno end\n" {
			t.Errorf("after %d lines the output is %q", n, out)
		}
	}
}

// TestResultDamaged has guests that send too little, or what no agent sends.
func TestResultDamaged(t *testing.T) {
	lines := console(t)
	frame := func(frames ...Frame) []string {
		var out bytes.Buffer
		w := NewFrameWriter(&out)
		for _, f := range frames {
			if err := w.Write(f.Kind, f.Payload); err != nil {
				t.Fatal(err)
			}
		}
		return strings.Split(out.String(), "\n")
	}
	for name, lines := range map[string][]string{
		"lost frame":   append(slices.Clone(lines[:4]), lines[6:]...),
		"no frames":    lines[:1],
		"no exit":      frame(Frame{FrameBegin, nil}, Frame{FrameEnd, nil}),
		"no archive":   frame(Frame{FrameBegin, nil}, Frame{FrameExit, []byte(`{}`)}, Frame{FrameEnd, nil}),
		"unknown kind": frame(Frame{"other", nil}),
		"code 256":     frame(Frame{FrameExit, []byte(`{"code":256}`)}, Frame{FrameEnd, nil}),
		"code -1":      frame(Frame{FrameExit, []byte(`{"code":-1}`)}, Frame{FrameEnd, nil}),
		"no JSON":      frame(Frame{FrameExit, []byte(`{`)}, Frame{FrameEnd, nil}),
	} {
		r, _ := receive(lines...)
		if ending, _, err := r.Result(t.TempDir()); !errors.Is(err, ErrDamaged) || ending.Code != 0 {
			t.Errorf("%s: %v, %v", name, ending, err)
		}
	}
}
