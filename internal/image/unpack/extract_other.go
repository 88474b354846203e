//go:build !linux

package unpack

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

func makeNode(*directory, string, *kernel.File) error { return errors.ErrUnsupported }

// setLinkTime does nothing: a symbolic link keeps the time at which it was made.
func setLinkTime(*directory, string, uint32) error { return nil }

// rename moves a file to another directory.
func rename(from *directory, old string, to *directory, name string) error {
	return os.Rename(filepath.Join(from.Name(), old), filepath.Join(to.Name(), name))
}

// link gives a file a name in another directory.
func link(from *directory, old string, to *directory, name string) error {
	return os.Link(filepath.Join(from.Name(), old), filepath.Join(to.Name(), name))
}
