package system

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// PowerOff writes unwritten data to the disks and turns the machine off, or
// restarts it if the kernel cannot turn it off. Like Restart and Halt, it writes to
// w what it is about to do, and does not return.
func PowerOff(w io.Writer) {
	if !canPowerOff("/sys/firmware") {
		fmt.Fprintln(w, "init: the kernel cannot power off: restarting")
		reboot(w, unix.LINUX_REBOOT_CMD_RESTART)
	}
	fmt.Fprintln(w, "init: powering off")
	reboot(w, unix.LINUX_REBOOT_CMD_POWER_OFF, unix.LINUX_REBOOT_CMD_RESTART)
}

// Restart restarts the machine.
func Restart(w io.Writer) {
	fmt.Fprintln(w, "init: restarting")
	reboot(w, unix.LINUX_REBOOT_CMD_RESTART)
}

// Halt stops the machine and leaves it on.
func Halt(w io.Writer) {
	fmt.Fprintln(w, "init: halting")
	reboot(w, unix.LINUX_REBOOT_CMD_HALT)
}

// canPowerOff guesses whether the kernel can turn the machine off. A kernel that
// cannot reports no error but halts (kernel/reboot.c), and a virtual machine would
// never end. On a PC the firmware does it, through ACPI or EFI; other architectures
// have firmware calls for it.
func canPowerOff(firmware string) bool {
	if runtime.GOARCH != "amd64" {
		return true
	}
	if _, err := os.Stat(firmware); err != nil {
		return true // without /sys, nothing is known
	}
	for _, name := range []string{"acpi", "efi"} {
		if _, err := os.Stat(firmware + "/" + name); err == nil {
			return true
		}
	}
	return false
}

// reboot tries the commands in order: one that works does not return. If all fail,
// reboot sleeps forever, because the kernel panics when its first process ends.
func reboot(w io.Writer, commands ...int) {
	unix.Sync()
	for _, command := range commands {
		err := unix.Reboot(command)
		fmt.Fprintf(w, "init: reboot(%#x): %v\n", command, err)
	}
	for {
		time.Sleep(time.Hour)
	}
}
