//prose:off because this file has the kernel's words.

package console

import (
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// TestFindFailure has lines that kernels print, made from the format strings of their source:
// of 4.19 to 7.2, unless a line says which.
func TestFindFailure(t *testing.T) {
	for _, test := range []struct {
		line string
		want failure.Class // empty for none
	}{
		{"[    3.1] Kernel panic - not syncing: sysrq triggered crash", failure.Panic},
		{"[    3.1][    T1] Kernel panic - not syncing: Fatal exception in interrupt", failure.Panic},
		{"ready# Kernel panic - not syncing: Fatal exception", failure.Panic},
		{"[    3.1] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000300", failure.InitFailed},
		{"[    3.1] Kernel panic - not syncing: No working init found.  Try passing init= option to kernel.", failure.InitFailed},
		{"[    3.1] Kernel panic - not syncing: Requested init /sbin/x failed (error -2).", failure.InitFailed},
		{`[    3.1] Kernel panic - not syncing: VFS: Unable to mount root fs on "" or unknown-block(0,0)`, failure.InitFailed},
		{"[    0.5] Kernel panic - not syncing: junk within compressed archive", failure.UnpackingFailed},
		{"[    0.5] Kernel panic - not syncing: compression method xz not configured", failure.UnpackingFailed},
		{"[    0.5] Initramfs unpacking failed: no cpio magic", failure.UnpackingFailed},
		{"[    0.5] rootfs image is not initramfs (no cpio magic); looks like an initrd", failure.UnpackingFailed},
		{"[    2.4] Failed to execute /init (error -8)", failure.InitFailed},
		{"[    2.4] Default init /sbin/init failed (error -2)", failure.InitFailed},
		{"[    2.4] Starting init: /bin/sh exists but couldn't execute it (error -13)", failure.InitFailed},
		{"[   30.1] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [init:1]", failure.Lockup},
		{"[   30.1] watchdog: CPU1: Watchdog detected hard LOCKUP on cpu 1", failure.Lockup},
		{"[   21.0] rcu: INFO: rcu_preempt self-detected stall on CPU", failure.RCUStall},
		{"[   30.1] watchdog: Watchdog detected hard LOCKUP on cpu 0", failure.Lockup},
		{"[   30.1] NMI watchdog: Watchdog detected hard LOCKUP on cpu 0", failure.Lockup},
		{"[   60.0] BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!", failure.Lockup},
		{"[   60.0] smp: csd: Detected non-responsive CSD lock (#1) on CPU#1, waiting 5000000038 ns for CPU#00 flush_tlb_func+0x0/0x1a0(0x0).", failure.Lockup},
		{"[   60.0] BUG: spinlock lockup suspected on CPU#1, init/1", failure.Lockup},
		{"[   21.0] rcu: INFO: rcu_sched detected stalls on CPUs/tasks:", failure.RCUStall},
		{"[   21.0] INFO: rcu_sched detected stalls on CPUs/tasks:", failure.RCUStall},
		{"[   21.0] rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-...D } 21 jiffies s: 45 root: 0x2/.", failure.RCUStall},
		{"[   21.0][    C1] rcu: INFO: rcu_sched detected expedited stalls, but suppressed full report due to a stuck CSD-lock.", failure.RCUStall},
		{"[  601.0] INFO: rcu_tasks detected stalls on tasks:", failure.RCUStall},
		{"[  601.0] INFO: rcu_tasks_trace detected stalls on tasks:", failure.RCUStall},
		{"[   21.0] rcu: rcu_preempt kthread starved for 5252 jiffies! g1117 f0x0 RCU_GP_WAIT_FQS(5) ->state=0x0 ->cpu=0", failure.RCUStall},
		{"[   21.0] rcu: rcu_preempt kthread timer wakeup didn't happen for 5251 jiffies! g1117 f0x0 RCU_GP_WAIT_FQS(5) ->state=0x402", failure.RCUStall},

		// x86 up to 4.20, and up to 6.9: die() without "Oops: ".
		{"[    2.0] BUG: unable to handle kernel NULL pointer dereference at 0000000000000000", failure.Oops},
		{"[    2.0] BUG: unable to handle kernel paging request at ffffc90000000000", failure.Oops},
		{"[    2.0] Oops: 0002 [#1] SMP PTI", failure.Oops},
		{"[    2.0] general protection fault: 0000 [#1] SMP NOPTI", failure.Oops},
		{"[    2.0] general protection fault, probably for non-canonical address 0xdffffc0000000000: 0000 [#1] PREEMPT SMP KASAN", failure.Oops},
		{"[    2.0][  T104] general protection fault, maybe for address 0xffff: 0010 [#2] PREEMPT_RT SMP DEBUG_PAGEALLOC PTI", failure.Oops},
		{"[    2.0] divide error: 0000 [#1] SMP", failure.Oops},
		{"[    2.0] invalid opcode: 0000 [#1] PREEMPT_DYNAMIC SMP NOPTI", failure.Oops},
		{"[    2.0] stack segment: 0000 [#12]", failure.Oops},
		{"[    2.0] int3: 0000 [#1] PREEMPT(voluntary) SMP", failure.Oops},
		{"[    2.0] Bad pagetable: 000d [#1] SMP", failure.Oops},
		{"[    2.0] kernel stack overflow (page fault): 0000 [#1] SMP ", failure.Oops},
		{"[    2.0] control protection fault: 0003 [#1] SMP", failure.Oops},
		{"[    2.0] : 0000 [#1] SMP", failure.Oops}, // the words end with a newline
		{"divide error: 0000 [#1] SMP", failure.Oops},
		// since 6.10.
		{"[    2.0] Oops: general protection fault, probably for non-canonical address 0x5a5a: 0000 [#1] SMP NOPTI", failure.Oops},
		{"[    2.0] Oops: divide error: 0000 [#1] SMP NOPTI", failure.Oops},
		{"[    2.0] PANIC: double fault, error_code: 0x0", failure.Oops},
		{"[    2.0] traps: PANIC: double fault, error_code: 0x0", failure.Oops},
		{"[    2.0] BUG: stack guard page was hit at ffffc90000013fe8 (stack is ffffc90000014000..ffffc90000017fff)", failure.Oops},
		{"[    2.0] BUG: TASK stack guard page was hit at ffffc90000013fe8 (stack is ffffc90000014000..ffffc90000018000)", failure.Oops},
		{"[    2.0] BUG: invalid or fatal FRED event; event type 3 vector 13 error 0x0 aux 0x0 at 0010:ffffffff81000000", failure.Oops},
		{"PANIC: early exception 0x0e IP 10:ffffffff82a3c0f5 error 0 cr2 0xffffffffff5fc0ff", failure.Panic},
		// arm64.
		{"[    2.0] Unable to handle kernel paging request at virtual address dead000000000100", failure.Oops},
		{"[    2.0] Unable to handle kernel execution of user memory at virtual address 0000aaaad0000000", failure.Oops},
		{"[    2.0] Internal error: Oops: 96000044 [#1] SMP", failure.Oops},
		{"[    2.0] Internal error: Oops - Undefined instruction: 0000000002000000 [#1] SMP", failure.Oops},
		{"[    2.0] Internal error: Oops - BUG: 00000000f2000800 [#1] PREEMPT SMP", failure.Oops},
		{"[    2.0] Internal error: synchronous external abort: 96000010 [#1] SMP", failure.Oops},
		{"[    2.0] Internal error: UBSAN: array index out of bounds: 00000000f2005512 [#1]  SMP", failure.Oops},
		{"[    2.0] Kernel panic - not syncing: Asynchronous SError Interrupt", failure.Panic},
		{"[    2.0] Kernel panic - not syncing: Unhandled exception", failure.Panic},
		{"[    2.0] Kernel panic - not syncing: kernel stack overflow", failure.Panic},
		// riscv.
		{"[    2.0] Unable to handle kernel access to user memory without uaccess routines at virtual address 0000000000000000", failure.Oops},
		{"[    2.0] Oops - illegal instruction [#1]", failure.Oops},
		{"[    2.0] Oops - load address misaligned [#1]", failure.Oops},
		{"[    2.0] Kernel BUG [#1]", failure.Bug},

		{"[    2.0] Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: f+0x1/0x2", failure.Panic},
		{"[    2.0] BUG: kernel NULL pointer dereference, address: 0000000000000000", failure.Oops},
		{"[    2.0] BUG: unable to handle page fault for address: ffffffffffffffff", failure.Oops},
		{"[    2.0] Oops: Oops: 0002 [#1] SMP NOPTI", failure.Oops},
		{"[    2.0] Oops [#1]", failure.Oops},
		{"[    2.0] Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000", failure.Oops},
		{"[    2.0] Internal error: Oops: 0000000096000044 [#1] SMP", failure.Oops},
		{"[    2.0] kernel BUG at mm/slub.c:123!", failure.Bug},
		{"[    2.0] BUG: KASAN: slab-out-of-bounds in f+0x1/0x2", failure.Bug},
		{"[    2.0] BUG: KFENCE: use-after-free read in f+0x1/0x2", failure.Bug},
		{"[    2.0] BUG: KCSAN: data-race in f / g", failure.Bug},
		{"[    2.0] BUG: KMSAN: uninit-value in f+0x1/0x2", failure.Bug},
		{"BUG: scheduling while atomic: init/1/0x00000002", failure.Bug},
		{"[    2.0] BUG: sleeping function called from invalid context at mm/slab.h:1", failure.Bug},
		{"[    2.0] BUG: Bad page state in process init  pfn:00001", failure.Bug},
		{"[    2.0] BUG: spinlock bad magic on CPU#0, init/1", failure.Bug},
		{"[    2.0] BUG kmalloc-64 (Not tainted): Poison overwritten", failure.Bug},
		{"[    2.0] BUG kmalloc-64 (Tainted: G    B   W         ): Object already free", failure.Bug},
		{"[    2.0] list_add corruption. prev->next should be next (ffff888003a52c08), but was 0000000000000000. (prev=ffff888003a52c08).", failure.Bug},
		{"[    2.0] list_del corruption, ffff888003a52c08->next is LIST_POISON1 (dead000000000100)", failure.Bug},

		{"[    2.0] WARNING: CPU: 0 PID: 1 at kernel/x.c:1 f+0x1/0x2", failure.Warning},
		{"[    2.0] WARNING: CPU: 0 PID: 1 at f+0x1/0x2", failure.Warning},
		{"[    2.0] WARNING: kernel/x.c:1 at f+0x1/0x2, CPU#0: init/1", failure.Warning}, // since 6.19
		{"[    2.0] WARNING: at f+0x1/0x2 [module], CPU#12: kworker/0:1/9", failure.Warning},
		{"[    2.0] WARNING: drivers/x.c:1 at f+0x1/0x2 [module], CPU#12: kworker/0:1/9", failure.Warning},
		{"[    2.0] WARNING: kernel stack frame pointer at (____ptrval____) in init:1 has bad value (____ptrval____)", failure.Warning},
		{"[    2.0] WARNING: stack recursion on stack type 2", failure.Warning},
		{"[  602.0] kmemleak: 5 new suspected memory leaks (see /sys/kernel/debug/kmemleak)", failure.Warning},
		{"<4>[    2.0] WARNING: CPU: 0 PID: 1 at kernel/x.c:1 f+0x1/0x2", failure.Warning}, // console_msg_format=syslog
		{"<4>WARNING: CPU: 0 PID: 1 at kernel/x.c:1 f+0x1/0x2", failure.Warning},
		{"[    2.0] WARNING: possible circular locking dependency detected", failure.Lockdep},
		{"[    2.0] WARNING: possible recursive locking detected", failure.Lockdep},
		{"[    2.0] WARNING: possible irq lock inversion dependency detected", failure.Lockdep},
		{"[    2.0] WARNING: SOFTIRQ-safe -> SOFTIRQ-unsafe lock order detected", failure.Lockdep},
		{"[    2.0] WARNING: inconsistent lock state", failure.Lockdep},
		{"[    2.0] WARNING: bad unlock balance detected!", failure.Lockdep},
		{"[    2.0] WARNING: held lock freed!", failure.Lockdep},
		{"[    2.0] WARNING: kworker/0:1/9 still has locks held!", failure.Lockdep},
		{"[    2.0] WARNING: lock held when returning to user space!", failure.Lockdep},
		{"[    2.0] WARNING: suspicious RCU usage", failure.Lockdep},
		{"[    2.0] [ BUG: Invalid wait context ]", failure.Lockdep},
		{"[    2.0] INFO: trying to register non-static key.", failure.Lockdep},
		{"[    2.0] UBSAN: array-index-out-of-bounds in lib/x.c:1:2", failure.UBSAN},
		{"[    2.0] UBSAN: Undefined behaviour in lib/x.c:1:2", failure.UBSAN}, // up to 5.8
		{"[  242.0] INFO: task init:1 blocked for more than 120 seconds.", failure.HungTask},
		{"[  242.0] INFO: task kworker/0:1:9 blocked in I/O wait for more than 241 seconds.", failure.HungTask},

		{"DEBUG: all is well", ""},
		{"init: BUG: not the kernel's", ""},
		{"Oops, said the program", ""},
		{"init: Initramfs unpacking failed, once", ""},
		{"init: divide error: 0000 is what x86 calls it", ""},
		{"[    2.0] traps: init[1] general protection fault ip:401000 sp:7ffc0 error:0 in init[401000+1000]", ""},
		{"test 7: 0007 [#1] passed", ""},
		{"[    2.0] Modules linked in: x(O) [last unloaded: y]", ""},
		{"[    2.0] RETBleed: WARNING: Spectre v2 mitigation leaves CPU vulnerable to RETBleed attacks, data leaks possible!", ""},
		{"[    2.0] WARNING: x1-x3 nonzero in violation of boot protocol:", ""},
		{"WARNING: at least one disk is missing", ""},
		{"[    2.0] rcu: INFO: Stall ended before state dump start", ""},
		{"[    2.0] INFO: lockdep is turned off.", ""},
		{"[    2.0] NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.", ""},
		{"[    2.0] Run /init as init process", ""},
		{"[    0.0] rcu: Hierarchical RCU implementation.", ""},
		{"", ""},
	} {
		f, ok := findFailure(test.line)
		if ok != (test.want != "") || f.class != test.want {
			t.Errorf("%q: class %q, want %q", test.line, f.class, test.want)
		}
	}
}

func TestExplain(t *testing.T) {
	texts := map[string]string{}
	for _, message := range []string{
		"Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000300",
		"Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000000",
		"Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b",
		"Failed to execute /init (error -8)",
		"Failed to execute /init (error -2)",
		"Failed to execute /init (error -13)",
		"Failed to execute /init (error -12)",
		"Kernel panic - not syncing: Requested init /x failed (error -2).",
		`Kernel panic - not syncing: VFS: Unable to mount root fs on "" or unknown-block(0,0)`,
		"Kernel panic - not syncing: Fatal exception",
	} {
		texts[message] = Explain(message)
	}
	golden.Messages(t, "TestExplain.txt", texts)
}
