// Command check is an /init that compares what the kernel has unpacked with the expectations in the
// files of /expect, in the format of package expectation. For each one it prints a line with PASS or
// FAIL, and at the end how many passed and failed.
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
		fmt.Fprintln(os.Stderr, "check: run it only as /init, because it powers the machine off")
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
			differences := e.Compare()
			if len(differences) == 0 {
				passed++
				fmt.Println("PASS:", e)
				continue
			}
			failed++
			for _, difference := range differences {
				fmt.Printf("FAIL: %s: %v\n", e, difference)
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

// printBootConfig prints the boot configuration, or that the kernel does not support it. It mounts
// /proc, which is an empty directory before.
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
