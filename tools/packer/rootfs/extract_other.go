//go:build !linux

package rootfs

import "errors"

func makeNode(int, string, *Entry) error { return errors.ErrUnsupported }

// setLinkTime does without: a symbolic link keeps the time at which it was made.
func setLinkTime(int, string, uint32) error { return nil }
