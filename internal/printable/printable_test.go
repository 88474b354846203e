package printable

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		"/etc/motd":              "/etc/motd",
		"Grüße 世界 \u00a0!":       "Grüße 世界 \u00a0!",
		`a\b`:                    `a\b`,
		"a\nb\tc":                `a\012b\011c`,
		"\x1b]0;title\x07":       `\033]0;title\007`,
		"\x7f\x00":               `\177\000`,
		"\u009b31m":              `\302\23331m`,
		"\x9b31m":                `\23331m`,
		"ok\xff":                 `ok\377`,
		"\ufffd":                 "\ufffd",
		"exe.\u202etxt":          `exe.\342\200\256txt`,
		"\u2066a\u2069\u061c":    `\342\201\246a\342\201\251\330\234`,
		"a\u2028b\u2029":         `a\342\200\250b\342\200\251`,
		"\ufeff\u200b\U000e0041": `\357\273\277\342\200\213\363\240\201\201`,
	} {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
	if got, want := Lines("a\n\tb\r\n"), "a\n\tb\\015\n"; got != want {
		t.Errorf("Lines: %q, want %q", got, want)
	}
}

func TestJSON(t *testing.T) {
	text := "a\x7f\u009b\u202e\U000e0041 ü"
	encoded, _ := json.Marshal(text)
	got := JSON(encoded)
	if want := `"a\u007f\u009b\u202e\udb40\udc41 ü"`; string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
	var decoded string
	if err := json.Unmarshal(got, &decoded); err != nil || decoded != text {
		t.Errorf("%q, %v", decoded, err)
	}
}

func TestErrorLines(t *testing.T) {
	a, b := errors.New("a\n\x1b[1m"), errors.New("b")
	for _, test := range []struct {
		err  error
		want []string
	}{
		{a, []string{`a\012\033[1m`}},
		{errors.Join(a, b), []string{`a\012\033[1m`, "b"}},
		{fmt.Errorf("x\n: %w: y", a), []string{`x\012: a\012\033[1m: y`}},
		{fmt.Errorf("x\n: %w\n", errors.Join(a, b)), []string{`x\012: a\012\033[1m`, `b\012`}},
		{fmt.Errorf("%w\n%w: ", a, b), []string{`a\012\033[1m\012b: `}},
		{Block(a), []string{"a", `\033[1m`}},
		{fmt.Errorf("x: %w", Block(a)), []string{"x: a", `\033[1m`}},
		{&fs.PathError{Op: "open", Path: "a\nb", Err: b}, []string{`open a\012b: b`}},
	} {
		if got := ErrorLines(test.err); !slices.Equal(got, test.want) {
			t.Errorf("%q: %q, want %q", test.err, got, test.want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\x1b\u202e\xff")
	f.Fuzz(func(t *testing.T, text string) {
		got := Text(text)
		if !utf8.ValidString(got) || strings.IndexFunc(got, isUnsafe) >= 0 {
			t.Errorf("Text(%q) = %q", text, got)
		}
		if again := Text(got); again != got {
			t.Errorf("Text(%q) = %q", got, again)
		}
	})
}
