// Package boot_test runs boots on real kernels, and checks the verdict of the runner.
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
		// verdict and text are in the first line on stderr.
		verdict, text string
		// later is in what follows.
		later string
	}{
		{"passes", 0, `passed after [0-9.]+ s: `, "", ""},
		{"panics", 1, `init-failed after [0-9.]+ s: `, "Attempted to kill init!", "init: started with"},
		{"forbidden", 1, `forbidden after [0-9.]+ s: `, `"started with"`, "init: started with"},
		{"hangs", 1, `missing-at-limit after 25.0 s: `, `"never seen"`, "init: started with"},
		{"powers_off", 1, `missing-at-end after [0-9.]+ s: `, `"never seen"`, "init: powering off"},
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
			// The timeout and outputs of this test are not those of the boot.
			cmd.Env = append(os.Environ(), "TEST_TIMEOUT=", "XML_OUTPUT_FILE=", "TEST_UNDECLARED_OUTPUTS_DIR="+t.TempDir())
			var exit *exec.ExitError
			if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if code := cmd.ProcessState.ExitCode(); code != test.exit {
				t.Errorf("exit code %d, want %d", code, test.exit)
			}
			first, later, _ := strings.Cut(strings.TrimSuffix(stderr.String(), "\n"), "\n")
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
