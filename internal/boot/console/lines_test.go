package console

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// split returns the lines of the chunks, the unfinished one last.
func split(chunks ...string) []string {
	var s splitter
	var lines []string
	emit := func(line string) { lines = append(lines, line) }
	for _, c := range chunks {
		s.write([]byte(c), emit)
	}
	s.close(emit)
	return lines
}

func TestSplitter(t *testing.T) {
	long := strings.Repeat("x", MaxLine)
	for _, test := range []struct {
		name   string
		chunks []string
		want   []string
	}{
		{"nothing", nil, nil},
		{"carriage returns", []string{"one\r\ntwo\r\r\n"}, []string{"one", "two"}},
		{"empty lines", []string{"\n\r\na\n"}, []string{"", "", "a"}},
		{"unfinished", []string{"one\nlogin: "}, []string{"one", "login: "}},
		{"divided", []string{"o", "ne\r", "\ntw", "o\n"}, []string{"one", "two"}},
		{"color", []string{"\x1b[1;32mok\x1b[0m\n"}, []string{"ok"}},
		{"color, divided", []string{"\x1b", "[1;", "32", "mok\x1b[", "0m\n"}, []string{"ok"}},
		{"firmware clears the screen", []string{"\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS\n"}, []string{"SeaBIOS"}},
		{"title, ended by BEL", []string{"\x1b]0;title\x07ok\n"}, []string{"ok"}},
		{"title, ended by ST", []string{"\x1b]0;title\x1b\\ok\n"}, []string{"ok"}},
		{"character set", []string{"\x1b(Bok\n"}, []string{"ok"}},
		{"sequence in a sequence", []string{"\x1b[1\x1b[0mok\n"}, []string{"ok"}},
		{"cancelled", []string{"\x1b[1\x18ok\n"}, []string{"ok"}},
		{"never finished", []string{"\x1b]0;title\nKernel panic\n"}, []string{"", "Kernel panic"}},
		{"not a sequence", []string{"\x1b\xc3\xa9t\xc3\xa9\n"}, []string{"été"}},
		{"UTF-8", []string{"\xc3", "\xa9t\xc3\xa9\n"}, []string{"été"}},
		{"other control characters", []string{"a\x00\x07\tb\n"}, []string{"a\x00\x07\tb"}},
		{"too long", []string{long + "abc\n"}, []string{long, "abc"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, split(test.chunks...)); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzSplitter(f *testing.F) {
	f.Add([]byte("one\r\n\x1b[1;32mtwo\x1b[0m\nlogin: "), uint(7))
	f.Add([]byte("\x1b]0;title\x1b\\x\x1b(B\x18\n"), uint(3))
	f.Add([]byte("\x1b[\x1b]\x1b\x1b\n\x9b1m"), uint(1))
	f.Fuzz(func(t *testing.T, data []byte, at uint) {
		cut := int(at % uint(len(data)+1))
		whole := split(string(data))
		divided := split(string(data[:cut]), string(data[cut:]))
		if diff := cmp.Diff(whole, divided); diff != "" {
			t.Errorf("divided at %d, lines differ (-whole +divided):\n%s", cut, diff)
		}
		for _, line := range whole {
			if strings.ContainsAny(line, "\r\n\x1b") {
				t.Errorf("line %q is not plain text", line)
			}
			if len(line) > MaxLine {
				t.Errorf("line of %d bytes", len(line))
			}
		}
		if !bytes.ContainsAny(data, "\r\x1b\x18\x1a") && len(data) < MaxLine {
			want := strings.TrimSuffix(string(data), "\n")
			if got := strings.Join(whole, "\n"); got != want {
				t.Errorf("plain text became %q, want %q", got, want)
			}
		}
	})
}
