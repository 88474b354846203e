// Package twice_test compiles a kernel again, at another time and in another place: all that
// is kept of it is the same.
package twice_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/rules/tests/kernel/kerneltest"
)

func TestTwice(t *testing.T) {
	program, source := kerneltest.Locate(t, "KERNEL"), kerneltest.Locate(t, "LINUX_SOURCE")
	work := filepath.Join(t.TempDir(), strings.Repeat("deeper/", 5))
	if err := os.MkdirAll(work, 0o755); err != nil {
		t.Fatal(err)
	}
	defer syscall.Umask(syscall.Umask(0o077))
	args := []string{program, "compile", "--arch=x86_64", "--source=" + source, "--defconfig=tinyconfig", "--jobs=3", "--work=" + work}
	for _, variable := range []string{"FRAGMENT", "FRAGMENT_X86_64"} {
		args = append(args, "--fragment="+kerneltest.Locate(t, variable))
	}
	out := t.TempDir()
	outputs := []struct{ option, first string }{
		{"image", "IMAGE"},
		{"vmlinux", "VMLINUX"},
		{"config", "CONFIG"},
		{"system-map", "SYSTEM_MAP"},
		{"objects", "OBJECTS"},
		{"log", "LOG"},
	}
	for _, o := range outputs {
		args = append(args, "--"+o.option+"="+filepath.Join(out, o.option))
	}
	kerneltest.Run(t, out, []string{"TZ=Pacific/Auckland", "HOSTNAME=another", "USER=somebody", "LANG=de_DE.UTF-8"}, args...)
	for _, o := range outputs {
		kerneltest.Same(t, o.option, filepath.Join(out, o.option), kerneltest.Locate(t, o.first))
	}
}
