// Package kvm finds out whether KVM, the virtual machines of the Linux kernel, can
// run a guest here.
package kvm

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

// Probe returns nil if KVM on this machine runs guests of the architecture goarch, in
// Go's name. Otherwise the error says why not. It is not enough that the device
// exists: Probe makes a virtual machine, and checks that the CPU can run it.
func Probe(goarch string) error {
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

// checkCPU returns an error unless cpuinfo, a file like /proc/cpuinfo of x86, has a
// CPU that runs guests. KVM can make virtual machines on other CPUs too, but those of
// kvm_pvm run only kernels made for them: any other kernel stops at its first lines.
func checkCPU(cpuinfo string) error {
	f, err := os.Open(cpuinfo)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if strings.TrimSpace(name) != "flags" {
			continue
		}
		flags := strings.Fields(value)
		if slices.Contains(flags, "vmx") || slices.Contains(flags, "svm") {
			return nil
		}
		return errors.New("the CPU has neither VMX nor SVM here")
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return fmt.Errorf("%s has no line of flags", cpuinfo)
}
