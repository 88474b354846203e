// Init runs a program and powers off.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	greet := exec.Command("/bin/greet")
	greet.Stdout, greet.Stderr = os.Stdout, os.Stderr
	if err := greet.Run(); err != nil {
		fmt.Println("greet:", err)
	}
	if err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("cannot power off:", err)
	}
}
