package modules

import (
	"fmt"
	"io"
	"io/fs"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

// WriteArchive writes a directory that a Layer has written as a cpio archive. Files have mode 0644 and
// directories 0755, everything belongs to root, and symbolic links stay.
func WriteArchive(w io.Writer, root fs.ReadLinkFS) error {
	archive := cpio.NewWriter(w)
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		switch entry.Type() {
		case fs.ModeDir:
			return archive.WriteHeader(&cpio.Header{Name: name, Mode: cpio.TypeDir | 0o755, NLink: 2})
		case fs.ModeSymlink:
			target, err := root.ReadLink(name)
			if err != nil {
				return err
			}
			err = archive.WriteHeader(&cpio.Header{Name: name, Mode: cpio.TypeSymlink | 0o777, NLink: 1, Size: int64(len(target))})
			if err != nil {
				return err
			}
			_, err = io.WriteString(archive, target)
			return err
		case 0:
			return archiveFile(archive, root, name)
		}
		return fmt.Errorf("%s: unexpected type %v", name, entry.Type())
	})
	if err != nil {
		return err
	}
	return archive.Close()
}

func archiveFile(archive *cpio.Writer, root fs.FS, name string) error {
	file, err := root.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(&cpio.Header{Name: name, Mode: cpio.TypeRegular | 0o644, NLink: 1, Size: info.Size()}); err != nil {
		return err
	}
	_, err = archive.ReadFrom(file)
	return err
}
