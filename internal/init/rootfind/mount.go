package rootfind

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rules-initramfs/rules_initramfs/internal/init/disk"
)

// Mount mounts the root file system that r asks for on dir. For a type that needs
// no device, such as 9p or virtiofs, it ignores d, and r.Root is the source.
func (s System) Mount(r Request, d Device, dir string) error {
	source, fsTypes := r.Root, r.Types
	nodev, block := FileSystems()
	if !r.NeedsNoDevice(nodev) {
		source = filepath.Join(s.Dev, d.Name)
		var err error
		if fsTypes, err = r.typesFor(d, block); err != nil {
			return err
		}
	}
	flags := r.Options.Flags
	if !r.Writable {
		flags |= unix.MS_RDONLY
	}
	var tried []string
	for _, fsType := range fsTypes {
		err := unix.Mount(source, dir, fsType, flags, r.Options.Data)
		if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EROFS) {
			// Like the kernel, mount read-only what cannot be mounted writable.
			err = unix.Mount(source, dir, fsType, flags|unix.MS_RDONLY, r.Options.Data)
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

// typesFor returns the types to try for a device, of those that the kernel has on block
// devices: the ones that r names, the one found on the device, or all.
func (r Request) typesFor(d Device, block []string) ([]string, error) {
	var all []string
	named := r.Types
	if len(named) == 0 {
		named = []string{Auto}
	}
	for _, name := range named {
		if name == Auto {
			all = append(all, detectedTypes(d.FileSystem.Type, block)...)
		} else {
			all = append(all, name)
		}
	}
	if what := d.FileSystem.Container(); what != "" && len(all) == 0 {
		return nil, fmt.Errorf("root=%s: %s is %s, not a file system: make its file system available in an init of your own", r.Root, d.Name, what)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("root=%s: %s: its file system is not recognized: set rootfstype=", r.Root, d)
	}
	return all, nil
}

// detectedTypes returns the kernel's names of the type that was found on a device.
func detectedTypes(found string, block []string) []string {
	switch {
	case found == "":
		return block
	case disk.FileSystem{Type: found}.Container() != "":
		return nil
	case found == "ext2" || found == "ext3":
		return []string{found, "ext4"} // a kernel may have only the driver of ext4
	case found == "ntfs":
		return []string{"ntfs3", "ntfs"} // the driver since Linux 5.15, and the one before
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
