// Command init is an /init that fails as its command line says. The kernel passes it the parameters
// that it does not know.
package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

func main() {
	var machine syscall.Sysinfo_t
	if err := syscall.Sysinfo(&machine); err != nil {
		fmt.Println("init:", err)
	}
	fmt.Printf("init: %d processors, %d MiB\n", runtime.NumCPU(), uint64(machine.Totalram)*uint64(machine.Unit)>>20)
	fmt.Println("init: started with", os.Args[1:])
	switch how := os.Args[len(os.Args)-1]; how {
	case "exit": // the kernel panics when its first process ends
		os.Exit(3)
	case "hang":
		time.Sleep(time.Hour)
	case "poweroff":
		fmt.Println("init: powering off")
		syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	default:
		fmt.Println("init: unknown word", how)
	}
}
