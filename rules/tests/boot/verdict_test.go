// Package boot_test runs boots that fail, on real kernels, and checks what the
// runner says of each.
package boot_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"
)

func TestVerdict(t *testing.T) {
	tests := []struct {
		target string
		exit   int
		// first matches the first line on stderr.
		first string
		// later is somewhere in what follows.
		later string
	}{
		{"passes", 0, `^boot: //rules/tests/boot:passes: passed after [0-9.]+ s: the pattern was seen$`, ""},
		{"panics", 1, `^boot: //rules/tests/boot:panics: init-failed after [0-9.]+ s: /init ended with status 3: .*Attempted to kill init!`, "init: started with"},
		{"forbidden", 1, `^boot: //rules/tests/boot:forbidden: forbidden after [0-9.]+ s: pattern "started with" is in: `, "init: started with"},
		{"hangs", 1, `^boot: //rules/tests/boot:hangs: missing-at-limit after 25.0 s: the time limit, still missing: expect 2 of 2 "never seen"$`, "init: started with"},
		{"powers_off", 1, `^boot: //rules/tests/boot:powers_off: missing-at-end after [0-9.]+ s: the guest ended, still missing: expect "never seen"$`, "init: powering off"},
	}
	for _, test := range tests {
		t.Run(test.target, func(t *testing.T) {
			name := os.Getenv("BOOT_" + strings.ToUpper(test.target))
			if name == "" {
				t.Skip("needs the boots that Bazel builds: run it with bazel test")
			}
			boot, err := runfiles.Rlocation(name)
			if err != nil {
				t.Fatal(err)
			}
			var stderr bytes.Buffer
			cmd := exec.Command(boot)
			cmd.Stderr = &stderr
			// A test's own timeout and outputs are not the boot's.
			cmd.Env = append(os.Environ(), "TEST_TIMEOUT=", "XML_OUTPUT_FILE=", "TEST_UNDECLARED_OUTPUTS_DIR="+t.TempDir())
			var exit *exec.ExitError
			if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if code := cmd.ProcessState.ExitCode(); code != test.exit {
				t.Errorf("exit code %d, want %d", code, test.exit)
			}
			first, later, _ := strings.Cut(strings.TrimSuffix(stderr.String(), "\n"), "\n")
			if !regexp.MustCompile(test.first).MatchString(first) {
				t.Errorf("first line %q, want a match of %q", first, test.first)
			}
			if !strings.Contains(later, test.later) {
				t.Errorf("no %q in:\n%s", test.later, later)
			}
		})
	}
}
