// Package kind is the table of entry kinds and of file types. A row has everything
// that the programs know about one.
package kind

import (
	"fmt"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

// Kind is what a line of a list makes, by the word that the line begins with.
type Kind uint8

// The kinds. The zero Kind is not valid.
const (
	File    Kind = iota + 1 // a regular file, with its hard links
	Dir                     // a directory
	Node                    // a character or block device
	Symlink                 // a symbolic link
	Pipe                    // a FIFO
	Sock                    // a socket
)

// kinds has a row for each kind: the word of its lines and the fields after it, in
// order, as in usr/gen_init_cpio.c.
var kinds = [...]struct {
	word   string
	fields []Field
}{
	File:    {"file", []Field{Name, Location, Owner, Links}},
	Dir:     {"dir", []Field{Name, Owner}},
	Node:    {"nod", []Field{Name, Owner, Device}},
	Symlink: {"slink", []Field{Name, Target, Owner}},
	Pipe:    {"pipe", []Field{Name, Owner}},
	Sock:    {"sock", []Field{Name, Owner}},
}

// Field is one or more words of a line that belong together. Its text is what a
// usage message shows.
type Field string

// The fields of lines.
const (
	Name     Field = "<name>"
	Location Field = "<location>"
	Target   Field = "<target>"
	Owner    Field = "<mode> <uid> <gid>"
	Device   Field = "<dev_type> <maj> <min>"
	Links    Field = "[<hard links>...]"
)

// Parse returns the kind whose lines begin with a word.
func Parse(word string) (Kind, error) {
	var words []string
	for k := File; int(k) < len(kinds); k++ {
		if kinds[k].word == word {
			return k, nil
		}
		words = append(words, kinds[k].word)
	}
	last := len(words) - 1
	return 0, fmt.Errorf("unknown type %q: want %s or %s", word, strings.Join(words[:last], ", "), words[last])
}

// String returns the word that begins a line of this kind.
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kinds) {
		return fmt.Sprintf("kind %d", uint8(k))
	}
	return kinds[k].word
}

// Fields returns what follows the word in a line, in order.
func (k Kind) Fields() []Field {
	if int(k) >= len(kinds) {
		return nil
	}
	return kinds[k].fields
}

// Usage returns the form of a line, such as "dir <name> <mode> <uid> <gid>".
func (k Kind) Usage() string {
	words := []string{k.String()}
	for _, f := range k.Fields() {
		words = append(words, string(f))
	}
	return strings.Join(words, " ")
}

// Type is a type of file. A Node has one of two.
type Type struct {
	// Bits are the S_IFMT bits of its mode, as in stat(2).
	Bits uint32
	// Kind is the kind of its entries; 0 for a type that is unknown.
	Kind Kind
	// Letter is what ls shows for it.
	Letter byte
	// Name is what people call it.
	Name string
}

// types has a row for each type.
var types = []Type{
	{cpio.TypeRegular, File, '-', "file"},
	{cpio.TypeDir, Dir, 'd', "directory"},
	{cpio.TypeSymlink, Symlink, 'l', "symbolic link"},
	{cpio.TypeChar, Node, 'c', "character device"},
	{cpio.TypeBlock, Node, 'b', "block device"},
	{cpio.TypePipe, Pipe, 'p', "pipe"},
	{cpio.TypeSocket, Sock, 's', "socket"},
}

// TypeOf returns the type of a file with this mode, as in stat(2).
func TypeOf(mode uint32) Type {
	bits := mode & cpio.TypeMask
	return find(bits, func(t *Type) bool { return t.Bits == bits })
}

// Word returns the word of its lines in a list; empty for an unknown type.
func (t Type) Word() string { return kinds[t.Kind].word }

// Bits returns the S_IFMT bits of a kind; of a Node, those of a character device.
func (k Kind) Bits() uint32 {
	return find(0, func(t *Type) bool { return t.Kind == k }).Bits
}

// find returns the first type that matches, or an unknown one with these bits.
func find(bits uint32, match func(*Type) bool) Type {
	for i := range types {
		if match(&types[i]) {
			return types[i]
		}
	}
	return Type{Bits: bits, Letter: '?', Name: fmt.Sprintf("file of the unknown type %#o", bits)}
}
