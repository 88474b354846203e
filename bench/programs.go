package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// needed are the programs without which nothing is measured, and the peers those
// that a command is left out without.
var (
	needed = []string{"packer", "hyperfine", "time", "sh", "find", "sort"}
	peers  = []string{
		"kernel", "gen_init_cpio", "gen_initramfs.sh", "3cpio", "bsdcpio", "cpio",
		"pigz", "gzip", "zstd", "xz", "lzma", "lz4", "lzop", "bzip2",
	}
)

// space is what the inputs and outputs take at most, in bytes.
const space = 8 << 30

// bench has a folder in memory, in which all commands run, with what they read.
type bench struct {
	ctx       context.Context
	folder    string   // of the user's, to be packed; or ""
	linux     string   // the tarball of a kernel's source; or ""
	fragments []string // of its configuration
	work      string
	env       []string
	runs      int
	missing   []string
}

// newBench makes the folder, with a link to each program in its bin, which is the
// first of PATH: a command says "packer", whatever file that is.
func newBench(ctx context.Context, memory, folder string, at map[string]string) (*bench, error) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(memory, &disk); err != nil {
		return nil, fmt.Errorf("%s: %w: name another folder with -memory", memory, err)
	}
	if free := int64(disk.Bavail) * disk.Bsize; free < space {
		return nil, fmt.Errorf("%s has %d MiB left, and %d are needed: name another folder with -memory", memory, free>>20, space>>20)
	}
	work, err := os.MkdirTemp(memory, "bench")
	if err != nil {
		return nil, err
	}
	b := &bench{ctx: ctx, folder: folder, work: work}
	if b.folder != "" {
		b.folder, err = filepath.Abs(b.folder)
	}
	for _, dir := range []string{"bin", "usr"} {
		if err == nil {
			err = os.Mkdir(filepath.Join(work, dir), 0o755)
		}
	}
	for _, name := range needed {
		if err == nil {
			err = b.link(name, at[name])
		}
	}
	if err != nil {
		b.remove()
		return nil, err
	}
	for _, name := range peers {
		if b.link(name, at[name]) != nil {
			b.missing = append(b.missing, name)
		}
	}
	// The kernel's script runs the kernel's tool by this path.
	if err := os.Symlink("../bin/gen_init_cpio", filepath.Join(work, "usr/gen_init_cpio")); err != nil {
		b.remove()
		return nil, err
	}
	b.env = append(os.Environ(), "PATH="+filepath.Join(work, "bin")+":"+os.Getenv("PATH"), "LC_ALL=C", "SOURCE_DATE_EPOCH=0")
	return b, nil
}

func (b *bench) remove() { os.RemoveAll(b.work) }

func (b *bench) path(name string) string { return filepath.Join(b.work, name) }

// link makes a program known under its name. Some find out who they are by the
// name of their file: those have it already.
func (b *bench) link(name, file string) error {
	if file == "" {
		file = name
	}
	file, err := exec.LookPath(file)
	if err != nil {
		return err
	}
	if file, err = filepath.Abs(file); err != nil {
		return err
	}
	return os.Symlink(file, b.path("bin/"+name))
}

// here tells whether there is a program.
func (b *bench) here(name string) bool {
	_, err := os.Stat(b.path("bin/" + name))
	return err == nil
}
