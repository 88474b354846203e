package console

import (
	"testing"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/failure"
	"github.com/rules-initramfs/rules_initramfs/internal/golden"
)

// TestFindFailure has lines that kernels print.
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
		{"[   21.0] rcu: INFO: rcu_sched detected stalls on CPUs/tasks:", failure.RCUStall},
		{"[    2.0] BUG: kernel NULL pointer dereference, address: 0000000000000000", failure.Oops},
		{"[    2.0] BUG: unable to handle page fault for address: ffffffffffffffff", failure.Oops},
		{"[    2.0] Oops: Oops: 0002 [#1] SMP NOPTI", failure.Oops},
		{"[    2.0] Oops [#1]", failure.Oops},
		{"[    2.0] Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000", failure.Oops},
		{"[    2.0] Internal error: Oops: 0000000096000044 [#1] SMP", failure.Oops},
		{"[    2.0] kernel BUG at mm/slub.c:123!", failure.Bug},
		{"[    2.0] BUG: KASAN: slab-out-of-bounds in f+0x1/0x2", failure.Bug},
		{"BUG: scheduling while atomic: init/1/0x00000002", failure.Bug},

		{"DEBUG: all is well", ""},
		{"init: BUG: not the kernel's", ""},
		{"Oops, said the program", ""},
		{"init: Initramfs unpacking failed, once", ""},
		{"[    2.0] WARNING: CPU: 0 PID: 1 at kernel/x.c:1 f+0x1/0x2", ""},
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
