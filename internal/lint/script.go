package lint

import (
	"bytes"
	"errors"
)

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
