// Package snapshot packs the files of a kernel's build directory that another link needs, or
// modules out of the kernel's tree, and unpacks them elsewhere so that make finds all of them up to
// date.
//
// All files get the same mtime, so make treats them as up to date. Kbuild also compares the
// commands that made them. Where the path of the build directory is part of a command, it is
// replaced by the path of the directory that the snapshot is unpacked to.
package snapshot

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"
)

// stamp is the first entry of a snapshot. It identifies the format, the kind and the architecture.
const (
	stamp        = "rules_initramfs-snapshot"
	stampVersion = "2"
)

// Kind is the purpose of a snapshot.
type Kind string

const (
	// Objects are what a kernel is linked from.
	Objects Kind = "objects"
	// ModuleTree is what modules out of the kernel's tree are compiled with.
	ModuleTree Kind = "module-tree"
	// DeviceTreeSources are what device trees are compiled with.
	DeviceTreeSources Kind = "device-tree-sources"
)

// what says what a snapshot is.
func (k Kind) what() string {
	switch k {
	case ModuleTree:
		return "what modules of a kernel are compiled with"
	case DeviceTreeSources:
		return "what device trees are compiled with"
	}
	return "the objects of a compiled kernel"
}

// relocated is the PAX record that marks a file in which placeholder replaces the path of the
// build directory.
const (
	relocated   = "RULESINITRAMFS.moved"
	placeholder = "@build directory@"
)

// modTime is the mtime of all files. It is not 0, which make treats as no time at all.
var modTime = time.Unix(1_000_000_000, 0)

// Pack writes a snapshot of the files with these paths below the directory dir, for the
// architecture arch.
func Pack(w io.Writer, kind Kind, dir, arch string, names []string) (err error) {
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	p := &packer{archive: tar.NewWriter(z), dir: dir, made: map[string]bool{".": true}}
	if err := p.addFile(stamp, 0o644, []byte(stampVersion+" "+string(kind)+" "+arch+"\n")); err != nil {
		return err
	}
	for _, name := range names {
		if err := p.add(name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return errors.Join(p.archive.Close(), z.Close())
}

type packer struct {
	archive *tar.Writer
	dir     string
	made    map[string]bool
}

func (p *packer) add(name string) error {
	if err := p.addDir(path.Dir(name)); err != nil {
		return err
	}
	file := filepath.Join(p.dir, name)
	info, err := os.Lstat(file)
	if err != nil {
		return err
	}
	if info.Mode()&os.ModeSymlink != 0 {
		target, err := os.Readlink(file)
		if err != nil {
			return err
		}
		return p.archive.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777, ModTime: modTime})
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return p.addFile(name, info.Mode(), content)
}

func (p *packer) addDir(name string) error {
	if p.made[name] {
		return nil
	}
	p.made[name] = true
	if err := p.addDir(path.Dir(name)); err != nil {
		return err
	}
	return p.archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755, ModTime: modTime})
}

func (p *packer) addFile(name string, mode os.FileMode, content []byte) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, ModTime: modTime}
	if mode&0o111 != 0 {
		h.Mode = 0o755
	}
	if bytes.Contains(content, []byte(p.dir)) {
		if bytes.IndexByte(content, 0) >= 0 {
			return errors.New("a binary file contains the path of the build directory, which differs between builds")
		}
		content = bytes.ReplaceAll(content, []byte(p.dir), []byte(placeholder))
		h.PAXRecords = map[string]string{relocated: "1"}
	}
	h.Size = int64(len(content))
	if err := p.archive.WriteHeader(h); err != nil {
		return err
	}
	_, err := p.archive.Write(content)
	return err
}
