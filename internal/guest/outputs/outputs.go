// Package outputs packs the folder of files that a program has left, and unpacks it elsewhere.
package outputs

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// Pack writes the directories and regular files below a folder. Of what else is there the names
// are returned: links and devices have no use on another machine.
func Pack(w io.Writer, dir string) (left []string, err error) {
	z := gzip.NewWriter(w)
	archive := tar.NewWriter(z)
	root := os.DirFS(dir)
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".":
			return nil
		case entry.IsDir():
			return archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755})
		case !entry.Type().IsRegular():
			left = append(left, name)
			return nil
		}
		return packFile(archive, root, name)
	})
	return left, errors.Join(err, archive.Close(), z.Close())
}

func packFile(archive *tar.Writer, root fs.FS, name string) error {
	file, err := root.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: info.Size()}); err != nil {
		return err
	}
	// Something may still write to it: what is there now is taken.
	_, err = io.Copy(archive, io.LimitReader(file, info.Size()))
	return err
}

// Unpack unpacks to a folder what Pack has written, with at most this many bytes in its files.
// Nothing outside of the folder is written.
func Unpack(r io.Reader, dir string, limit int64) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	z, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	archive := tar.NewReader(z)
	for {
		h, err := archive.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if limit -= h.Size; limit < 0 {
			return fmt.Errorf("%s: the files take more than the %d bytes left for them", h.Name, limit+h.Size)
		}
		if err := unpack(root, h, archive); err != nil {
			return err
		}
	}
}

func unpack(root *os.Root, h *tar.Header, content io.Reader) error {
	switch h.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(path.Clean(h.Name), 0o755)
	case tar.TypeReg:
	default:
		return fmt.Errorf("%s: neither a directory nor a file", h.Name)
	}
	if err := root.MkdirAll(path.Dir(h.Name), 0o755); err != nil {
		return err
	}
	file, err := root.Create(h.Name)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}
