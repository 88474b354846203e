package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
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
		content, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			return 0, 0, err
		}
		all, err := read(string(content))
		if err != nil {
			return 0, 0, fmt.Errorf("%s: %w", file.Name(), err)
		}
		if len(all) == 0 {
			return 0, 0, fmt.Errorf("%s: no expectations", file.Name())
		}
		for _, e := range all {
			differences := e.compare()
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

// printBootConfig prints the boot configuration, or that the kernel does not support it. It mounts
// /proc, which is an empty directory before.
func printBootConfig() error {
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	text, err := os.ReadFile("/proc/bootconfig")
	if os.IsNotExist(err) {
		fmt.Println("check: no /proc/bootconfig: the kernel has no CONFIG_BOOT_CONFIG")
		return nil
	}
	for line := range strings.Lines(string(text)) {
		fmt.Println("check: /proc/bootconfig:", strings.TrimRight(line, "\r\n"))
	}
	return err
}
