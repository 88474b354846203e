package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// needed are the programs that all tables need. If one of the peers is missing, only its commands
// are left out.
var (
	needed = []string{"packer", "hyperfine", "time", "sh", "find", "sort"}
	peers  = []string{
		"kernel", "guest_init", "gen_init_cpio", "gen_initramfs.sh", "3cpio", "bsdcpio", "cpio",
		"pigz", "gzip", "zstd", "xz", "lzma", "lz4", "lzop", "bzip2",
		"depmod", "mkinitramfs", "dracut",
	}
)

// space is the most that the inputs and outputs take, in bytes.
const space = 8 << 30

// bench is a working directory in memory with the inputs of the commands, which run in it.
type bench struct {
	ctx       context.Context
	dir       string // the user's directory to pack; or ""
	linux     string // the tarball of a kernel's source; or ""
	fragments string // options for the kernel's configuration
	packages  []string
	work      string
	env       []string
	runs      int
	missing   []string
}

// newBench makes the working directory below memory. Its directory bin, the first one on PATH, links
// to the programs, so that a command line has their names, wherever they are.
func newBench(ctx context.Context, memory string, programs map[string]string) (*bench, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(memory, &fs); err != nil {
		return nil, fmt.Errorf("%s: %w: name another directory with --memory", memory, err)
	}
	if free := int64(fs.Bavail) * fs.Bsize; free < space {
		return nil, fmt.Errorf("%s has %d MiB free, but %d are needed: name another directory with --memory", memory, free>>20, space>>20)
	}
	work, err := os.MkdirTemp(memory, "bench")
	if err != nil {
		return nil, err
	}
	b := &bench{ctx: ctx, work: work}
	if err := b.makePath(programs); err != nil {
		b.remove()
		return nil, err
	}
	b.env = append(os.Environ(), "PATH="+b.path("bin")+":"+os.Getenv("PATH"), "LC_ALL=C", "SOURCE_DATE_EPOCH=0")
	return b, nil
}

// makePath makes the directory bin, and usr for gen_initramfs.sh.
func (b *bench) makePath(programs map[string]string) error {
	for _, name := range []string{"bin", "usr"} {
		if err := os.Mkdir(b.path(name), 0o755); err != nil {
			return err
		}
	}
	for _, name := range needed {
		if err := b.link(name, programs[name]); err != nil {
			return err
		}
	}
	for _, name := range peers {
		if b.link(name, programs[name]) != nil {
			b.missing = append(b.missing, name)
		}
	}
	// gen_initramfs.sh runs gen_init_cpio by this path.
	return os.Symlink("../bin/gen_init_cpio", b.path("usr/gen_init_cpio"))
}

func (b *bench) remove() { os.RemoveAll(b.work) }

func (b *bench) path(name string) string { return filepath.Join(b.work, name) }

// link links to a program from bin. The link has the name by which programs such as bsdcpio or lzma
// decide what to do.
func (b *bench) link(name, file string) error {
	file, err := exec.LookPath(cmp.Or(file, name))
	if err != nil {
		return err
	}
	if file, err = filepath.Abs(file); err != nil {
		return err
	}
	return os.Symlink(file, b.path("bin/"+name))
}

// has reports whether a program was found.
func (b *bench) has(name string) bool {
	_, err := os.Stat(b.path("bin/" + name))
	return err == nil
}
