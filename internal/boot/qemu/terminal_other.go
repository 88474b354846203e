//go:build !linux

package qemu

import "os"

// saveTerminal relies on QEMU to restore the terminal when it ends.
func saveTerminal(*os.File) (restore func()) { return func() {} }

// TerminalSize does not know.
func TerminalSize(*os.File) (rows, columns int) { return 0, 0 }
