package switchroot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

const (
	// headSize is the part of a file in which the kernel recognizes its format:
	// BINPRM_BUF_SIZE (include/uapi/linux/binfmts.h).
	headSize = 256

	// maxInterpreters is the number of interpreters that the kernel runs for one program
	// (exec_binprm of fs/exec.c).
	maxInterpreters = 5
)

// checkInit returns an error unless the kernel can run init in the new root. By the time that
// the kernel itself says so, the old root is gone.
func (h host) checkInit(newRoot, init string) error {
	if err := h.checkProgram(newRoot, init, 0, false); err != nil {
		return fmt.Errorf("init: %v", err)
	}
	return nil
}

// checkProgram returns an error unless the kernel can run name, which is the interpreter of
// as many programs as depth says. The loader of a program must be a program itself.
func (h host) checkProgram(newRoot, name string, depth int, loader bool) error {
	f, size, err := h.openProgram(newRoot, name)
	if err != nil {
		return err
	}
	defer f.Close()
	shown := printable.Text(name)
	head := make([]byte, headSize)
	if _, err := io.ReadFull(f, head); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s: %v", shown, errors.Unwrap(err))
	}
	interpreter, isELF := "", bytes.HasPrefix(head, []byte(elfMagic))
	switch {
	case isELF:
		interpreter, err = elfInterpreter(f, size)
	case loader:
		err = errors.New("not a program (ELF)")
	case bytes.HasPrefix(head, []byte("#!")):
		interpreter, err = scriptInterpreter(head)
	default:
		err = errFormat
	}
	switch {
	case errors.Is(err, errFormat) && h.hasOtherFormats():
		return nil // only the kernel knows
	case err != nil:
		return fmt.Errorf("%s: %v", shown, err)
	case interpreter == "" || loader:
		return nil
	case depth == maxInterpreters:
		return fmt.Errorf("%s: more than %d interpreters", shown, maxInterpreters)
	}
	if err := h.checkProgram(newRoot, interpreter, depth+1, isELF); err != nil {
		return fmt.Errorf("%s: its interpreter %v%s", shown, err, crHint(interpreter))
	}
	return nil
}

// crHint explains a name that looks right when it is printed.
func crHint(interpreter string) string {
	if strings.HasSuffix(interpreter, "\r") {
		return ": the first line ends with a carriage return: save the script with Unix line ends"
	}
	return ""
}

// openProgram opens a file that the kernel is to run, and returns its size.
func (h host) openProgram(newRoot, name string) (*os.File, int64, error) {
	file, err := resolve(h.root+newRoot, name)
	if err != nil {
		return nil, 0, err
	}
	name = printable.Text(name)
	info, err := os.Lstat(file)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %v", name, errors.Unwrap(err))
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("%s is not a file in the new root", name)
	}
	if info.Mode()&0o111 == 0 {
		return nil, 0, fmt.Errorf("%s has mode %04o in the new root, and is not executable", name, info.Mode().Perm())
	}
	noexec, err := h.noexec(file)
	if err != nil {
		return nil, 0, err
	}
	if noexec {
		return nil, 0, fmt.Errorf("%s is on a file system that is mounted with noexec: mount it without", name)
	}
	if info.Size() == 0 {
		return nil, 0, fmt.Errorf("%s is empty", name)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %v", name, errors.Unwrap(err))
	}
	return f, info.Size(), nil
}

// scriptInterpreter returns the program that the first line of a script names, as
// load_script of fs/binfmt_script.c reads it.
func scriptInterpreter(head []byte) (string, error) {
	line, _, whole := bytes.Cut(head[2:headSize-1], []byte{'\n'})
	line = bytes.TrimLeft(line, " \t")
	end := bytes.IndexAny(line, " \t\x00")
	if end < 0 {
		if end = len(line); !whole {
			return "", fmt.Errorf("the name of its interpreter is longer than the %d bytes that the kernel reads", headSize)
		}
	}
	if end == 0 {
		return "", errors.New("its first line names no interpreter")
	}
	return string(line[:end]), nil
}

const elfMagic = "\x7fELF"

// machines are the values of e_machine (include/uapi/linux/elf-em.h) of the programs that a
// kernel for an architecture may run, in Go's name. The kernel may lack those that are not
// the first.
var machines = map[string][]uint16{"amd64": {62, 3, 6}, "arm64": {183, 40}, "riscv64": {243}}

// machineNames are names for messages.
var machineNames = map[uint16]string{
	3: "i386", 8: "MIPS", 20: "PowerPC", 21: "64-bit PowerPC", 22: "S/390", 40: "32-bit ARM", 62: "x86_64", 183: "arm64", 243: "RISC-V", 258: "LoongArch",
}

// errFormat reports a format that a kernel without binfmt_misc does not run.
var errFormat = errors.New("neither a program (ELF) nor a script that begins with #!")

