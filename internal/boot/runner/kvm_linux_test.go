package runner

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestProbeAnotherArchitecture(t *testing.T) {
	err := probeKVM("vax")
	if want := "the guest is vax and the host " + runtime.GOARCH; err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestProbeDevice(t *testing.T) {
	for _, test := range []struct{ device, want string }{
		{"/nonexistent/kvm", "open /nonexistent/kvm: no such file or directory"},
		{os.DevNull, "/dev/null: KVM_GET_API_VERSION: inappropriate ioctl for device"},
	} {
		if err := probeDevice(test.device); err == nil || err.Error() != test.want {
			t.Errorf("%s: error %v, want %q", test.device, err, test.want)
		}
	}
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
	for _, test := range []struct{ name, cpuinfo, want string }{
		{"Intel", "processor\t: 0\nflags\t\t: fpu vmx sse\nvmx flags\t: vnmi\n", ""},
		{"AMD", "flags\t\t: fpu svm\n", ""},
		{"a guest without", "processor\t: 0\nflags\t\t: fpu hypervisor vmxx\n", "neither VMX nor SVM"},
		{"another architecture", "isa : rv64imafdc\n", "has no line of flags"},
	} {
		name := filepath.Join(t.TempDir(), "cpuinfo")
		if err := os.WriteFile(name, []byte(test.cpuinfo), 0o644); err != nil {
			t.Fatal(err)
		}
		err := checkCPU(name)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
	if err := checkCPU("/nonexistent/cpuinfo"); !os.IsNotExist(err) {
		t.Errorf("no file: error %v", err)
	}
}
