package kvm

import (
	"fmt"
	"os"
	"syscall"
)

// Requests to the device, include/uapi/linux/kvm.h.
const (
	getAPIVersion = 0xae00
	createVM      = 0xae01
	apiVersion    = 12 // the only one since Linux 2.6.22
)

func probe(device string) error {
	f, err := os.OpenFile(device, os.O_RDWR|syscall.O_CLOEXEC, 0)
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
	return syscall.Close(int(vm))
}

func request(f *os.File, code uintptr) (uintptr, error) {
	for {
		value, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), code, 0)
		switch errno {
		case 0:
			return value, nil
		case syscall.EINTR: // making a machine takes a while
		default:
			return 0, errno
		}
	}
}
