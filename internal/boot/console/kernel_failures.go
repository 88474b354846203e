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

// A failurePattern finds the kernel's message about a failure.
type failurePattern struct {
	class failure.Class

	// literal is in every such line, and skips other lines fast: a console may print
	// megabytes without a newline.
	literal string

	// message matches the line. Its first group has the words that report the failure,
	// and the message begins there.
	message *regexp.Regexp
}

// messageStart matches what is before a message of the kernel: the start of the line, the
// level that console_msg_format=syslog adds, or the time and the caller that printk writes
// (kernel/printk/printk.c). Anywhere else, the
// same words do not come from the kernel: DEBUG: is not BUG:.
const messageStart = `(?:^(?:<\d+>)?|\[ *\d+\.\d+\] ?(?:\[ *[TC]\d+\] ?)?)`

// failurePatterns are tried in this order. Their texts are those of kernels 4.19 to 7.2.
var failurePatterns = []failurePattern{
	// kernel/panic.c. Anywhere in a line: the kernel does not wait for a program to
	// finish its line, and no program prints these words.
	{failure.Panic, "Kernel panic", regexp.MustCompile(`(Kernel panic) - not syncing`)},

	// arch/x86/mm/extable.c: the kernel halts before its console works. Only
	// earlyprintk shows it.
	{failure.Panic, "early exception", regexp.MustCompile(messageStart + `(PANIC: early exception)`)},

	// init/initramfs.c. The second is that of a kernel with CONFIG_BLK_DEV_RAM.
	{failure.UnpackingFailed, "Initramfs unpacking", regexp.MustCompile(messageStart + `(Initramfs unpacking failed)`)},
	{failure.UnpackingFailed, "rootfs image", regexp.MustCompile(messageStart + `(rootfs image is not initramfs)`)},

	// init/main.c.
	{failure.InitFailed, "Failed to execute", regexp.MustCompile(messageStart + `(Failed to execute) \S+ \(error -\d+\)`)},
	{failure.InitFailed, "Default init", regexp.MustCompile(messageStart + `(Default init) \S+ failed \(error -\d+\)`)},
	{failure.InitFailed, "Starting init", regexp.MustCompile(messageStart + `(Starting init:) \S+ exists but couldn't execute it`)},

	// kernel/watchdog.c and watchdog_perf.c, kernel/workqueue.c, kernel/smp.c, and
	// kernel/locking/spinlock_debug.c.
	{failure.Lockup, "BUG: soft", regexp.MustCompile(messageStart + `(?:NMI )?watchdog: (BUG: soft lockup)`)},
	{failure.Lockup, "Watchdog detected", regexp.MustCompile(messageStart + `(?:NMI )?watchdog: (?:CPU\d+: )?(Watchdog detected hard LOCKUP)`)},
	{failure.Lockup, "BUG: workqueue", regexp.MustCompile(messageStart + `(BUG: workqueue lockup)`)},
	{failure.Lockup, "CSD lock", regexp.MustCompile(messageStart + `(?:smp: )?csd: (Detected non-responsive CSD lock)`)},
	{failure.Lockup, "lockup suspected", regexp.MustCompile(messageStart + `(BUG: \w+ lockup suspected)`)},

	// kernel/rcu: tree_stall.h, tree_exp.h and tasks.h; tree.c and tree_plugin.h in older
	// kernels.
	{failure.RCUStall, "detected", regexp.MustCompile(messageStart + `(?:rcu: )?INFO: \S+ ((?:self-)?detected (?:expedited )?stall)`)},
	{failure.RCUStall, "kthread", regexp.MustCompile(messageStart + `rcu: \S+ (kthread (?:starved for|timer wakeup didn't happen for)) \d+ jiffies!`)},

	// arch/x86: mm/fault.c, kernel/traps.c and entry/entry_fred.c.
	{failure.Oops, "BUG: ", regexp.MustCompile(messageStart + `(BUG: (?:kernel NULL pointer dereference|unable to handle|(?:\S+ )?stack guard page was hit|invalid or fatal FRED event))`)},
	{failure.Oops, "PANIC: ", regexp.MustCompile(messageStart + `(?:traps: )?(PANIC: (?:double fault|invalid or fatal FRED event))`)},
	// arch/arm64 and arch/riscv: mm/fault.c, and kernel/traps.c with the words that die()
	// prints.
	{failure.Oops, "Unable to handle", regexp.MustCompile(messageStart + `(Unable to handle kernel)`)},
	{failure.Oops, "Internal error", regexp.MustCompile(messageStart + `(Internal error: )`)},
	{failure.Oops, "Oops", regexp.MustCompile(messageStart + `(Oops(?:: | - | \[#))`)},
	// arch/x86/kernel/dumpstack.c: die() before 6.10, whose words can be anything and
	// have no "Oops: " before them, ends like this.
	{failure.Oops, " [#", regexp.MustCompile(messageStart + `([^[,:][^,:]*|)(?:,.*)?: [0-9a-f]{4} \[#\d+\](?: [A-Z][A-Z_]*(?:\(\w+\))?)*\s*$`)},

	// lib/bug.c, and die() of arch/riscv/kernel/traps.c.
	{failure.Bug, "kernel BUG", regexp.MustCompile(messageStart + `(kernel BUG at )`)},
	{failure.Bug, "Kernel BUG", regexp.MustCompile(messageStart + `(Kernel BUG \[#)`)},
	// The code that prints BUG: itself, such as KASAN, KCSAN, KFENCE, KMSAN and the
	// scheduler.
	{failure.Bug, "BUG: ", regexp.MustCompile(messageStart + `(BUG: )`)},
	// mm/slub.c.
	{failure.Bug, "BUG ", regexp.MustCompile(messageStart + `(BUG )\S.* \((?:Not tainted|Tainted: .*?)\): `)},
	// lib/list_debug.c.
	{failure.Bug, "corruption", regexp.MustCompile(messageStart + `(list_(?:add|del) corruption)`)},

	// kernel/locking: lockdep.c and rtmutex.c.
	{failure.Lockdep, "WARNING: ", regexp.MustCompile(messageStart + `(WARNING: )` +
		`(?:possible (?:circular locking|recursive locking|irq lock inversion)|\S+-safe -> \S+-unsafe lock order|inconsistent lock state|` +
		`chain_key collision|Nested lock was not taken|bad (?:unlock balance|contention) detected|held lock freed|` +
		`\S.*/\d+ still has locks held|lock held when returning to user space|suspicious RCU usage)`)},
	{failure.Lockdep, "[ BUG: ", regexp.MustCompile(messageStart + `\[ (BUG: .*) \]$`)},
	{failure.Lockdep, "non-static key", regexp.MustCompile(messageStart + `(INFO: trying to register non-static key)`)},

	// kernel/panic.c: WARN() and WARN_ON(), before and since 6.19. Other lines begin with
	// the same word, and are for the owner of the machine.
	{failure.Warning, "WARNING: ", regexp.MustCompile(messageStart + `(WARNING: )(?:CPU: \d+ PID: \d+ at |(?:\S+:\d+ )?at \S+(?: \[\w+\])?, CPU#\d+: )`)},
	// arch/x86/kernel: unwind_frame.c, dumpstack_32.c and dumpstack_64.c.
	{failure.Warning, "WARNING: ", regexp.MustCompile(messageStart + `(WARNING: )(?:kernel stack (?:regs|frame pointer) at|stack recursion on stack type) `)},
	// mm/kmemleak.c.
	{failure.Warning, "kmemleak: ", regexp.MustCompile(messageStart + `kmemleak: \d+ new (suspected memory leaks)`)},

	// lib/ubsan.c.
	{failure.UBSAN, "UBSAN: ", regexp.MustCompile(messageStart + `(UBSAN: )\S.* in `)},

	// kernel/hung_task.c.
	{failure.HungTask, "INFO: task", regexp.MustCompile(messageStart + `(INFO: task) .* blocked .*for more than \d+ seconds`)},
}

