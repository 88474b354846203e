//go:build !linux

package unpack

import (
	"errors"

	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

func makeNode(int, string, *kernel.File) error { return errors.ErrUnsupported }

// setLinkTime does nothing: a symbolic link keeps the time at which it was made.
func setLinkTime(int, string, uint32) error { return nil }
