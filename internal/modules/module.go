// Package modules reads the kernel's modules and writes the indexes that depmod writes.
//
// A Tree is what a kernel's build installs below lib/modules/RELEASE: the modules, and the lists
// of the kernel itself. A catalog is a file with what a Tree knows, so that modules can be chosen
// without reading each of them again. WriteIndexes writes the indexes of all modules, or of some
// of them, as depmod of kmod 34 does, to the byte.
//
// Nothing that is read is assumed to be well-formed: what is read and kept has limits.
package modules

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	stdhash "hash"
	"io"
	"path"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/elf"
)

// Errors that say what is wrong with a module. Read and Parse wrap them.
var (
	// ErrNotModule means that a file is not a kernel module, but something else.
	ErrNotModule = errors.New("not a kernel module")
	// ErrDamaged means that a module, or its compression, is damaged.
	ErrDamaged = errors.New("damaged kernel module")
	// ErrName means that the file of a module has not the name that the kernel knows the module by.
	ErrName = errors.New("the file is not named like its module")
	// ErrArchitecture means that modules of one kernel are for different architectures.
	ErrArchitecture = errors.New("modules for different architectures")
)

// maxModule is the size in bytes that a module may have when it is decompressed. The largest of
// Debian's, amdgpu, has a tenth of it.
const maxModule = 512 << 20

// Module is a kernel module: one that can be loaded, or one that is built into the kernel.
type Module struct {
	// Name is the name that the kernel knows: that of the file up to its first dot, with _ for -.
	Name string
	// Path is relative to lib/modules/RELEASE, such as kernel/drivers/net/virtio_net.ko.xz. That
	// of a built-in module is where it would be: modules.builtin has it, and it ends with .ko.
	// It is empty for what is built in and cannot be a module (modules.builtin.modinfo has its
	// parameters and firmware).
	Path string
	// Builtin reports whether the module is built into the kernel. Such a module has a name, a
	// path and Info only.
	Builtin bool
	// Size is that of the file as it is, compressed or not, in bytes.
	Size int64
	// Digest is the SHA-256 of the file as it is, in hexadecimal; empty if it was not read from one.
	Digest string
	// Codec is the name of the codec of the file, such as xz; empty if it is not compressed.
	Codec string
	// Arch is the architecture whose kernels can load the module.
	Arch elf.Arch
	// Signed reports whether the file ends with a signature.
	Signed bool
	// Info is what modinfo prints.
	Info Info
	// Exports are the symbols that other modules can use, and Imports those that the module needs
	// of the kernel or of other modules, in the order of the file.
	Exports, Imports []Symbol
}

// Symbol is a symbol of the kernel or of a module.
type Symbol struct {
	Name string
	// CRC is the checksum of the symbol's type (CONFIG_MODVERSIONS); 0 if there is none.
	CRC uint32
	// Weak is set for an import that may be missing.
	Weak bool
}

// suffixes end the names of module files. The last three are those that modules_install writes
// (scripts/Makefile.modinst).
var suffixes = []string{".ko", ".ko.gz", ".ko.xz", ".ko.zst"}

// IsModule reports whether a file's name is that of a module, which may be compressed.
func IsModule(name string) bool {
	for _, suffix := range suffixes {
		if base := path.Base(name); len(base) > len(suffix) && strings.HasSuffix(base, suffix) {
			return true
		}
	}
	return false
}

// Name returns the name of the module in a file, or of a module whose name is written with - or _
// (path_to_modname in shared/util.c of kmod).
func Name(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".")
	return strings.ReplaceAll(name, "-", "_")
}

// Read reads a module, which may be compressed with gzip, xz or zstd. The name is that of the
// file relative to lib/modules/RELEASE. Errors are those of r, or have it and wrap ErrNotModule
// or ErrDamaged.
func Read(name string, r io.Reader) (*Module, error) {
	var p parser
	return p.read(name, r)
}

// Parse reads a module that is not compressed. Nothing of data is kept.
func Parse(name string, data []byte) (*Module, error) {
	var p parser
	return p.parse(name, data)
}

// parser reads one module after another, and uses again what it has allocated.
type parser struct {
	in      bufio.Reader
	content bytes.Buffer
	names   map[string]string // symbols, each once
}

// counter counts what is read, and makes a digest of it.
type counter struct {
	io.Reader
	n      int64
	digest stdhash.Hash
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	c.digest.Write(p[:n])
	return n, err
}

func (p *parser) read(name string, r io.Reader) (*Module, error) {
	file := &counter{Reader: r, digest: sha256.New()}
	p.in.Reset(file)
	content := io.Reader(&p.in)
	compression := ""
	if prefix, err := p.in.Peek(8); err != nil && err != io.EOF {
		return nil, err
	} else if detected := codec.DetectFile(prefix); detected != "" {
		decoder, err := codec.NewFileReader(&p.in)
		if err != nil {
			return nil, damaged(name, "%w", err)
		}
		content, compression = decoder, detected
	}
	p.content.Reset()
	if _, err := p.content.ReadFrom(io.LimitReader(content, maxModule+1)); err != nil {
		if compression != "" {
			return nil, damaged(name, "%w", err)
		}
		return nil, err
	}
	if p.content.Len() > maxModule {
		return nil, damaged(name, "it has more than %d MiB", maxModule>>20)
	}
	m, err := p.parse(name, p.content.Bytes())
	if err != nil {
		return nil, err
	}
	m.Size, m.Codec, m.Digest = file.n, compression, hex.EncodeToString(file.digest.Sum(nil))
	return m, nil
}

// damaged returns an error that wraps ErrDamaged.
func damaged(name, format string, args ...any) error {
	return fmt.Errorf("%s: %w: %w", name, ErrDamaged, fmt.Errorf(format, args...))
}
