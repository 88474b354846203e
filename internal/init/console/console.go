// Package console is where init and its programs speak and listen.
package console

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// Device is the console that the kernel was told of with console=.
const Device = "/dev/console"

// Open makes the device the standard input, output and error of this process.
func Open(device string) error {
	fd, err := syscall.Open(device, syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open %s: %v", device, err)
	}
	defer syscall.Close(fd)
	for standard := range 3 {
		if err := syscall.Dup3(fd, standard, 0); err != nil {
			return fmt.Errorf("cannot make %s descriptor %d: %v", device, standard, err)
		}
	}
	return nil
}

// null is the number of /dev/null. Go's runtime opens that for a standard
// descriptor that is closed, and the kernel starts /init with all three closed
// when it cannot open /dev/console.
const null = 1<<8 | 3

// Missing reports whether there is no standard output.
func Missing() bool {
	var st syscall.Stat_t
	err := syscall.Fstat(1, &st)
	return err != nil || st.Mode&syscall.S_IFMT == syscall.S_IFCHR && st.Rdev == null
}

// Acquire makes standard input this process's controlling terminal, if it is
// a terminal, and reports whether it is: then a program in a foreground process
// group has Ctrl-C, and a shell job control. It is this process's, so that the
// terminal is not hung up, and what is still to be printed lost, when the program
// ends, as it is when a session's leader does.
func Acquire() bool {
	var group int32
	if ioctl(syscall.TIOCGPGRP, unsafe.Pointer(&group)) == nil {
		return true
	}
	syscall.Setsid() // fails when this process leads a session already
	return ioctl(syscall.TIOCSCTTY, nil) == nil
}

func ioctl(request uintptr, argument unsafe.Pointer) error {
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, os.Stdin.Fd(), request, uintptr(argument))
	if errno != 0 {
		return errno
	}
	return nil
}
