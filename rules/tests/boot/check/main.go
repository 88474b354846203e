// Command check is an /init that looks at what the kernel has unpacked, and
// compares it with the expectations in the files of /expect: package expectation
// says how they are written. It prints a line for each, PASS or FAIL, and at the end
// how many there were of both.
package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/rules-initramfs/rules_initramfs/rules/tests/boot/check/expectation"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "check: it powers the machine off at its end: run it as /init")
		os.Exit(2)
	}
	fmt.Println("check: on", runtime.GOARCH)
	passed, failed, err := check("/expect")
	if err == nil {
		err = printBootConfig()
	}
	if err != nil {
		fmt.Println("check:", err)
	} else {
		fmt.Printf("check: %d passed, %d failed\n", passed, failed)
	}
	if err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("check: cannot power off:", err)
	}
}

func check(dir string) (passed, failed int, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0, 0, err
	}
	for _, file := range files {
		all, err := read(filepath.Join(dir, file.Name()))
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", file.Name(), err)
		}
		if len(all) == 0 {
			return 0, 0, fmt.Errorf("%s: no expectations", file.Name())
		}
		for _, e := range all {
			faults := e.Compare()
			if len(faults) == 0 {
				passed++
				fmt.Println("PASS:", e)
				continue
			}
			failed++
			for _, fault := range faults {
				fmt.Printf("FAIL: %s: %v\n", e, fault)
			}
		}
	}
	return passed, failed, nil
}

func read(name string) ([]expectation.Expectation, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return expectation.Read(f)
}

// printBootConfig prints the boot configuration, or that the kernel reads none. It
// mounts /proc, which is no more than a directory before.
func printBootConfig() error {
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	file, err := os.Open("/proc/bootconfig")
	if os.IsNotExist(err) {
		fmt.Println("check: no /proc/bootconfig: the kernel has no CONFIG_BOOT_CONFIG")
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fmt.Println("check: /proc/bootconfig:", lines.Text())
	}
	return lines.Err()
}
