package switchroot

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"unsafe"
)

// A Capability is a privilege, by its number: include/uapi/linux/capability.h.
type Capability uint

var capabilityNames = [...]string{
	"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid",
	"setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
	"sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
	"sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
	"mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
	"checkpoint_restore",
}

// String is the kernel's name, in small letters.
func (c Capability) String() string { return "cap_" + capabilityNames[c] }

// ParseCapabilities reads names with commas between them, in letters of any size,
// with or without cap_ before.
func ParseCapabilities(text string) ([]Capability, error) {
	var all []Capability
next:
	for field := range strings.SplitSeq(text, ",") {
		name := strings.TrimPrefix(strings.ToLower(field), "cap_")
		for i, known := range capabilityNames {
			if name == known {
				all = append(all, Capability(i))
				continue next
			}
		}
		return nil, fmt.Errorf("%q is no capability: write names such as cap_sys_module, with commas between them", field)
	}
	return all, nil
}

// helperSets are the kernel's own: what programs that it starts, such as
// modprobe, may have (kernel/umh.c).
var helperSets = []string{
	"/proc/sys/kernel/usermodehelper/bset",
	"/proc/sys/kernel/usermodehelper/inheritable",
}

// dropFromHelpers takes capabilities from the programs that the kernel starts.
// Those sets only ever become smaller.
func dropFromHelpers(root string, drop []Capability) error {
	for _, name := range helperSets {
		name = root + name
		text, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("cannot drop capabilities: %v: mount /proc before", err)
		}
		var set [2]uint32
		if _, err := fmt.Sscan(string(text), &set[0], &set[1]); err != nil {
			return fmt.Errorf("cannot drop capabilities: %s: %q is no set: %v", name, text, err)
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

// checkDrop fails where capabilities could not be dropped.
func checkDrop(root string, drop []Capability) error {
	if len(drop) == 0 {
		return nil
	}
	for _, name := range helperSets {
		if _, err := os.Stat(root + name); err != nil {
			return fmt.Errorf("cannot drop capabilities: %v: mount /proc before, of a kernel with CONFIG_PROC_SYSCTL", err)
		}
	}
	return nil
}

const (
	prCapBSetDrop = 24         // PR_CAPBSET_DROP, linux/prctl.h
	capVersion3   = 0x20080522 // _LINUX_CAPABILITY_VERSION_3
)

type capHeader struct {
	version uint32
	pid     int32
}

type capData struct{ effective, permitted, inheritable uint32 }

// dropFromThread takes capabilities from the calling thread, and from what it
// executes.
func dropFromThread(drop []Capability) error {
	for _, c := range drop {
		_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prCapBSetDrop, uintptr(c), 0)
		// A kernel that does not know the capability gives it to nobody.
		if errno != 0 && errno != syscall.EINVAL {
			return &fs.PathError{Op: "drop", Path: c.String(), Err: errno}
		}
	}
	header := capHeader{version: capVersion3}
	var data [2]capData
	if err := capSyscall(syscall.SYS_CAPGET, &header, &data); err != nil {
		return err
	}
	for _, c := range drop {
		set, bit := &data[c/32], uint32(1)<<(c%32)
		set.effective &^= bit
		set.permitted &^= bit
		set.inheritable &^= bit
	}
	return capSyscall(syscall.SYS_CAPSET, &header, &data)
}

func capSyscall(number uintptr, header *capHeader, data *[2]capData) error {
	_, _, errno := syscall.RawSyscall(number, uintptr(unsafe.Pointer(header)), uintptr(unsafe.Pointer(data)), 0)
	if errno != 0 {
		return fmt.Errorf("cannot drop capabilities: %w", errno)
	}
	return nil
}
