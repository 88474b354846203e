// Package sysfs_test compares the devices of a device tree with those that a running kernel has
// made of it. It runs in a guest.
package sysfs_test

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices"
)

// revision is what the registers of an AMBA device have, and a device tree does not have: revision and
// configuration.
var revision = regexp.MustCompile(`^amba:d[0-9A-F]{3}`)

// The kernel takes these at boot, before it makes devices (IRQCHIP_DECLARE and CLK_OF_DECLARE).
var taken = regexp.MustCompile(`C(fixed-clock|fixed-factor-clock|arm,cortex-a15-gic|arm,gic-v2m-frame|arm,gic-v3(-its)?|riscv,plic0|sifive,plic-1\.0\.0|riscv,cpu-intc|syscon|sifive,clint0|sifive,test0)\b`)

// TestRunningKernel compares with the uevents of all devices that have a node.
func TestRunningKernel(t *testing.T) {
	if os.Getenv("GUEST_TEST") == "" {
		t.Skip("runs in a guest: bazel test //rules/tests/guest_test/devices:all")
	}
	tree, err := os.ReadFile("/sys/firmware/fdt")
	if err != nil {
		t.Fatal(err)
	}
	found, err := devices.Parse("/sys/firmware/fdt", tree)
	if err != nil {
		t.Fatal(err)
	}
	ours := map[string]devices.Device{}
	for _, d := range found {
		ours[d.Path] = d
	}
	kernel := kernelModaliases(t)
	if len(kernel) < 5 {
		t.Errorf("the kernel has only %d devices with a node", len(kernel))
	}
	for path, modalias := range kernel {
		d, ok := ours[path]
		switch {
		case !ok:
			t.Errorf("%s: not found: the kernel has %s", path, modalias)
		case len(d.Modaliases) == 0:
			t.Errorf("%s: no modalias: the kernel has %s", path, modalias)
		case revision.ReplaceAllString(d.Modaliases[0], "") != revision.ReplaceAllString(modalias, ""):
			t.Errorf("%s: %s: the kernel has %s", path, d.Modaliases[0], modalias)
		}
	}
	for _, d := range found {
		if _, ok := kernel[d.Path]; !ok && !taken.MatchString(d.Modaliases[0]) {
			t.Errorf("%s: %s: the kernel has no device", d.Path, d.Modaliases[0])
		}
	}
	t.Logf("%d devices of the device tree, %d of the kernel", len(found), len(kernel))
}

// kernelModaliases returns the modaliases in the uevents of devices, by the paths of their nodes.
// CPUs have modaliases that are not in the device tree.
func kernelModaliases(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir("/sys/devices", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Name() != "uevent" {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		values := map[string]string{}
		for lines := bufio.NewScanner(file); lines.Scan(); {
			key, value, _ := strings.Cut(lines.Text(), "=")
			values[key] = value
		}
		node, modalias := values["OF_FULLNAME"], values["MODALIAS"]
		if node != "" && modalias != "" && !strings.HasPrefix(node, "/cpus/") {
			all[node] = modalias
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
