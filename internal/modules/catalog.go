package modules

import (
	"bufio"
	stdelf "debug/elf"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/elf"
)

// ErrCatalog means that a file is not a catalog, or not one of this version of the package.
var ErrCatalog = errors.New("bad catalog of modules")

// catalogHeader begins a catalog. The number changes with the format.
const catalogHeader = "modules catalog 2\n"

// maxCatalog is the size in bytes that a catalog may have. That of a distribution's kernel has a
// tenth of it.
const maxCatalog = 64 << 20

// A catalog is a text. Its first line is catalogHeader. Then come the kernel's own files, each a
// line "file NAME SIZE", the content and a line feed. Then come lines of a word and its value:
//
//	symbol CRC NAME    a symbol with its CRC (hexadecimal); their numbers begin with 0
//	weak CRC NAME      a weak symbol
//	module PATH        a module; what follows is of this module
//	arch MACHINE CLASS DATA  as in the ELF header, if it is not that of the module before
//	size BYTES
//	digest SHA-256     if the module was read from a file
//	codec NAME         if the file is compressed
//	signed             if the file is signed
//	info KEY=VALUE     one line of modinfo
//	exports NUMBERS, imports NUMBERS  symbols
//
// The last line is "end COUNT" with the number of modules. A catalog without it is cut off.
//
// In values, a backslash is \\, and a line feed is \n.

// WriteCatalog writes a catalog of a tree. The bytes depend on the tree only.
func WriteCatalog(w io.Writer, t *Tree) error {
	out := bufio.NewWriter(w)
	out.WriteString(catalogHeader)
	for _, f := range t.files() {
		if *f.content != nil {
			fmt.Fprintf(out, "file %s %d\n%s\n", f.name, len(*f.content), *f.content)
		}
	}
	numbers := map[Symbol]int{}
	number := func(symbols []Symbol) {
		for _, s := range symbols {
			if _, ok := numbers[s]; ok {
				continue
			}
			numbers[s] = len(numbers)
			word := "symbol"
			if s.Weak {
				word = "weak"
			}
			fmt.Fprintf(out, "%s %x %s\n", word, s.CRC, escape(s.Name))
		}
	}
	for _, m := range t.Modules {
		number(m.Exports)
		number(m.Imports)
	}
	var arch elf.Arch
	for _, m := range t.Modules {
		fmt.Fprintf(out, "module %s\nsize %d\n", escape(m.Path), m.Size)
		if m.Arch != arch {
			arch = m.Arch
			fmt.Fprintf(out, "arch %d %d %d\n", arch.Machine, arch.Class, arch.Data)
		}
		if m.Digest != "" {
			fmt.Fprintf(out, "digest %s\n", escape(m.Digest))
		}
		if m.Codec != "" {
			fmt.Fprintf(out, "codec %s\n", escape(m.Codec))
		}
		if m.Signed {
			out.WriteString("signed\n")
		}
		for _, f := range m.Info {
			fmt.Fprintf(out, "info %s=%s\n", escape(f.Key), escape(f.Value))
		}
		writeNumbers(out, "exports", m.Exports, numbers)
		writeNumbers(out, "imports", m.Imports, numbers)
	}
	fmt.Fprintf(out, "end %d\n", len(t.Modules))
	return out.Flush()
}

func writeNumbers(out *bufio.Writer, word string, symbols []Symbol, numbers map[Symbol]int) {
	if len(symbols) == 0 {
		return
	}
	out.WriteString(word)
	var digits [20]byte
	for _, s := range symbols {
		out.WriteByte(' ')
		out.Write(strconv.AppendInt(digits[:0], int64(numbers[s]), 10))
	}
	out.WriteByte('\n')
}

// kernelFile is one of KernelFiles with its name.
type kernelFile struct {
	name    string
	content *[]byte
}

// files returns the kernel's own files in an order that never changes.
func (k *KernelFiles) files() []kernelFile {
	return []kernelFile{{OrderFile, &k.Order}, {BuiltinFile, &k.Builtin}, {BuiltinInfoFile, &k.BuiltinInfo}}
}

