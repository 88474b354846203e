package lint

import (
	"fmt"

	"github.com/rules-initramfs/rules_initramfs/tools/packer/rootfs"
)

// whole is the Entry of findings that no entry stands for.
const whole = "image"

func checkUnpack(x *contents, report reporter) {
	if x.fault != nil {
		report(whole, x.fault.Error(), "")
	}
}

func checkTrailer(x *contents, report reporter) {
	if x.fault == nil && !x.trailer {
		report(whole, "no trailer at its end: it may have been cut off, which the kernel does not see", "")
	}
}

func checkParent(x *contents, i int, report reporter) {
	if e := &x.entries[i]; e.drop == rootfs.DropNoParent {
		report(e.path, "the kernel drops it: "+x.details[int32(i)], "")
	}
}

func checkDropped(x *contents, i int, report reporter) {
	if e := &x.entries[i]; e.drop != 0 && e.drop != rootfs.DropNoParent {
		report(e.path, "the kernel drops it: "+x.details[int32(i)], "")
	}
}

// checkDuplicate takes a directory again for none: archives that are unpacked one
// after the other, such as an early one for microcode, have theirs in common.
func checkDuplicate(x *contents, i int, report reporter) {
	e := &x.entries[i]
	if e.earlier < 0 {
		return
	}
	old := &x.entries[e.earlier]
	kind, oldKind := e.mode&rootfs.TypeMask, old.mode&rootfs.TypeMask
	if kind == rootfs.TypeDir && oldKind == rootfs.TypeDir && e.mode == old.mode && e.uid == old.uid && e.gid == old.gid {
		return
	}
	where := ""
	if e.member != old.member {
		where = fmt.Sprintf(" in member %d", old.member+1)
	}
	what := fmt.Sprintf("it is there again; before%s it was a %s", where, typeName(old.mode))
	if kind == oldKind {
		what = fmt.Sprintf("it is there again, as a %s of mode %04o, owner %d:%d; before%s mode %04o, owner %d:%d", typeName(e.mode),
			e.mode&^rootfs.TypeMask, e.uid, e.gid, where, old.mode&^rootfs.TypeMask, old.uid, old.gid)
	}
	report(e.path, what, "")
}

// typeName returns what people call the type of a mode.
func typeName(mode uint32) string {
	switch mode & rootfs.TypeMask {
	case rootfs.TypeRegular:
		return "file"
	case rootfs.TypeDir:
		return "directory"
	case rootfs.TypeSymlink:
		return "symbolic link"
	case rootfs.TypeChar:
		return "character device"
	case rootfs.TypeBlock:
		return "block device"
	case rootfs.TypePipe:
		return "pipe"
	case rootfs.TypeSocket:
		return "socket"
	}
	return fmt.Sprintf("type %#o, which there is not", mode&rootfs.TypeMask)
}
