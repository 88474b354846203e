// Root is /sbin/init of a root file system. It prints what the machine has and what was loaded and
// opened until then, and powers off.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	fmt.Println() // ends a line in which systemd has left escape sequences
	for _, err := range []error{mount(), printRoot(), printModules(), printDevices(), printOpened()} {
		if err != nil {
			fmt.Println("root: error:", err)
		}
	}
	fmt.Println("root: done")
	unix.Sync()
	unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
}

// mount mounts what the initramfs did not.
func mount() (err error) {
	for _, m := range []struct{ kind, dir, file string }{
		{"proc", "/proc", "modules"},
		{"sysfs", "/sys", "devices"},
		{"tracefs", "/sys/kernel/tracing", "trace"},
	} {
		if _, missing := os.Stat(filepath.Join(m.dir, m.file)); missing != nil {
			err = errors.Join(err, os.NewSyscallError("mount "+m.dir, unix.Mount(m.kind, m.dir, m.kind, 0, "")))
		}
	}
	return err
}

// printRoot prints the file system and the device of /.
func printRoot() error {
	return lines("/proc/self/mounts", func(line string) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[1] == "/" && fields[2] != "rootfs" {
			fmt.Println("root: mounted", fields[2], "from", fields[0])
		}
	})
}

func printModules() error {
	return lines("/proc/modules", func(line string) {
		name, _, _ := strings.Cut(line, " ")
		fmt.Println("root: module", name)
	})
}

// printDevices prints modaliases of devices.
func printDevices() error {
	found := map[string]bool{}
	err := filepath.WalkDir("/sys/devices", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "modalias" {
			if text, err := os.ReadFile(name); err == nil && len(text) > 1 {
				found[strings.TrimSpace(string(text))] = true
			}
		}
		return nil // devices may go
	})
	for _, modalias := range slices.Sorted(maps.Keys(found)) {
		fmt.Println("root: modalias", modalias)
	}
	return err
}

// opened matches the absolute name of a file in the trace of openat.
var opened = regexp.MustCompile(`sys_openat\(.*"(/.*)"`)

// virtual are the directories whose files the kernel makes.
var virtual = regexp.MustCompile(`^/(dev|proc|run|sys)(/|$)`)

// printOpened prints the files that programs tried to open, if the kernel's command line has
// trace_event=syscalls:sys_enter_openat. The kernel cuts long names and ends them with three dots.
func printOpened() error {
	found := map[string]bool{}
	err := lines("/sys/kernel/tracing/trace", func(line string) {
		if match := opened.FindStringSubmatch(line); match != nil && !virtual.MatchString(match[1]) {
			found[match[1]] = true
		}
	})
	for _, name := range slices.Sorted(maps.Keys(found)) {
		fmt.Println("root: opened", name)
	}
	return err
}

func lines(name string, print func(string)) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		print(scanner.Text())
	}
	return scanner.Err()
}
