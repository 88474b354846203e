package console

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

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
		{"never finished", []string{"\x1b]0;title\nKernel panic\n"}, []string{"]0;title", "Kernel panic"}},
		{"a message in a title", []string{"ok\x1b]0;title[    1.0] BUG: x\r\n"}, []string{"ok]0;title[    1.0] BUG: x"}},
		{"a title at the end", []string{"ok\n\x1b]0;title"}, []string{"ok", "]0;title"}},
		{"a message in a color", []string{"\x1b[1[    1.0] BUG: x\r\n"}, []string{"[1[    1.0] BUG: x"}},
		{"a message after ESC", []string{"\x1b[    1.0] BUG: x\r\n"}, []string{"[    1.0] BUG: x"}},
		{"a title without end", []string{"\x1b]" + long + "abc\n"}, []string{"]" + long[1:], "xabc"}},

		{"not a sequence", []string{"\x1b\xc3\xa9t\xc3\xa9\n"}, []string{"été"}},
		{"UTF-8", []string{"\xc3", "\xa9t\xc3\xa9\n"}, []string{"été"}},
		{"other control characters", []string{"a\x00\x07\x7f\x0e\t\x02b\n"}, []string{"a\t\x02b"}},
		{"a page", []string{"a\fb\vc\n"}, []string{"a", "b", "c"}},
		{"progress", []string{"10%\r50%\rPASS\r\n"}, []string{"PASS"}},
		{"progress, divided", []string{"10%\r", "50%", "\r", "PASS", "\r", "\n"}, []string{"PASS"}},
		{"the rest of a longer line", []string{"100 %\rOK\n"}, []string{"OK0 %"}},
		{"the rest is erased", []string{"100 %\r\x1b[KOK\n", "100 %\rOK\x1b[0K\n", "100 %\x1b[2K\rOK\n", "100 %\rOK\x1b[J\n"}, []string{"OK", "OK", "OK", "OK"}},
		{"the rest is blank", []string{"100 %\rOK   \n", "100 %\rOK   \r\n", "10%  \rPASS\n", "OK!\b \b\n"}, []string{"OK", "OK", "PASS", "OK"}},
		{"a blank at the end", []string{"OK \nlogin:\r", "login: "}, []string{"OK ", "login: "}},
		{"backspaces", []string{"\b\bPAXX\b\bSS\n"}, []string{"PASS"}},
		{"columns", []string{"ab\x1b[3Dx\x1b[2Cy\x1b[2Gz\x1b[G\x1b[Cw\n"}, []string{"xw y"}},
		{"columns too far", []string{"\x1b[99999999999Ca\x1b[99999Cb\x1b[1;2Hc\x1b[?25hd\n"}, []string{strings.Repeat(" ", maxColumn) + "abcd"}},
		{"UTF-8 over UTF-8", []string{"\xc3\xa9t\xc3\xa9\rea\n", "ete\r\xc3", "\xa9\n"}, []string{"ea\xc3\xa9", "\xc3\xa9te"}},
		{"not UTF-8", []string{"\xc3a\xa9\xff\xe2\x82b\xf0\r\x80\n"}, []string{"\x80a\xa9\xff\xe2\x82b\xf0"}},

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
			if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' && r != stx || r == del }) {
				t.Errorf("line %q is not plain text", line)
			}
			if len(line) > utf8.UTFMax*MaxLine {
				t.Errorf("line of %d bytes", len(line))
			}
		}
		if !bytes.ContainsFunc(data, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' || r == del }) && len(data) < MaxLine {
			want := strings.TrimSuffix(string(data), "\n")
			if got := strings.Join(whole, "\n"); got != want {
				t.Errorf("plain text became %q, want %q", got, want)
			}
		}
	})
}
