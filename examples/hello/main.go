// Command hello is an /init: it says hello on the console and powers off.
package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
)

func main() {
	fmt.Printf("Hello from /init, process %d, on %s\n", os.Getpid(), runtime.GOARCH)
	// The kernel panics when its first process ends. Where the machine has no way to power off
	// this halts; then restart it.
	if err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("cannot power off:", err)
	}
}
