// Package failure names the ways in which a boot fails.
package failure

import "slices"

// A Class is a way to fail. Its text is what a report's sentence begins with,
// what result.json and test.xml have, and what an allow list names.
type Class string

// Every boot that fails is of one class: the first that holds.
const (
	// QEMU could not be run, or gave up before the machine ran: it ended with
	// an error before the console showed anything.
	QEMUNotStarted Class = "qemu-not-started"

	// The machine ran, but the kernel showed nothing by the time limit, or by
	// QEMU's end.
	KernelNotStarted Class = "kernel-not-started"

	// The kernel could not unpack an initramfs, or not all of it.
	UnpackingFailed Class = "unpacking-failed"

	// The first process could not be started, or ended.
	InitFailed Class = "init-failed"

	// The kernel panicked, for a reason that has no class of its own.
	Panic Class = "panic"

	// The kernel did what it must not: an access of memory that is not there, or
	// an instruction that is none.
	Oops Class = "oops"

	// The kernel found a mistake of its own: BUG().
	Bug Class = "bug"

	// A processor did nothing but one thing for too long.
	Lockup Class = "lockup"

	// RCU, the kernel's means to free what is shared, was held up for too long.
	RCUStall Class = "rcu-stall"

	// A line matched a forbidden pattern.
	Forbidden Class = "forbidden"

	// The guest reported an exit code that is not zero.
	ExitCode Class = "exit-code"

	// A pattern was missing at the time limit.
	MissingAtLimit Class = "missing-at-limit"

	// A pattern was missing when the guest had ended, by itself.
	MissingAtEnd Class = "missing-at-end"

	// Nothing was missing but the guest's end, at the time limit.
	NotEnded Class = "not-ended"

	// QEMU was killed, or ended with an error, while the guest ran.
	QEMUDied Class = "qemu-died"

	// Somebody stopped the boot: Bazel, or a user.
	Stopped Class = "stopped"
)

// builtin are the classes that the kernel's messages tell.
var builtin = []Class{UnpackingFailed, InitFailed, Panic, Oops, Bug, Lockup, RCUStall}

// Builtin returns the classes that are found in the kernel's messages, and
// that a boot may allow.
func Builtin() []Class { return slices.Clone(builtin) }
