package fat

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
)

const (
	recordSize = 32 // of a record of a directory
	// maxDirectory is the largest size of a directory, in bytes (FAT specification, section 6).
	maxDirectory = 65536 * recordSize
	// maxRoot is the largest number of records in the root directory of FAT16. The field has 16 bits,
	// and the directory ends with a sector.
	maxRoot = 65536 - sectorSize/recordSize
)

// node is a file or a directory.
type node struct {
	name     string
	short    shortName
	long     bool // it has a long name besides the short one
	file     *File
	parent   *node
	children []*node // of a directory, sorted
	byName   map[string]*node
	cluster  uint32 // the first one; 0 if there is none
	size     int64  // of the content
}

// newTree returns the root directory.
func newTree(files []File) (*node, error) {
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b File) int {
		return cmp.Or(slices.Compare(strings.Split(a.Path, "/"), strings.Split(b.Path, "/")))
	})
	root := &node{byName: map[string]*node{}}
	for i := range files {
		if err := root.add(&files[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", files[i].Path, err)
		}
	}
	return root, root.finish()
}

// add adds a file with the directories that lead to it.
func (root *node) add(f *File) error {
	if f.Size > MaxFile {
		return fmt.Errorf("%w: it has %d bytes, and FAT allows %d", ErrLarge, f.Size, int64(MaxFile))
	}
	dir, path := root, ""
	names := strings.Split(f.Path, "/")
	for i, name := range names {
		if err := checkName(name); err != nil {
			return err
		}
		path += "/" + name
		last := i == len(names)-1
		key := fold(name)
		child := dir.byName[key]
		switch {
		case child == nil:
			child = &node{name: name, parent: dir}
			if last && !f.Directory {
				child.file, child.size = f, f.Size
			} else {
				child.byName = map[string]*node{}
			}
			dir.children = append(dir.children, child)
			dir.byName[key] = child
		case child.name != name:
			return fmt.Errorf("%w: %s and %s differ only in case, which FAT ignores: spell it one way", ErrSame, path[1:len(path)-len(name)]+child.name, path[1:])
		case child.file != nil && !last, child.file == nil && last && !f.Directory:
			return fmt.Errorf("%w: %s would be a file and a directory: rename one", ErrSame, path[1:])
		case child.file != nil:
			return fmt.Errorf("%w: it is given twice: remove one", ErrSame)
		}
		dir = child
	}
	return nil
}

// finish sets the short names and the sizes of directories.
func (n *node) finish() error {
	if n.file != nil {
		return nil
	}
	if err := setShortNames(n.children); err != nil {
		return err
	}
	records := int64(2) // "." and "..", or the label
	for _, child := range n.children {
		records++
		if child.long {
			records += int64(len(utf16.Encode([]rune(child.name)))+longUnits-1) / longUnits
		}
		if err := child.finish(); err != nil {
			return err
		}
	}
	n.size = records * recordSize
	if n.size > maxDirectory {
		return fmt.Errorf("%w in one directory: it would have %d bytes, and FAT allows %d: use more directories", ErrMany, n.size, maxDirectory)
	}
	return nil
}

// walk calls do with the node and all below it.
func (n *node) walk(do func(*node)) {
	do(n)
	for _, child := range n.children {
		child.walk(do)
	}
}

// Attributes of files.
const (
	attributeLabel     = 0x08
	attributeDirectory = 0x10
	attributeArchive   = 0x20
)

// records returns the content of a directory.
func (n *node) records(label shortName, at time.Time) []byte {
	b := make([]byte, 0, n.size)
	if n.parent == nil {
		b = appendRecord(b, label, attributeLabel, 0, 0, at)
	} else {
		// The cluster of ".." is 0 if it is the root directory.
		up := n.parent.cluster
		if n.parent.parent == nil {
			up = 0
		}
		b = appendRecord(b, joinShort(".", ""), attributeDirectory, n.cluster, 0, at)
		b = appendRecord(b, joinShort("..", ""), attributeDirectory, up, 0, at)
	}
	for _, child := range n.children {
		if child.long {
			b = appendLong(b, child.name, child.short.checksum())
		}
		if child.file == nil {
			b = appendRecord(b, child.short, attributeDirectory, child.cluster, 0, at)
		} else {
			b = appendRecord(b, child.short, attributeArchive, child.cluster, uint32(child.size), at)
		}
	}
	return b
}

func appendRecord(b []byte, name shortName, attributes byte, cluster, size uint32, at time.Time) []byte {
	date := uint16(at.Year()-1980)<<9 | uint16(at.Month())<<5 | uint16(at.Day())
	clock := uint16(at.Hour())<<11 | uint16(at.Minute())<<5 | uint16(at.Second()/2)
	b = append(b, name[:]...)
	b = append(b, attributes, 0, byte(at.Second()%2*100)) // hundredths of the time of creation
	for _, field := range []uint16{clock, date, date, uint16(cluster >> 16), clock, date, uint16(cluster)} {
		b = binary.LittleEndian.AppendUint16(b, field)
	}
	return binary.LittleEndian.AppendUint32(b, size)
}
