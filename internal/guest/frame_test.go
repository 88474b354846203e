package guest

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

// frameLines returns the lines of four frames.
func frameLines(t *testing.T, payload []byte) []string {
	t.Helper()
	var out bytes.Buffer
	w := NewFrameWriter(&out)
	for _, f := range []Frame{{FrameBegin, nil}, {FrameExit, []byte(`{"code":3}`)}, {FrameData, payload}, {FrameEnd, nil}} {
		if err := w.Write(f.Kind, f.Payload); err != nil {
			t.Fatal(err)
		}
	}
	var lines []string
	for line := range strings.SplitSeq(out.String(), "\n") {
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestFrames(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, MaxPayload, MaxPayload + 1, 10 * MaxPayload} {
		payload := make([]byte, size)
		for i := range payload {
			payload[i] = byte(random.Uint32())
		}
		var r FrameReader
		var data []byte
		kinds := ""
		for i, line := range frameLines(t, payload) {
			// The kernel may leave a line unfinished, and the terminal adds a carriage return.
			if i == 1 {
				line = "no end" + line
			}
			text, f, err := r.Line(line + "\r")
			if err != nil || f == nil {
				t.Fatalf("%q: %v, %v", line, f, err)
			}
			if want := map[bool]string{true: "no end"}[i == 1]; text != want {
				t.Errorf("text %q, want %q", text, want)
			}
			kinds += string(f.Kind) + " "
			if f.Kind == FrameData {
				data = append(data, f.Payload...)
			}
		}
		if !bytes.Equal(data, payload) {
			t.Errorf("sent %d bytes, received %d other bytes", size, len(data))
		}
		if want := "begin exit " + strings.Repeat("data ", max(1, (size+MaxPayload-1)/MaxPayload)) + "end "; kinds != want {
			t.Errorf("kinds %q, want %q", kinds, want)
		}
	}
}

func TestLinesWithoutFrames(t *testing.T) {
	var r FrameReader
	for _, line := range []string{"", "guest 0 begin", "[    1.0] kernel", "\x02", "a \x02 b"} {
		if text, f, err := r.Line(line); text != line || f != nil || err != nil {
			t.Errorf("%q: %q, %v, %v", line, text, f, err)
		}
	}
}

// Every change of a frame is detected, and so is a lost frame.
func TestDamagedFrames(t *testing.T) {
	lines := frameLines(t, []byte("payload"))
	for i := range lines[1] {
		if i == 0 || i < len(frameStart) {
			continue // without its start, a frame is a lost frame: see below
		}
		for _, damaged := range []string{
			lines[1][:i] + "[    9.9] usb" + lines[1][i:],
			lines[1][:i] + string(lines[1][i]^1) + lines[1][i+1:],
			lines[1][:i],
		} {
			var r FrameReader
			r.next = 1
			if _, f, err := r.Line(damaged); !errors.Is(err, ErrDamaged) {
				t.Errorf("%q: %v, %v", damaged, f, err)
			}
		}
	}
	var r FrameReader
	if _, f, err := r.Line(lines[1]); !errors.Is(err, ErrDamaged) {
		t.Errorf("a frame is lost: %v, %v", f, err)
	}
}

func FuzzLine(f *testing.F) {
	f.Add("\x02guest 0 begin  d24b3fa1")
	f.Add("x\x02guest 0 data QUJD 00000000\r")
	f.Fuzz(func(t *testing.T, line string) {
		var r FrameReader
		if _, frame, err := r.Line(line); frame != nil && err != nil {
			t.Errorf("%q: a frame and an error", line)
		}
	})
}
