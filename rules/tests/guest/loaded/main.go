// Loaded prints which modules the kernel has, what they were loaded with, and whether it
// gets more of them when it needs them. As process 1, it first hides from init that the
// kernel can decompress modules.
package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	if os.Getpid() == 1 {
		fmt.Println("loaded:", hideCompression())
		fmt.Println("loaded:", unix.Exec("/init", os.Args, os.Environ()))
		return
	}
	fmt.Println("loaded: overlay:", mountOverlay())
	text, err := os.ReadFile("/proc/modules")
	if err != nil {
		fmt.Println("loaded:", err)
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(line, " ")
		names = append(names, name)
	}
	slices.Sort(names)
	fmt.Println("loaded: modules", strings.Join(names, " "))
	for _, parameter := range os.Args[1:] {
		value, err := os.ReadFile("/sys/module/" + parameter)
		fmt.Println("loaded:", parameter, strings.TrimSpace(string(value)), err)
	}
}

func hideCompression() error {
	if err := os.MkdirAll("/sys", 0o755); err != nil {
		return err
	}
	if err := unix.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
		return err
	}
	return unix.Mount("/dev/null", "/sys/module/compression", "", unix.MS_BIND, "")
}

// mountOverlay mounts a file system that the kernel may have to ask for.
func mountOverlay() error {
	if err := unix.Mount("overlay", "/tmp", "tmpfs", 0, ""); err != nil {
		return err
	}
	for _, dir := range []string{"lower", "upper", "work", "merged"} {
		if err := os.Mkdir("/tmp/"+dir, 0o755); err != nil {
			return err
		}
	}
	return unix.Mount("overlay", "/tmp/merged", "overlay", 0, "lowerdir=/tmp/lower,upperdir=/tmp/upper,workdir=/tmp/work")
}
