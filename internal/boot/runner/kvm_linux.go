package runner

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Requests to the device (include/uapi/linux/kvm.h).
const (
	getAPIVersion = 0xae00
	createVM      = 0xae01
	apiVersion    = 12 // the only one since Linux 2.6.22
)

// probeKVM returns nil if KVM on this machine runs guests of the architecture goarch, in
// Go's name. Otherwise the error says why not. It is not enough that the device exists:
// probeKVM makes a virtual machine, and checks that the CPU can run it.
func probeKVM(goarch string) error {
	if goarch != runtime.GOARCH {
		return fmt.Errorf("the guest is %s and the host %s", goarch, runtime.GOARCH)
	}
	if err := probeDevice("/dev/kvm"); err != nil {
		return err
	}
	if goarch == "amd64" {
		return checkCPU("/proc/cpuinfo")
	}
	return nil
}

func probeDevice(device string) error {
	f, err := os.OpenFile(device, os.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	version, err := request(f, getAPIVersion)
	switch {
	case err != nil:
		return fmt.Errorf("%s: KVM_GET_API_VERSION: %w", device, err)
	case version != apiVersion:
		return fmt.Errorf("%s: KVM_GET_API_VERSION: %d, want %d", device, version, apiVersion)
	}
	vm, err := request(f, createVM)
	if err != nil {
		return fmt.Errorf("%s: KVM_CREATE_VM: %w", device, err)
	}
	return unix.Close(vm)
}

func request(f *os.File, code uint) (int, error) {
	for {
		value, err := unix.IoctlRetInt(int(f.Fd()), code)
		if err != unix.EINTR { // making a machine takes a while
			return value, err
		}
	}
}

// checkCPU returns an error unless cpuinfo, a file like /proc/cpuinfo of x86, has a
// CPU that runs guests. KVM can make virtual machines on other CPUs too, but those of
// kvm_pvm run only kernels made for them: any other kernel stops at its first lines.
func checkCPU(cpuinfo string) error {
	text, err := os.ReadFile(cpuinfo)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(name) != "flags" {
			continue
		}
		flags := strings.Fields(value)
		if slices.Contains(flags, "vmx") || slices.Contains(flags, "svm") {
			return nil
		}
		return errors.New("the CPU has neither VMX nor SVM here")
	}
	return fmt.Errorf("%s has no line of flags", cpuinfo)
}
