// Package fat writes FAT file systems, as firmware reads them: FAT32 if there is enough room for
// it, or else FAT16.
//
// A file system is written in one pass, so that it can be larger than memory. The same files make
// the same bytes. The format is that of the "FAT File System Specification" of Microsoft.
package fat

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Errors, with what is wrong.
var (
	ErrPath  = errors.New("not a path for a FAT file system")
	ErrSame  = errors.New("two paths are the same")
	ErrLarge = errors.New("the file is too large")
	ErrMany  = errors.New("too many files")
	ErrRoom  = errors.New("no room in the file system")
	ErrTime  = errors.New("not a time that FAT can have")
	ErrLabel = errors.New("not a label for a FAT file system")
)

const (
	// MaxFile is how many bytes a file has at most.
	MaxFile = 1<<32 - 1
	// FirstTime is the first time that a file can have, in seconds since 1970: 1980-01-01.
	FirstTime = 315532800
	// LastTime is the last such time: 2107-12-31, 23:59:59.
	LastTime = 4354819199

	sectorSize = 512
)

// File is a file or a directory.
type File struct {
	// Path has the names from the root directory, with a slash between them. The directories in it
	// need no File of their own.
	Path string
	// Directory is a directory, which needs none of the fields below.
	Directory bool
	// Size is the number of bytes in the content.
	Size int64
	// Open returns the content.
	Open func() (io.ReadCloser, error)
}

// Options say what a file system has besides files.
type Options struct {
	// Label is the name of the file system: at most 11 characters.
	Label string
	// Time is that of all files, in seconds since 1970: FirstTime to LastTime.
	Time int64
	// ID is the serial number of the file system.
	ID uint32
	// Start is the number of the sector of the disk at which the file system begins.
	Start uint32
}

// Tree is what a file system has.
type Tree struct {
	root    *node
	options Options
	label   shortName
	time    time.Time
}

// NewTree returns a tree of files.
func NewTree(files []File, options Options) (*Tree, error) {
	t := &Tree{options: options, time: time.Unix(options.Time, 0).UTC()}
	if options.Time < FirstTime || options.Time > LastTime {
		return nil, fmt.Errorf("%w: %d: want %d (1980-01-01) to %d (2107-12-31), in seconds since 1970", ErrTime, options.Time, FirstTime, int64(LastTime))
	}
	label := options.Label
	ok := label != "" && len(label) <= len(t.label) && strings.TrimSpace(label) == label
	for i := range len(label) {
		ok = ok && (isShort(label[i]) || label[i] == ' ')
	}
	if !ok {
		return nil, fmt.Errorf("%w: %q: want 1 to %d characters of A-Z, 0-9 and -_", ErrLabel, label, len(t.label))
	}
	copy(t.label[:], fmt.Sprintf("%-*s", len(t.label), label))
	var err error
	t.root, err = newTree(files)
	return t, err
}

// Size returns the size of the smallest file system that has room for the tree and a number of
// bytes more: a multiple of unit, which is a multiple of 512.
func (t *Tree) Size(room, unit int64) (int64, error) {
	size := unit
	for {
		missing, err := t.missing(size, room)
		if err != nil {
			return 0, err
		}
		if missing <= 0 {
			break
		}
		size += (missing + unit - 1) / unit * unit
	}
	// A size at which clusters become larger may have been passed.
	for size > unit {
		if missing, err := t.missing(size-unit, room); err != nil || missing > 0 {
			break
		}
		size -= unit
	}
	return size, nil
}

// missing returns how many bytes a file system lacks for the tree and room, or 1 if it is too small
// for any tree.
func (t *Tree) missing(size, room int64) (int64, error) {
	g, err := newGeometry(size/sectorSize, t.root.size)
	switch {
	case errors.Is(err, ErrLarge):
		return 0, err
	case err != nil:
		return 1, nil
	}
	return (t.clusters(g)-g.clusters)*g.clusterSize() + room, nil
}

// clusters returns how many clusters the tree takes.
func (t *Tree) clusters(g *geometry) (total int64) {
	t.root.walk(func(n *node) {
		if n.parent != nil || g.bits == 32 {
			total += g.clustersOf(n.size)
		}
	})
	return total
}

// Check returns an error if a file system of this size, in bytes, has no room for the tree.
func (t *Tree) Check(size int64) (err error) {
	_, err = t.layout(size)
	return err
}

// layout sets the clusters of all nodes.
func (t *Tree) layout(size int64) (*geometry, error) {
	g, err := newGeometry(size/sectorSize, t.root.size)
	if err != nil {
		return nil, err
	}
	if need := t.clusters(g); need > g.clusters {
		return nil, fmt.Errorf("%w: the files need %d bytes, and it has %d", ErrRoom, need*g.clusterSize(), g.clusters*g.clusterSize())
	}
	// Directories come first, so that they are close to each other.
	next := uint32(firstCluster)
	for _, directories := range []bool{true, false} {
		t.root.walk(func(n *node) {
			switch {
			case (n.file == nil) != directories:
			case n.parent == nil && g.bits != 32, n.size == 0:
				n.cluster = 0
			default:
				n.cluster = next
				next += uint32(g.clustersOf(n.size))
			}
		})
	}
	g.used = int64(next) - firstCluster
	return g, nil
}

// Type returns the type of a file system of this size, such as FAT32.
func (t *Tree) Type(size int64) (string, error) {
	g, err := newGeometry(size/sectorSize, t.root.size)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("FAT%d", g.bits), nil
}
