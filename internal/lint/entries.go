package lint

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

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

// checkDropped checks for entries that the kernel drops because they have no parent, or for those that it drops otherwise.
func checkDropped(noParent bool) func(*contents, int, reporter) {
	return func(x *contents, i int, report reporter) {
		if e := &x.entries[i]; e.drop != 0 && (e.drop == kernel.DropNoParent) == noParent {
			report(e.path, "the kernel drops it: "+x.details[int32(i)], "")
		}
	}
}

// checkDuplicate does not report a directory that is the same twice: archives that are unpacked
// one after the other, such as an early one for microcode, have directories in common. Nor does it
// report indexes of kernel modules that a later archive replaces with those for all modules.
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
	fix := ""
	switch isReplaced, isMerged := x.replacesIndex(i); {
	case isMerged:
		return
	case isReplaced:
		fix = "merge the indexes of the layers with packer join --module-catalog"
	}
	where := "an earlier entry"
	if e.member != old.member {
		where = fmt.Sprintf("an entry of member %d", old.member+1)
	}
	report(e.path, fmt.Sprintf("%s has the same path: it is a %s, and this one a %s", where, describe(old), describe(e)), fix)
}

func describe(e *entry) string {
	return fmt.Sprintf("%s of mode %04o, owner %d:%d", typeName(e.mode), e.mode&^cpio.TypeMask, e.uid, e.gid)
}

// typeName returns the name of the type of a mode.
func typeName(mode uint32) string { return kind.TypeOf(mode).Name }

func checkName(x *contents, i int, report reporter) {
	e := &x.entries[i]
	if !e.odd {
		return
	}
	name, ok := x.names[int32(i)]
	if !ok {
		name = e.path[1:]
	}
	report(e.path, "its name "+strings.Join(oddities(name), " and "), "")
}

// oddities describes what programs may misread in a name. It returns nil for most names. checkPrefixes
// reports what names begin with.
func oddities(name string) []string {
	if isPlain(name) {
		return nil
	}
	var what []string
	check := func(isOdd bool, text string) {
		if isOdd {
			what = append(what, text)
		}
	}
	components := strings.Split(name, "/")
	check(slices.ContainsFunc(components, func(c string) bool { return c == ".." }), "contains ..")
	check(len(name) > 1 && strings.HasSuffix(name, "/"), "ends in a slash")
	check(slices.ContainsFunc(components, func(c string) bool { return strings.HasPrefix(c, "-") }), "has a component that begins with a dash")
	check(strings.IndexFunc(name, unicode.IsSpace) >= 0, "contains white space")
	check(strings.IndexFunc(name, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) }) >= 0, "contains control characters")
	check(!utf8.ValidString(name), "is not UTF-8")
	return what
}

// isPlain quickly recognizes most of the names that have no oddities.
func isPlain(name string) bool {
	isStart := true // of a component
	for i := range len(name) {
		c := name[i]
		if c <= ' ' || c >= 0x7f || isStart && (c == '-' || c == '.' || c == '/') {
			return false
		}
		isStart = c == '/'
	}
	return !isStart || name == ""
}

func checkSymlink(x *contents, at string, file *kernel.File, report reporter) {
	if file.Type() != cpio.TypeSymlink {
		return
	}
	switch _, leads, err := x.model.Lookup(at); {
	case file.Target == "": // the rule link-target reports it
	case err == nil || isRuntimePath(leads) && !errors.Is(err, kernel.ErrLoop):
	case errors.Is(err, kernel.ErrLoop):
		report(at, fmt.Sprintf("it goes through too many symbolic links, first to %s", file.Target), "point it at a file or directory")
	default:
		where := ""
		if leads != file.Target {
			where = fmt.Sprintf(" (its target is %s)", file.Target)
		}
		report(at, fmt.Sprintf("it points to %s%s, which is not in the image", leads, where), "")
	}
}

// checkConsole checks /dev/console, which console_on_rootfs of init/main.c opens as the standard
// input, output and error of the first program. The kernel's default built-in archive has it
// (usr/default_cpio_list), and is unpacked before the image. So an image without it is reported only
// if the kernel has another built-in archive, or if that was asked for. An image can remove what the
// kernel has, though.
func checkConsole(x *contents, report reporter) {
	if x.model == nil {
		return
	}
	const name = "/dev/console"
	const need = "the first program has no standard input, output and error"
	const unless = "unless the kernel's built-in archive has it, " + need
	file, _, err := x.model.Lookup(name)
	isNeeded := x.options.Kernel != nil && x.options.Kernel.otherBuiltIn ||
		slices.Contains(x.options.Errors, "no-console") || slices.Contains(x.options.Warnings, "no-console")
	switch {
	case err != nil && !isNeeded:
	case err != nil:
		report(name, "it is not in the image: "+unless, "")
	case file.Type() != cpio.TypeChar:
		report(name, fmt.Sprintf("it is a %s, not a character device: %s", typeName(file.Mode), need), "")
	case file.RMajor != 5 || file.RMinor != 1:
		report(name, fmt.Sprintf("its device number is %d:%d, not 5:1: %s", file.RMajor, file.RMinor, unless), "")
	}
}

func checkSetuid(x *contents, at string, file *kernel.File, report reporter) {
	if file.Type() == cpio.TypeRegular && file.Mode&0o6000 != 0 {
		report(at, fmt.Sprintf("it has mode %04o, owner %d:%d", file.Mode&^cpio.TypeMask, file.UID, file.GID), "")
	}
}

func checkWritable(x *contents, at string, file *kernel.File, report reporter) {
	sticky := file.Type() == cpio.TypeDir && file.Mode&0o1000 != 0
	if (file.Type() == cpio.TypeRegular || file.Type() == cpio.TypeDir) && file.Mode&0o002 != 0 && !sticky {
		report(at, fmt.Sprintf("it is a %s of mode %04o", typeName(file.Mode), file.Mode&^cpio.TypeMask), "")
	}
}
