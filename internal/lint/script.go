package lint

import (
	"bytes"
	"errors"
)

// bufferSize is how much of a file the kernel looks at to tell what runs it
// (BINPRM_BUF_SIZE in include/uapi/linux/binfmts.h), in bytes.
const bufferSize = 256

var (
	errNoInterpreter = errors.New("its first line names no interpreter: the kernel does not run it")
	errLongLine      = errors.New("the interpreter's name passes byte 256 of the file: the kernel does not run it")
)

// readInterpreter returns the interpreter in the first line of a script, whose
// first bytes, up to bufferSize, head has. It is load_script of
// fs/binfmt_script.c: blanks and tabs around the name do not count, a carriage
// return is a part of it.
func readInterpreter(head []byte) (string, error) {
	// Behind the end of the file the kernel has NULs. A line ends at a newline;
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
