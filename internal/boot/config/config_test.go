package config

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
)

const full = `{
  "label": "//examples/hello:boot_test",
  "arch": "x86_64",
  "qemu": "/usr/bin/qemu-system-x86_64",
  "kernel": "_main/kernel/bzImage",
  "initramfs": ["_main/a.cpio", "_main/b.cpio"],
  "append": ["quiet"],
  "cmdline": [],
  "firmware": "_main/bios.bin",
  "vmlinux": "_main/vmlinux",
  "disks": ["_main/a.raw"],
  "files": ["_main/b.txt"],
  "machine": "pc",
  "kvm": "off",
  "network": "user",
  "memory_mib": 512,
  "cpus": 1,
  "expect": ["^hello \\d+$", "bye"],
  "expect_unordered": ["a"],
  "exit_code_pattern": "exit (\\d+)",
  "input": [{"expect": "login: $", "send": "root\n"}],
  "allow": ["oops"],
  "forbid": ["BUG:"],
  "time_limit_s": 30,
  "interactive": false
}`

func TestRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.boot.json")
	if err := os.WriteFile(name, []byte(full), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := Read(name)
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Label:            "//examples/hello:boot_test",
		Arch:             "x86_64",
		QEMU:             "/usr/bin/qemu-system-x86_64",
		Kernel:           "_main/kernel/bzImage",
		Initramfs:        []string{"_main/a.cpio", "_main/b.cpio"},
		Append:           []string{"quiet"},
		Cmdline:          []string{},
		Firmware:         "_main/bios.bin",
		Vmlinux:          "_main/vmlinux",
		Disks:            []string{"_main/a.raw"},
		Files:            []string{"_main/b.txt"},
		Machine:          "pc",
		KVM:              KVMOff,
		Network:          NetworkUser,
		ExpectUnordered:  []*regexp.Regexp{regexp.MustCompile("a")},
		ExitCodePattern:  regexp.MustCompile(`exit (\d+)`),
		Input:            []Prompt{{regexp.MustCompile("login: $"), "root\n"}},
		Allow:            []failure.Class{failure.Oops},
		MemoryMiB:        512,
		CPUs:             1,
		Expect:           []*regexp.Regexp{regexp.MustCompile(`^hello \d+$`), regexp.MustCompile("bye")},
		Forbid:           []*regexp.Regexp{regexp.MustCompile("BUG:")},
		TimeLimitSeconds: 30,
	}
	same := cmp.Comparer(func(a, b *regexp.Regexp) bool { return a.String() == b.String() })
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

func TestReadMissing(t *testing.T) {
	_, err := Read(filepath.Join(t.TempDir(), "none.boot.json"))
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "none.boot.json") {
		t.Errorf("error %v, want one that names the missing file", err)
	}
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct {
		name string
		// key is set to value in a sound configuration.
		key   string
		value any
		want  string // in the error
	}{
		{"unknown field", "memory", 512, `unknown field "memory"`},
		{"wrong type", "memory_mib", "512", "memory_mib"},
		{"label", "label", "", "label: missing"},
		{"arch", "arch", "vax", `arch: "vax" is none of x86_64`},
		{"qemu", "qemu", "", "qemu: missing"},
		{"kernel", "kernel", "", "kernel: missing"},
		{"initramfs", "initramfs", []string{"a", ""}, "initramfs: an empty path"},
		{"disks", "disks", []string{""}, "disks: an empty path"},
		{"files", "files", []string{"a", ""}, "files: an empty path"},
		{"cmdline and append", "cmdline", []string{"quiet"}, "append: not with cmdline"},
		{"kvm", "kvm", "maybe", `kvm: "maybe" is none of auto, off, on`},
		{"network", "network", "tap", `network: "tap" is none of none, user`},
		{"expect_unordered null", "expect_unordered", []any{nil}, "expect_unordered: null"},
		{"exit code without a group", "exit_code_pattern", "exit", `"exit" has 0 groups: want one`},
		{"exit code with two groups", "exit_code_pattern", "(a)(b)", `"(a)(b)" has 2 groups: want one`},
		{"input without a pattern", "input", []any{map[string]string{"send": "x"}}, "input: a prompt without a pattern"},
		{"input on the terminal", "interactive", true, "input: a boot whose console is the terminal"},
		{"allow", "allow", []string{"oops", "warning"}, `allow: "warning" is none of ["unpacking-failed"`},
		{"memory", "memory_mib", 0, "memory_mib: 0 is not"},
		{"cpus", "cpus", -1, "cpus: -1 is not"},
		{"expect", "expect", []string{"a", "(b"}, "missing closing ): `(b`"},
		{"expect null", "expect", []any{nil}, "expect: null"},
		{"forbid", "forbid", []string{"*"}, "missing argument to repetition operator"},
		{"forbid null", "forbid", []any{nil}, "forbid: null"},
		{"time limit", "time_limit_s", -1, "time_limit_s: -1 is negative"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var fields map[string]any
			if err := json.Unmarshal([]byte(full), &fields); err != nil {
				t.Fatal(err)
			}
			fields[test.key] = test.value
			data, err := json.Marshal(fields)
			if err != nil {
				t.Fatal(err)
			}
			_, err = parse(strings.NewReader(string(data)))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
	for _, text := range []string{"", "{", full + "{}", full + "x"} {
		if _, err := parse(strings.NewReader(text)); err == nil {
			t.Errorf("no error for %q", text)
		}
	}
}

func TestTimeLimit(t *testing.T) {
	for _, test := range []struct {
		own         int
		testTimeout string
		want        time.Duration
	}{
		{0, "", 0},
		{30, "", 30 * time.Second},
		{30, "60", 30 * time.Second},
		{30, "nonsense", 30 * time.Second},
		{0, "60", 54 * time.Second},
		{0, "5", 4500 * time.Millisecond},
	} {
		c := &Config{TimeLimitSeconds: test.own}
		got, err := c.TimeLimit(test.testTimeout)
		if err != nil || got != test.want {
			t.Errorf("limit of %d s, TEST_TIMEOUT %q: %v, %v, want %v", test.own, test.testTimeout, got, err, test.want)
		}
	}
	for _, bad := range []string{"x", "0", "-1", "1.5"} {
		if _, err := new(Config).TimeLimit(bad); err == nil {
			t.Errorf("no error for TEST_TIMEOUT %q", bad)
		}
	}
}
