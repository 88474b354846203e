package lint

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

// checkInit judges what kernel_init of init/main.c looks for, and how the kernel
// would run it.
func checkInit(x *contents, report reporter) {
	if x.model == nil {
		return
	}
	init := x.options.Init
	file, at, err := x.model.Lookup(init)
	name := kernel.CleanPath(init)
	where := ""
	if at != name {
		where = ": it leads to " + at
	}
	switch {
	case errors.Is(err, kernel.ErrLoop):
		report(name, "the kernel cannot start it: it leads over too many symbolic links", "")
	case err != nil && where == "":
		report(name, "it is not there: the kernel would go on to mount a root file system", "")
	case err != nil:
		report(name, "the kernel cannot start it"+where+", which is not there", "")
	case file.Type() != cpio.TypeRegular:
		report(name, fmt.Sprintf("the kernel cannot start it: it is a %s, not a file%s", typeName(file.Mode), where), "")
	case !executable(file):
		report(name, fmt.Sprintf("the kernel cannot start it: its mode is %04o%s", file.Mode&^cpio.TypeMask, where), "make it executable: mode 0755")
	case x.programs[file] == nil:
		report(name, "the kernel cannot start it: it begins neither as an ELF program nor with #!"+where,
			"add a program, or begin the script with a line such as #!/bin/sh")
	}
}

// isFilled tells whether something may be at a path only once the system runs.
func isFilled(at string) bool {
	for _, dir := range []string{"/dev", "/proc", "/run", "/sys", "/tmp"} {
		if at == dir || strings.HasPrefix(at, dir+"/") {
			return true
		}
	}
	return false
}

// program returns what the kernel would have to run for the file with the path,
// if it may be executed; else nil.
func (x *contents) program(at string, file *kernel.File) *program {
	if p := x.programs[file]; p != nil && x.isFirst(p, at) && executable(file) {
		return p
	}
	return nil
}

func checkInterpreter(x *contents, at string, file *kernel.File, report reporter) {
	p := x.program(at, file)
	switch {
	case p == nil || !p.script:
	case p.fault != nil:
		report(at, p.fault.Error(), "begin the script with a line such as #!/bin/sh")
	default:
		hint := ""
		if strings.HasSuffix(p.interpreter, "\r") {
			hint = "end the script's lines with a newline only"
		}
		if x.isEndless(p) {
			report(at, fmt.Sprintf("its interpreter, %s, is a script, and so on: the kernel follows %d scripts", p.interpreter, maxScripts),
				"end with a program that is no script")
			return
		}
		x.checkRunner(at, "interpreter", p.interpreter, hint, report)
	}
}

// maxScripts is how many scripts in a row the kernel takes (exec_binprm of
// fs/exec.c): each is the interpreter of the one before, the last one's is none.
const maxScripts = 5

// isEndless tells whether the interpreters of a script are more scripts than the
// kernel takes.
func (x *contents) isEndless(p *program) bool {
	for scripts := 1; p != nil && p.script && p.fault == nil; scripts++ {
		if scripts > maxScripts {
			return true
		}
		file, _, err := x.model.Lookup(p.interpreter)
		if err != nil {
			return false
		}
		p = x.programs[file]
	}
	return false
}

func checkLoader(x *contents, at string, file *kernel.File, report reporter) {
	if p := x.program(at, file); p != nil && p.object != nil && p.object.interp != "" {
		x.checkRunner(at, "dynamic loader", p.object.interp, "", report)
	}
}

// checkRunner judges what the kernel runs in place of a program (open_exec of
// fs/exec.c). A relative name begins at the root directory, where the kernel
// starts the first program.
func (x *contents) checkRunner(at, what, name, fix string, report reporter) {
	file, leads, err := x.model.Lookup(name)
	where := ""
	if leads != path.Clean("/"+name) {
		where = ", which leads to " + leads
	}
	switch {
	case err != nil && isFilled(leads):
	case err != nil:
		report(at, fmt.Sprintf("its %s is not in the image: %s%s", what, name, where), fix)
	case file.Type() != cpio.TypeRegular:
		report(at, fmt.Sprintf("its %s is a %s: %s%s", what, typeName(file.Mode), name, where), fix)
	case !executable(file):
		report(at, fmt.Sprintf("its %s is not executable: %s%s has mode %04o", what, name, where, file.Mode&^cpio.TypeMask),
			fmt.Sprintf("make %s executable", leads))
	}
}

func checkObject(x *contents, at string, file *kernel.File, report reporter) {
	p := x.programs[file]
	if p != nil && x.isFirst(p, at) && !p.script && p.fault != nil && (executable(file) || isSharedName(at)) {
		report(at, "damaged: "+p.fault.Error(), "")
	}
}
