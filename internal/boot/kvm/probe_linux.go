package kvm

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Requests to the device (include/uapi/linux/kvm.h).
const (
	getAPIVersion = 0xae00
	createVM      = 0xae01
	apiVersion    = 12 // the only one since Linux 2.6.22
)

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
