package switchroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A Capability is the number of a privilege (include/uapi/linux/capability.h).
type Capability uint

var capabilityNames = []string{
	"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid",
	"setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
	"sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
	"sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
	"mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
	"checkpoint_restore",
}

// String returns the kernel's name, in lower case.
func (c Capability) String() string { return "cap_" + capabilityNames[c] }

// ParseCapabilities reads names with commas between them, in upper or lower case,
// with or without the prefix cap_.
func ParseCapabilities(text string) ([]Capability, error) {
	var all []Capability
	for field := range strings.SplitSeq(text, ",") {
		name := strings.TrimPrefix(strings.ToLower(field), "cap_")
		number := slices.Index(capabilityNames, name)
		if number < 0 {
			return nil, fmt.Errorf("%q is not a capability: write names such as cap_sys_module, with commas between them", field)
		}
		all = append(all, Capability(number))
	}
	return all, nil
}

// helperSets are the capabilities of programs that the kernel starts, such as
// modprobe (kernel/umh.c).
var helperSets = []string{
	"/proc/sys/kernel/usermodehelper/bset",
	"/proc/sys/kernel/usermodehelper/inheritable",
}

// dropFromHelpers takes capabilities from the programs that the kernel starts. The
// kernel never lets those sets grow again.
func dropFromHelpers(root string, drop []Capability) error {
	for _, name := range helperSets {
		name = root + name
		text, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("cannot drop capabilities: %v: mount /proc first", err)
		}
		var set [2]uint32
		if _, err := fmt.Sscan(string(text), &set[0], &set[1]); err != nil {
			return fmt.Errorf("cannot drop capabilities: %s: %q is not a set of capabilities: %v", name, text, err)
		}
		for _, c := range drop {
			set[c/32] &^= 1 << (c % 32)
		}
		if err := os.WriteFile(name, fmt.Appendf(nil, "%d %d\n", set[0], set[1]), 0); err != nil {
			return fmt.Errorf("cannot drop capabilities: %v", err)
		}
	}
	return nil
}

// checkDrop returns an error if capabilities could not be dropped.
func checkDrop(root string, drop []Capability) error {
	if len(drop) == 0 {
		return nil
	}
	for _, name := range helperSets {
		if _, err := os.Stat(root + name); err != nil {
			return fmt.Errorf("cannot drop capabilities: %v: mount /proc first; the kernel needs CONFIG_PROC_SYSCTL", err)
		}
	}
	return nil
}

// dropFromThread takes capabilities from the calling thread, and from the program
// that it executes.
func dropFromThread(drop []Capability) error {
	for _, c := range drop {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0)
		// If the kernel does not know a capability, no program has it.
		if err != nil && !errors.Is(err, unix.EINVAL) {
			return &fs.PathError{Op: "drop", Path: c.String(), Err: err}
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("cannot drop capabilities: %w", err)
	}
	for _, c := range drop {
		set, bit := &data[c/32], uint32(1)<<(c%32)
		set.Effective &^= bit
		set.Permitted &^= bit
		set.Inheritable &^= bit
	}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("cannot drop capabilities: %w", err)
	}
	return nil
}
