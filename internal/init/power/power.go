// Package power ends the machine's run.
package power

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"time"
)

// Off writes what is unwritten to the disks and turns the machine off, or
// restarts it where the kernel cannot turn it off. Like Restart and Halt it says
// on w what it is about to do, and does not return.
func Off(w io.Writer) {
	if !canPowerOff("/sys/firmware") {
		fmt.Fprintln(w, "init: the kernel cannot power off: restarting")
		reboot(w, syscall.LINUX_REBOOT_CMD_RESTART)
	}
	fmt.Fprintln(w, "init: powering off")
	reboot(w, syscall.LINUX_REBOOT_CMD_POWER_OFF, syscall.LINUX_REBOOT_CMD_RESTART)
}

// Restart restarts the machine.
func Restart(w io.Writer) {
	fmt.Fprintln(w, "init: restarting")
	reboot(w, syscall.LINUX_REBOOT_CMD_RESTART)
}

// Halt stops the machine and leaves it on.
func Halt(w io.Writer) {
	fmt.Fprintln(w, "init: halting")
	reboot(w, syscall.LINUX_REBOOT_CMD_HALT)
}

// canPowerOff guesses whether the kernel can. One that cannot says nothing, and
// halts (kernel/reboot.c): a virtual machine then never ends. On a PC it is the
// firmware that can, by ACPI or EFI; other architectures have firmware calls for
// it.
func canPowerOff(firmware string) bool {
	if runtime.GOARCH != "amd64" {
		return true
	}
	if _, err := os.Stat(firmware); err != nil {
		return true // no /sys: nothing is known
	}
	for _, name := range []string{"acpi", "efi"} {
		if _, err := os.Stat(firmware + "/" + name); err == nil {
			return true
		}
	}
	return false
}

// reboot tries commands until one does not return. It does not return either:
// the kernel panics when its first process ends.
func reboot(w io.Writer, commands ...int) {
	syscall.Sync()
	for _, command := range commands {
		err := syscall.Reboot(command)
		fmt.Fprintf(w, "init: reboot(%#x): %v\n", command, err)
	}
	for {
		time.Sleep(time.Hour)
	}
}
