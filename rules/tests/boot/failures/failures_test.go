// Package failures_test runs boots that fail, on real kernels, and checks the result of the runner.
package failures_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bazelbuild/rules_go/go/runfiles"
)

// boots are all boots. A test target runs those that it has.
var boots = []struct {
	name  string
	class string
	text  string // a part of the sentence, from the kernel, the guest or the rule
}{
	{"allowed", "init-failed", "VFS: Unable to mount root fs"},
	{"crash", "panic", "Kernel panic - not syncing: sysrq triggered crash"},
	{"exit", "init-failed", "Attempted to kill init! exitcode=0x00000300"},
	{"firmware", "kernel-not-started", ""},
	{"hang", "not-ended", ""},
	{"kernel", "qemu-not-started", "zeros.bin: it is not a kernel"},
	{"long", "qemu-not-started", "2047"},
	{"kvm", "qemu-not-started", "riscv64"},
	{"machine", "qemu-not-started", "vax"},
	{"missing", "missing-at-end", `"never seen"`},
	{"no_init", "init-failed", "VFS: Unable to mount root fs"},
	{"no_program", "init-failed", "Failed to execute /init (error -8)"},
	{"report", "exit-code", "init: tests ended with 4"},
	{"unpacking", "unpacking-failed", "Initramfs unpacking failed: no cpio magic"},
	{"warning", "warning", "WARNING: init/x.c:1"},
}

func TestFailures(t *testing.T) {
	found := false
	for _, test := range boots {
		name := os.Getenv("BOOT_" + strings.ToUpper(test.name))
		if name == "" {
			continue
		}
		found = true
		t.Run(test.name, func(t *testing.T) {
			boot, err := runfiles.Rlocation(name)
			if err != nil {
				t.Fatal(err)
			}
			outputs := t.TempDir()
			var stderr bytes.Buffer
			cmd := exec.Command(boot)
			cmd.Stderr = &stderr
			// The timeout and outputs of this test are not those of the boot.
			cmd.Env = append(os.Environ(), "TEST_TIMEOUT=", "XML_OUTPUT_FILE=", "TEST_UNDECLARED_OUTPUTS_DIR="+outputs)
			var exit *exec.ExitError
			if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
				t.Errorf("%v, want exit code 1", err)
			}
			data, err := os.ReadFile(filepath.Join(outputs, "result.json"))
			if err != nil {
				t.Fatalf("%v\n%s", err, &stderr)
			}
			var result struct{ Class, Sentence string }
			if err := json.Unmarshal(data, &result); err != nil {
				t.Fatal(err)
			}
			begin := regexp.MustCompile("^" + test.class + `(?: after [0-9.]+ s)?: `)
			if result.Class != test.class || !begin.MatchString(result.Sentence) || !strings.Contains(result.Sentence, test.text) {
				t.Errorf("class %q, sentence\n%s\nwant %q and %q\nall:\n%s", result.Class, result.Sentence, test.class, test.text, &stderr)
			}
			if sentence, _, _ := strings.Cut(stderr.String(), "\n"); !strings.HasSuffix(sentence, ": "+result.Sentence) {
				t.Errorf("the first line does not end with the sentence: %q", sentence)
			}
		})
	}
	if !found {
		t.Skip("needs the boots that Bazel builds: run it with bazel test")
	}
}
