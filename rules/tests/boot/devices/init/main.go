// Command init is an /init that prints the machine's properties, and uses its disks and shared files.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

func main() {
	for _, m := range []struct{ kind, at string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"},
	} {
		if err := syscall.Mount(m.kind, m.at, m.kind, 0, ""); err != nil {
			fmt.Println("init: mounting", m.at, err)
		}
	}
	fmt.Println("init: CPUs:", runtime.NumCPU())
	cmdline, _ := os.ReadFile("/proc/cmdline")
	fmt.Printf("init: command line: %s", cmdline)
	showPCI()
	for _, word := range os.Args[1:] {
		var err error
		switch word {
		case "disks":
			err = errors.Join(useDisk("/dev/vda"), useDisk("/dev/vdb"))
		case "files":
			err = showFiles()
		case "talk":
			err = talk()
		}
		if err != nil {
			fmt.Println("init: FAIL:", err)
		}
	}
	syscall.Sync()
	fmt.Println("init: done")
	syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
}

// showPCI prints the IDs of virtio devices, which need no drivers for that.
func showPCI() {
	devices, _ := filepath.Glob("/sys/bus/pci/devices/*")
	var kinds []string
	for _, d := range devices {
		vendor, _ := os.ReadFile(d + "/vendor")
		device, _ := os.ReadFile(d + "/device")
		if string(vendor) == "0x1af4\n" {
			kinds = append(kinds, strings.TrimSpace(string(device)))
		}
	}
	slices.Sort(kinds)
	fmt.Println("init: virtio devices:", kinds)
}

// useDisk prints the beginning of a disk, writes to it, and reads it again from the disk.
func useDisk(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR|syscall.O_SYNC, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	sector := make([]byte, 512)
	if _, err := f.ReadAt(sector, 0); err != nil {
		return err
	}
	fmt.Printf("init: %s: %q\n", name, bytes.TrimRight(sector[:32], "\x00\n"))
	copy(sector, "written by the guest")
	if _, err := f.WriteAt(sector, 0); err != nil {
		return err
	}
	// Drop the cache, so that the disk is read again.
	const blkflsbuf = 0x1261
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), blkflsbuf, 0); errno != 0 {
		return fmt.Errorf("%s: BLKFLSBUF: %w", name, errno)
	}
	if _, err := f.ReadAt(sector, 0); err != nil {
		return err
	}
	fmt.Printf("init: %s now: %q\n", name, sector[:20])
	return nil
}

// showFiles prints the shared files, which must be read-only.
func showFiles() error {
	const share = "/mnt"
	if err := syscall.Mount("files", share, "9p", 0, "trans=virtio,version=9p2000.L"); err != nil {
		return fmt.Errorf("mounting the files: %w", err)
	}
	err := filepath.Walk(share, func(name string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		fmt.Printf("init: %s: %d bytes, executable %v\n", name, len(data), info.Mode()&0o100 != 0)
		return err
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(share+"/new", nil, 0o644); !errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("writing to the shared files: error %v, want EROFS", err)
	}
	return nil
}

// talk asks for a word and a name, without a newline after the question.
func talk() error {
	for _, question := range []string{"word: ", "name: "} {
		fmt.Print(question)
		var answer string
		if _, err := fmt.Scanln(&answer); err != nil {
			return err
		}
		fmt.Printf("init: %s%s!\n", question, answer)
	}
	return nil
}
