// Init prints /etc/motd and powers off.
package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	text, err := os.ReadFile("/etc/motd")
	fmt.Println(string(text), err)
	// The kernel panics when its first process ends.
	if err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("cannot power off:", err)
	}
}
