package rootfind

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Mount mounts the root file system that r asks for on dir. For a type that needs
// no device, such as 9p or virtiofs, it ignores d, and r.Root is the source.
func (s System) Mount(r Request, d Device, dir string) error {
	source, fsTypes := r.Root, r.Types
	nodev, block := FileSystems()
	if !r.NeedsNoDevice(nodev) {
		source = filepath.Join(s.Dev, d.Name)
		if len(fsTypes) == 0 {
			fsTypes = candidateTypes(d.FileSystem.Type, block)
		}
		if len(fsTypes) == 0 {
			return fmt.Errorf("root=%s: %s: its file system is not recognized: set rootfstype=", r.Root, d)
		}
	}
	var flags uintptr
	if !r.Writable {
		flags |= unix.MS_RDONLY
	}
	var tried []string
	for _, fsType := range fsTypes {
		err := unix.Mount(source, dir, fsType, flags, r.Flags)
		if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EROFS) {
			// Like the kernel, mount read-only what cannot be mounted writable.
			err = unix.Mount(source, dir, fsType, flags|unix.MS_RDONLY, r.Flags)
		}
		if err == nil {
			return nil
		}
		text := fmt.Sprintf("%s: %v", fsType, err)
		if errors.Is(err, unix.ENODEV) {
			text = fsType + ": the kernel lacks it: build it in, or add its module to init's settings"
		}
		tried = append(tried, text)
	}
	return fmt.Errorf("root=%s: cannot mount %s: %s", r.Root, source, strings.Join(tried, "; "))
}

// NeedsNoDevice reports whether the first type that r names is one of nodev.
func (r Request) NeedsNoDevice(nodev []string) bool {
	return len(r.Types) > 0 && slices.Contains(nodev, r.Types[0])
}

// candidateTypes returns the types to try for a device: the one found on it, or all
// that the kernel has.
func candidateTypes(found string, block []string) []string {
	switch found {
	case "":
		return block
	case "ext2", "ext3":
		return []string{found, "ext4"} // a kernel may have only the driver of ext4
	default:
		return []string{found}
	}
}

// FileSystems returns the file systems that the running kernel has: those that need
// no device, and those on block devices.
func FileSystems() (nodev, block []string) {
	text, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		return nil, nil
	}
	for line := range strings.Lines(string(text)) {
		kind, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if kind == "nodev" {
			nodev = append(nodev, name)
		} else {
			block = append(block, name)
		}
	}
	return nodev, block
}
