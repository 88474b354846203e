package lint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/image/kernel"
)

// program is a file that the kernel can run, or a shared object.
type program struct {
	// interpreter runs a script.
	interpreter string
	// object is what an ELF file has in it; nil for another, and where fault is.
	object *object
	// fault says why the kernel or a loader would refuse it; nil if they would
	// not.
	fault error
	// script tells a script from an ELF file; flat is neither (bFLT, without MMU).
	script, flat bool

	// runs tells that it is one that the kernel runs or a loader loads: it may be
	// executed, has the name of a shared object, or another needs it.
	runs bool
	// first is the index of the first entry of the file, by the order of the image,
	// that is still there; -1 until that is known.
	first int32
}

const (
	// maxMemory is the largest ELF file that is kept in memory while it is read,
	// in bytes.
	maxMemory = 8 << 20
	// maxText is the largest configuration of a loader that is read, in bytes,
	// and maxTexts that of all.
	maxText, maxTexts = 64 << 10, 1 << 20
	// maxNames bounds what is kept of the names in ELF files, in bytes.
	maxNames = 64 << 20
)

// errNames reports an image whose programs have more names in them than is sane.
var errNames = fmt.Errorf("the programs are linked with names of more than %d MiB together", maxNames>>20)

// prober looks into files while the image is read.
type prober struct {
	programs map[*kernel.File]*program
	texts    map[*kernel.File]string
	// kept has each name that ELF files have in them once; bytes counts them, and
	// the references to them.
	kept  map[string]string
	bytes int
	// textBytes counts those of texts.
	textBytes int

	head   [bufferSize]byte
	memory bytes.Buffer
	// spool holds an ELF file that is too large for memory; nil before the first.
	spool *os.File
}

func newProber() *prober {
	return &prober{programs: map[*kernel.File]*program{}, texts: map[*kernel.File]string{}, kept: map[string]string{}}
}

func (p *prober) close() {
	if p.spool != nil {
		p.spool.Close()
		os.Remove(p.spool.Name()) // where it could not be removed while it was open
	}
}

// probe looks at the content that a file has got. Its errors are those of
// reading it and of the spool.
func (p *prober) probe(file *kernel.File, at string, body io.Reader) error {
	delete(p.programs, file)
	delete(p.texts, file)
	if isLoaderText(at) && file.Size <= maxText && p.textBytes+int(file.Size) <= maxTexts {
		text, err := io.ReadAll(body)
		p.texts[file] = string(text)
		p.textBytes += len(text)
		return err
	}
	head := p.head[:]
	n, err := readSome(body, head[:4])
	if err != nil {
		return err
	}
	switch string(head[:n]) {
	case "\x7fELF":
		more, err := readSome(body, head[n:64])
		if n += more; err != nil || !isObject(head[:n]) {
			return err
		}
		return p.probeObject(file, head[:n], body)
	case "bFLT":
		p.programs[file] = &program{flat: true, first: -1}
		return nil
	}
	if string(head[:min(n, 2)]) != "#!" {
		return nil
	}
	more, err := readSome(body, head[n:])
	if err != nil {
		return err
	}
	interpreter, fault := readInterpreter(head[:n+more])
	p.programs[file] = &program{script: true, first: -1, interpreter: interpreter, fault: fault}
	return p.keep(&interpreter)
}

// isLoaderText tells whether a dynamic loader may read the file with this path.
func isLoaderText(at string) bool {
	return strings.HasPrefix(at, "/etc/") && (path.Ext(at) == ".conf" || isMuslPath(at))
}

// readSome reads until b is full or r is at its end.
func readSome(r io.Reader, b []byte) (int, error) {
	n, err := io.ReadFull(r, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return n, err
}

// probeObject reads an ELF file that begins with head.
func (p *prober) probeObject(file *kernel.File, head []byte, body io.Reader) error {
	content, err := p.store(head, body, file.Size)
	if err != nil {
		return err
	}
	o, fault := readObject(content, file.Size)
	var path *os.PathError
	if errors.As(fault, &path) {
		return fault // the spool's
	}
	p.programs[file] = &program{object: o, fault: fault, first: -1}
	if fault != nil {
		p.programs[file].object = nil
		return nil
	}
	names := []*string{&o.interp, &o.soname}
	for i := range o.needed {
		names = append(names, &o.needed[i])
	}
	for i := range o.runPaths {
		names = append(names, &o.runPaths[i])
	}
	return p.keep(names...)
}

// store makes a body that begins with head readable at any place, until the next
// call.
func (p *prober) store(head []byte, body io.Reader, size int64) (io.ReaderAt, error) {
	if size <= maxMemory {
		p.memory.Reset()
		p.memory.Write(head)
		_, err := p.memory.ReadFrom(body)
		return bytes.NewReader(p.memory.Bytes()), err
	}
	if p.spool == nil {
		spool, err := os.CreateTemp("", "packer-lint-")
		if err != nil {
			return nil, err
		}
		os.Remove(spool.Name())
		p.spool = spool
	}
	if err := p.spool.Truncate(0); err != nil {
		return nil, err
	}
	if _, err := p.spool.WriteAt(head, 0); err != nil {
		return nil, err
	}
	_, err := io.Copy(io.NewOffsetWriter(p.spool, int64(len(head))), struct{ io.Reader }{body})
	return p.spool, err
}

// keep replaces names by those that are kept already, and counts.
func (p *prober) keep(names ...*string) error {
	for _, name := range names {
		known, ok := p.kept[*name]
		if !ok {
			known = strings.Clone(*name)
			p.kept[known] = known
			p.bytes += len(known) + 32
		}
		*name = known
		p.bytes += 16
	}
	if p.bytes > maxNames {
		return errNames
	}
	return nil
}
