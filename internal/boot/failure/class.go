// Package failure is the table of the ways in which a boot fails.
package failure

// A Class is a way to fail. A report's sentence begins with its text, result.json and
// test.xml have it, and a boot that allows the failure names it.
type Class string

// The classes. A boot that fails is of the first class that applies.
const (
	QEMUNotStarted   Class = "qemu-not-started"
	KernelNotStarted Class = "kernel-not-started"
	UnpackingFailed  Class = "unpacking-failed"
	InitFailed       Class = "init-failed"
	Panic            Class = "panic"
	Oops             Class = "oops"
	Bug              Class = "bug"
	Lockup           Class = "lockup"
	RCUStall         Class = "rcu-stall"
	Forbidden        Class = "forbidden"
	ExitCode         Class = "exit-code"
	MissingAtLimit   Class = "missing-at-limit"
	MissingAtEnd     Class = "missing-at-end"
	NotEnded         Class = "not-ended"
	QEMUDied         Class = "qemu-died"
	Stopped          Class = "stopped"
)

// Classes has a row for each class: what it means, and whether the kernel reports it in a
// message, so that a boot may allow it.
var Classes = []struct {
	Class   Class
	Meaning string
	Builtin bool
}{
	{QEMUNotStarted, "QEMU could not be run, or ended with an error before the console showed anything", false},
	{KernelNotStarted, "the machine ran, but the kernel showed nothing until the time limit or the end of QEMU", false},
	{UnpackingFailed, "the kernel could not unpack an initramfs, or not all of it", true},
	{InitFailed, "the first process could not be started, or it ended", true},
	{Panic, "the kernel panicked for a reason that has no class of its own", true},
	{Oops, "the kernel accessed memory or executed an instruction that it must not", true},
	{Bug, "the kernel found an error of its own: BUG()", true},
	{Lockup, "a CPU did only one thing for too long", true},
	{RCUStall, "RCU, with which the kernel frees shared data, was held up for too long", true},
	{Forbidden, "a line matched a pattern of `forbid`", false},
	{ExitCode, "the guest reported an exit code other than zero", false},
	{MissingAtLimit, "something expected was missing at the time limit", false},
	{MissingAtEnd, "something expected was missing when the guest had ended by itself", false},
	{NotEnded, "the guest had not ended at the time limit; nothing else was missing", false},
	{QEMUDied, "QEMU was killed, or ended with an error, while the guest ran", false},
	{Stopped, "Bazel or a user stopped the boot", false},
}

// Builtin returns the classes that the kernel reports in its messages.
func Builtin() []Class {
	var classes []Class
	for _, row := range Classes {
		if row.Builtin {
			classes = append(classes, row.Class)
		}
	}
	return classes
}
