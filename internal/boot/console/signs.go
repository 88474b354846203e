package console

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
)

// A sign is a message of the kernel that a boot has failed.
type sign struct {
	class failure.Class

	// literal is in every such line, and a quick way to leave out the others: a
	// console may be megabytes without a newline.
	literal string

	// message finds it in a line. Its first group is the words that make it
	// what it is, and where the message begins.
	message *regexp.Regexp
}

// start is where a message of the kernel begins: with the line, or behind the
// time and the caller that printk writes (kernel/printk/printk.c). Elsewhere
// the same words are somebody else's: DEBUG: is no BUG:.
const start = `(?:^|\[ *\d+\.\d+\] ?(?:\[ *[TC]\d+\] ?)?)`

// signs are tried in this order.
var signs = []sign{
	// kernel/panic.c. Anywhere in a line: the kernel does not wait for the end
	// of a program's line, and nobody else has these words.
	{failure.Panic, "Kernel panic", regexp.MustCompile(`(Kernel panic) - not syncing`)},

	// init/initramfs.c: the second is that of a kernel with CONFIG_BLK_DEV_RAM.
	{failure.UnpackingFailed, "Initramfs unpacking", regexp.MustCompile(start + `(Initramfs unpacking failed)`)},
	{failure.UnpackingFailed, "rootfs image", regexp.MustCompile(start + `(rootfs image is not initramfs)`)},

	// init/main.c.
	{failure.InitFailed, "Failed to execute", regexp.MustCompile(start + `(Failed to execute) \S+ \(error -\d+\)`)},
	{failure.InitFailed, "Default init", regexp.MustCompile(start + `(Default init) \S+ failed \(error -\d+\)`)},
	{failure.InitFailed, "Starting init", regexp.MustCompile(start + `(Starting init:) \S+ exists but couldn't execute it`)},

	// kernel/watchdog.c.
	{failure.Lockup, "BUG: soft", regexp.MustCompile(start + `watchdog: (BUG: soft lockup)`)},
	{failure.Lockup, "Watchdog detected", regexp.MustCompile(start + `(?:NMI )?watchdog: (?:CPU\d+: )?(Watchdog detected hard LOCKUP)`)},

	// kernel/rcu/tree_stall.h.
	{failure.RCUStall, "detected stall", regexp.MustCompile(start + `rcu: INFO: \S+ ((?:self-)?detected stall)`)},

	// arch/*/mm/fault.c and arch/*/kernel/traps.c: the first two are x86's.
	{failure.Oops, "BUG: ", regexp.MustCompile(start + `(BUG: (?:kernel NULL pointer dereference|unable to handle))`)},
	{failure.Oops, "Unable to handle", regexp.MustCompile(start + `(Unable to handle kernel)`)},
	{failure.Oops, "Internal error", regexp.MustCompile(start + `(Internal error: )`)},
	{failure.Oops, "Oops", regexp.MustCompile(start + `(Oops(?:: | - | \[#))`)},

	// lib/bug.c, and whoever prints BUG: of itself: KASAN, the scheduler.
	{failure.Bug, "kernel BUG", regexp.MustCompile(start + `(kernel BUG at )`)},
	{failure.Bug, "BUG: ", regexp.MustCompile(start + `(BUG: )`)},
}

// A failing is what a line says of a failure.
type failing struct {
	class   failure.Class
	words   string // what makes it one
	message string // from the words to the line's end
}

// read returns what is wrong in a line.
func read(line string) (failing, bool) {
	for _, s := range signs {
		if !strings.Contains(line, s.literal) {
			continue
		}
		if at := s.message.FindStringSubmatchIndex(line); at != nil {
			message := line[at[2]:]
			f := failing{class: s.class, words: line[at[2]:at[3]], message: message}
			if s.class == failure.Panic {
				f.class = panicClass(message)
			}
			return f, true
		}
	}
	return failing{}, false
}

// initPanics are the panics for want of a first process (init/main.c,
// init/do_mounts.c, kernel/exit.c). Without an /init in the initramfs the
// kernel looks for a root file system to find one on.
var initPanics = []string{
	"Attempted to kill init!",
	"No working init found",
	"Requested init ",
	"VFS: Unable to mount root fs",
}

// unpackingPanics are the panics of a kernel that cannot unpack the archive
// that is linked into it, the texts of init/initramfs.c.
var unpackingPanics = []string{
	"bad data checksum",
	"broken padding",
	"compression method ",
	"damaged header",
	"decompressor failed",
	"incorrect cpio method used: use -H newc option",
	"invalid magic at start of compressed archive",
	"junk at the end of compressed archive",
	"junk within compressed archive",
	"malformed archive",
	"no cpio magic",
	"write error",
}

func panicClass(message string) failure.Class {
	_, reason, _ := strings.Cut(message, " - not syncing: ")
	begins := func(text string) bool { return strings.HasPrefix(reason, text) }
	switch {
	case slices.ContainsFunc(initPanics, begins):
		return failure.InitFailed
	case slices.ContainsFunc(unpackingPanics, begins):
		return failure.UnpackingFailed
	}
	return failure.Panic
}

var (
	exitCode  = regexp.MustCompile(`Attempted to kill init! exitcode=0x([0-9a-f]{8})`)
	execError = regexp.MustCompile(`(?:execute|init) (\S+) (?:failed )?\(error -(\d+)\)`)
	noRoot    = regexp.MustCompile(`VFS: Unable to mount root fs`)
)

// Explain says in words what a message of the kernel has in numbers; empty
// when there is nothing to add.
func Explain(message string) string {
	if m := exitCode.FindStringSubmatch(message); m != nil {
		n, _ := strconv.ParseUint(m[1], 16, 32) // of eight hexadecimal digits
		status := syscall.WaitStatus(n)
		if status.Signaled() {
			return fmt.Sprintf("/init was killed by signal %d (%v)", int(status.Signal()), status.Signal())
		}
		return fmt.Sprintf("/init ended with status %d", status.ExitStatus())
	}
	if m := execError.FindStringSubmatch(message); m != nil {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			return ""
		}
		switch errno := syscall.Errno(n); errno {
		case syscall.ENOENT:
			return m[1] + " or the interpreter that it names is not there"
		case syscall.EACCES:
			return m[1] + " is not an executable file"
		case syscall.ENOEXEC:
			return m[1] + " is no program for this machine"
		default:
			return fmt.Sprintf("%s: %v", m[1], errno)
		}
	}
	if noRoot.MatchString(message) {
		return "there is no /init that the kernel may run, and no root file system in its place"
	}
	return ""
}
