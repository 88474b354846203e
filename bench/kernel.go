package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// maxLink is the target for the time of a link, as a fraction of the compile's.
const maxLink = 0.05

// linkCommand links another archive in, in kbuild's own build directory. usr/Makefile copies a file
// of this name unchanged.
const linkCommand = "cp image.cpio.gz linux/usr/initramfs.cpio.linked && make -C linux -j%d ARCH=x86_64 bzImage"

// kernel compares compiling a kernel with linking another initramfs into it: by kbuild in its
// build directory, and by "kernel link" from the objects that kernel_build keeps.
func (b *bench) kernel() error {
	fmt.Print("\n### A kernel\n")
	if b.linux == "" {
		fmt.Print("\nLeft out: it needs the source of a kernel, with --linux FILE\n")
		return nil
	}
	program, err := filepath.EvalSymlinks(b.path("bin/packer"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(b.path("init.list"), []byte("file /init "+program+" 0755 0 0\n"), 0o644); err != nil {
		return err
	}
	if err := b.run("packer", "pack", "--compress", "gzip", "--out", "image.cpio.gz", "init.list"); err != nil {
		return err
	}
	image, err := os.Stat(b.path("image.cpio.gz"))
	if err != nil {
		return err
	}
	compile, _, err := b.first("kernel compile --arch x86_64 --defconfig tinyconfig" + b.fragments + " --source " + b.linux +
		" --config config --image compiled --objects objects")
	if err != nil {
		return err
	}
	if err := b.unpackLinux(); err != nil {
		return err
	}
	inPlace := fmt.Sprintf(linkCommand, runtime.NumCPU())
	scratch, _, err := b.first(inPlace)
	if err != nil {
		return err
	}
	links, err := b.measure([]command{
		{line: inPlace},
		{line: "kernel link --arch x86_64 --objects objects --initramfs image.cpio.gz --image out --vmlinux vmlinux"},
	})
	if err != nil {
		return err
	}
	objects, err := os.Stat(b.path("objects"))
	if err != nil {
		return err
	}
	buildDir, err := size(b.path("linux"))
	if err != nil {
		return err
	}
	fmt.Printf("\nx86_64, tinyconfig with the options that a Go program needs, and an initramfs with one, %.1f MB with gzip.\n\n| | s | fraction of the compile |\n|---|---|---|\n", float64(image.Size())/1e6)
	fmt.Printf("| `KernelCompile`: unpacks the source, configures, compiles, keeps the objects | %.1f | |\n", compile)
	fmt.Printf("| `make bzImage`, after unpacking and configuring | %.1f | %.3f |\n", scratch, scratch/compile)
	fmt.Printf("| `make bzImage` with another initramfs, in the build directory | %.2f | %.3f |\n", links[0].seconds, links[0].seconds/compile)
	fmt.Printf("| `KernelLink`: unpacks the objects, links another initramfs in | %.2f | %s |\n", links[1].seconds, ratio(links[1].seconds/compile, maxLink, "%.3f"))
	fmt.Printf("\nThe objects take %.1f MB, and the build directory %.0f MB.\n", float64(objects.Size())/1e6, float64(buildDir)/1e6)
	return nil
}

// unpackLinux makes the directory "linux" with the source and the configuration of the file "config".
func (b *bench) unpackLinux() error {
	if err := os.Mkdir(b.path("linux"), 0o755); err != nil {
		return err
	}
	return b.run("sh", "-c", "tar --extract --directory=linux --strip-components=1 --file="+b.linux+
		` && sed 's|^CONFIG_INITRAMFS_SOURCE=.*|CONFIG_INITRAMFS_SOURCE="usr/initramfs.cpio.linked"|' config >linux/.config`+
		" && make -C linux ARCH=x86_64 olddefconfig")
}

// size returns the size of all files below a directory, in bytes.
func size(dir string) (int64, error) {
	var total int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		total += info.Size()
		return nil
	})
	return total, err
}

// absolute makes a file's path absolute, because commands run in another directory.
func absolute(name string) (string, error) {
	if strings.ContainsAny(name, " \t'\"$") {
		return "", fmt.Errorf("%q: a path must not contain blanks, quotes or dollar signs, because it becomes part of a command", name)
	}
	if _, err := os.Stat(name); err != nil {
		return "", err
	}
	return filepath.Abs(name)
}
