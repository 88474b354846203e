// Package failures_test runs boots that fail, on real kernels, and checks what
// the runner says of each.
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

// boots are all there are. A test runs those that it has.
var boots = []struct {
	name     string
	class    string
	sentence string // a pattern of what follows the class and the time
}{
	{"allowed", "init-failed", `there is no /init that the kernel may run, .*VFS: Unable to mount root fs`},
	{"crash", "panic", `Kernel panic - not syncing: sysrq triggered crash`},
	{"exit", "init-failed", `/init ended with status 3: Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000300`},
	{"firmware", "kernel-not-started", `the time limit, and the kernel has shown nothing$`},
	{"hang", "not-ended", `the time limit, and the guest has not ended$`},
	{"kernel", "kernel-not-started", `the time limit, and the kernel has shown nothing$`},
	{"kvm", "qemu-not-started", `kvm = "on", but KVM cannot run the guest: the guest is riscv64 and the host `},
	{"machine", "qemu-not-started", `QEMU ended at once \(exit status 1\): .*vax`},
	{"missing", "missing-at-end", `the guest ended, still missing: expect_unordered 1 of 2 "never seen"$`},
	{"no_init", "init-failed", `there is no /init that the kernel may run, .*VFS: Unable to mount root fs`},
	{"no_program", "init-failed", `/init is no program for this machine: Failed to execute /init \(error -8\)$`},
	{"report", "exit-code", `the guest reported 4: init: tests ended with 4$`},
	{"unpacking", "unpacking-failed", `Initramfs unpacking failed: no cpio magic$`},
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
			// A test's own timeout and outputs are not the boot's.
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
			want := regexp.MustCompile("^" + test.class + `(?: after [0-9.]+ s)?: (?:` + test.sentence + ")")
			if result.Class != test.class || !want.MatchString(result.Sentence) {
				t.Errorf("class %q, sentence\n%s\nwant %q and\n%s\nall:\n%s", result.Class, result.Sentence, test.class, want, &stderr)
			}
			if sentence, _, _ := strings.Cut(stderr.String(), "\n"); !strings.HasSuffix(sentence, ": "+result.Sentence) {
				t.Errorf("the first line is not the sentence: %q", sentence)
			}
		})
	}
	if !found {
		t.Skip("needs the boots that Bazel builds: run it with bazel test")
	}
}
