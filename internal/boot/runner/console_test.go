package runner

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/console"
)

// TestLogIsBounded checks that a log that is cut has the beginning and the last lines of the
// console.
func TestLogIsBounded(t *testing.T) {
	for _, test := range []struct {
		space int64
		want  string
	}{
		{20, "one\ntwo\nthree\nfour"},
		{18, "one\ntwo\nthree\nfour"},
		{5, "one\nt\n--- cut here: 13 bytes more, which end with:\none\ntwo\nthree\nfour\n"},
		{0, "\n--- cut here: 18 bytes more, which end with:\none\ntwo\nthree\nfour\n"},
	} {
		name := filepath.Join(t.TempDir(), consoleLog)
		log, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		s := newScreen(console.NewWatcher(console.Rules{}), log)
		s.logSpace = test.space
		for _, text := range []string{"one\ntw", "o\nthr", "ee\nfour"} {
			io.WriteString(s, text)
		}
		s.closeLog()
		if got, err := os.ReadFile(name); err != nil || string(got) != test.want {
			t.Errorf("%d bytes: %q, %v, want %q", test.space, got, err, test.want)
		}
	}
}

func TestShellQuote(t *testing.T) {
	for _, test := range []struct {
		argv []string
		want string
	}{
		{[]string{"qemu", "-m", "512", "-cpu", "max,pauth-impdef=on"}, "qemu -m 512 -cpu max,pauth-impdef=on"},
		{[]string{"qemu", "-append", "console=ttyS0 panic=-1"}, "qemu -append 'console=ttyS0 panic=-1'"},
		{[]string{"a'b", "", "$x", "~", "é", "a\nb"}, `'a'\''b' '' '$x' '~' 'é' 'a` + "\n" + `b'`},
	} {
		if got := shellQuote(test.argv); got != test.want {
			t.Errorf("%q: %s, want %s", test.argv, got, test.want)
		}
	}
}
