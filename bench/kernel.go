package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// maxLink is what a link may take of the compile's time.
const maxLink = 0.05

// linkTarget is what kbuild's own folder is brought to and what is timed in it: another
// archive, by the name that usr/Makefile takes as it is.
const linkTarget = "cp image.cpio.gz linux/usr/initramfs.cpio.linked && make -C linux -j%d ARCH=x86_64 bzImage"

// kernel compares compiling a kernel with linking another initramfs into it: by kbuild, in
// the folder that it has compiled in, and out of what kernel_build keeps.
func (b *bench) kernel() error {
	fmt.Print("\n### A kernel\n")
	if b.linux == "" {
		fmt.Print("\nNot here: a kernel's source; name its tarball with --linux\n")
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
	fragments := ""
	for _, name := range b.fragments {
		fragments += " --fragment " + name
	}
	compile, err := b.once("kernel compile --arch x86_64 --defconfig tinyconfig" + fragments + " --source " + b.linux +
		" --config config --image compiled --objects objects")
	if err != nil {
		return err
	}
	if err := b.unpackLinux(); err != nil {
		return err
	}
	inPlace := fmt.Sprintf(linkTarget, runtime.NumCPU())
	scratch, err := b.once(inPlace)
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
	folder, err := size(b.path("linux"))
	if err != nil {
		return err
	}
	fmt.Printf("\nx86_64, tinyconfig and what a Go program needs; an initramfs with one, %.1f MB with gzip.\n\n| | s | of the compile's time |\n|---|---|---|\n", float64(image.Size())/1e6)
	fmt.Printf("| `KernelCompile`: unpacks the source, configures, compiles, keeps the objects | %.1f | |\n", compile)
	fmt.Printf("| `make bzImage`, after unpacking and configuring | %.1f | %.3f |\n", scratch, scratch/compile)
	fmt.Printf("| `make bzImage` with another initramfs, in the folder that it was compiled in | %.2f | %.3f |\n", links[0].seconds, links[0].seconds/compile)
	fmt.Printf("| `KernelLink`: unpacks the objects, links another initramfs in | %.2f | %s |\n", links[1].seconds, ratio(links[1].seconds/compile, maxLink, "%.3f"))
	fmt.Printf("\nThe objects take %.1f MB, and the folder that they are of %.0f MB.\n", float64(objects.Size())/1e6, float64(folder)/1e6)
	return nil
}

// unpackLinux makes the folder "linux", configured as "config" says.
func (b *bench) unpackLinux() error {
	if err := os.Mkdir(b.path("linux"), 0o755); err != nil {
		return err
	}
	if err := b.run("sh", "-c", "tar --extract --directory=linux --strip-components=1 --file="+b.linux+
		` && sed 's|^CONFIG_INITRAMFS_SOURCE=.*|CONFIG_INITRAMFS_SOURCE="usr/initramfs.cpio.linked"|' config >linux/.config`); err != nil {
		return err
	}
	return b.run("sh", "-c", "make -C linux ARCH=x86_64 olddefconfig")
}

// once runs a command once, and returns the seconds that it took.
func (b *bench) once(line string) (float64, error) {
	seconds, _, err := b.first(command{line: line})
	return seconds, err
}

// size returns how many bytes the files of a folder take.
func size(folder string) (int64, error) {
	var total int64
	err := filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
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

// absolute makes paths absolute, for commands run in another folder. An empty one stays so.
func absolute(names ...*string) error {
	for _, name := range names {
		if *name == "" {
			continue
		}
		if strings.ContainsAny(*name, " \t'\"$") {
			return fmt.Errorf("%q: a path in a command line may not have blanks, quotes or dollars", *name)
		}
		path, err := filepath.Abs(*name)
		if err != nil {
			return err
		}
		if _, err := os.Stat(path); err != nil {
			return err
		}
		*name = path
	}
	return nil
}
