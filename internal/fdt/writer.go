package fdt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// MaxSize is how many bytes a device tree has at most. Readers keep offsets in signed numbers of 32
// bits (scripts/dtc/libfdt of the kernel and of U-Boot).
const MaxSize = math.MaxInt32

// Writers write the last version of the format, which readers of version 16 can read.
const (
	writeHeaderSize = headerSize + 4
	reservationSize = 16
)

// Write writes the tree as dtc does: the header, reserved memory, the structure, and the names in the
// order of their first use. It writes nothing if the tree has no form in the format.
func (t *Tree) Write(w io.Writer) error {
	names := nameBlock{block: bytes.Clone(t.Strings)}
	counter := &encoder{names: &names}
	if err := counter.tree(t.Root); err != nil {
		return err
	}
	reservations := int64(len(t.Reservations)+1) * reservationSize
	structure := writeHeaderSize + reservations
	total := structure + counter.size + int64(len(names.block))
	if t.Align > 1 {
		total += -total & (t.Align - 1)
	}
	if total > MaxSize {
		return fmt.Errorf("the tree would have %d bytes, more than the format's %d", total, MaxSize)
	}
	var head []byte
	for _, field := range []int64{
		magic, total, structure, structure + counter.size, writeHeaderSize,
		lastVersion, firstVersion, int64(t.BootCPU), int64(len(names.block)), counter.size,
	} {
		head = binary.BigEndian.AppendUint32(head, uint32(field))
	}
	for _, r := range append(slices.Clip(t.Reservations), Reservation{}) {
		head = binary.BigEndian.AppendUint64(head, r.Address)
		head = binary.BigEndian.AppendUint64(head, r.Size)
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	writer := &encoder{names: &names, w: w}
	if err := writer.tree(t.Root); err != nil {
		return err
	}
	if _, err := w.Write(names.block); err != nil {
		return err
	}
	_, err := w.Write(make([]byte, total-structure-counter.size-int64(len(names.block))))
	return err
}

// Bytes returns what Write writes.
func (t *Tree) Bytes() ([]byte, error) {
	var b bytes.Buffer
	err := t.Write(&b)
	return b.Bytes(), err
}

// AddStrings adds the names of all properties to the block of names, in the order of their first use.
func (t *Tree) AddStrings() error {
	names := nameBlock{block: t.Strings}
	err := (&encoder{names: &names}).tree(t.Root)
	t.Strings = names.block
	return err
}

// Set sets a property of a node of the tree. As libfdt does, it keeps the place of a property that the
// node has, writes a new one before the others, and adds its name to the block of names.
func (t *Tree) Set(n *Node, name string, value []byte) {
	for i := range n.Properties {
		if n.Properties[i].Name == name {
			n.Properties[i].Value, n.Properties[i].Content = value, nil
			return
		}
	}
	n.Properties = slices.Insert(n.Properties, 0, Property{Name: name, Value: value})
	names := nameBlock{block: t.Strings}
	names.offset(name)
	t.Strings = names.block
}

// AddChild adds a child before the others, as libfdt does.
func (n *Node) AddChild(name string) *Node {
	child := &Node{Name: name}
	n.Children = slices.Insert(n.Children, 0, child)
	return child
}

// Append adds a child after the others.
func (n *Node) Append(name string) *Node {
	child := &Node{Name: name}
	n.Children = append(n.Children, child)
	return child
}

// Add adds a property after the others.
func (n *Node) Add(name string, value []byte) {
	n.Properties = append(n.Properties, Property{Name: name, Value: value})
}

// Remove removes the properties with a name.
func (n *Node) Remove(name string) {
	n.Properties = slices.DeleteFunc(n.Properties, func(p Property) bool { return p.Name == name })
}

// Text returns the value of a property that is a list of strings.
func Text(texts ...string) []byte {
	value := []byte{}
	for _, text := range texts {
		value = append(append(value, text...), 0)
	}
	return value
}

// Words returns the value of a property that is a list of numbers.
func Words(numbers ...uint32) []byte {
	value := []byte{}
	for _, n := range numbers {
		value = binary.BigEndian.AppendUint32(value, n)
	}
	return value
}

// nameBlock is the block of names. A name that another one ends with has its bytes.
type nameBlock struct {
	block   []byte
	offsets map[string]uint32
}

func (b *nameBlock) offset(name string) uint32 {
	if at, ok := b.offsets[name]; ok {
		return at
	}
	if b.offsets == nil {
		b.offsets = map[string]uint32{}
	}
	text := append([]byte(name), 0)
	at := bytes.Index(b.block, text)
	if at < 0 {
		at = len(b.block)
		b.block = append(b.block, text...)
	}
	b.offsets[name] = uint32(at)
	return uint32(at)
}

// encoder writes the structure block. Without a writer, it counts the bytes.
type encoder struct {
	names *nameBlock
	w     io.Writer
	size  int64

	nodes, properties int
}

func (e *encoder) tree(root *Node) error {
	if root.Name != "" {
		return fmt.Errorf("the root node has a name: %q", root.Name)
	}
	if err := e.node(root, 0); err != nil {
		return err
	}
	return e.write(Words(end))
}

func (e *encoder) node(n *Node, depth int) error {
	e.nodes++
	e.properties += len(n.Properties)
	switch {
	case depth >= MaxDepth:
		return fmt.Errorf("nodes are nested more than %d deep", MaxDepth)
	case e.nodes > MaxNodes || e.properties > MaxProperties:
		return fmt.Errorf("the tree has more than %d nodes or %d properties", MaxNodes, MaxProperties)
	case depth > 0 && (n.Name == "" || strings.Contains(n.Name, "/")):
		return fmt.Errorf("%q is not a name of a node", n.Name)
	}
	if err := checkName(n.Name); err != nil {
		return err
	}
	if err := e.write(Words(beginNode), pad(append([]byte(n.Name), 0))); err != nil {
		return err
	}
	for _, p := range n.Properties {
		if err := e.property(p); err != nil {
			return err
		}
	}
	for _, child := range n.Children {
		if err := e.node(child, depth+1); err != nil {
			return err
		}
	}
	return e.write(Words(endNode))
}

func (e *encoder) property(p Property) error {
	if err := checkName(p.Name); err != nil {
		return err
	}
	size := int64(len(p.Value))
	if p.Content != nil {
		size = p.Content.Size()
	}
	if size < 0 || size > MaxSize {
		return fmt.Errorf("the property %s has %d bytes, more than the format's %d", p.Name, size, MaxSize)
	}
	if err := e.write(Words(prop, uint32(size), e.names.offset(p.Name))); err != nil {
		return err
	}
	if p.Content == nil {
		return e.write(pad(p.Value))
	}
	if e.w != nil {
		switch n, err := p.Content.WriteTo(e.w); {
		case err != nil:
			return err
		case n != size:
			return fmt.Errorf("the content of the property %s has %d bytes instead of %d", p.Name, n, size)
		}
	}
	e.size += size
	return e.write(make([]byte, -size&3))
}

// checkName returns an error if a name is too long for readers.
func checkName(name string) error {
	if len(name) > MaxName || strings.Contains(name, "\x00") {
		return fmt.Errorf("%.40q is not a name: it has %d bytes, or a NUL", name, len(name))
	}
	return nil
}

// pad returns data with zeros that align its end to 4 bytes.
func pad(data []byte) []byte {
	return append(data[:len(data):len(data)], make([]byte, -len(data)&3)...)
}

func (e *encoder) write(blocks ...[]byte) error {
	for _, b := range blocks {
		e.size += int64(len(b))
		if e.w == nil {
			continue
		}
		if _, err := e.w.Write(b); err != nil {
			return err
		}
	}
	return nil
}
