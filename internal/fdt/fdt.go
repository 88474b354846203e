// Package fdt reads and writes flattened device trees: the files (.dtb) that describe the hardware
// of a machine to its kernel, the overlays (.dtbo) that change them, and the images of U-Boot that
// have the same format.
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
	"io"
	"strings"
)

// Tree is a device tree.
type Tree struct {
	// Root is the node whose path is "/". Its name is empty.
	Root *Node
	// Version is that of the format: 16 or more.
	Version uint32
	// BootCPU is the number of the CPU that boots.
	BootCPU uint32
	// Reservations are the parts of memory that the kernel must leave alone.
	Reservations []Reservation
	// Size is how many bytes the file has, by its header.
	Size int64
	// Align is what the size that Write writes is a multiple of, by zeros at the end: a power of two,
	// or 0.
	Align int64
	// Strings is the block with the names of properties, each ended by a NUL. Write begins with it,
	// and adds the names that it does not have.
	Strings []byte
}

// Reservation is a part of memory.
type Reservation struct{ Address, Size uint64 }

// Node is a node of a device tree. Its properties and children are in the order of the file.
type Node struct {
	// Name is the name with its unit address, such as "serial@7e201000".
	Name       string
	Properties []Property
	Children   []*Node
}

// Property is a property of a node. Value shares the memory of the file; its length is any
// number of bytes, and it may be empty. A large value has Content instead.
type Property struct {
	Name    string
	Value   []byte
	Content Content
}

// Content is a value that is not in memory.
type Content interface {
	Size() int64
	// WriteTo writes all of the value.
	io.WriterTo
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
	// MaxReservations is the largest number of reservations.
	MaxReservations = 1 << 10
	// MaxName is the largest number of bytes in the name of a node or a property. The
	// specification has 31 for each.
	MaxName = 1023
)

// Limits of what ParseFile keeps in memory, in bytes.
const (
	maxValue  = 64 << 10 // of a value
	maxValues = 64 << 20 // of all values
	maxNames  = 1 << 20
)

// Is reports whether data begins as a flattened device tree.
func Is(data []byte) bool {
	return len(data) >= 4 && binary.BigEndian.Uint32(data) == magic
}

// Parse reads a flattened device tree, which may be followed by other data. It returns
// ErrNotDeviceTree or ErrDamaged, with what is wrong.
func Parse(data []byte) (*Tree, error) {
	return parse(&source{data: data, size: int64(len(data))})
}

// ParseFile reads a flattened device tree, which may be followed by other data, from a file of size
// bytes. It keeps small values in memory; the Content of large ones reads the file.
func ParseFile(r io.ReaderAt, size int64) (*Tree, error) {
	return parse(&source{file: r, size: size})
}

func parse(s *source) (*Tree, error) {
	head, err := s.read(0, 4)
	if err != nil {
		return nil, err
	}
	if !Is(head) {
		return nil, ErrNotDeviceTree
	}
	p, err := newParser(s)
	if err != nil {
		return nil, err
	}
	if p.tree.Root, err = p.root(); err != nil {
		return nil, err
	}
	return p.tree, nil
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

// parser reads the tokens of the structure block.
type parser struct {
	tree       *Tree
	file       *source
	structure  *source
	at         int64 // in structure
	nodes      int
	properties int
	held       int64 // bytes of values of a file that are in memory
}

func newParser(file *source) (*parser, error) {
	head, err := file.read(0, headerSize+4)
	switch {
	case err != nil:
		return nil, err
	case len(head) < headerSize:
		return nil, damaged("it ends within its header")
	}
	field := func(i int) uint32 { return binary.BigEndian.Uint32(head[4*i:]) }
	p := &parser{tree: &Tree{Version: field(5)}, file: file}
	if last := field(6); p.tree.Version < firstVersion || last > lastVersion {
		return nil, damaged("its format has version %d, compatible with %d: versions %d to %d can be read", p.tree.Version, last, firstVersion, lastVersion)
	}
	total := int64(field(1))
	if total < headerSize || total > file.size {
		return nil, damaged("its header says that it has %d bytes, and there are %d", total, file.size)
	}
	p.tree.Size, p.tree.BootCPU = total, field(7)
	block := func(what string, offset, size int64) (*source, error) {
		if offset > total || size > total-offset {
			return nil, damaged("%s, %d bytes at byte %d, ends after the %d bytes of the tree", what, size, offset, total)
		}
		return file.section(offset, size), nil
	}
	structure := int64(field(2))
	size := total - min(structure, total)
	if p.tree.Version >= 17 {
		if total < headerSize+4 {
			return nil, damaged("it ends within its header")
		}
		size = int64(field(9))
	}
	if p.structure, err = block("its structure block", structure, size); err != nil {
		return nil, err
	}
	names, err := block("its block of names", int64(field(3)), int64(field(8)))
	if err != nil {
		return nil, err
	}
	if file.file != nil && names.size > maxNames {
		return nil, damaged("its block of names has %d bytes, more than %d", names.size, maxNames)
	}
	if p.tree.Strings, err = names.read(0, int(names.size)); err != nil {
		return nil, err
	}
	reservations, err := block("its list of reserved memory", int64(field(4)), total-min(int64(field(4)), total))
	if err != nil {
		return nil, err
	}
	p.tree.Reservations, err = readReservations(reservations)
	return p, err
}

// readReservations reads the list of reserved memory, which a row of zeros ends.
func readReservations(block *source) ([]Reservation, error) {
	var all []Reservation
	for at := int64(0); ; at += 16 {
		row, err := block.read(at, 16)
		switch {
		case err != nil:
			return nil, err
		case len(row) < 16 || len(all) == MaxReservations:
			return nil, damaged("its list of reserved memory has no end")
		}
		r := Reservation{binary.BigEndian.Uint64(row), binary.BigEndian.Uint64(row[8:])}
		if r == (Reservation{}) {
			return all, nil
		}
		all = append(all, r)
	}
}

// root reads the root node and the end.
func (p *parser) root() (*Node, error) {
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
	block, err := p.structure.read(p.at, MaxName+1)
	if err != nil {
		return nil, err
	}
	name, err := name(block)
	if err != nil {
		return nil, err
	}
	p.skip(int64(len(name)) + 1)
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
	if int64(size) > p.structure.size-p.at {
		return Property{}, damaged("a property of %d bytes ends after its structure block", size)
	}
	property := Property{}
	if p.file.file != nil && size > maxValue {
		property.Content = section{p.structure.file, p.structure.start + p.at, int64(size)}
	} else if property.Value, err = p.structure.read(p.at, int(size)); err != nil {
		return Property{}, err
	}
	if p.file.file != nil {
		if p.held += int64(len(property.Value)); p.held > maxValues {
			return Property{}, damaged("its small properties have more than %d MiB", maxValues>>20)
		}
		property.Value = bytes.Clone(property.Value) // or it would hold everything that was read with it
	}
	p.skip(int64(size))
	if int(nameAt) >= len(p.tree.Strings) {
		return Property{}, damaged("the name of a property is at byte %d of %d", nameAt, len(p.tree.Strings))
	}
	property.Name, err = name(p.tree.Strings[nameAt:])
	return property, err
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
	block, err := p.structure.read(p.at, 4)
	switch {
	case err != nil:
		return 0, err
	case len(block) < 4:
		return 0, damaged("its structure block has no end")
	}
	p.at += 4
	return binary.BigEndian.Uint32(block), nil
}

// skip moves past size bytes and what aligns them to 4.
func (p *parser) skip(size int64) {
	p.at = min(p.at+(size+3)&^3, p.structure.size)
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
