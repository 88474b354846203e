// Package failures_test runs boots that fail, on real kernels, and checks the result of the runner.
package failures_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/rules/tests/boot/boots"
)

// cases are all boots. A test target runs those that it has.
var cases = []struct {
	name  string
	class string
	text  string // a part of the sentence, from the kernel, the guest or the rule
}{
	{"allowed", "init-failed", "VFS: Unable to mount root fs"},
	{"crash", "panic", "Kernel panic - not syncing: sysrq triggered crash"},
	{"exit", "init-failed", "Attempted to kill init! exitcode=0x00000300"},
	{"bios", "kernel-not-started", ""},
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
	for _, test := range cases {
		path := boots.Path(t, test.name)
		if path == "" {
			continue
		}
		found = true
		t.Run(test.name, func(t *testing.T) {
			var result boots.Result
			if test.class == "not-ended" {
				result = boots.RunToLimit(t, path, "init: started with")
			} else {
				result = boots.Run(t, path)
			}
			if result.Exit != 1 {
				t.Errorf("exit code %d, want 1", result.Exit)
			}
			begin := regexp.MustCompile("^" + test.class + `(?: after [0-9.]+ s)?: `)
			if result.Class != test.class || !begin.MatchString(result.Sentence) || !strings.Contains(result.Sentence, test.text) {
				t.Errorf("class %q, sentence\n%s\nwant %q and %q\nall:\n%s", result.Class, result.Sentence, test.class, test.text, result.Stderr)
			}
			if sentence, _, _ := strings.Cut(result.Stderr, "\n"); !strings.HasSuffix(sentence, ": "+result.Sentence) {
				t.Errorf("the first line does not end with the sentence: %q", sentence)
			}
		})
	}
	if !found {
		t.Skip("needs the boots that Bazel builds: run it with bazel test")
	}
}
