// Package disk writes images of disks that firmware starts from: a GUID partition table with one
// partition, an EFI system partition, which has a FAT file system.
package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/rules-initramfs/rules_initramfs/internal/disk/fat"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/guid"
	"github.com/rules-initramfs/rules_initramfs/internal/zeros"
)

const (
	// align is what partitions begin and end at, in bytes. Partitioning programs do so as well.
	align = 1 << 20
	// after is how many bytes a disk has at least after its partition.
	after = (headerSectors + tableSectors) * sectorSize
	// spare is the room that a file system without a size has besides its files, in bytes.
	spare = 1 << 20
	// name is that of the partition.
	name = "EFI system partition"

	// DefaultLabel is the usual name of the file system.
	DefaultLabel = "ESP"
	// DefaultTime is the usual time of files, in seconds since 1970.
	DefaultTime = fat.FirstTime
)

// ErrSize reports a size that a disk cannot have.
var ErrSize = errors.New("not the size of a disk")

// Options say how a disk is made.
type Options struct {
	// Size is that of the disk, in bytes: 0 for the files and a little room.
	Size int64
	// Label is the name of the file system.
	Label string
	// Time is that of all files, in seconds since 1970.
	Time int64
	// Disk and Partition are the GUIDs of the two. Zero is a GUID that depends on Label and the paths
	// of the files.
	Disk, Partition guid.GUID
}

// Image is the image of a disk.
type Image struct {
	tree  *fat.Tree
	table partitionTable
}

// New returns the image of a disk with files.
func New(files []fat.File, options Options) (*Image, error) {
	words := []string{options.Label}
	for _, f := range files {
		words = append(words, f.Path)
	}
	slices.Sort(words[1:])
	if options.Disk == (guid.GUID{}) {
		options.Disk = guid.From(append([]string{"disk"}, words...)...)
	}
	if options.Partition == (guid.GUID{}) {
		options.Partition = guid.From(append([]string{"partition"}, words...)...)
	}
	tree, err := fat.NewTree(files, fat.Options{
		Label: options.Label,
		Time:  options.Time,
		ID:    binary.LittleEndian.Uint32(options.Partition[:]),
		Start: align / sectorSize,
	})
	if err != nil {
		return nil, err
	}
	size, err := sizeFor(tree, options.Size)
	if err != nil {
		return nil, err
	}
	return &Image{tree, partitionTable{
		sectors:   size / sectorSize,
		disk:      options.Disk,
		partition: options.Partition,
		start:     align / sectorSize,
		length:    partitionSize(size) / sectorSize,
		name:      name,
	}}, nil
}

// partitionSize returns the size of the partition of a disk.
func partitionSize(disk int64) int64 {
	return (disk - align - after) / align * align
}

// sizeFor returns the size of a disk for a tree: the given one, unless it is 0.
func sizeFor(tree *fat.Tree, given int64) (int64, error) {
	if given == 0 {
		size, err := tree.Size(spare, align)
		return align + size + align, err
	}
	if given < 0 || given%sectorSize != 0 {
		return 0, fmt.Errorf("%w: %d bytes: want a multiple of %d", ErrSize, given, sectorSize)
	}
	err := tree.Check(partitionSize(given))
	if errors.Is(err, fat.ErrRoom) {
		least, sizeErr := tree.Size(0, align)
		if sizeErr != nil {
			return 0, sizeErr
		}
		err = fmt.Errorf("%w: the files need a disk of %d bytes, and it has %d: make it larger, or leave out its size", fat.ErrRoom, align+least+after, given)
	}
	return given, err
}

// Size returns the number of bytes that Write writes.
func (m *Image) Size() int64 { return m.table.sectors * sectorSize }

// Write writes the image. Files are read as they are written.
func (m *Image) Write(w io.Writer) error {
	first, last := m.table.first(), m.table.last()
	start, length := m.table.start*sectorSize, m.table.length*sectorSize
	if _, err := w.Write(first); err != nil {
		return err
	}
	if err := zeros.Write(w, start-int64(len(first))); err != nil {
		return err
	}
	if err := m.tree.Write(w, length); err != nil {
		return err
	}
	if err := zeros.Write(w, m.Size()-start-length-int64(len(last))); err != nil {
		return err
	}
	_, err := w.Write(last)
	return err
}
