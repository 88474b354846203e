package fit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/rules-initramfs/rules_initramfs/internal/fdt"
)

// Tokens of a device tree.
const (
	beginNode = 1
	endNode   = 2
	property  = 3
	end       = 9
)

// Limits of U-Boot.
const (
	// maxHashedNodes is IMAGE_MAX_HASHED_NODES of boot/image-fit-sig.c.
	maxHashedNodes = 100
	// maxRegions is what mkimage has room for (fit_config_get_regions of tools/image-host.c).
	maxRegions = 100
	// maxNodePath is the room for a path, with its NUL.
	maxNodePath = 200
)

// excluded are the properties that are not hashed, because hashes of their data are.
var excluded = []string{dataProperty, dataSizeProperty, dataPositionProperty, dataOffsetProperty}

// writeRegions writes what a signature is over: the tokens of some nodes, and the first bytes of the
// block of names. It is what fdt_find_regions of boot/fdt_region.c finds.
func writeRegions(w io.Writer, tree *fdt.Tree, nodes []string, strings int) error {
	switch {
	case strings > len(tree.Strings):
		return fmt.Errorf("the signature is over %d bytes of names, and there are %d", strings, len(tree.Strings))
	case len(nodes) > maxHashedNodes:
		return fmt.Errorf("the signature is over %d nodes, and U-Boot has room for %d: use fewer overlays in a configuration", len(nodes), maxHashedNodes)
	}
	// A name that is not signed could be changed to that of another property.
	r := &regions{w: w, nodes: nodes, names: tree.Strings[:strings]}
	if err := r.node(tree.Root, "", 0); err != nil {
		return err
	}
	r.emit(true, false, fdt.Words(end))
	switch {
	case r.err != nil:
		return r.err
	case r.count > maxRegions:
		return fmt.Errorf("the signature is over %d parts of the tree, and U-Boot has room for %d: use fewer overlays in a configuration", r.count, maxRegions)
	}
	_, err := w.Write(tree.Strings[:strings])
	return err
}

type regions struct {
	w     io.Writer
	nodes []string
	names []byte
	open  bool // whether the token before was written
	count int
	err   error
}

// emit writes a token that is included, or that ends a region.
func (r *regions) emit(include, ends bool, token ...[]byte) {
	if include && !r.open {
		r.count++
	}
	if include || ends && r.open {
		for _, part := range token {
			if r.err == nil {
				_, r.err = r.w.Write(part)
			}
		}
	}
	r.open = include
}

// node writes the tokens of a node. want is 2 for the children of a node whose properties are
// included, 1 for those of its children, and otherwise 0.
func (r *regions) node(n *fdt.Node, path string, want int) error {
	if path != "/" {
		path += "/"
	}
	path += n.Name
	if len(path) >= maxNodePath {
		return fmt.Errorf("the path of the node %s has more than %d bytes", n.Name, maxNodePath-1)
	}
	if slices.Contains(r.nodes, path) {
		want = 2
	} else if want > 0 {
		want--
	}
	name := append([]byte(n.Name), make([]byte, 4-len(n.Name)%4)...)
	r.emit(want > 0, false, fdt.Words(beginNode), name)
	for _, p := range n.Properties {
		include := want == 2 && !slices.Contains(excluded, p.Name)
		if !include {
			r.emit(false, false)
			continue
		}
		if err := r.property(p); err != nil {
			return err
		}
	}
	for _, child := range n.Children {
		if err := r.node(child, path, want); err != nil {
			return err
		}
	}
	r.emit(want > 0, true, fdt.Words(endNode))
	return r.err
}

func (r *regions) property(p fdt.Property) error {
	if p.Content != nil {
		return fmt.Errorf("the property %s is signed, and has %d bytes, too many", p.Name, p.Content.Size())
	}
	at := bytes.Index(r.names, append([]byte(p.Name), 0))
	if at < 0 {
		return fmt.Errorf("the signature does not cover the name of the property %s", p.Name)
	}
	head := binary.BigEndian.AppendUint32(fdt.Words(property), uint32(len(p.Value)))
	head = binary.BigEndian.AppendUint32(head, uint32(at))
	r.emit(true, false, head, p.Value, make([]byte, -len(p.Value)&3))
	return nil
}
