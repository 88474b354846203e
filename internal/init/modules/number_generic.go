//go:build !amd64

package modules

// finitModule is the number of finit_module(2): scripts/syscall.tbl, which newer
// architectures share, arm64 and riscv64 among them.
const finitModule = 273
