package lint

import (
	"bytes"
	"errors"
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/elf"
	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

// program is a file that the kernel can run, or a shared object.
type program struct {
	// path is the first path of the file, in the order of the image. It is empty until the
	// image has been read, and if the file is not a program of the system.
	path string
	// elf is set for an ELF file.
	elf *elf.File
	// isScript marks a script, and interpreter is what runs it.
	isScript    bool
	interpreter string
	// damage is why the kernel or a loader would refuse it; nil if they would not.
	damage error
}

// object returns what is known of an ELF file that is sound; nil for another one.
func (p *program) object() *elf.Object {
	if p == nil || p.elf == nil {
		return nil
	}
	return p.elf.Object
}

// probe reads the content of a file. Its errors are those of body and of temporary files.
func (x *contents) probe(file *kernel.File, at string, body io.Reader) error {
	delete(x.programs, file)
	delete(x.configurations, file)
	n, err := io.ReadFull(body, x.head[:])
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	head := x.head[:n]
	read, err := x.reader.Read(at, file.Size, head, body)
	switch {
	case err != nil:
		return err
	case read != nil && read.Object == nil && read.Damage == nil:
		x.configurations[file] = read
	case read != nil:
		x.programs[file] = &program{elf: read, damage: read.Damage}
	case string(head[:min(n, 4)]) == "bFLT": // of systems without MMU
		x.programs[file] = &program{}
	case string(head[:min(n, 2)]) == "#!":
		interpreter, damage := readInterpreter(head)
		x.programs[file] = &program{isScript: true, interpreter: interpreter, damage: damage}
		return x.reader.Keep(&x.programs[file].interpreter)
	}
	return nil
}

// bufferSize is the number of bytes by which the kernel recognizes what runs a file
// (BINPRM_BUF_SIZE in include/uapi/linux/binfmts.h).
const bufferSize = 256

var (
	errNoInterpreter = errors.New("its first line does not name an interpreter, so the kernel does not run it")
	errLongLine      = errors.New("its interpreter's name extends past byte 256 of the file, so the kernel does not run it")
)

// readInterpreter returns the interpreter that the first line of a script names. head has the
// first bytes of the script, up to bufferSize. This is load_script of fs/binfmt_script.c: blanks
// and tabs around the name do not count, but a carriage return is a part of it.
func readInterpreter(head []byte) (string, error) {
	// The kernel's buffer has NULs after the end of the file. A line ends at a newline;
	// without one, the last byte does not count.
	var buf [bufferSize]byte
	copy(buf[:], head)
	text := buf[:]
	if end := bytes.IndexByte(text, 0); end >= 0 {
		text = text[:end]
	}
	line, _, ended := bytes.Cut(text, []byte{'\n'})
	if len(line) < 2 {
		return "", errNoInterpreter
	}
	name := bytes.TrimLeft(line[2:], " \t")
	end := bytes.IndexAny(name, " \t")
	switch {
	case len(name) == 0:
		return "", errNoInterpreter
	case end >= 0:
		return string(name[:end]), nil
	case !ended && len(text) == bufferSize:
		return "", errLongLine
	}
	return string(name), nil
}
