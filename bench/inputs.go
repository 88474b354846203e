package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The tree has about the size of a distribution's initramfs: 70 MB in 2,000 files.
const (
	treeBytes = 70e6
	fileBytes = treeBytes / 2000
	largest   = 4e6 // of one file, in bytes
)

// tree makes the directory "tree" with programs and libraries of this machine, or with the user's
// directory, and its lists.
func (b *bench) tree() error {
	tree := b.path("tree")
	if _, err := os.Lstat(tree); err == nil {
		return nil
	}
	if b.dir != "" {
		if out, err := exec.CommandContext(b.ctx, "cp", "-a", b.dir, tree).CombinedOutput(); err != nil {
			return fmt.Errorf("cp: %w: %s", err, out)
		}
		return b.describe("tree")
	}
	bytes, room := 0.0, 2e6
	for _, root := range []string{"/usr/bin", "/usr/sbin", "/usr/lib"} {
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if bytes >= treeBytes {
				return fs.SkipAll
			}
			if err != nil || !d.Type().IsRegular() || strings.ContainsAny(name, " \t\n*?[\\") {
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return nil
			}
			// Take a large file if small ones have left room for it, and a small one unless
			// there is too much room. So treeBytes end up in 2,000 files.
			size := float64(info.Size())
			if size > min(room, largest) || size < fileBytes && room > 2*largest {
				return nil
			}
			if copyFile(filepath.Join(tree, name), name) != nil {
				return nil // some files are not readable
			}
			bytes += size
			room += fileBytes - size
			return b.ctx.Err()
		})
		if err != nil {
			return err
		}
	}
	return b.describe("tree")
}

func copyFile(to, from string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return writeFile(to, content, 0o755)
}

// writeFile writes a file and makes its directory.
func writeFile(name string, content []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, content, mode)
}

// small makes the directory "small" with 100,000 files of up to 2 KB, a thousand in each directory,
// and its lists.
func (b *bench) small() error {
	line := strings.Repeat("0123456789abcdef", 128)
	for i := range 100_000 {
		content := fmt.Sprintf("%d\n%s", i, line[:i*7919%2000])
		err := writeFile(b.path(fmt.Sprintf("small/d%02d/f%03d", i/1000, i%1000)), []byte(content), 0o644)
		if err := errors.Join(err, b.ctx.Err()); err != nil {
			return err
		}
	}
	return b.describe("small")
}

// large makes the directory "large" with one file of 2 GiB, which repeats the files of the tree, and
// its lists.
func (b *bench) large() error {
	if err := b.tree(); err != nil {
		return err
	}
	if err := os.Mkdir(b.path("large"), 0o755); err != nil {
		return err
	}
	to, err := os.Create(b.path("large/file"))
	if err != nil {
		return err
	}
	defer to.Close()
	left := int64(2 << 30)
	for left > 0 {
		before := left
		err := filepath.WalkDir(b.path("tree"), func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || left == 0 {
				return err
			}
			from, err := os.Open(name)
			if err != nil {
				return err
			}
			defer from.Close()
			n, err := io.Copy(to, io.LimitReader(from, left))
			left -= n
			if err == nil {
				err = b.ctx.Err()
			}
			return err
		})
		if err != nil {
			return err
		}
		if left == before {
			return errors.New("the directory has no files with content")
		}
	}
	return b.describe("large")
}

// describe writes the lists of a directory: DIR.list for the packer and the kernel's tool, and
// DIR.manifest for 3cpio.
func (b *bench) describe(dir string) error {
	var list, manifest strings.Builder
	err := filepath.WalkDir(b.path(dir), func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(file, b.work+"/")
		at := strings.TrimPrefix(name, dir+"/")
		if name == dir {
			return nil
		}
		if strings.ContainsAny(name, " \t\n\\") {
			return fmt.Errorf("%q: not all programs support white space or backslashes in names", name)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm()
		switch info.Mode().Type() {
		case 0:
			fmt.Fprintf(&list, "file /%s %s %04o 0 0\n", at, name, mode)
			fmt.Fprintf(&manifest, "%s\t%s\tfile\t%o\t0\t0\t0\t%d\n", name, at, mode, info.Size())
		case fs.ModeDir:
			fmt.Fprintf(&list, "dir /%s %04o 0 0\n", at, mode)
			fmt.Fprintf(&manifest, "-\t%s\tdir\t%o\t0\t0\t0\n", at, mode)
		case fs.ModeSymlink:
			target, err := os.Readlink(file)
			if err != nil {
				return err
			}
			fmt.Fprintf(&list, "slink /%s %s 0777 0 0\n", at, target)
			fmt.Fprintf(&manifest, "-\t%s\tlink\t777\t0\t0\t0\t%s\n", at, target)
		default:
			return fmt.Errorf("%s is not a file, a directory or a symbolic link", name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(b.path(dir+".list"), []byte(list.String()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(b.path(dir+".manifest"), []byte(manifest.String()), 0o644)
}

// manifestWith writes a manifest of the tree for 3cpio, with a codec.
func (b *bench) manifestWith(name, codec string) error {
	plain, err := os.ReadFile(b.path("tree.manifest"))
	if err != nil {
		return err
	}
	return os.WriteFile(b.path(name), append([]byte("#cpio: "+codec+"\n"), plain...), 0o644)
}

// entries writes a list of n entries: a directory for each 99 files, which all have the content of
// one file of 1 KiB.
func (b *bench) entries(name string, n int) error {
	if err := os.WriteFile(b.path("one"), make([]byte, 1<<10), 0o644); err != nil {
		return err
	}
	f, err := os.Create(b.path(name))
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	for i := range n {
		if i%100 == 0 {
			fmt.Fprintf(w, "dir /d%05d 0755 0 0\n", i/100)
		} else {
			fmt.Fprintf(w, "file /d%05d/f%02d one 0644 0 0\n", i/100, i%100)
		}
	}
	return w.Flush()
}
