package config

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/console"
	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

const full = `{
  "label": "//examples/hello:boot_test",
  "arch": "x86_64",
  "qemu": "/usr/bin/qemu-system-x86_64",
  "kernel": "_main/kernel/bzImage",
  "initramfs": ["_main/a.cpio", "_main/b.cpio"],
  "kernel_args": ["quiet"],
  "kernel_cmdline": [],
  "bios": "_main/bios.bin",
  "vmlinux": "_main/vmlinux",
  "disks": ["_main/a.raw"],
  "disk_bus": "nvme",
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
  "allow_failures": ["oops"],
  "fail_on": ["warning"],
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
		Label:         "//examples/hello:boot_test",
		Arch:          "x86_64",
		QEMU:          "/usr/bin/qemu-system-x86_64",
		Kernel:        "_main/kernel/bzImage",
		Initramfs:     []string{"_main/a.cpio", "_main/b.cpio"},
		KernelArgs:    []string{"quiet"},
		KernelCmdline: []string{},
		BIOS:          "_main/bios.bin",
		Vmlinux:       "_main/vmlinux",
		Disks:         []string{"_main/a.raw"},
		DiskBus:       DiskBusNVMe,
		Files:         []string{"_main/b.txt"},
		Machine:       "pc",
		KVM:           KVMOff,
		Network:       NetworkUser,
		MemoryMiB:     512,
		CPUs:          1,
		Criteria: console.Criteria{
			Expect:          []*regexp.Regexp{regexp.MustCompile(`^hello \d+$`), regexp.MustCompile("bye")},
			ExpectUnordered: []*regexp.Regexp{regexp.MustCompile("a")},
			ExitCodePattern: regexp.MustCompile(`exit (\d+)`),
			Input:           []console.Prompt{{Expect: regexp.MustCompile("login: $"), Send: "root\n"}},
			AllowFailures:   []failure.Class{failure.Oops},
			FailOn:          []failure.Class{failure.Warning},
			Forbid:          []*regexp.Regexp{regexp.MustCompile("BUG:")},
		},
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
	messages := map[string]string{}
	for _, test := range []struct {
		name string
		// key is set to value in a valid configuration.
		key   string
		value any
	}{
		{"label", "label", ""},
		{"arch", "arch", "vax"},
		{"qemu", "qemu", ""},
		{"kernel", "kernel", ""},
		{"initramfs", "initramfs", []string{"a", ""}},
		{"disks", "disks", []string{""}},
		{"disk_bus", "disk_bus", "floppy"},
		{"files", "files", []string{"a", ""}},
		{"kernel_cmdline and kernel_args", "kernel_cmdline", []string{"quiet"}},
		{"kvm", "kvm", "maybe"},
		{"network", "network", "tap"},
		{"expect_unordered null", "expect_unordered", []any{nil}},
		{"exit code without a group", "exit_code_pattern", "exit"},
		{"exit code with two groups", "exit_code_pattern", "(a)(b)"},
		{"input without a pattern", "input", []any{map[string]string{"send": "x"}}},
		{"input on the terminal", "interactive", true},
		{"allow_failures", "allow_failures", []string{"oops", "warning"}},
		{"fail_on", "fail_on", []string{"warning", "oops"}},
		{"memory", "memory_mib", 0},
		{"cpus", "cpus", -1},
		{"expect null", "expect", []any{nil}},
		{"forbid null", "forbid", []any{nil}},
		{"time limit", "time_limit_s", -1},
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
			if err == nil {
				t.Fatal("no error")
			}
			// The names of the architectures are in their table.
			messages[test.name] = strings.ReplaceAll(err.Error(), strings.Join(arch.Names(), ", "), "...")
		})
	}
	for _, test := range []struct {
		name   string
		fields map[string]any // changes a boot with UEFI
	}{
		{"firmware", map[string]any{"firmware": "coreboot"}},
		{"firmware none, payload", map[string]any{"firmware": "", "kernel": "k"}},
		{"firmware none, expect_refusal", map[string]any{"firmware": "", "kernel": "k", "payload": "", "payload_disk": "", "uefi_code": "", "uefi_variables": "", "secure_boot": false, "expect_refusal": true}},
		{"uefi, bios", map[string]any{"bios": "b"}},
		{"uefi, kernel", map[string]any{"kernel": "k"}},
		{"uefi, initramfs", map[string]any{"initramfs": []string{"a"}}},
		{"uefi, kernel_args", map[string]any{"kernel_args": []string{"quiet"}}},
		{"uefi, kernel_cmdline", map[string]any{"kernel_cmdline": []string{"quiet"}}},
		{"uefi, no payload", map[string]any{"payload": ""}},
		{"uefi, no disk", map[string]any{"payload_disk": ""}},
		{"uefi, no code", map[string]any{"uefi_code": ""}},
		{"uefi, no variables", map[string]any{"uefi_variables": ""}},
		{"uefi, uboot", map[string]any{"uboot": "u"}},
		{"uefi, exit_code_pattern and expect_refusal", map[string]any{"expect_refusal": true, "exit_code_pattern": "(.)"}},
		{"uefi, no swtpm", map[string]any{"swtpm": ""}},
		{"u-boot, none", map[string]any{"firmware": "u-boot", "uefi_code": "", "uefi_variables": "", "secure_boot": false}},
		{"u-boot, uefi_variables", map[string]any{"firmware": "u-boot", "uefi_code": ""}},
		{"u-boot, secure_boot", map[string]any{"firmware": "u-boot", "uefi_code": "", "uefi_variables": "", "uboot": "u"}},
	} {
		fields := map[string]any{
			"label": "//x:y", "arch": "x86_64", "qemu": "q", "memory_mib": 1, "cpus": 1,
			"firmware": "uefi", "payload": "p", "payload_disk": "d", "uefi_code": "c", "uefi_variables": "v", "secure_boot": true,
			"tpm": true, "swtpm": "swtpm",
		}
		valid, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parse(strings.NewReader(string(valid))); err != nil {
			t.Fatal(err)
		}
		maps.Copy(fields, test.fields)
		changed, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parse(strings.NewReader(string(changed))); err == nil {
			t.Errorf("%s: no error", test.name)
		} else {
			messages[test.name] = err.Error()
		}
	}
	golden.Messages(t, "TestParseErrors.txt", messages)

	// These errors are those of the standard library.
	for _, test := range []struct{ old, new, want string }{
		{`"time_limit_s":`, `"memory": 1, "time_limit_s":`, `"memory"`},
		{`512`, `"512"`, "memory_mib"},
		{`"bye"`, `"(bye"`, "`(bye`"},
		{`"BUG:"`, `"*"`, "`*`"},
	} {
		text := strings.Replace(full, test.old, test.new, 1)
		if _, err := parse(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s in place of %s: error %v, want one about %s", test.new, test.old, err, test.want)
		}
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