// elfInterpreter returns the loader that a program names, or an empty string for a program
// that needs none, as load_elf_binary of fs/binfmt_elf.c reads it.
func elfInterpreter(f io.ReaderAt, size int64) (string, error) {
	var header [64]byte
	n, err := f.ReadAt(header[:], 0)
	if err != nil && err != io.EOF {
		return "", err
	}
	le := binary.LittleEndian
	if n < 52 {
		return "", errors.New("the program is cut off")
	}
	machine := le.Uint16(header[18:])
	if header[5] == 2 { // big-endian
		machine = binary.BigEndian.Uint16(header[18:])
	}
	ours := machines[runtime.GOARCH]
	if !slices.Contains(ours, machine) || header[5] != 1 {
		name := machineNames[machine]
		if name == "" {
			name = fmt.Sprintf("machine %d of ELF", machine)
		}
		return "", wrongMachine(name)
	}
	if kind := le.Uint16(header[16:]); kind != 2 && kind != 3 {
		return "", errors.New("an ELF file, but not a program")
	}
	var offset, entrySize, count uint64
	wide := header[4] == 2
	if wide {
		offset, entrySize, count = le.Uint64(header[32:]), uint64(le.Uint16(header[54:])), uint64(le.Uint16(header[56:]))
	} else {
		offset, entrySize, count = uint64(le.Uint32(header[28:])), uint64(le.Uint16(header[42:])), uint64(le.Uint16(header[44:]))
	}
	want := uint64(32)
	if wide {
		want = 56
	}
	if entrySize != want || count == 0 || count*entrySize > 1<<16 {
		return "", errors.New("the program is damaged: its program headers are not valid")
	}
	table := make([]byte, count*entrySize)
	if err := readAll(f, table, offset); err != nil {
		return "", err
	}
	interpreter := ""
	for ; len(table) > 0; table = table[entrySize:] {
		const load, interp, pathMax = 1, 3, 4096
		var from, length uint64
		if wide {
			from, length = le.Uint64(table[8:]), le.Uint64(table[32:])
		} else {
			from, length = uint64(le.Uint32(table[4:])), uint64(le.Uint32(table[16:]))
		}
		switch kind := le.Uint32(table); {
		case kind == load && (from > uint64(size) || length > uint64(size)-from):
			return "", errors.New("the program is cut off")
		case kind == interp && interpreter == "":
			if length < 2 || length > pathMax {
				return "", errors.New("the program is damaged: the name of its interpreter is not valid")
			}
			name := make([]byte, length)
			if err := readAll(f, name, from); err != nil {
				return "", err
			}
			before, _, ended := bytes.Cut(name, []byte{0})
			if !ended || len(before) == 0 {
				return "", errors.New("the program is damaged: the name of its interpreter is not valid")
			}
			interpreter = string(before)
		}
	}
	return interpreter, nil
}

// wrongMachine reports a program for another architecture. It is an errFormat.
type wrongMachine string

func (m wrongMachine) Error() string {
	return fmt.Sprintf("a program for %s, but this machine is %s", string(m), machineNames[machines[runtime.GOARCH][0]])
}

func (wrongMachine) Is(target error) bool { return target == errFormat }

// readAll fills b from an offset of the file.
func readAll(f io.ReaderAt, b []byte, offset uint64) error {
	if offset > 1<<62 {
		return errors.New("the program is cut off")
	}
	if _, err := f.ReadAt(b, int64(offset)); err == io.EOF {
		return errors.New("the program is cut off")
	} else if err != nil {
		return err
	}
	return nil
}

// tryProgram returns an error if the kernel cannot run r's program in the new root. A child
// process executes it, and is killed before the first instruction. The checks above know the
// usual reasons and name them. Only the kernel knows the rest: whether it runs programs of
// 32 bits, or what a security module forbids.
func tryProgram(r Request) error {
	// The thread that starts a traced process is the one that may wait for it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, err := syscall.ForkExec(r.Init, append([]string{r.Init}, r.Args...), &syscall.ProcAttr{
		Dir:   "/",
		Env:   r.Env,
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Chroot: r.NewRoot, Ptrace: true},
	})
	if errors.Is(err, syscall.EPERM) {
		return nil // a security module may forbid to trace
	}
	if err != nil {
		return fmt.Errorf("init: the kernel cannot run %s in the new root: %v", printable.Text(r.Init), err)
	}
	syscall.Kill(pid, syscall.SIGKILL)
	for {
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil && err != syscall.EINTR || status.Exited() || status.Signaled() {
			return nil
		}
	}
}

// hasOtherFormats reports whether the kernel runs programs of formats that were registered
// with it (Documentation/admin-guide/binfmt-misc.rst), such as those of other architectures.
func (h host) hasOtherFormats() bool {
	entries, err := os.ReadDir(h.root + "/proc/sys/fs/binfmt_misc")
	const ownFiles = 2 // register and status
	return err == nil && len(entries) > ownFiles
}
