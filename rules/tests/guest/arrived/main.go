// Arrived is the init of a root file system. It prints what the root file system
// looks like, and whether the memory of the initramfs is free again: MEMFREE has the
// free memory from before the switch.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// freed is how much more memory must be free, in KiB: half of what program ballast
// has put into the initramfs. A CPU keeps freed pages, up to an eighth of all memory,
// on a list of its own that the kernel does not count as free (zone_highsize of
// mm/page_alloc.c).
const freed = 64 << 10

func main() {
	fmt.Printf("arrived: process %d, arguments %q\n", os.Getpid(), os.Args[1:])
	if err := report(); err != nil {
		fmt.Println("arrived:", err)
	}
	unix.Sync()
	fmt.Println("arrived: done")
	unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
}

func report() error {
	// First, because reading from the disk takes memory.
	if before := os.Getenv("MEMFREE"); before != "" {
		if err := reportMemory(before); err != nil {
			return err
		}
	}
	names, err := os.ReadDir("/")
	if err != nil {
		return err
	}
	var all []string
	for _, name := range names {
		all = append(all, name.Name())
	}
	fmt.Println("arrived: / has", strings.Join(all, " "))
	if _, err := os.Stat("/proc/self"); err != nil {
		if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
			return fmt.Errorf("cannot mount /proc: %v", err)
		}
		fmt.Println("arrived: /proc did not come along")
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		fmt.Printf("arrived: %s on %s, %s, %s\n", fields[2], fields[1], fields[0], fields[3])
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		if name, set, _ := strings.Cut(strings.TrimSpace(line), ":"); name == "CapEff" || name == "CapBnd" {
			mask, err := strconv.ParseUint(strings.TrimSpace(set), 16, 64)
			if err != nil {
				return err
			}
			fmt.Printf("arrived: %s: cap_net_raw %d, cap_sys_module %d, cap_sys_admin %d\n", name, mask>>13&1, mask>>16&1, mask>>21&1)
		}
	}
	return nil
}

func reportMemory(text string) error {
	before, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	var machine unix.Sysinfo_t
	if err := unix.Sysinfo(&machine); err != nil {
		return err
	}
	after := int(uint64(machine.Freeram) * uint64(machine.Unit) >> 10)
	verdict := "the old root is gone"
	if after-before < freed {
		verdict = "the old root is still there"
	}
	fmt.Printf("arrived: MemFree %d kB before, %d kB after: %s\n", before, after, verdict)
	return nil
}
