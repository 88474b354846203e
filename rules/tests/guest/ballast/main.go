// Ballast is a first process that makes the initramfs large and then goes on to
// /init, or, with newroot=tmpfs in its environment, to a root file system that it
// makes on a tmpfs. What it leaves in the environment tells the arrived how much
// memory was free.
package main

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
)

// mebibytes is how large the ballast is.
const mebibytes = 128

func main() {
	if err := run(); err != nil {
		fmt.Println("ballast:", err)
		os.Exit(1)
	}
}

func run() error {
	var root syscall.Statfs_t
	if err := syscall.Statfs("/", &root); err != nil {
		return err
	}
	kind := map[int64]string{0x858458f6: "ramfs", 0x01021994: "tmpfs"}[int64(root.Type)]
	if err := writeBallast(); err != nil {
		return err
	}
	argv := []string{"/init"}
	if os.Getenv("newroot") == "tmpfs" {
		if err := makeRoot(); err != nil {
			return err
		}
		argv = []string{"/sbin/switch_root", "-d", "cap_sys_module,cap_net_raw", "/newroot", "/sbin/init", "one", "two words"}
	}
	var machine syscall.Sysinfo_t
	if err := syscall.Sysinfo(&machine); err != nil {
		return err
	}
	free := uint64(machine.Freeram) * uint64(machine.Unit) >> 10
	fmt.Printf("ballast: / is %s, with %d MiB of ballast\n", kind, mebibytes)
	return syscall.Exec(argv[0], argv, append(os.Environ(), fmt.Sprintf("MEMFREE=%d", free)))
}

// writeBallast takes little memory of its own: that is free again afterwards in any
// case.
func writeBallast() error {
	f, err := os.Create("/ballast.bin")
	if err != nil {
		return err
	}
	part := bytes.Repeat([]byte("ballast\n"), 1<<20/8)
	for range mebibytes {
		if _, err := f.Write(part); err != nil {
			return err
		}
	}
	return f.Close()
}

// makeRoot makes a root file system on a tmpfs, which shares nothing with the
// initramfs.
func makeRoot() error {
	for _, m := range []struct{ kind, place string }{{"proc", "/proc"}, {"tmpfs", "/newroot"}, {"devtmpfs", "/dev"}} {
		if err := os.MkdirAll(m.place, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount(m.kind, m.place, m.kind, 0, ""); err != nil {
			return fmt.Errorf("cannot mount %s: %v", m.place, err)
		}
	}
	for _, place := range []string{"/newroot/proc", "/newroot/dev", "/newroot/bin"} {
		if err := os.Mkdir(place, 0o755); err != nil {
			return err
		}
	}
	program, err := os.ReadFile("/arrived")
	if err != nil {
		return err
	}
	// An absolute link counts from the new root.
	if err := os.Symlink("/bin", "/newroot/sbin"); err != nil {
		return err
	}
	return os.WriteFile("/newroot/bin/init", program, 0o755)
}
