// Package fdt reads flattened device trees: the files (.dtb) that describe the hardware of a
// machine to its kernel, and the overlays (.dtbo) that change them.
//
// The format is that of the Devicetree Specification, chapter 5: a header, a block with tokens of
// nodes and properties, and a block with the names of properties. Nothing is assumed about the
// input. Every offset is checked, and depth and number of nodes have limits.
package fdt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Tree is a device tree.
type Tree struct {
	// Root is the node whose path is "/". Its name is empty.
	Root *Node
	// Version is that of the format: 16 or more.
	Version uint32
}

// Node is a node of a device tree. Its properties and children are in the order of the file.
type Node struct {
	// Name is the name with its unit address, such as "serial@7e201000".
	Name       string
	Properties []Property
	Children   []*Node
}

// Property is a property of a node. Value shares the memory of the file; its length is any
// number of bytes, and it may be empty.
type Property struct {
	Name  string
	Value []byte
}

var (
	// ErrNotDeviceTree is the error for a file that is not a flattened device tree.
	ErrNotDeviceTree = errors.New("not a flattened device tree (.dtb)")
	// ErrDamaged is the error for a flattened device tree that cannot be read.
	ErrDamaged = errors.New("the device tree is damaged")
)

// Tokens and sizes of the format.
const (
	magic      = 0xd00dfeed
	headerSize = 36 // of version 16; version 17 adds the size of the structure block

	beginNode = 1
	endNode   = 2
	prop      = 3
	nop       = 4
	end       = 9
)

// Versions that can be read. Version 16 is the first with the present form of names. A file says
// with what version a reader must at least be compatible, and nothing newer than 17 exists.
const (
	firstVersion = 16
	lastVersion  = 17
)

// Limits. No machine comes near the last three.
const (
	// MaxDepth is how deep nodes are nested at most, the root included. Deeper ones are dropped
	// by the kernel (FDT_MAX_DEPTH in drivers/of/fdt.c).
	MaxDepth = 63
	// MaxNodes is the largest number of nodes.
	MaxNodes = 1 << 17
	// MaxProperties is the largest number of properties of all nodes.
	MaxProperties = 1 << 20
	// MaxName is the largest number of bytes in the name of a node or a property. The
	// specification has 31 for each.
	MaxName = 1023
)

// Is reports whether data begins as a flattened device tree.
func Is(data []byte) bool {
	return len(data) >= 4 && binary.BigEndian.Uint32(data) == magic
}

