package system

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Console is the device that console= on the kernel's command line selects.
const Console = "/dev/console"

// OpenConsole makes the device the standard input, output and error of this
// process.
func OpenConsole(device string) error {
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open %s: %v", device, err)
	}
	defer unix.Close(fd)
	for standard := range 3 {
		if err := unix.Dup3(fd, standard, 0); err != nil {
			return fmt.Errorf("cannot make %s descriptor %d: %v", device, standard, err)
		}
	}
	return nil
}

// ConsoleMissing reports whether standard output goes nowhere. If the kernel
// cannot open /dev/console, it starts /init with all three descriptors closed, and
// Go's runtime opens /dev/null for each that is.
func ConsoleMissing() bool {
	var st unix.Stat_t
	err := unix.Fstat(1, &st)
	null := unix.Mkdev(1, 3)
	return err != nil || st.Mode&unix.S_IFMT == unix.S_IFCHR && uint64(st.Rdev) == null
}

// AcquireTerminal makes standard input the controlling terminal of this process,
// and reports whether that worked: it fails if standard input is not a terminal.
// With a controlling terminal, a program in a foreground process group has Ctrl-C
// and a shell has job control. The terminal belongs to this process and not to the
// program, because the kernel hangs up a terminal when its session's leader ends,
// and output that is not yet printed would be lost.
func AcquireTerminal() bool {
	const stdin = 0
	if _, err := unix.IoctlGetInt(stdin, unix.TIOCGPGRP); err == nil {
		return true
	}
	unix.Setsid() // fails if this process already leads a session
	return unix.IoctlSetInt(stdin, unix.TIOCSCTTY, 0) == nil
}
