// Package codec writes and reads the codecs that a kernel can decompress,
// within the limits of its decompressors. What a codec writes depends on its
// input and level only.
package codec

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// codec is a way to compress.
type codec struct {
	name string
	// magics are the two bytes that a member may begin with, by the table in
	// lib/decompress.c; none where there is nothing to read back.
	magics []string
	// levels are the lowest and the highest level, and the one meant by default;
	// all zero where there is nothing to choose.
	lowest, highest, normal int
	newWriter               func(w io.Writer, level int) (io.WriteCloser, error)
	// newReader reads one member and leaves r at the first byte behind it.
	newReader func(r *bufio.Reader) (io.Reader, error)
}

// codecs is the table of all there are: a codec is a file and a row. The levels
// by default are those of the kernel's build (scripts/Makefile.lib), but for
// zstd, whose level 19 is slow for little.
var codecs = []codec{
	{"gzip", []string{"\x1f\x8b", "\x1f\x9e"}, 1, 9, 9, newGzipWriter, newGzipReader},
	{"zstd", []string{"\x28\xb5"}, 1, 22, 3, newZstdWriter, newZstdReader},
	{"xz", []string{"\xfd\x37"}, 0, 0, 0, newXZWriter, newXZReader},
	{"lzma", []string{"\x5d\x00"}, 0, 0, 0, newLZMAWriter, newLZMAReader},
	{"lz4", []string{"\x02\x21"}, 1, 9, 9, newLZ4Writer, newLZ4Reader},
	{"lzo", []string{"\x89\x4c"}, 0, 0, 0, newLZOWriter, newLZOReader},
	{"bzip2", []string{"\x42\x5a"}, 1, 9, 9, newBzip2Writer, newBzip2Reader},
	{"none", nil, 0, 0, 0, newNoneWriter, nil},
}

// Names returns the codecs' names.
func Names() []string {
	var names []string
	for _, c := range codecs {
		names = append(names, c.name)
	}
	return names
}

// Compression is a codec at a level, or a program that compresses. The zero Compression is
// none.
type Compression struct {
	codec   *codec
	level   int
	program *program
}

// Parse reads CODEC or CODEC:LEVEL, such as zstd or gzip:6.
func Parse(text string) (Compression, error) {
	name, levelText, leveled := strings.Cut(text, ":")
	for i := range codecs {
		c := &codecs[i]
		if c.name != name {
			continue
		}
		m := Compression{codec: c, level: c.normal}
		if !leveled {
			return m, nil
		}
		if c.highest == 0 {
			return Compression{}, fmt.Errorf("codec %s has no levels", name)
		}
		level, err := strconv.Atoi(levelText)
		if err != nil || level < c.lowest || level > c.highest {
			return Compression{}, fmt.Errorf("bad level %q of codec %s: want %d to %d", levelText, name, c.lowest, c.highest)
		}
		m.level = level
		return m, nil
	}
	return Compression{}, fmt.Errorf("unknown codec %q: want one of %s", name, strings.Join(Names(), ", "))
}

// Compresses tells a codec from none.
func (m Compression) Compresses() bool {
	return m.program != nil || m.codec != nil && m.codec.name != "none"
}

// NewWriter returns a writer that compresses to w. Closing it ends the member
// and does not close w. It has to be closed, also after an error.
func (m Compression) NewWriter(w io.Writer) (io.WriteCloser, error) {
	return m.newWriter(context.Background(), w)
}

// newWriter is NewWriter with a context that ends a program.
func (m Compression) newWriter(ctx context.Context, w io.Writer) (io.WriteCloser, error) {
	switch {
	case m.program != nil:
		return m.program.newWriter(ctx, w)
	case m.codec == nil:
		return newNoneWriter(w, 0)
	}
	return m.codec.newWriter(w, m.level)
}
