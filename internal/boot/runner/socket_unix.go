//go:build unix

package runner

import (
	"os"
	"syscall"
)

// socketPair returns the two ends of a socket. Children do not inherit them.
func socketPair() (one, other *os.File, err error) {
	// As in package net: no child starts before both are marked.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	for _, end := range ends {
		syscall.CloseOnExec(end)
	}
	return os.NewFile(uintptr(ends[0]), "socket"), os.NewFile(uintptr(ends[1]), "socket"), nil
}
