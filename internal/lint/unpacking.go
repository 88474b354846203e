package lint

import (
	"fmt"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/kind"
)

// wholeImage is the Entry of findings that belong to no entry.
const wholeImage = "image"

func checkUnpack(x *contents, report reporter) {
	if x.refused != nil {
		report(wholeImage, x.refused.Error(), "")
	}
}

func checkTrailer(x *contents, report reporter) {
	if x.refused == nil && !x.trailer {
		report(wholeImage, "it does not end with a trailer: it may have been cut off, which the kernel does not notice", "")
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

// checkDuplicate does not report a directory that is the same twice: archives that are unpacked
// one after the other, such as an early one for microcode, have directories in common.
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
	where := "an earlier entry"
	if e.member != old.member {
		where = fmt.Sprintf("an entry of member %d", old.member+1)
	}
	report(e.path, fmt.Sprintf("%s has the same path: it is a %s, and this one a %s", where, describe(old), describe(e)), "")
}

func describe(e *entry) string {
	return fmt.Sprintf("%s of mode %04o, owner %d:%d", typeName(e.mode), e.mode&^cpio.TypeMask, e.uid, e.gid)
}

// typeName returns the name of the type of a mode.
func typeName(mode uint32) string { return kind.TypeOf(mode).Name }
