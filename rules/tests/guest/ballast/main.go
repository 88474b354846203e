// Ballast is a first process that makes the initramfs large and then executes /init.
// With newroot=tmpfs in its environment, it makes a root file system on a tmpfs and
// switches to that instead. In MEMFREE it tells program arrived how much memory was
// free.
package main

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mebibytes is the size of the ballast.
const mebibytes = 128

func main() {
	if err := run(); err != nil {
		fmt.Println("ballast:", err)
		os.Exit(1)
	}
}

func run() error {
	var root unix.Statfs_t
	if err := unix.Statfs("/", &root); err != nil {
		return err
	}
	fsType := map[int64]string{unix.RAMFS_MAGIC: "ramfs", unix.TMPFS_MAGIC: "tmpfs"}[int64(root.Type)]
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
	var machine unix.Sysinfo_t
	if err := unix.Sysinfo(&machine); err != nil {
		return err
	}
	free := uint64(machine.Freeram) * uint64(machine.Unit) >> 10
	fmt.Printf("ballast: / is %s, with %d MiB of ballast\n", fsType, mebibytes)
	return unix.Exec(argv[0], argv, append(os.Environ(), fmt.Sprintf("MEMFREE=%d", free)))
}

// writeBallast uses little memory itself, which would be free after the switch anyway.
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

// makeRoot makes a root file system on a tmpfs, which shares no files with the
// initramfs.
func makeRoot() error {
	for _, m := range []struct{ fsType, dir string }{{"proc", "/proc"}, {"tmpfs", "/newroot"}, {"devtmpfs", "/dev"}} {
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.fsType, m.dir, m.fsType, 0, ""); err != nil {
			return fmt.Errorf("cannot mount %s: %v", m.dir, err)
		}
	}
	for _, dir := range []string{"/newroot/proc", "/newroot/dev", "/newroot/bin"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	program, err := os.ReadFile("/arrived")
	if err != nil {
		return err
	}
	// An absolute link is relative to the new root.
	if err := os.Symlink("/bin", "/newroot/sbin"); err != nil {
		return err
	}
	return os.WriteFile("/newroot/bin/init", program, 0o755)
}
