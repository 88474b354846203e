package console

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// TestAdvice has consoles that a pattern misses.
func TestAdvice(t *testing.T) {
	messages := map[string]string{}
	for _, test := range []struct {
		name    string
		expect  []string
		prompts []string
		console string
		near    string // of the last pattern
	}{
		{"nothing like it", []string{"^PASS$"}, nil, "one\ntwo\n", ""},
		{"case", []string{"^PASS$"}, nil, "one\nPass\ntwo\n", "Pass"},
		{"blanks before", []string{"^PASS$"}, nil, "  PASS\n", "  PASS"},
		{"blanks within", []string{"^all tests passed$"}, nil, "all  tests\tpassed\n", "all  tests\tpassed"},
		{"blanks and case", []string{"^All tests"}, nil, " all  tests\n", " all  tests"},
		{"case around a number", []string{`^passed: \d+ tests`}, nil, "Passed:  3 tests\n", "Passed:  3 tests"},
		{"more text", []string{"^PASS$"}, nil, "PASS: 3 of 3\n", "PASS: 3 of 3"},
		{"the last one", []string{"^PASS$"}, nil, "PASS 1\nPASS 2\n", "PASS 2"},
		{"a number of blanks", []string{`^ +\d+ passed`}, nil, "3 Passed\n", "3 Passed"},
		{"not a regular expression", []string{"[ OK ] (all) a+b"}, nil, "[ OK ] (all) a+b\n", "[ OK ] (all) a+b"},
		{"a color", []string{`^\x1b\[32mok`}, nil, "\x1b[32mok\n", ""},
		{"a carriage return", []string{`ok\r$`}, nil, "ok\r\n", "ok"},
		{"wrong order", []string{"one", "two"}, nil, "two\none\n", "two"},
		{"the same line", []string{"one", "two"}, nil, "one two\n", "one two"},
		{"before it is expected", []string{"one", "two"}, nil, "two\n", "two"},
		{"a prompt", nil, []string{"Login: $"}, "login: x\n", "login: x"},
		{"a letter", []string{"^Wellcome, [a-z]+$"}, nil, "one\nWelcome, ada\nvoila, come here\n", ""},
		{"another word", []string{"tests passed: 0 failed"}, nil, "tests passed: 0 errors\n[    1.0] clocksource: x\n", ""},
		{"a long line", []string{"^passed$"}, nil, strings.Repeat("papasesedassass ", 10) + "abcdefghijklmnopqrstuvwxyz\n", ""},
		{"anything", []string{"^(x*)$"}, nil, "abc\n", ""},
	} {
		r := Rules{Criteria: Criteria{Expect: patterns(test.expect...)}}
		for _, p := range test.prompts {
			r.Input = append(r.Input, Prompt{Expect: regexp.MustCompile(p)})
		}
		w := NewWatcher(r)
		io.WriteString(w, test.console)
		missing := w.Missing()
		if len(missing) == 0 {
			t.Errorf("%s: nothing is missing", test.name)
			continue
		}
		last := missing[len(missing)-1]
		if last.Near != test.near {
			t.Errorf("%s: nearest line %q, want %q", test.name, last.Near, test.near)
		}
		messages[test.name] = w.Advice(last)
	}
	golden.Messages(t, "TestAdvice.txt", messages)
}
