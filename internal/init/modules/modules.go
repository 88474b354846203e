// Package modules loads kernel modules.
package modules

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"
)

// Load loads the module that spec names: the absolute path of a file or the name
// of a module below /lib/modules/RELEASE, and behind it, with a blank between,
// the module's parameters. A module that is there already is no error. What a
// module needs has to be loaded before.
func Load(spec string) error {
	name, parameters, _ := strings.Cut(strings.TrimSpace(spec), " ")
	file := name
	if !filepath.IsAbs(name) {
		if _, err := os.Stat("/sys/module/" + canonical(name)); err == nil {
			return nil
		}
		folder, err := releaseFolder()
		if err != nil {
			return fmt.Errorf("cannot load module %s: %v", name, err)
		}
		if file, err = Find(folder, name); err != nil {
			return fmt.Errorf("cannot load module %s: %v", name, err)
		}
	}
	if err := load(file, strings.TrimSpace(parameters)); err != nil {
		return fmt.Errorf("cannot load module %s: %s: %v", name, file, err)
	}
	return nil
}

// suffixes are how modules' files end, as kernels compress them
// (CONFIG_MODULE_COMPRESS).
var suffixes = []string{".ko", ".ko.gz", ".ko.xz", ".ko.zst"}

// Find returns the file of a module below folder. In a module's name - and _ are
// the same.
func Find(folder, name string) (string, error) {
	var found string
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		for _, suffix := range suffixes {
			base, ok := strings.CutSuffix(entry.Name(), suffix)
			if ok && !entry.IsDir() && canonical(base) == canonical(name) {
				found = path
				return fs.SkipAll
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if found == "" {
		return "", fmt.Errorf("there is no %s.ko below %s: put the kernel's own into the image there, or give an absolute path", name, folder)
	}
	return found, nil
}

func canonical(name string) string { return strings.ReplaceAll(name, "-", "_") }

func releaseFolder() (string, error) {
	var uname syscall.Utsname
	if err := syscall.Uname(&uname); err != nil {
		return "", err
	}
	var release strings.Builder
	for _, c := range uname.Release {
		if c == 0 {
			break
		}
		release.WriteByte(byte(c))
	}
	return "/lib/modules/" + release.String(), nil
}

// compressedFile is MODULE_INIT_COMPRESSED_FILE of linux/module.h: the kernel
// decompresses what it reads (CONFIG_MODULE_DECOMPRESS).
const compressedFile = 4

func load(file, parameters string) error {
	f, err := os.Open(file)
	if err != nil {
		return errors.Unwrap(err)
	}
	defer f.Close()
	text, err := syscall.BytePtrFromString(parameters)
	if err != nil {
		return err
	}
	flags := 0
	if !strings.HasSuffix(file, ".ko") {
		flags = compressedFile
	}
	_, _, errno := syscall.Syscall(finitModule, f.Fd(), uintptr(unsafe.Pointer(text)), uintptr(flags))
	if errno != 0 && errno != syscall.EEXIST {
		return fmt.Errorf("%v%s", errno, hint(errno))
	}
	return nil
}

// hint says what is usually wrong; the kernel's own line on the console comes before.
func hint(errno syscall.Errno) string {
	switch errno {
	case syscall.ENOSYS:
		return ": the kernel has no modules"
	case syscall.ENOENT:
		return ": it lacks a symbol: load the module that has it before this one"
	case syscall.ENOEXEC:
		return ": it is for another kernel"
	case syscall.EOPNOTSUPP:
		return ": the kernel cannot decompress modules: put the file into the image decompressed"
	}
	return ""
}
