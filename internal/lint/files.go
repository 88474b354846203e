package lint

import (
	"errors"
	"fmt"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

func checkSymlink(x *contents, at string, file *kernel.File, report reporter) {
	if file.Type() != cpio.TypeSymlink {
		return
	}
	switch _, leads, err := x.model.Lookup(at); {
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
// input, output and error of the first program.
func checkConsole(x *contents, report reporter) {
	if x.model == nil {
		return
	}
	const name = "/dev/console"
	const need = "the kernel's built-in archive usually has it; you need it if you replace that archive, or without devtmpfs"
	file, _, err := x.model.Lookup(name)
	switch {
	case err != nil:
		report(name, "it is not in the image: "+need, "")
	case file.Type() != cpio.TypeChar:
		report(name, fmt.Sprintf("it is a %s, not a character device: %s", typeName(file.Mode), need), "")
	case file.RMajor != 5 || file.RMinor != 1:
		report(name, fmt.Sprintf("its device number is %d:%d, not 5:1: %s", file.RMajor, file.RMinor, need), "")
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
