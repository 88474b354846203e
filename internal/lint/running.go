package lint

import (
	"cmp"
	debugelf "debug/elf"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/elf"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

// checkInit checks the program that kernel_init of init/main.c looks for, and how the kernel would
// run it.
func checkInit(x *contents, report reporter) {
	if x.model == nil {
		return
	}
	init := x.options.Init
	file, at, err := x.model.Lookup(init)
	name := kernel.CleanPath(init)
	where := ""
	if at != name {
		where = ": it links to " + at
	}
	switch {
	case errors.Is(err, kernel.ErrLoop):
		report(name, "the kernel cannot start it: it goes through too many symbolic links", "")
	case err != nil && where == "":
		report(name, "it does not exist: the kernel would try to mount a root file system instead", "")
	case err != nil:
		report(name, "the kernel cannot start it"+where+", which does not exist", "")
	case file.Type() != cpio.TypeRegular:
		report(name, fmt.Sprintf("the kernel cannot start it: it is a %s, not a file%s", typeName(file.Mode), where), "")
	case !isExecutable(file):
		report(name, fmt.Sprintf("the kernel cannot start it: its mode is %04o%s", file.Mode&^cpio.TypeMask, where), "make it executable: mode 0755")
	case x.programs[file] == nil:
		report(name, "the kernel cannot start it: it is neither an ELF program nor a script that begins with #!"+where,
			"add a program, or add a first line such as #!/bin/sh to the script")
	}
}

// isRuntimePath reports whether a path may come into existence only once the system runs.
func isRuntimePath(at string) bool {
	for _, dir := range []string{"/dev", "/proc", "/run", "/sys", "/tmp"} {
		if at == dir || strings.HasPrefix(at, dir+"/") {
			return true
		}
	}
	return false
}

// program returns the program with this first path if it is executable; else nil.
func (x *contents) program(at string, file *kernel.File) *program {
	if p := x.programs[file]; p != nil && p.path == at && isExecutable(file) {
		return p
	}
	return nil
}

func isExecutable(file *kernel.File) bool { return file.Mode&0o111 != 0 }

func checkInterpreter(x *contents, at string, file *kernel.File, report reporter) {
	p := x.program(at, file)
	switch {
	case p == nil || !p.isScript:
	case p.damage != nil:
		report(at, p.damage.Error(), "begin the script with a line such as #!/bin/sh")
	default:
		fix := ""
		if strings.HasSuffix(p.interpreter, "\r") || strings.HasSuffix(p.env, "\r") {
			fix = "end the lines of the script with a newline, without a carriage return"
		}
		if _, more := x.runner(p.interpreter); 1+more > maxScripts {
			report(at, fmt.Sprintf("its interpreter, %s, is itself a script, and so on: the kernel follows at most %d scripts", p.interpreter, maxScripts),
				"make the last interpreter a program")
			return
		}
		if x.checkRunner(at, "interpreter", p.interpreter, fix, report) && (p.env != "" || p.splits) {
			x.checkEnv(at, file, p, fix, report)
		}
	}
}

// checkEnv checks the program that env(1) starts for a script.
func (x *contents) checkEnv(at string, script *kernel.File, p *program, fix string, report reporter) {
	_, env, _ := x.model.Lookup(p.interpreter)
	program := p.env
	switch {
	case p.splits && path.Base(env) == "busybox":
		report(at, fmt.Sprintf("its interpreter, %s, is that of BusyBox, which has no option -S", p.interpreter), "name the program itself in the first line of the script")
		return
	case program == "":
		return
	case strings.Contains(program, "/"):
		x.checkRunner(at, "program for env", program, fix, report)
		return
	}
	// The kernel gives the first program no PATH. Without one, execvp(3) of the GNU C library and of
	// musl search these directories. Others may be added later: shells know those of sbin.
	dirs := []string{"/bin", "/usr/bin", "/usr/local/bin"}
	first, _, _ := x.model.Lookup(x.options.Init)
	for _, dir := range dirs {
		if file, _, err := x.model.Lookup(dir + "/" + program); err == nil && file.Type() == cpio.TypeRegular && isExecutable(file) {
			return
		}
	}
	where, isThere := x.executable(program)
	switch {
	case !isThere:
		report(at, fmt.Sprintf("the program that its interpreter, env, starts is not in the image: %s", program), cmp.Or(fix, "add the program, or correct the first line of the script"))
	case script == first:
		report(at, fmt.Sprintf("the program that its interpreter, env, starts is %s: the kernel sets no PATH for the first program, so env looks only in %s",
			where, strings.Join(dirs, ", ")), fmt.Sprintf("begin the script with #!%s", where))
	}
}

// executable returns the first path with a base name that leads to an executable file.
func (x *contents) executable(base string) (at string, ok bool) {
	if x.executables == nil {
		x.executables = map[string]string{}
		for i := range x.entries {
			e := &x.entries[i]
			name := path.Base(e.path)
			if e.file == nil || x.executables[name] != "" {
				continue
			}
			file := e.file
			if file.Type() == cpio.TypeSymlink {
				file, _, _ = x.model.Lookup(e.path)
			}
			if file != nil && file.Type() == cpio.TypeRegular && isExecutable(file) {
				x.executables[name] = e.path
			}
		}
	}
	at, ok = x.executables[base]
	return at, ok
}

// maxScripts is the longest chain of scripts that the kernel follows (exec_binprm of fs/exec.c):
// each is the interpreter of the one before, and the interpreter of the last is a program.
const maxScripts = 5

// runner returns what runs the file at a path: the file itself, or the interpreter of the last of a
// chain of scripts, which it counts; nil if there is none, or more scripts than the kernel follows.
func (x *contents) runner(at string) (p *program, scripts int) {
	for ; scripts <= maxScripts; scripts++ {
		file, _, err := x.model.Lookup(at)
		if err != nil {
			return nil, scripts
		}
		if p = x.programs[file]; p == nil || !p.isScript || p.damage != nil {
			return p, scripts
		}
		at = p.interpreter
	}
	return nil, scripts
}

func checkLoader(x *contents, at string, file *kernel.File, report reporter) {
	if p := x.program(at, file); p.object() != nil && p.elf.Object.Interp != "" {
		x.checkRunner(at, "dynamic loader", p.elf.Object.Interp, "", report)
	}
}

// checkRunner checks what the kernel runs in place of a program (open_exec of fs/exec.c). A
// relative path begins at the root directory, where the kernel starts the first program. It reports
// whether there is nothing to report.
func (x *contents) checkRunner(at, what, name, fix string, report reporter) bool {
	file, leads, err := x.model.Lookup(name)
	where := ""
	if leads != path.Clean("/"+name) {
		where = ", which links to " + leads
	}
	switch {
	case err != nil && isRuntimePath(leads):
		return true
	case err != nil:
		report(at, fmt.Sprintf("its %s is not in the image: %s%s", what, name, where), fix)
	case file.Type() != cpio.TypeRegular:
		report(at, fmt.Sprintf("its %s is a %s: %s%s", what, typeName(file.Mode), name, where), fix)
	case !isExecutable(file):
		report(at, fmt.Sprintf("its %s is not executable: %s%s has mode %04o", what, name, where, file.Mode&^cpio.TypeMask),
			fmt.Sprintf("make %s executable", leads))
	default:
		return true
	}
	return false
}

// checkLibrary checks what programs and their libraries are linked with, or what plugins are linked
// with: shared objects that no program is linked with. A program may load them while it runs.
func checkLibrary(ofPlugin bool) func(*contents, string, *kernel.File, reporter) {
	return func(x *contents, at string, file *kernel.File, report reporter) {
		if p := x.programs[file]; p.object() != nil && p.path == at && p.elf.IsPlugin == ofPlugin {
			x.checkNeeds(at, p, report)
		}
	}
}

func (x *contents) checkNeeds(at string, p *program, report reporter) {
	arch := p.elf.Object.Arch
	for _, need := range p.elf.Needs {
		switch need.Status {
		case elf.Missing:
			report(at, fmt.Sprintf("it needs %s, which is not in the image", need.Name), "")
		case elf.OtherArch:
			other, _ := x.Lookup(need.Path)
			report(at, fmt.Sprintf("it needs %s, which is in the image only for %s: %s", need.Name, other.Object.Arch, need.Path),
				fmt.Sprintf("add the one for %s", arch))
		case elf.NotSearched:
			if p.elf.LosesOrigin() {
				report(at, fmt.Sprintf("it needs %s, which is at %s: its loader does not know $ORIGIN, because /proc is not mounted when the kernel starts it", need.Name, need.Path),
					"move the library to /usr/lib, or use a search path (RUNPATH) without $ORIGIN")
				continue
			}
			report(at, fmt.Sprintf("it needs %s, which is at %s, where its loader does not look", need.Name, need.Path),
				"add the directory to the program's search path (RUNPATH) or to the configuration of the loader, or move the library to /usr/lib")
		case elf.NoVersion:
			report(at, fmt.Sprintf("it needs %s with the symbol version %s, which %s lacks", need.Name, need.Version, need.Path),
				"add the version of the library that the program was linked with, or a newer one")
		}
	}
}

// checkDlopen checks what programs and libraries load while they run and, as they say, cannot work
// without (elf.Required).
func checkDlopen(x *contents, at string, file *kernel.File, report reporter) {
	p := x.programs[file]
	if p.object() == nil || p.path != at {
		return
	}
	for i, load := range p.elf.Loads {
		if note := p.elf.Object.Notes[i]; load.IsWanted && !load.IsFound() {
			report(at, fmt.Sprintf("it loads %s while it runs, which is not where its loader looks%s", strings.Join(note.Sonames, " or "), purpose(note)), "")
		}
	}
}

// purpose says what a note's library is for.
func purpose(note elf.Note) string {
	if what := cmp.Or(note.Description, note.Feature); what != "" {
		return ", for: " + what
	}
	return ""
}

func checkObject(x *contents, at string, file *kernel.File, report reporter) {
	p := x.programs[file]
	if p != nil && p.path == at && !p.isScript && p.damage != nil && (isExecutable(file) || elf.IsSharedName(at)) {
		report(at, "it is damaged: "+p.damage.Error(), "")
	}
}

// findNative finds the architecture of the image: that of the program that the kernel starts (of
// its interpreter if it is a script), or else the most frequent one.
func (x *contents) findNative(files []*elf.File) {
	p, _ := x.runner(x.options.Init)
	if o := p.object(); o != nil {
		x.native, x.nativePath = o.Arch, p.path
		return
	}
	counts, first := map[elf.Arch]int{}, map[elf.Arch]string{}
	var archs []elf.Arch // in the order of their first programs
	for _, file := range files {
		if !file.IsUsed {
			continue
		}
		arch := file.Object.Arch
		if counts[arch]++; counts[arch] == 1 {
			archs, first[arch] = append(archs, arch), file.Path
		}
	}
	for _, arch := range archs {
		if counts[arch] > counts[x.native] {
			x.native, x.nativePath = arch, first[arch]
		}
	}
}

// otherArch returns the architecture of the file with this path if it is not the wanted one, and
// whether a kernel for the wanted one may run the file nevertheless.
func (x *contents) otherArch(at string, file *kernel.File) (arch elf.Arch, isCompatible bool) {
	p := x.programs[file]
	if p.object() == nil || p.path != at || !p.elf.IsUsed {
		return elf.Arch{}, false
	}
	arch = p.elf.Object.Arch
	want := x.options.Arch
	if want == (elf.Arch{}) {
		want = x.native
	}
	if arch == want {
		return elf.Arch{}, false
	}
	// A 32-bit kernel does not run 64-bit programs.
	isTooWide := x.options.Arch != (elf.Arch{}) && want.Class == debugelf.ELFCLASS32 && arch.Class == debugelf.ELFCLASS64
	return arch, arch.IsRelated(want) && !isTooWide
}

// checkArch checks for files that a kernel for the wanted architecture may run nevertheless, or for those that it cannot.
func checkArch(mayRun bool) func(*contents, string, *kernel.File, reporter) {
	return func(x *contents, at string, file *kernel.File, report reporter) {
		arch, isCompatible := x.otherArch(at, file)
		switch {
		case arch == (elf.Arch{}) || isCompatible != mayRun:
		case x.options.Arch != (elf.Arch{}):
			report(at, fmt.Sprintf("it is built for %s, not for %s", arch, x.options.Arch), "")
		default:
			report(at, fmt.Sprintf("it is built for %s, but %s for %s", arch, x.nativePath, x.native), "")
		}
	}
}
