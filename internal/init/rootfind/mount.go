package rootfind

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Mount mounts the root file system that r asks for on folder. For a type that
// needs no device, such as 9p or virtiofs, d is not asked for, and r.Root is the
// source.
func (s System) Mount(r Request, d Device, folder string) error {
	source, kinds := r.Root, r.Types
	nodev, block := FileSystems()
	if !r.NeedsNoDevice(nodev) {
		source = filepath.Join(s.Dev, d.Name)
		if len(kinds) == 0 {
			kinds = candidates(d.FileSystem.Type, block)
		}
		if len(kinds) == 0 {
			return fmt.Errorf("root=%s: %s: no file system that is known is on it: name it with rootfstype=", r.Root, d)
		}
	}
	var flags uintptr
	if !r.Writable {
		flags |= syscall.MS_RDONLY
	}
	var tried []string
	for _, kind := range kinds {
		err := syscall.Mount(source, folder, kind, flags, r.Flags)
		if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EROFS) {
			// What cannot be written to is mounted read-only, as the kernel does.
			err = syscall.Mount(source, folder, kind, flags|syscall.MS_RDONLY, r.Flags)
		}
		if err == nil {
			return nil
		}
		text := fmt.Sprintf("%s: %v", kind, err)
		if errors.Is(err, syscall.ENODEV) {
			text = kind + ": the kernel does not have it: build it in, or name its module in init's settings"
		}
		tried = append(tried, text)
	}
	return fmt.Errorf("root=%s: cannot mount %s: %s", r.Root, source, strings.Join(tried, "; "))
}

// NeedsNoDevice reports whether the type that r names first is one of nodev.
func (r Request) NeedsNoDevice(nodev []string) bool {
	return len(r.Types) > 0 && slices.Contains(nodev, r.Types[0])
}

// candidates are the types to try for what is on a device: the one that was seen
// there, or all that the kernel knows.
func candidates(kind string, block []string) []string {
	switch kind {
	case "":
		return block
	case "ext2", "ext3":
		return []string{kind, "ext4"} // whose driver may be the only one
	default:
		return []string{kind}
	}
}

// FileSystems returns the file systems of the running kernel: those without a
// device, and those with.
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
