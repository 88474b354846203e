package frame

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

// written returns the lines of some frames.
func written(t *testing.T, payload []byte) []string {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	for _, f := range []Frame{{Begin, nil}, {Exit, []byte(`{"code":3}`)}, {Data, payload}, {End, nil}} {
		if err := w.Write(f.Kind, f.Payload); err != nil {
			t.Fatal(err)
		}
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

func TestRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{0, 1, longest, longest + 1, 10 * longest} {
		payload := make([]byte, size)
		for i := range payload {
			payload[i] = byte(random.Uint32())
		}
		var r Reader
		var data []byte
		kinds := ""
		for i, line := range written(t, payload) {
			// A program's last line may have no end, and the terminal adds a carriage return.
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
			if f.Kind == Data {
				data = append(data, f.Payload...)
			}
		}
		if !bytes.Equal(data, payload) {
			t.Errorf("%d bytes have become %d others", size, len(data))
		}
		if want := "begin exit " + strings.Repeat("data ", max(1, (size+longest-1)/longest)) + "end "; kinds != want {
			t.Errorf("kinds %q, want %q", kinds, want)
		}
	}
}

func TestOtherLines(t *testing.T) {
	var r Reader
	for _, line := range []string{"", "guest 0 begin", "[    1.0] kernel", "\x02", "a \x02 b"} {
		if text, f, err := r.Line(line); text != line || f != nil || err != nil {
			t.Errorf("%q: %q, %v, %v", line, text, f, err)
		}
	}
}

// Whatever is changed in a frame, or lost, is noticed.
func TestDamaged(t *testing.T) {
	lines := written(t, []byte("payload"))
	for i := range lines[1] {
		if i == 0 || i < len(start) {
			continue // a line that does not begin as a frame is missing, below
		}
		for _, damaged := range []string{
			lines[1][:i] + "[    9.9] usb" + lines[1][i:],
			lines[1][:i] + string(lines[1][i]^1) + lines[1][i+1:],
			lines[1][:i],
		} {
			var r Reader
			r.next = 1
			if _, f, err := r.Line(damaged); !errors.Is(err, ErrDamaged) {
				t.Errorf("%q: %v, %v", damaged, f, err)
			}
		}
	}
	var r Reader
	if _, f, err := r.Line(lines[1]); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "frame 1 comes where 0 has to") {
		t.Errorf("a frame is missing: %v, %v", f, err)
	}
}

func FuzzLine(f *testing.F) {
	f.Add("\x02guest 0 begin  d24b3fa1")
	f.Add("x\x02guest 0 data QUJD 00000000\r")
	f.Fuzz(func(t *testing.T, line string) {
		var r Reader
		if _, frame, err := r.Line(line); frame != nil && err != nil {
			t.Errorf("%q: a frame and an error", line)
		}
	})
}
