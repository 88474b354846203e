package modules

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

// Errors of Layer.Write.
var (
	// ErrChanged means that a module's file is not the one that is in the catalog.
	ErrChanged = errors.New("changed since the catalog was written")
	// ErrCompression means that the kernel cannot decompress modules as asked for.
	ErrCompression = errors.New("the kernel cannot decompress modules")
	// ErrSignature means that a change of a module would make its signature wrong.
	ErrSignature = errors.New("the module's signature would not hold")
	// ErrUnsigned means that the kernel would refuse a module because it has no signature.
	ErrUnsigned = errors.New("it has no signature, and the kernel refuses modules without one (CONFIG_MODULE_SIG_FORCE)")
)

// Compression says how the modules of a layer are compressed: keep, none, or a codec with an
// optional level, such as zstd or gzip:6.
type Compression string

// KeepCompression leaves modules as they are.
const KeepCompression Compression = "keep"

// moduleCodecs are the codecs that the kernel has for modules (CONFIG_MODULE_COMPRESS_* in
// kernel/module/Kconfig).
var moduleCodecs = []string{"gzip", "xz", "zstd"}

// Compressions returns what a Compression can be, without levels.
func Compressions() []string {
	return append([]string{string(KeepCompression), codec.None}, moduleCodecs...)
}

// ParseCompression reads a compression.
func ParseCompression(text string) (Compression, error) {
	c := Compression(text)
	if !slices.Contains(Compressions(), c.codec()) {
		return "", fmt.Errorf("%q: want one of %s", text, strings.Join(Compressions(), ", "))
	}
	if c == KeepCompression {
		return c, nil
	}
	_, err := codec.Parse(text)
	return c, err
}

// codec returns the name of the codec, or keep.
func (c Compression) codec() string {
	name, _, _ := strings.Cut(string(c), ":")
	return name
}

// Check returns an error that wraps ErrCompression if a kernel with a .config cannot load modules
// that are compressed so. value returns the value of an option.
func (c Compression) Check(value func(option string) string) error {
	if !slices.Contains(moduleCodecs, c.codec()) {
		return nil
	}
	for _, option := range []string{"CONFIG_MODULE_DECOMPRESS", "CONFIG_MODULE_COMPRESS_" + strings.ToUpper(c.codec())} {
		if value(option) != "y" {
			return fmt.Errorf("%w with %s: %s is off: enable it, or leave modules as they are or uncompressed", ErrCompression, c.codec(), option)
		}
	}
	return nil
}

// extension returns what ends the name of a module that is compressed with a codec.
func extension(name string) string {
	for _, known := range codec.All() {
		if known.Name == name {
			return known.Extension
		}
	}
	return ""
}

// Layer is a directory with modules, their indexes and firmware, to be written.
type Layer struct {
	Kernel    Kernel
	Tree      *Tree
	Selection *Selection
	Firmware  []Firmware
	// Files are the files of modules that are not in the kernel's directory, by Module.Path.
	Files map[string]string
	// Prefix is what comes before modules and firmware: lib or usr/lib.
	Prefix string
	// Strip drops debug information.
	Strip bool
	// SignaturesForced reports whether the kernel refuses modules without a signature
	// (CONFIG_MODULE_SIG_FORCE).
	SignaturesForced bool
	// ForSigning writes the modules without signatures and not compressed, with the names that they
	// have when they are: Sign signs and compresses them.
	ForSigning  bool
	Compression Compression

	// Written are the modules as written, in the order of the selection; set by Write.
	Written []*Module
	// Unsigned are the names of the modules that have lost their signature; set by Write.
	Unsigned []string
}

