//go:build !linux

package unpack

import (
	"errors"

	"github.com/rules-initramfs/rules_initramfs/internal/image"
)

func makeNode(int, string, *image.Entry) error { return errors.ErrUnsupported }

// setLinkTime does without: a symbolic link keeps the time at which it was made.
func setLinkTime(int, string, uint32) error { return nil }
