// Package failure is the table of the ways in which a boot fails.
package failure

// A Class is a way to fail. A report's sentence begins with its text, result.json and
// test.xml have it, and a boot that allows the failure names it.
type Class string

// The classes. A boot that fails is of the first class that applies.
const (
	QEMUNotStarted   Class = "qemu-not-started"
	FirmwareRefused  Class = "firmware-refused"
	NotRefused       Class = "not-refused"
	KernelNotStarted Class = "kernel-not-started"
	UnpackingFailed  Class = "unpacking-failed"
	InitFailed       Class = "init-failed"
	Panic            Class = "panic"
	Oops             Class = "oops"
	Bug              Class = "bug"
	Lockup           Class = "lockup"
	RCUStall         Class = "rcu-stall"
	Warning          Class = "warning"
	Lockdep          Class = "lockdep"
	UBSAN            Class = "ubsan"
	HungTask         Class = "hung-task"
	Forbidden        Class = "forbidden"
	ExitCode         Class = "exit-code"
	MissingAtLimit   Class = "missing-at-limit"
	MissingAtEnd     Class = "missing-at-end"
	NotEnded         Class = "not-ended"
	QEMUDied         Class = "qemu-died"
	Stopped          Class = "stopped"
)

// A Report is how a class of failures relates to the messages of the kernel.
type Report int

const (
	NotReported  Report = iota // the kernel does not report it
	FailsBoot                  // the kernel reports it, and the boot fails unless it allows the class
	FailsIfAsked               // the kernel reports it, and the boot fails only if it asks for that
)

// Classes has a row for each class: what it means, and whether the kernel reports it.
var Classes = []struct {
	Class   Class
	Meaning string
	Report  Report
}{
	{QEMUNotStarted, "the machine cannot boot the kernel, or QEMU could not be run or ended with an error before the console showed anything", NotReported},
	{FirmwareRefused, "the firmware did not start the payload: it is not signed by a key that the firmware trusts, was altered, or is not there", NotReported},
	{NotRefused, "the kernel started, and `expect_refusal` says that the firmware must refuse the payload", NotReported},
	{KernelNotStarted, "the machine ran, but the kernel showed nothing until the time limit or the end of QEMU", NotReported},
	{UnpackingFailed, "the kernel could not unpack an initramfs, or not all of it", FailsBoot},
	{InitFailed, "the first process could not be started, or it ended", FailsBoot},
	{Panic, "the kernel panicked for a reason that has no class of its own", FailsBoot},
	{Oops, "the kernel accessed memory or executed an instruction that it must not", FailsBoot},
	{Bug, "the kernel found an error of its own: BUG()", FailsBoot},
	{Lockup, "a CPU did only one thing for too long", FailsBoot},
	{RCUStall, "RCU, with which the kernel frees shared data, was held up for too long", FailsBoot},
	{Warning, "the kernel found a state that should not occur: WARN()", FailsIfAsked},
	{Lockdep, "the kernel's check of locks found an error (CONFIG_PROVE_LOCKING)", FailsIfAsked},
	{UBSAN, "the kernel did arithmetic or used an array in an undefined way (CONFIG_UBSAN)", FailsIfAsked},
	{HungTask, "a task of the kernel or a program waited for too long (CONFIG_DETECT_HUNG_TASK)", FailsIfAsked},
	{Forbidden, "a line matched a pattern of `forbid`", NotReported},
	{ExitCode, "the guest reported an exit code other than zero", NotReported},
	{MissingAtLimit, "something expected was missing at the time limit", NotReported},
	{MissingAtEnd, "something expected was missing when the guest had ended by itself", NotReported},
	{NotEnded, "the guest had not ended at the time limit; nothing else was missing", NotReported},
	{QEMUDied, "QEMU was killed, or ended with an error, while the guest ran", NotReported},
	{Stopped, "Bazel or a user stopped the boot", NotReported},
}

// WithReport returns the classes that the kernel reports in this way.
func WithReport(r Report) []Class {
	var classes []Class
	for _, row := range Classes {
		if row.Report == r {
			classes = append(classes, row.Class)
		}
	}
	return classes
}
