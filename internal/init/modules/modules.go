// Package modules loads kernel modules.
package modules

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Load loads the module that spec names: a file's absolute path, or the name of a
// module below /lib/modules/RELEASE. The module's parameters follow after a blank.
// It is not an error if the module is loaded already. The modules that this one
// depends on must be loaded first.
func Load(spec string) error {
	name, parameters, _ := strings.Cut(strings.TrimSpace(spec), " ")
	file := name
	if !filepath.IsAbs(name) {
		if _, err := os.Stat("/sys/module/" + canonical(name)); err == nil {
			return nil
		}
		dir, err := releaseDir()
		if err != nil {
			return fmt.Errorf("cannot load module %s: %v", name, err)
		}
		if file, err = Find(dir, name); err != nil {
			return fmt.Errorf("cannot load module %s: %v", name, err)
		}
	}
	if err := loadFile(file, strings.TrimSpace(parameters)); err != nil {
		return fmt.Errorf("cannot load module %s: %s: %v", name, file, err)
	}
	return nil
}

// suffixes are the ends of module file names: kernels may compress modules
// (CONFIG_MODULE_COMPRESS).
var suffixes = []string{".ko", ".ko.gz", ".ko.xz", ".ko.zst"}

// Find returns the file of a module below dir. In the name of a module, - and _ are
// the same.
func Find(dir, name string) (string, error) {
	var file string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		for _, suffix := range suffixes {
			base, ok := strings.CutSuffix(entry.Name(), suffix)
			if ok && !entry.IsDir() && canonical(base) == canonical(name) {
				file = path
				return fs.SkipAll
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if file == "" {
		return "", fmt.Errorf("there is no %s.ko below %s: add this kernel's module to the image there, or name a module by its absolute path", name, dir)
	}
	return file, nil
}

func canonical(name string) string { return strings.ReplaceAll(name, "-", "_") }

func releaseDir() (string, error) {
	var uname unix.Utsname
	if err := unix.Uname(&uname); err != nil {
		return "", err
	}
	return "/lib/modules/" + unix.ByteSliceToString(uname.Release[:]), nil
}

func loadFile(file, parameters string) error {
	f, err := os.Open(file)
	if err != nil {
		return errors.Unwrap(err)
	}
	defer f.Close()
	flags := 0
	if !strings.HasSuffix(file, ".ko") {
		flags = unix.MODULE_INIT_COMPRESSED_FILE // the kernel decompresses it (CONFIG_MODULE_DECOMPRESS)
	}
	err = unix.FinitModule(int(f.Fd()), parameters, flags)
	if err == nil || errors.Is(err, unix.EEXIST) {
		return nil
	}
	return fmt.Errorf("%w%s", err, hint(err))
}

// hint says what is usually wrong. The console has the kernel's own message before it.
func hint(err error) string {
	switch {
	case errors.Is(err, unix.ENOSYS):
		return ": the kernel was built without modules"
	case errors.Is(err, unix.ENOENT):
		return ": a symbol is missing: load the module that exports it first"
	case errors.Is(err, unix.ENOEXEC):
		return ": the module was built for another kernel"
	case errors.Is(err, unix.EOPNOTSUPP):
		return ": the kernel cannot decompress modules: add the file to the image uncompressed"
	}
	return ""
}
