// Package boot_test runs boots on real kernels, and checks the verdict of the runner.
package boot_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/rules/tests/boot/boots"
)

func TestVerdict(t *testing.T) {
	tests := []struct {
		target string
		exit   int
		// verdict and text are in the first line on stderr.
		verdict, text string
		// later is in what follows.
		later string
	}{
		{"passes", 0, `passed after [0-9.]+ s: `, "", ""},
		{"panics", 1, `init-failed after [0-9.]+ s: `, "Attempted to kill init!", "init: started with"},
		{"forbidden", 1, `forbidden after [0-9.]+ s: `, `"started with"`, "init: started with"},
		{"hangs", 1, `missing-at-limit after [0-9.]+ s: `, `"never seen"`, "init: started with"},
		{"powers_off", 1, `missing-at-end after [0-9.]+ s: `, `"never seen"`, "init: powering off"},
	}
	for _, test := range tests {
		t.Run(test.target, func(t *testing.T) {
			path := boots.Path(t, test.target)
			if path == "" {
				t.Skip("needs the boots that Bazel builds: run it with bazel test")
			}
			var r boots.Result
			if test.target == "hangs" {
				r = boots.RunToLimit(t, path, test.later)
			} else {
				r = boots.Run(t, path)
			}
			if r.Exit != test.exit {
				t.Errorf("exit code %d, want %d", r.Exit, test.exit)
			}
			first, later, _ := strings.Cut(strings.TrimSuffix(r.Stderr, "\n"), "\n")
			begin := "^boot: //rules/tests/boot:" + test.target + ": " + test.verdict
			if !regexp.MustCompile(begin).MatchString(first) || !strings.Contains(first, test.text) {
				t.Errorf("first line %q, want %q and %q", first, begin, test.text)
			}
			if !strings.Contains(later, test.later) {
				t.Errorf("%q is not in:\n%s", test.later, later)
			}
		})
	}
}
