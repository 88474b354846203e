//go:build unix

package source

import "syscall"

// sysStat is what a FileInfo has in addition: owners, links and device numbers.
type sysStat = syscall.Stat_t
