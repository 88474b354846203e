package runner

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

func TestProbeKVM(t *testing.T) {
	messages := map[string]string{}
	add := func(name string, err error) {
		if err == nil {
			t.Errorf("%s: no error", name)
			return
		}
		messages[name] = strings.ReplaceAll(err.Error(), runtime.GOARCH, "GOARCH")
	}
	add("another architecture", probeKVM("vax"))
	add("no device", probeDevice("/nonexistent/kvm"))
	add("not KVM", probeDevice(os.DevNull))
	for name, cpuinfo := range map[string]string{
		"a guest without": "processor\t: 0\nflags\t\t: fpu hypervisor vmxx\n",
		"no flags":        "isa : rv64imafdc\n",
	} {
		file := writeFile(t, cpuinfo)
		err := checkCPU(file)
		if err != nil {
			err = errors.New(strings.ReplaceAll(err.Error(), file, "CPUINFO"))
		}
		add(name, err)
	}
	golden.Messages(t, "TestProbeKVM.txt", messages)
}

func writeFile(t *testing.T, text string) (name string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestProbeHere checks that probing leaves no file open.
func TestProbeHere(t *testing.T) {
	open := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(files)
	}
	probeKVM(runtime.GOARCH) // the runtime's own files are open from now on
	before := open()
	t.Log(probeKVM(runtime.GOARCH))
	if after := open(); after != before {
		t.Errorf("%d files open, %d before", after, before)
	}
}

func TestCheckCPU(t *testing.T) {
	for name, cpuinfo := range map[string]string{
		"Intel": "processor\t: 0\nflags\t\t: fpu vmx sse\nvmx flags\t: vnmi\n",
		"AMD":   "flags\t\t: fpu svm\n",
	} {
		if err := checkCPU(writeFile(t, cpuinfo)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := checkCPU("/nonexistent/cpuinfo"); !os.IsNotExist(err) {
		t.Errorf("no file: error %v", err)
	}
}
