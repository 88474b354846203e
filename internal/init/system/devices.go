package system

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// deviceLinks are the names in /dev that programs use without asking whether they exist
// (Documentation/admin-guide/devices.rst, "Compulsory links"). The kernel makes only device
// nodes. /dev/ptmx is a link only if the node is missing.
var deviceLinks = []struct{ name, target string }{
	{"fd", "/proc/self/fd"},
	{"stdin", "fd/0"},
	{"stdout", "fd/1"},
	{"stderr", "fd/2"},
	{"ptmx", "pts/ptmx"},
}

// linkDevices makes the links in a directory of device nodes. It keeps names that exist.
func linkDevices(dev string) error {
	for _, link := range deviceLinks {
		if err := os.Symlink(link.target, dev+"/"+link.name); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("cannot make a link of devices: %v", err)
		}
	}
	return nil
}

// loopback is the network interface of a machine with itself.
const loopback = "lo"

// StartLoopback turns the loopback interface on. The kernel then gives it the addresses
// 127.0.0.1 and ::1. It is not an error if the kernel has no such interface.
func StartLoopback() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.ENOSYS) {
		return nil // the kernel was built without IP, or without networks
	}
	if err != nil {
		return fmt.Errorf("cannot turn on %s: %v", loopback, err)
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq(loopback)
	if err != nil {
		return err
	}
	err = unix.IoctlIfreq(socket, unix.SIOCGIFFLAGS, request)
	if errors.Is(err, unix.ENODEV) || err == nil && request.Uint16()&unix.IFF_UP != 0 {
		return nil
	}
	if err == nil {
		request.SetUint16(request.Uint16() | unix.IFF_UP)
		err = unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request)
	}
	if err != nil {
		return fmt.Errorf("cannot turn on %s: %v", loopback, err)
	}
	return nil
}