var (
	escaper   = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	unescaper = strings.NewReplacer(`\\`, `\`, `\n`, "\n")
)

func escape(value string) string { return escaper.Replace(value) }

func unescape(value string) string {
	if strings.IndexByte(value, '\\') < 0 {
		return value
	}
	return unescaper.Replace(value)
}

// ReadCatalog reads a catalog. The tree is the one that was written. Errors are those of r, or wrap
// ErrCatalog.
func ReadCatalog(r io.Reader) (*Tree, error) {
	var text strings.Builder
	if _, err := io.Copy(&text, io.LimitReader(r, maxCatalog+1)); err != nil {
		return nil, err
	}
	rest, ok := strings.CutPrefix(text.String(), catalogHeader)
	switch {
	case text.Len() > maxCatalog:
		return nil, fmt.Errorf("%w: it has more than %d MiB", ErrCatalog, maxCatalog>>20)
	case strings.HasPrefix(text.String(), layerHeader):
		return nil, fmt.Errorf("%w: it is the catalog of a layer, for packer pack --module-catalog: name one of a kernel, which packer modules --write-catalog writes", ErrCatalog)
	case !ok:
		return nil, fmt.Errorf("%w: it does not begin with %q: write it again", ErrCatalog, strings.TrimSpace(catalogHeader))
	}
	t := &Tree{}
	c := catalogReader{rest: rest, line: 1, tree: t}
	for c.rest != "" && !c.ended {
		if err := c.readLine(); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w: write it again", ErrCatalog, c.line, err)
		}
	}
	switch {
	case !c.ended:
		return nil, fmt.Errorf("%w: it is cut off after line %d: write it again", ErrCatalog, c.line)
	case c.rest != "":
		return nil, fmt.Errorf("%w: more follows its end in line %d: write it again", ErrCatalog, c.line)
	}
	if len(c.modules) > maxModules {
		return nil, fmt.Errorf("%w: it has more than %d modules", ErrCatalog, maxModules)
	}
	if err := t.complete(c.modules); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCatalog, err)
	}
	return t, nil
}

// catalogReader reads the lines of a catalog.
type catalogReader struct {
	rest    string
	line    int // of the last line that was read
	tree    *Tree
	symbols []Symbol
	modules []*Module
	arch    elf.Arch
	ended   bool // the last line was read
}

var errCatalogLine = errors.New("it is not a line of a catalog")

// readLine reads a line, or a file.
func (c *catalogReader) readLine() error {
	line, rest, ok := strings.Cut(c.rest, "\n")
	c.rest = rest
	c.line++
	if !ok {
		return errors.New("it is cut off")
	}
	word, value, _ := strings.Cut(line, " ")
	switch word {
	case "file":
		return c.readFile(value)
	case "symbol", "weak":
		crc, name, _ := strings.Cut(value, " ")
		n, err := strconv.ParseUint(crc, 16, 32)
		c.symbols = append(c.symbols, Symbol{Name: unescape(name), CRC: uint32(n), Weak: word == "weak"})
		return err
	case "module":
		name := unescape(value)
		if !IsModule(name) || strings.Contains(name, "\x00") {
			return errCatalogLine
		}
		c.modules = append(c.modules, &Module{Name: Name(name), Path: name, Arch: c.arch})
		return nil
	case "end":
		if n, err := strconv.Atoi(value); err != nil || n != len(c.modules) {
			return fmt.Errorf("its end says %.80q for the number of modules, which is %d", value, len(c.modules))
		}
		c.ended = true
		return nil
	}
	if len(c.modules) == 0 {
		return errCatalogLine
	}
	return c.readField(c.modules[len(c.modules)-1], word, value)
}

// readField reads a line about a module.
func (c *catalogReader) readField(m *Module, word, value string) (err error) {
	switch word {
	case "size":
		m.Size, err = strconv.ParseInt(value, 10, 64)
	case "digest":
		m.Digest = unescape(value)
	case "codec":
		m.Codec = unescape(value)
	case "signed":
		m.Signed = true
	case "arch":
		var machine uint16
		var class, data uint8
		_, err = fmt.Sscanf(value, "%d %d %d", &machine, &class, &data)
		c.arch = elf.Arch{Machine: stdelf.Machine(machine), Class: stdelf.Class(class), Data: stdelf.Data(data)}
		m.Arch = c.arch
	case "info":
		key, text, _ := strings.Cut(value, "=")
		m.Info = append(m.Info, Field{unescape(key), unescape(text)})
	case "exports":
		m.Exports, err = c.readNumbers(value)
	case "imports":
		m.Imports, err = c.readNumbers(value)
	default:
		err = errCatalogLine
	}
	return err
}

// readNumbers returns the symbols with these numbers.
func (c *catalogReader) readNumbers(value string) ([]Symbol, error) {
	symbols := make([]Symbol, 0, strings.Count(value, " ")+1)
	for digits := range strings.SplitSeq(value, " ") {
		n, err := strconv.Atoi(digits)
		if err != nil || n < 0 || n >= len(c.symbols) {
			return nil, fmt.Errorf("unknown symbol number %q", digits)
		}
		symbols = append(symbols, c.symbols[n])
	}
	return symbols, nil
}

// readFile reads one of the kernel's own files.
func (c *catalogReader) readFile(value string) error {
	name, digits, _ := strings.Cut(value, " ")
	size, err := strconv.Atoi(digits)
	if err != nil || size < 0 || size >= len(c.rest) || c.rest[size] != '\n' {
		return errors.New("its file does not end where it should")
	}
	for _, f := range c.tree.files() {
		if f.name == name {
			*f.content = []byte(c.rest[:size])
			c.line += strings.Count(c.rest[:size+1], "\n")
			c.rest = c.rest[size+1:]
			return nil
		}
	}
	return errCatalogLine
}
