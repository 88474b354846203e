package modules

// finitModule is the number of finit_module(2): arch/x86/entry/syscalls/syscall_64.tbl.
const finitModule = 313
