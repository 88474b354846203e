package modules

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/modules/devices/aliases"
)

// ErrText means that a text of a module cannot be in an index.
var ErrText = errors.New("a text that an index cannot hold")

// The format of an index that modprobe and libkmod read (libkmod/libkmod-index.c and
// tools/depmod.c of kmod). Numbers are big-endian. It is a tree of the bytes of keys: a node has a
// prefix, the range of bytes of its children and their offsets, and values with their priorities.
const (
	indexMagic   = 0xB007F457
	indexVersion = 0x00020001

	// Bits of the offset of a node, which say what the node has.
	nodePrefix   = 0x80000000
	nodeValues   = 0x40000000
	nodeChildren = 0x20000000
	nodeOffset   = 0x0FFFFFFF
)

// index collects keys with their values.
type index struct{ rows []indexRow }

type indexRow struct {
	key, value string
	priority   int
}

// add adds a value to a key. Of several values of a key, one with a lower priority is first, and of
// those with the same priority the one that was added last (index_add_value in tools/depmod.c).
func (x *index) add(key, value string, priority int) {
	x.rows = append(x.rows, indexRow{key, value, priority})
}

// bytes returns the index.
func (x *index) bytes() ([]byte, error) {
	for _, r := range x.rows {
		for _, text := range []string{r.key, r.value} {
			if !isText(text, 0x7f) {
				return nil, fmt.Errorf("%w: %q has bytes that are not printable ASCII", ErrText, text)
			}
		}
	}
	rows := slices.Clone(x.rows)
	slices.Reverse(rows)
	slices.SortStableFunc(rows, func(a, b indexRow) int {
		return cmp.Or(strings.Compare(a.key, b.key), cmp.Compare(a.priority, b.priority))
	})
	w := &indexWriter{}
	w.number(indexMagic)
	w.number(indexVersion)
	w.number(0)
	root := w.node(rows, 0, 0)
	binary.BigEndian.PutUint32(w.out[8:], root)
	if len(w.out) > nodeOffset {
		return nil, fmt.Errorf("%w: the index would have more than %d MiB", ErrText, nodeOffset>>20)
	}
	return w.out, nil
}

// isText reports whether a text has no control characters except tabs, and no byte above the
// highest.
func isText(text string, highest byte) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' && c != '\t' || c == 0x7f || c > highest {
			return false
		}
	}
	return true
}

type indexWriter struct{ out []byte }

func (w *indexWriter) number(n uint32) { w.out = binary.BigEndian.AppendUint32(w.out, n) }

// node writes the node of rows, which are sorted and have the first at bytes of their keys in
// common. Of the bytes after these, prefix more are those of the node. It returns the offset.
func (w *indexWriter) node(rows []indexRow, at, prefix int) uint32 {
	offset := uint32(len(w.out)) & nodeOffset
	if prefix > 0 {
		offset |= nodePrefix
		w.out = append(append(w.out, rows[0].key[at:at+prefix]...), 0)
	}
	at += prefix
	values := 0
	for values < len(rows) && len(rows[values].key) == at {
		values++
	}
	own, rest := rows[:values], rows[values:]
	var first byte
	children := len(w.out) + 2
	if len(rest) > 0 {
		offset |= nodeChildren
		first = rest[0].key[at]
		last := rest[len(rest)-1].key[at]
		w.out = append(w.out, first, last)
		w.out = append(w.out, make([]byte, 4*(int(last-first)+1))...)
	}
	if len(own) > 0 {
		offset |= nodeValues
		w.number(uint32(len(own)))
		for _, r := range own {
			w.number(uint32(r.priority))
			w.out = append(append(w.out, r.value...), 0)
		}
	}
	for len(rest) > 0 {
		c := rest[0].key[at]
		n, _ := slices.BinarySearchFunc(rest, c+1, func(r indexRow, c byte) int { return cmp.Compare(r.key[at], c) })
		child := w.node(rest[:n], at+1, common(rest[0].key[at+1:], rest[n-1].key[at+1:]))
		binary.BigEndian.PutUint32(w.out[children+4*int(c-first):], child)
		rest = rest[n:]
	}
	return offset
}

// common returns the length of what two texts begin with.
func common(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// normalAlias returns an alias as the index of aliases has it.
func normalAlias(alias string) (string, error) {
	if len(alias) >= maxText {
		return "", fmt.Errorf("%w: the alias %.100q... has more than %d bytes", ErrText, alias, maxText-1)
	}
	normal, err := aliases.Normalize(alias)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrText, err)
	}
	return normal, nil
}
