// Package snapshot packs what a kernel's build folder has to have for another link, and
// unpacks it elsewhere so that make finds all of it up to date.
//
// Make compares times and takes what is not newer for up to date, so all files have one time.
// Commands are compared too, so the folder's path, where it is a part of some, becomes the
// path of the folder that a snapshot is unpacked to.
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

// stamp is the first entry of a snapshot, which says what it is and for which architecture.
const (
	stamp        = "rules_initramfs-snapshot"
	stampVersion = "1"
)

// moved is a record of what holds the build folder's path, and placeholder stands for it.
const (
	moved       = "RULESINITRAMFS.moved"
	placeholder = "@build folder@"
)

// modTime is the time of all files: after 1970, which make takes for no time at all.
var modTime = time.Unix(1_000_000_000, 0)

// Pack writes a snapshot of the files with these paths in the folder dir, for the
// architecture arch.
func Pack(w io.Writer, dir, arch string, names []string) (err error) {
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	p := &packer{archive: tar.NewWriter(z), dir: dir, made: map[string]bool{".": true}}
	if err := p.addFile(stamp, 0o644, []byte(stampVersion+" "+arch+"\n")); err != nil {
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
			return fmt.Errorf("holds the path of the folder that the kernel was built in, which differs from one build to the next")
		}
		content = bytes.ReplaceAll(content, []byte(p.dir), []byte(placeholder))
		h.PAXRecords = map[string]string{moved: "1"}
	}
	h.Size = int64(len(content))
	if err := p.archive.WriteHeader(h); err != nil {
		return err
	}
	_, err := p.archive.Write(content)
	return err
}