// Write writes the layer to a directory, which is new or empty. After an error, nothing is left in
// it.
func (l *Layer) Write(ctx context.Context, dir string) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if entries, err := os.ReadDir(dir); err != nil {
		return err
	} else if len(entries) > 0 {
		return fmt.Errorf("%s is not empty: name a new or empty directory", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	defer func() {
		if err != nil {
			l.remove(root)
		}
	}()
	if err := l.writeModules(ctx, root); err != nil {
		return err
	}
	if err := l.writeIndexes(root); err != nil {
		return err
	}
	return l.writeFirmware(ctx, root)
}

// Remove removes what Write has written to a directory, which is empty again.
func (l *Layer) Remove(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return l.remove(root)
}

func (l *Layer) remove(root *os.Root) error {
	top, _, _ := strings.Cut(l.Prefix, "/")
	return root.RemoveAll(top)
}

// base returns the directory lib/modules/RELEASE in the layer.
func (l *Layer) base() string { return path.Join(l.Prefix, "modules", l.Kernel.Release) }

// writeModules writes the modules in parallel.
func (l *Layer) writeModules(ctx context.Context, root *os.Root) error {
	chosen := l.Selection.Modules
	l.Written = make([]*Module, len(chosen))
	unsigned := make([]bool, len(chosen))
	errs := inParallel(len(chosen), func(i int) (err error) {
		if err := ctx.Err(); err != nil {
			return err
		}
		l.Written[i], unsigned[i], err = l.writeModule(root, chosen[i].Module)
		return err
	})
	// If the catalog is of another directory, all modules differ.
	errs, changed := keepFirst(errs, ErrChanged)
	if changed > 1 {
		errs = append(errs, fmt.Errorf("%d of %d modules have %w", changed, len(chosen), ErrChanged))
	}
	errs, refused := keepFirst(errs, ErrUnsigned)
	if refused > 0 {
		errs = append(errs, fmt.Errorf("%d of %d modules have no signature: sign them", refused, len(chosen)))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	l.Unsigned = nil
	for i, lost := range unsigned {
		if lost {
			l.Unsigned = append(l.Unsigned, chosen[i].Name)
		}
	}
	slices.Sort(l.Unsigned)
	return nil
}

// keepFirst drops all but the first of the errors that wrap a certain one, and counts them.
func keepFirst(errs []error, target error) (kept []error, count int) {
	kept = slices.DeleteFunc(errs, func(err error) bool {
		if !errors.Is(err, target) {
			return false
		}
		count++
		return count > 1
	})
	return kept, count
}

// writeModule writes a module and returns it as written, and whether it has lost its signature.
func (l *Layer) writeModule(root *os.Root, m *Module) (written *Module, unsigned bool, err error) {
	content, err := l.readModule(m)
	if err != nil {
		return nil, false, err
	}
	result := *m
	if !m.Signed && l.SignaturesForced && !l.ForSigning {
		return nil, false, fmt.Errorf("%s: %w", m.Path, ErrUnsigned)
	}
	if l.Strip || l.ForSigning || l.Compression != KeepCompression {
		if content, unsigned, err = l.change(&result, content); err != nil {
			return nil, false, fmt.Errorf("%s: %w", m.Path, err)
		}
	}
	return &result, unsigned, writeFile(root, path.Join(l.base(), result.Path), bytes.NewReader(content))
}

// change strips and compresses a module as asked for.
func (l *Layer) change(m *Module, content []byte) (changed []byte, unsigned bool, err error) {
	plain, err := decompress(content)
	if err != nil {
		return nil, false, err
	}
	stripped := plain
	if l.Strip || l.ForSigning {
		bare, message, err := signature.Split(plain)
		if err != nil {
			return nil, false, err
		}
		if l.ForSigning {
			return l.prepare(m, bare)
		}
		if stripped, err = stripDebug(bare); err != nil {
			return nil, false, err
		}
		switch unsigned = message != nil && len(stripped) < len(bare); {
		case unsigned && l.SignaturesForced:
			return nil, false, fmt.Errorf("%w without its debug information, and the kernel refuses modules without one (CONFIG_MODULE_SIG_FORCE): do not strip, or sign after stripping", ErrSignature)
		case unsigned:
			m.Signed = false
		case len(stripped) == len(bare): // there is nothing to strip
			stripped = plain
		}
	}
	was := cmp.Or(m.Codec, codec.None)
	to := l.compression(m)
	if to.codec() == was && len(stripped) == len(plain) {
		return content, false, nil
	}
	changed = stripped
	m.setCodec(to)
	if m.Codec != "" {
		if changed, err = recompress(to, stripped); err != nil {
			return nil, false, err
		}
	}
	m.Size, m.Digest = int64(len(changed)), digest(changed)
	return changed, unsigned, nil
}

// compression returns how a module of the layer is compressed.
func (l *Layer) compression(m *Module) Compression {
	if l.Compression == KeepCompression {
		return Compression(cmp.Or(m.Codec, codec.None))
	}
	return l.Compression
}

// setCodec sets the codec of a module, and gives its file the codec's name.
func (m *Module) setCodec(to Compression) {
	if m.Codec = to.codec(); m.Codec == codec.None {
		m.Codec = ""
	}
	m.Path = m.Path[:strings.LastIndex(m.Path, ".ko")] + ".ko" + extension(m.Codec)
}

// prepare returns a module as Sign wants it. content has no signature, and is not compressed.
func (l *Layer) prepare(m *Module, content []byte) (prepared []byte, unsigned bool, err error) {
	if signature.Signed(content) {
		return nil, false, fmt.Errorf("%w: it is signed twice: build the module again", ErrSignature)
	}
	if l.Strip {
		if content, err = stripDebug(content); err != nil {
			return nil, false, err
		}
	}
	m.setCodec(l.compression(m))
	m.Signed = true
	m.Size = int64(len(content))
	return content, false, nil
}

// readModule reads the file of a module, which must be the one that the module was read from.
func (l *Layer) readModule(m *Module) ([]byte, error) {
	name, ok := l.Files[m.Path]
	if !ok {
		if !filepath.IsLocal(m.Path) {
			return nil, fmt.Errorf("%w: %q is not a path in the kernel's directory", ErrCatalog, m.Path)
		}
		name = filepath.Join(l.Kernel.Dir, m.Path)
	}
	file, err := os.Open(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("%w: the directory has %w, or the catalog is of another kernel: write the catalog again", err, ErrChanged)
	case err != nil:
		return nil, err
	}
	defer file.Close()
	// One byte more would show that the file has grown.
	content, err := io.ReadAll(io.LimitReader(file, min(m.Size, maxModule)+1))
	if err != nil {
		return nil, err
	}
	if !m.isFile(content) {
		return nil, fmt.Errorf("%s has %w: write the catalog again", name, ErrChanged)
	}
	return content, nil
}

// decompress returns a module without its compression.
func decompress(content []byte) ([]byte, error) {
	if codec.DetectFile(content[:min(8, len(content))]) == "" {
		return content, nil
	}
	decoder, err := codec.NewFileReader(bufio.NewReader(bytes.NewReader(content)))
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	plain, err := io.ReadAll(io.LimitReader(decoder, maxModule+1))
	if err == nil && len(plain) > maxModule {
		err = fmt.Errorf("it has more than %d MiB", maxModule>>20)
	}
	return plain, err
}

// recompress compresses a module.
func recompress(to Compression, content []byte) ([]byte, error) {
	method, err := codec.Parse(string(to))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w, err := method.NewWriter(&out)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(content)
	err = errors.Join(err, w.Close())
	return out.Bytes(), err
}

// writeIndexes writes the kernel's own files, and the indexes of the modules as they are written.
func (l *Layer) writeIndexes(root *os.Root) error {
	written := &Tree{KernelFiles: l.Tree.Filter(l.Written), Modules: l.Written}
	return written.Indexes(func(name string, content []byte) error {
		return writeFile(root, path.Join(l.base(), name), bytes.NewReader(content))
	})
}

func (l *Layer) writeFirmware(ctx context.Context, root *os.Root) error {
	for _, f := range l.Firmware {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := path.Join(l.Prefix, "firmware", f.Name)
		if f.Source == "" {
			if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
				return err
			}
			if err := root.Symlink(f.Target, name); err != nil {
				return err
			}
			continue
		}
		file, err := os.Open(f.Source)
		if err != nil {
			return err
		}
		err = writeFile(root, name, file)
		file.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func writeFile(root *os.Root, name string, content io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}

// inParallel calls do with each number below n, several at a time, and returns the errors in the
// order of the numbers.
func inParallel(n int, do func(i int) error) []error {
	errs := make([]error, n)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				errs[i] = do(i)
			}
		})
	}
	workers.Wait()
	return errs
}

// isFile reports whether content is that of the file that the module was read from.
func (m *Module) isFile(content []byte) bool {
	return int64(len(content)) == m.Size && digest(content) == m.Digest
}

// digest returns the Module.Digest of a file.
func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
