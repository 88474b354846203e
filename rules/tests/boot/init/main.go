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
	fmt.Printf("init: %d CPUs, %d MiB\n", runtime.NumCPU(), uint64(machine.Totalram)*uint64(machine.Unit)>>20)
	fmt.Println("init: started with", os.Args[1:])
	switch how := os.Args[len(os.Args)-1]; how {
	case "exit": // the kernel panics when its first process ends
		os.Exit(3)
	case "crash":
		fmt.Println("init:", crash())
	case "warn":
		if err := warn(); err != nil {
			fmt.Println("init:", err)
		}
		time.Sleep(time.Hour)
	case "report":
		fmt.Println("init: tests ended with 4")
		time.Sleep(time.Hour)
	case "hang":
		time.Sleep(time.Hour)
	case "poweroff":
		fmt.Println("init: powering off")
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

// warn makes the kernel print a warning: no command does that to a kernel without debugging
// options.
func warn() error {
	const kmsg = "/dev/kmsg"
	if err := syscall.Mknod(kmsg, syscall.S_IFCHR|0o600, 1<<8|11); err != nil {
		return fmt.Errorf("%s: %w", kmsg, err)
	}
	return os.WriteFile(kmsg, []byte("<3>WARNING: init/x.c:1 at f+0x1/0x2, CPU#0: init/1\n"), 0)
}
