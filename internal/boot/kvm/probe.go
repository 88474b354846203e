// Package kvm finds out whether KVM, the kernel's own virtual machines, can
// run a guest here.
package kvm

import (
	"fmt"
	"runtime"
)

// Probe returns nil if KVM runs guests of the architecture goarch, a name of
// Go's, on this machine, else an error that says why not. A device that is
// there is not enough: a machine is made, and the processor must be one that
// runs it.
func Probe(goarch string) error {
	if goarch != runtime.GOARCH {
		return fmt.Errorf("the guest is %s and the host %s", goarch, runtime.GOARCH)
	}
	if err := probe("/dev/kvm"); err != nil {
		return err
	}
	if goarch == "amd64" {
		return checkProcessor("/proc/cpuinfo")
	}
	return nil
}
