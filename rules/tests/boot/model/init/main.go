// Command init is an /init that prints the properties of the root directory and of all files below
// /c, in the form of package manifest.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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
	var lines []manifest.Line
	var inos []uint64             // of the lines' files; 0 for directories
	firsts := map[uint64]string{} // the first name of each file
	add := func(path string) error {
		line, ino, err := describe(path)
		if err != nil {
			return err
		}
		if line.Mode&syscall.S_IFMT == syscall.S_IFDIR {
			ino = 0
		} else if firsts[ino] == "" || path < firsts[ino] {
			firsts[ino] = path
		}
		lines, inos = append(lines, line), append(inos, ino)
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
	for i, line := range lines {
		line.First = firsts[inos[i]]
		fmt.Fprintln(z, line)
	}
	if err := z.Close(); err != nil {
		return err
	}
	n := 0
	for part := range slices.Chunk(b.Bytes(), 600) {
		fmt.Printf("%s%04d %s\n", manifest.Prefix, n, base64.StdEncoding.EncodeToString(part))
		n++
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
		var content []byte
		content, err = os.ReadFile(path)
		line.Digest = manifest.Digest(sha256.Sum256(content))
	case syscall.S_IFLNK:
		// Not os.Readlink, which wants a target.
		buf := make([]byte, 4096)
		var n int
		n, err = syscall.Readlink(path, buf)
		line.Target = string(buf[:max(n, 0)])
	}
	return line, st.Ino, err
}
