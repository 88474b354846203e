package lint

import (
	"bytes"
	"errors"
	"io"
	"path"
	"regexp"
	"strings"

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
	// isScript marks a script, and interpreter is what runs it. If that is env(1), env is the
	// program that env starts, or "" if it cannot be told.
	isScript         bool
	interpreter, env string
	// splits is set if env is to split its argument, which BusyBox's env cannot.
	splits bool
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
		p := &program{isScript: true}
		x.programs[file] = p
		var argument string
		if p.interpreter, argument, p.damage = readInterpreter(head); path.Base(p.interpreter) == "env" {
			p.env, p.splits, p.damage = envProgram(argument)
		}
		return x.reader.Keep(&p.interpreter, &p.env)
	}
	return nil
}

// bufferSize is the number of bytes by which the kernel recognizes what runs a file
// (BINPRM_BUF_SIZE in include/uapi/linux/binfmts.h).
const bufferSize = 256

var (
	errNoInterpreter = errors.New("its first line does not name an interpreter, so the kernel does not run it")
	errLongLine      = errors.New("its interpreter's name extends past byte 256 of the file, so the kernel does not run it")
	errNoProgram     = errors.New("its first line does not name a program for env, which then starts the script again and again")
)

// readInterpreter returns the interpreter that the first line of a script names, and the argument
// for it, which is empty if there is none or if it may be cut off. head has the first bytes of the
// script, up to bufferSize. This is load_script of fs/binfmt_script.c: blanks and tabs around the
// name do not count, but a carriage return is a part of it. All the rest of the line is one argument.
func readInterpreter(head []byte) (interpreter, argument string, err error) {
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
		return "", "", errNoInterpreter
	}
	name := bytes.TrimLeft(line[2:], " \t")
	end := bytes.IndexAny(name, " \t")
	switch {
	case len(name) == 0:
		return "", "", errNoInterpreter
	case end >= 0:
		if ended || len(text) < bufferSize {
			argument = string(bytes.Trim(name[end:], " \t"))
		} else {
			argument = cutArgument
		}
		return string(name[:end]), argument, nil
	case !ended && len(text) == bufferSize:
		return "", "", errLongLine
	}
	return string(name), "", nil
}

// cutArgument is the argument of a line that is longer than the kernel reads.
const cutArgument = "\x00"

// splitOption is the option of env(1) that splits the rest of its argument.
var splitOption = regexp.MustCompile(`^(?:-[iv0]*S|--split-string=)`)

// envProgram returns the program that env(1) starts for a script with this argument, or "" if it
// cannot be told, and whether env must split the argument.
func envProgram(argument string) (program string, splits bool, err error) {
	if argument == cutArgument {
		return "", false, nil
	}
	words := []string{argument}
	if option := splitOption.FindString(argument); option != "" {
		splits = true
		text := argument[len(option):]
		if strings.ContainsAny(text, "'\"\\$#") {
			return "", true, nil
		}
		words = strings.Fields(text)
	}
	for i := 0; i < len(words); i++ {
		switch word := words[i]; {
		case word == "-u" || word == "-C" || word == "--unset" || word == "--chdir":
			i++ // the option's argument
		case word == "--" && i+1 < len(words):
			return words[i+1], splits, nil
		case word == "" || strings.HasPrefix(word, "-") || strings.Contains(word, "="):
		default:
			return word, splits, nil
		}
	}
	return "", splits, errNoProgram
}