// Parse reads a flattened device tree, which may be followed by other data. It returns
// ErrNotDeviceTree or ErrDamaged, with what is wrong.
func Parse(data []byte) (*Tree, error) {
	if !Is(data) {
		return nil, ErrNotDeviceTree
	}
	p, err := newParser(data)
	if err != nil {
		return nil, err
	}
	root, err := p.tree()
	if err != nil {
		return nil, err
	}
	return &Tree{Root: root, Version: p.version}, nil
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// parser reads the tokens of the structure block.
type parser struct {
	version    uint32
	structure  []byte
	names      []byte
	at         int // in structure
	nodes      int
	properties int
}

func newParser(data []byte) (*parser, error) {
	if len(data) < headerSize {
		return nil, damaged("it ends within its header")
	}
	field := func(i int) uint32 { return binary.BigEndian.Uint32(data[4*i:]) }
	p := &parser{version: field(5)}
	if last := field(6); p.version < firstVersion || last > lastVersion {
		return nil, damaged("its format has version %d, compatible with %d: versions %d to %d can be read", p.version, last, firstVersion, lastVersion)
	}
	total := uint64(field(1))
	if total < headerSize || total > uint64(len(data)) {
		return nil, damaged("its header says that it has %d bytes, and there are %d", total, len(data))
	}
	block := func(what string, offset, size uint64) ([]byte, error) {
		if offset > total || size > total-offset {
			return nil, damaged("%s, %d bytes at byte %d, ends after the %d bytes of the tree", what, size, offset, total)
		}
		return data[offset : offset+size], nil
	}
	structure := uint64(field(2))
	size := total - min(structure, total)
	if p.version >= 17 {
		if total < headerSize+4 {
			return nil, damaged("it ends within its header")
		}
		size = uint64(field(9))
	}
	var err error
	if p.structure, err = block("its structure block", structure, size); err != nil {
		return nil, err
	}
	p.names, err = block("its block of names", uint64(field(3)), uint64(field(8)))
	return p, err
}

// tree reads the root node and the end.
func (p *parser) tree() (*Node, error) {
	var root *Node
	var open []*Node
	for {
		token, err := p.word()
		if err != nil {
			return nil, err
		}
		switch token {
		case nop:
		case beginNode:
			if len(open) == 0 && root != nil {
				return nil, damaged("it has a second root node at byte %d", p.at)
			}
			node, err := p.node(len(open))
			if err != nil {
				return nil, err
			}
			if len(open) == 0 {
				root = node
			} else {
				parent := open[len(open)-1]
				parent.Children = append(parent.Children, node)
			}
			open = append(open, node)
		case endNode:
			if len(open) == 0 {
				return nil, damaged("a node ends at byte %d that did not begin", p.at)
			}
			open = open[:len(open)-1]
		case prop:
			if len(open) == 0 {
				return nil, damaged("a property at byte %d is outside of nodes", p.at)
			}
			property, err := p.property()
			if err != nil {
				return nil, err
			}
			node := open[len(open)-1]
			node.Properties = append(node.Properties, property)
		case end:
			if root == nil || len(open) > 0 {
				return nil, damaged("it ends at byte %d before its nodes do", p.at)
			}
			return root, nil
		default:
			return nil, damaged("unknown token %#x before byte %d of its structure block", token, p.at)
		}
	}
}

// node reads the name of a node.
func (p *parser) node(depth int) (*Node, error) {
	if depth >= MaxDepth {
		return nil, damaged("its nodes are nested more than %d deep", MaxDepth)
	}
	if p.nodes++; p.nodes > MaxNodes {
		return nil, damaged("it has more than %d nodes", MaxNodes)
	}
	name, err := name(p.structure[p.at:])
	if err != nil {
		return nil, err
	}
	p.skip(len(name) + 1)
	if depth == 0 {
		name = "" // some writers call the root "/"
	}
	return &Node{Name: name}, nil
}

func (p *parser) property() (Property, error) {
	if p.properties++; p.properties > MaxProperties {
		return Property{}, damaged("it has more than %d properties", MaxProperties)
	}
	size, err := p.word()
	if err != nil {
		return Property{}, err
	}
	nameAt, err := p.word()
	if err != nil {
		return Property{}, err
	}
	if uint64(size) > uint64(len(p.structure)-p.at) {
		return Property{}, damaged("a property of %d bytes ends after its structure block", size)
	}
	value := p.structure[p.at : p.at+int(size) : p.at+int(size)]
	p.skip(int(size))
	if uint64(nameAt) >= uint64(len(p.names)) {
		return Property{}, damaged("the name of a property is at byte %d of %d", nameAt, len(p.names))
	}
	name, err := name(p.names[nameAt:])
	return Property{Name: name, Value: value}, err
}

// name returns the name that block begins with, and that a NUL ends.
func name(block []byte) (string, error) {
	length := bytes.IndexByte(block[:min(len(block), MaxName+1)], 0)
	if length < 0 {
		return "", damaged("a name does not end after %d bytes", min(len(block), MaxName))
	}
	return string(block[:length]), nil
}

// word reads a token or number.
func (p *parser) word() (uint32, error) {
	if len(p.structure)-p.at < 4 {
		return 0, damaged("its structure block has no end")
	}
	value := binary.BigEndian.Uint32(p.structure[p.at:])
	p.at += 4
	return value, nil
}

// skip moves past size bytes and what aligns them to 4.
func (p *parser) skip(size int) {
	p.at = min(p.at+(size+3)&^3, len(p.structure))
}

// IsOverlay reports whether the tree is an overlay, which changes another tree: its nodes have a
// child "__overlay__" each.
func (t *Tree) IsOverlay() bool {
	for _, fragment := range t.Root.Children {
		if fragment.Child("__overlay__") != nil {
			return true
		}
	}
	return false
}

// BaseName is the name without its unit address: "serial" of "serial@7e201000".
func (n *Node) BaseName() string {
	name, _, _ := strings.Cut(n.Name, "@")
	return name
}

// Child returns the first child with this name, or nil.
func (n *Node) Child(name string) *Node {
	for _, child := range n.Children {
		if child.Name == name {
			return child
		}
	}
	return nil
}

// Property returns the value of the first property with this name, and whether there is one.
func (n *Node) Property(name string) ([]byte, bool) {
	for _, p := range n.Properties {
		if p.Name == name {
			return p.Value, true
		}
	}
	return nil, false
}

// Strings returns the value of a property that is a list of strings, each ended by a NUL. What
// has no NUL at its end is left out, as the kernel does (of_property_read_string_helper in
// drivers/of/property.c).
func (n *Node) Strings(name string) []string {
	value, _ := n.Property(name)
	var all []string
	for len(value) > 0 {
		text, rest, ok := bytes.Cut(value, []byte{0})
		if !ok {
			break
		}
		all = append(all, string(text))
		value = rest
	}
	return all
}

// Uint32 returns the first number of a property, and whether there is one.
func (n *Node) Uint32(name string) (uint32, bool) {
	value, _ := n.Property(name)
	if len(value) < 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(value), true
}
