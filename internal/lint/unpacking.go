package lint

import (
	"fmt"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/kind"
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
	if e := &x.entries[i]; e.drop == kernel.DropNoParent {
		report(e.path, "the kernel drops it: "+x.details[int32(i)], "")
	}
}

func checkDropped(x *contents, i int, report reporter) {
	if e := &x.entries[i]; e.drop != 0 && e.drop != kernel.DropNoParent {
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
	typ, oldType := e.mode&cpio.TypeMask, old.mode&cpio.TypeMask
	if typ == cpio.TypeDir && oldType == cpio.TypeDir && e.mode == old.mode && e.uid == old.uid && e.gid == old.gid {
		return
	}
	where := ""
	if e.member != old.member {
		where = fmt.Sprintf(" in member %d", old.member+1)
	}
	what := fmt.Sprintf("it is there again; before%s it was a %s", where, typeName(old.mode))
	if typ == oldType {
		what = fmt.Sprintf("it is there again, as a %s of mode %04o, owner %d:%d; before%s mode %04o, owner %d:%d", typeName(e.mode),
			e.mode&^cpio.TypeMask, e.uid, e.gid, where, old.mode&^cpio.TypeMask, old.uid, old.gid)
	}
	report(e.path, what, "")
}

// typeName returns the name of the type of a mode.
func typeName(mode uint32) string { return kind.TypeOf(mode).Name }
