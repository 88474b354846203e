// Package uimage writes uImage files, the old format of U-Boot: a header of 64 bytes before a kernel,
// an initramfs image or a script (include/image.h of U-Boot).
package uimage

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// Numbers of the format.
const (
	magic      = 0x27051956
	headerSize = 64
	linux      = 5 // IH_OS_LINUX
	script     = 6 // IH_TYPE_SCRIPT
	// MaxName is how many bytes a name has at most.
	MaxName = 32
)

var (
	types         = map[string]byte{"kernel": 2, "ramdisk": 3, "script": script, "kernel_noload": 14}
	compressions  = map[string]byte{"none": 0, "gzip": 1, "bzip2": 2, "lzma": 3, "lzo": 4, "lz4": 5, "zstd": 6}
	architectures = map[string]byte{"arm64": 22, "x86_64": 24, "riscv": 26} // by the name for mkimage -A
)

// Types returns the types of images.
func Types() []string { return slices.Sorted(maps.Keys(types)) }

// Compressions returns the ways in which data may be compressed.
func Compressions() []string { return slices.Sorted(maps.Keys(compressions)) }

// A Header is what a uImage says about its data.
type Header struct {
	Type        string    // one of Types
	Arch        arch.Arch // what it is for
	Compression string    // one of Compressions; none if it is empty
	Name        string    // for people
	Load, Entry uint32    // addresses in memory
	Timestamp   uint32    // seconds since 1970
}

// Content is the data of a uImage, which can be written more than once.
type Content interface {
	Size() int64
	io.WriterTo
}

// Write writes a uImage.
func (h *Header) Write(w io.Writer, data Content) error {
	header, err := h.encode(data)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	return h.writeData(w, data)
}

// writeData writes the data. A script is the only one of a list of files, with their sizes before it.
func (h *Header) writeData(w io.Writer, data Content) error {
	if h.Type == "script" {
		sizes := binary.BigEndian.AppendUint32(nil, uint32(data.Size()))
		if _, err := w.Write(binary.BigEndian.AppendUint32(sizes, 0)); err != nil {
			return err
		}
	}
	n, err := data.WriteTo(w)
	if err == nil && n != data.Size() {
		err = fmt.Errorf("the data has %d bytes instead of %d: it changed", n, data.Size())
	}
	return err
}

func (h *Header) encode(data Content) ([]byte, error) {
	kind, ok := types[h.Type]
	if !ok {
		return nil, fmt.Errorf("unknown type %q: want one of %s", h.Type, strings.Join(Types(), ", "))
	}
	compression, ok := compressions[h.Compression]
	if !ok && h.Compression != "" {
		return nil, fmt.Errorf("unknown compression %q: want one of %s", h.Compression, strings.Join(Compressions(), ", "))
	}
	architecture, ok := architectures[h.Arch.UBoot]
	switch {
	case !ok:
		return nil, fmt.Errorf("U-Boot has no uImage for the architecture %q", h.Arch.Name)
	case len(h.Name) > MaxName || strings.Contains(h.Name, "\x00"):
		return nil, fmt.Errorf("bad name %.40q: want at most %d bytes, and no NUL", h.Name, MaxName)
	case data.Size() > math.MaxUint32-8:
		return nil, fmt.Errorf("the data has %d bytes, more than 4 GiB", data.Size())
	}
	size := data.Size()
	if kind == script {
		size += 8
	}
	sum := crc32.NewIEEE()
	if err := h.writeData(sum, data); err != nil {
		return nil, err
	}
	header := make([]byte, headerSize)
	for i, field := range []uint32{magic, 0, h.Timestamp, uint32(size), h.Load, h.Entry, sum.Sum32()} {
		binary.BigEndian.PutUint32(header[4*i:], field)
	}
	copy(header[28:], []byte{linux, architecture, kind, compression})
	copy(header[32:], h.Name)
	binary.BigEndian.PutUint32(header[4:], crc32.ChecksumIEEE(header))
	return header, nil
}
