package modules

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// receiveBuffer is how many bytes of uevents may wait to be read.
const receiveBuffer = 8 << 20

// maxUevent is more than a uevent has: the kernel's UEVENT_BUFFER_SIZE is 2048, and its
// header is a path (include/linux/kobject.h).
const maxUevent = 16 << 10

// Devices loads modules for the devices of the machine, those that it has and those that
// appear.
type Devices struct {
	loader *Loader
	sys    string // /sys
	socket *os.File
	conn   syscall.RawConn
	report func(error)

	mu   sync.Mutex
	seen map[string]bool // modaliases
}

// WatchDevices begins to load modules for devices. It passes errors to report.
func WatchDevices(loader *Loader, report func(error)) (*Devices, error) {
	d := &Devices{loader: loader, sys: "/sys", report: report, seen: map[string]bool{}}
	if err := d.listen(); err != nil {
		return nil, fmt.Errorf("cannot receive uevents: %w", err)
	}
	// From here on no device is missed: the socket has those that the walk does not see.
	d.walk()
	go d.conn.Read(func(fd uintptr) bool {
		d.receive(int(fd))
		return false // read on, until the socket is closed
	})
	return d, nil
}

func (d *Devices) listen() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return err
	}
	d.socket = os.NewFile(uintptr(fd), "uevents")
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer)
	const kernelGroup = 1 // lib/kobject_uevent.c
	err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: kernelGroup})
	if err == nil {
		d.conn, err = d.socket.SyscallConn()
	}
	if err != nil {
		d.socket.Close()
	}
	return err
}

// Settle waits until the modules of all devices are loaded, and those of the devices
// that these found. It does not wait for devices that a driver finds later, such as
// those on a USB bus.
func (d *Devices) Settle() {
	for {
		started := d.loader.started.Load()
		d.loader.Wait()
		received := 0
		d.conn.Control(func(fd uintptr) { received = d.receive(int(fd)) })
		// All uevents of what was started are handled, here or where others are read.
		if received == 0 && d.loader.started.Load() == started {
			return
		}
	}
}

// Close stops loading modules for devices.
func (d *Devices) Close() { d.socket.Close() }

// receive handles the uevents that wait, and returns how many there were.
func (d *Devices) receive(fd int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	message := make([]byte, maxUevent)
	for received := 0; ; received++ {
		n, from, err := unix.Recvfrom(fd, message, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.ENOBUFS) { // uevents were lost
			d.walk()
			continue
		}
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return received
		}
		if sender, ok := from.(*unix.SockaddrNetlink); ok && sender.Pid == 0 { // the kernel
			if action, modalias := parseUevent(message[:n]); action != "remove" {
				d.serve(modalias)
			}
		}
	}
}

// parseUevent returns the action and the modalias of a uevent: ACTION@DEVPATH and
// variables, each with a zero byte after it (lib/kobject_uevent.c).
func parseUevent(message []byte) (action, modalias string) {
	header, variables, _ := bytes.Cut(message, []byte{0})
	before, _, _ := bytes.Cut(header, []byte("@"))
	for variable := range bytes.SplitSeq(variables, []byte{0}) {
		if value, ok := bytes.CutPrefix(variable, []byte("MODALIAS=")); ok {
			modalias = string(value)
		}
	}
	return string(before), modalias
}

// walk handles the devices that there are. It reads the variables of their uevents, and
// not their files modalias: MMC cards have none (drivers/mmc/core/bus.c).
func (d *Devices) walk() {
	filepath.WalkDir(filepath.Join(d.sys, "devices"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() != "uevent" {
			return nil // a device may be removed at any time
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		for line := range strings.Lines(string(text)) {
			if modalias, ok := strings.CutPrefix(line, "MODALIAS="); ok {
				d.serve(strings.TrimSuffix(modalias, "\n"))
			}
		}
		return nil
	})
}

func (d *Devices) serve(modalias string) {
	if modalias == "" || d.seen[modalias] {
		return
	}
	d.seen[modalias] = true
	if err := d.loader.Serve(modalias); err != nil {
		d.report(err)
	}
}