// A kernelFailure is a failure that a line reports.
type kernelFailure struct {
	class   failure.Class
	words   string // the words that report it
	message string // the line from these words on
}

// findFailure returns the failure that a line reports.
func findFailure(line string) (kernelFailure, bool) {
	for _, p := range failurePatterns {
		if !strings.Contains(line, p.literal) {
			continue
		}
		if at := p.message.FindStringSubmatchIndex(line); at != nil {
			message := line[at[2]:]
			f := kernelFailure{class: p.class, words: line[at[2]:at[3]], message: message}
			if p.class == failure.Panic {
				f.class = panicClass(message)
			}
			return f, true
		}
	}
	return kernelFailure{}, false
}

// initPanics are the reasons of a panic because there is no first process (init/main.c,
// init/do_mounts.c, kernel/exit.c). If the initramfs has no /init, the kernel looks for
// one on a root file system.
var initPanics = []string{
	"Attempted to kill init!",
	"No working init found",
	"Requested init ",
	"VFS: Unable to mount root fs",
}

// unpackingPanics are the reasons of a panic because the kernel cannot unpack the archive
// that is linked into it (init/initramfs.c).
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

// Explain says what a message of the kernel means. It returns an empty string if the
// message is clear.
func Explain(message string) string {
	if m := exitCode.FindStringSubmatch(message); m != nil {
		status, _ := strconv.ParseUint(m[1], 16, 32) // always eight hexadecimal digits
		if signal := syscall.Signal(status & 0x7f); signal != 0 {
			return fmt.Sprintf("/init was killed by signal %d (%v)", int(signal), signal)
		}
		return fmt.Sprintf("/init exited with status %d, but it must not exit", status>>8&0xff)
	}
	if m := execError.FindStringSubmatch(message); m != nil {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			return ""
		}
		switch errno := syscall.Errno(n); errno {
		case syscall.ENOENT:
			return m[1] + ", or the interpreter that it names, does not exist"
		case syscall.EACCES:
			return m[1] + " is not an executable file"
		case syscall.ENOEXEC:
			return m[1] + " is not a program for this architecture"
		default:
			return fmt.Sprintf("%s: %v", m[1], errno)
		}
	}
	if noRoot.MatchString(message) {
		return "the initramfs has no /init that the kernel can run, and there is no root file system to use instead"
	}
	return ""
}
