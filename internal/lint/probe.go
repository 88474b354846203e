package lint

import (
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

// prober reads the beginnings of files, and ELF files, while the image is read.
type prober struct {
	programs map[*kernel.File]*program
	// configurations are the configuration files of loaders.
	configurations map[*kernel.File]*elf.File
	reader         elf.Reader
	head           [bufferSize]byte
}

func newProber() *prober {
	return &prober{programs: map[*kernel.File]*program{}, configurations: map[*kernel.File]*elf.File{}}
}

// probe reads the content of a file. Its errors are those of body and of temporary files.
func (p *prober) probe(file *kernel.File, at string, body io.Reader) error {
	delete(p.programs, file)
	delete(p.configurations, file)
	n, err := io.ReadFull(body, p.head[:])
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	head := p.head[:n]
	read, err := p.reader.Read(at, file.Size, head, body)
	switch {
	case err != nil:
		return err
	case read != nil && read.Object == nil && read.Damage == nil:
		p.configurations[file] = read
	case read != nil:
		p.programs[file] = &program{elf: read, damage: read.Damage}
	case string(head[:min(n, 4)]) == "bFLT": // of systems without MMU
		p.programs[file] = &program{}
	case string(head[:min(n, 2)]) == "#!":
		interpreter, damage := readInterpreter(head)
		p.programs[file] = &program{isScript: true, interpreter: interpreter, damage: damage}
		return p.reader.Keep(&p.programs[file].interpreter)
	}
	return nil
}
