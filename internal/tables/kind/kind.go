// Package kind is the table of entry kinds and of file types: all that is known
// of one stands in its row.
package kind

import (
	"fmt"
	"strings"
)

// Kind is what a line of a list makes, by the word that the line begins with.
type Kind uint8

// The kinds. The zero Kind is none of them.
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
	for _, k := range All() {
		if kinds[k].word == word {
			return k, nil
		}
	}
	return 0, fmt.Errorf("unknown type %q: want %s", word, strings.Join(Words(), ", "))
}

// All returns the kinds, in the order of the table.
func All() []Kind {
	var all []Kind
	for k := File; int(k) < len(kinds); k++ {
		all = append(all, k)
	}
	return all
}

// Words returns the words that lines begin with.
func Words() []string {
	var words []string
	for _, k := range All() {
		words = append(words, k.String())
	}
	return words
}

// known reports whether the table has k.
func (k Kind) known() bool { return k != 0 && int(k) < len(kinds) }

// String returns the word that begins a line of this kind.
func (k Kind) String() string {
	if !k.known() {
		return fmt.Sprintf("kind %d", uint8(k))
	}
	return kinds[k].word
}

// Fields returns what follows the word in a line, in order.
func (k Kind) Fields() []Field {
	if !k.known() {
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
