package kind

import (
	"archive/tar"
	"fmt"
	"io/fs"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

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

	tar  byte        // the type flag of tar
	mode fs.FileMode // the type bits of package fs
}

// types has a row for each type.
var types = []Type{
	{cpio.TypeRegular, File, '-', "file", tar.TypeReg, 0},
	{cpio.TypeDir, Dir, 'd', "directory", tar.TypeDir, fs.ModeDir},
	{cpio.TypeSymlink, Symlink, 'l', "symbolic link", tar.TypeSymlink, fs.ModeSymlink},
	{cpio.TypeChar, Node, 'c', "character device", tar.TypeChar, fs.ModeDevice | fs.ModeCharDevice},
	{cpio.TypeBlock, Node, 'b', "block device", tar.TypeBlock, fs.ModeDevice},
	{cpio.TypePipe, Pipe, 'p', "pipe", tar.TypeFifo, fs.ModeNamedPipe},
	{cpio.TypeSocket, Sock, 's', "socket", 0, fs.ModeSocket}, // tar has no sockets
}

// TypeOf returns the type of a file with this mode, as in stat(2).
func TypeOf(mode uint32) Type {
	return find(mode&cpio.TypeMask, func(t Type) bool { return t.Bits == mode&cpio.TypeMask })
}

// TypeOfTar returns the type of an entry of tar with this type flag.
func TypeOfTar(flag byte) Type {
	return find(0, func(t Type) bool { return t.tar == flag && flag != 0 })
}

// TypeOfFS returns the type of a file with this mode of package fs.
func TypeOfFS(mode fs.FileMode) Type {
	return find(0, func(t Type) bool { return t.mode == mode.Type() })
}

// Bits returns the S_IFMT bits of a kind; of a Node, those of a character device.
func (k Kind) Bits() uint32 {
	return find(0, func(t Type) bool { return t.Kind == k }).Bits
}

// find returns the first type that matches, or an unknown one with these bits.
func find(bits uint32, match func(Type) bool) Type {
	for _, t := range types {
		if match(t) {
			return t
		}
	}
	return Type{Bits: bits, Letter: '?', Name: fmt.Sprintf("file of the unknown type %#o", bits)}
}
