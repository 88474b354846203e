// Command init is an /init that prints what files there are: of the root
// directory itself and of all below /c. Package manifest has the form.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/rules-initramfs/rules_initramfs/rules/tests/boot/model/manifest"
)

func main() {
	if err := printFiles(); err != nil {
		fmt.Println("init:", err)
	}
	syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
}

func printFiles() error {
	lines := []manifest.Line{}
	firsts := map[uint64]string{}
	add := func(path string) error {
		line, ino, err := describe(path)
		if err != nil {
			return err
		}
		if line.Mode&syscall.S_IFMT != syscall.S_IFDIR {
			if firsts[ino] == "" || path < firsts[ino] {
				firsts[ino] = path
			}
			line.First = fmt.Sprint(ino)
		}
		lines = append(lines, line)
		return nil
	}
	if err := add("/"); err != nil {
		return err
	}
	if err := filepath.WalkDir("/c", func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return add(path)
	}); err != nil {
		return err
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for _, line := range lines {
		if line.First != "" {
			var ino uint64
			fmt.Sscan(line.First, &ino)
			line.First = firsts[ino]
		}
		fmt.Fprintln(z, line)
	}
	if err := z.Close(); err != nil {
		return err
	}
	n := 0
	for data := b.Bytes(); len(data) > 0; n++ {
		part := data[:min(len(data), 600)]
		data = data[len(part):]
		fmt.Printf("%s%04d %s\n", manifest.Prefix, n, base64.StdEncoding.EncodeToString(part))
	}
	fmt.Printf("%s%d\n", manifest.End, n)
	return nil
}

// describe describes a file, and returns the number of its inode.
func describe(path string) (manifest.Line, uint64, error) {
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		return manifest.Line{}, 0, &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	line := manifest.Line{
		Path: path, Mode: st.Mode, UID: st.Uid, GID: st.Gid, NLink: int(st.Nlink), MTime: st.Mtim.Sec,
		RMajor: uint32(st.Rdev>>8&0xfff | st.Rdev>>32&0xfffff000),
		RMinor: uint32(st.Rdev&0xff | st.Rdev>>12&0xffffff00),
	}
	var err error
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		line.Size = st.Size
		var sum [sha256.Size]byte
		if sum, err = digest(path); err == nil {
			line.Digest = manifest.Digest(sum)
		}
	case syscall.S_IFLNK:
		// Not os.Readlink, which wants a target.
		buf := make([]byte, 4096)
		var n int
		n, err = syscall.Readlink(path, buf)
		line.Target = string(buf[:max(n, 0)])
	}
	return line, st.Ino, err
}

func digest(path string) (sum [sha256.Size]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	h.Sum(sum[:0])
	return sum, err
}
