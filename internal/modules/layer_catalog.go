package modules

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// ErrLayers means that the modules of layers cannot be in one image.
var ErrLayers = errors.New("kernel modules that cannot be in one image")

// LayerCatalog is what a file says of the modules of a layer, so that the indexes of several
// layers can be merged without reading their modules.
type LayerCatalog struct {
	// Origin is what messages call the layer, such as the label of a target.
	Origin string
	// File is the name of the file that the catalog was read from, or empty. Messages name it if
	// the layer has no origin.
	File string
	// Base is the directory that has the modules, such as lib/modules/7.2.12.
	Base string
	// Tree has the modules as they are in the layer. Its KernelFiles are the kernel's own: the
	// order of all modules, not only of those in the layer.
	Tree *Tree
}

// layerHeader begins the file of a LayerCatalog. Then come a line with the origin, one with the
// base, and the catalog of the tree. The number changes with the format.
const layerHeader = "layer of modules 1\n"

// Catalog returns the catalog of a layer that is written.
func (l *Layer) Catalog(origin string) *LayerCatalog {
	return &LayerCatalog{Origin: origin, Base: l.base(), Tree: &Tree{KernelFiles: l.Tree.KernelFiles, Modules: l.Written, Builtins: l.Tree.Builtins}}
}

// WriteLayerCatalog writes a catalog. The bytes depend on the catalog only.
func WriteLayerCatalog(w io.Writer, c *LayerCatalog) error {
	if _, err := fmt.Fprintf(w, "%s%s\n%s\n", layerHeader, escape(c.Origin), escape(c.Base)); err != nil {
		return err
	}
	return WriteCatalog(w, c.Tree)
}

// maxLine is the size in bytes that the origin and the base of a catalog may have.
const maxLine = 1 << 12

// ReadLayerCatalog reads a catalog. Errors are those of r, or wrap ErrCatalog.
func ReadLayerCatalog(r io.Reader) (*LayerCatalog, error) {
	in := bufio.NewReaderSize(r, 2*maxLine)
	header, origin, base := "", "", ""
	for _, line := range []*string{&header, &origin, &base} {
		text, err := in.ReadSlice('\n')
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return nil, err
		}
		if *line = string(text); err != nil || len(text) > maxLine || header != layerHeader {
			return nil, fmt.Errorf("%w: it does not begin with %q: write it again with packer modules --write-layer-catalog", ErrCatalog, strings.TrimSpace(layerHeader))
		}
	}
	c := &LayerCatalog{Origin: unescape(origin[:len(origin)-1]), Base: unescape(base[:len(base)-1])}
	if path.Clean("/"+c.Base) != "/"+c.Base || path.Base(path.Dir(c.Base)) != "modules" {
		return nil, fmt.Errorf("%w: %q is not a directory of modules: write it again", ErrCatalog, c.Base)
	}
	var err error
	c.Tree, err = ReadCatalog(in)
	return c, err
}

// MergeLayers returns the catalog of the union of layers, which must have the same base. Its
// KernelFiles are filtered for this union. What two layers have must be the same in both, and
// all must be of one kernel; else the error wraps ErrLayers.
func MergeLayers(layers []*LayerCatalog) (*LayerCatalog, error) {
	first := layers[0]
	merged := &LayerCatalog{Origin: first.Origin, Base: first.Base, Tree: &Tree{}}
	var all []*Module
	owners := map[string]*LayerCatalog{} // by Module.Path
	byPath := map[string]*Module{}
	for _, l := range layers {
		if err := first.checkKernel(l); err != nil {
			return nil, err
		}
		for _, m := range l.Tree.Modules {
			other := byPath[m.Path]
			if other == nil {
				all = append(all, m)
				byPath[m.Path], owners[m.Path] = m, l
			} else if other.Digest != m.Digest || other.Size != m.Size {
				return nil, fmt.Errorf("%w: %s of %s is another file than that of %s: take it from one kernel in both, with the same compression and stripping",
					ErrLayers, printable.Text(path.Join(l.Base, m.Path)), l.Name(), owners[m.Path].Name())
			}
		}
	}
	if err := checkNames(all, owners); err != nil {
		return nil, err
	}
	merged.Tree.KernelFiles = first.Tree.Filter(all)
	if err := merged.Tree.complete(all); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLayers, err)
	}
	return merged, nil
}

// checkKernel returns an error if two layers are not of the same kernel.
func (c *LayerCatalog) checkKernel(other *LayerCatalog) error {
	theirs := other.Tree.files()
	for i, f := range c.Tree.files() {
		if string(*f.content) != string(*theirs[i].content) || (*f.content == nil) != (*theirs[i].content == nil) {
			return fmt.Errorf("%w: %s and %s are of two kernels that are both called %s, and their %s differ: take both from one kernel",
				ErrLayers, c.Name(), other.Name(), printable.Text(path.Base(c.Base)), f.name)
		}
	}
	return nil
}

// checkNames returns an error if two layers have a module in two files: modprobe
// would take one or the other.
func checkNames(all []*Module, owners map[string]*LayerCatalog) error {
	byName := map[string][]*Module{}
	for _, m := range all {
		byName[m.Name] = append(byName[m.Name], m)
	}
	for _, m := range all {
		same := byName[m.Name]
		if _, _, err := Shadow(same); err != nil {
			a, b := same[0], same[1]
			return fmt.Errorf("%w: the module %s is %s of %s and %s of %s: use the same compression in both, or take it in one of them",
				ErrLayers, m.Name, printable.Text(a.Path), owners[a.Path].Name(), printable.Text(b.Path), owners[b.Path].Name())
		}
	}
	return nil
}

// Name is what messages call the layer.
func (c *LayerCatalog) Name() string {
	if c.Origin == "" && c.File != "" {
		return "the layer of " + printable.Text(c.File)
	}
	return cmp.Or(printable.Text(c.Origin), "the layer without an origin")
}

// Indexes calls write for each of the kernel's own files and each index of the modules, with its
// name.
func (t *Tree) Indexes(write func(name string, content []byte) error) error {
	for _, f := range t.files() {
		if *f.content == nil {
			continue
		}
		if err := write(f.name, *f.content); err != nil {
			return err
		}
	}
	return WriteIndexes(t.Modules, t.KernelFiles, write)
}
