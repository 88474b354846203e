// Command init is an /init that fails as the kernel's command line says. The kernel passes it the
// words that it does not know.
package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

func main() {
	fmt.Println("init: started")
	switch how := os.Args[len(os.Args)-1]; how {
	case "exit": // the kernel panics when its first process ends
		os.Exit(3)
	case "crash":
		fmt.Println("init:", crash())
	case "report":
		fmt.Println("init: tests ended with 4")
		time.Sleep(time.Hour)
	case "hang":
		time.Sleep(time.Hour)
	case "poweroff":
		syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	default:
		fmt.Println("init: unknown word", how)
	}
}

// crash makes the kernel panic, like Alt-SysRq-C.
func crash() error {
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	return os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0)
}
