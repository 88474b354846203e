// Package codec compresses and decompresses with the codecs that a kernel has,
// within the limits of its decompressors. What a codec writes depends on its input
// and level only.
package codec

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Codec is a way to compress.
type Codec struct {
	Name string
	// Extension ends the names of files that are compressed with the codec.
	Extension string
	// Lowest and Highest are the lowest and the highest level, and Default the one that
	// is used if none is given. All are 0 if the codec has no levels.
	Lowest, Highest, Default int

	// magics are the two bytes that a member may begin with, by the table in
	// lib/decompress.c; none if there is nothing to decompress.
	magics []string
	// time is where a member's header has a time, which is 4 bytes; 0 if it has none.
	time int
	// endless members do not mark their end.
	endless    bool
	newWriter  func(w io.Writer, level int) (io.WriteCloser, error)
	newDecoder func() decoder
}

// decoder decompresses one member after another.
type decoder interface {
	io.Reader
	// reset begins with the member that r begins with. Reading it to io.EOF leaves r at the
	// first byte after it. What was allocated for earlier members is used again.
	reset(r *bufio.Reader) error
}

// None is the name of the codec that does not compress.
const None = "none"

// codecs has a row for each codec. The default levels are those of the kernel's build
// (scripts/Makefile.lib), except for zstd, whose level 19 gains little for its time.
var codecs = []Codec{
	{Name: "gzip", Extension: ".gz", Lowest: 1, Highest: 9, Default: 9,
		magics: []string{"\x1f\x8b", "\x1f\x9e"}, time: gzipTime, newWriter: newGzipWriter, newDecoder: func() decoder { return &gzipReader{} }},
	{Name: "zstd", Extension: ".zst", Lowest: 1, Highest: 22, Default: 3,
		magics: []string{"\x28\xb5"}, newWriter: newZstdWriter, newDecoder: func() decoder { return &zstdReader{} }},
	{Name: "xz", Extension: ".xz",
		magics: []string{"\xfd\x37"}, newWriter: newXZWriter, newDecoder: func() decoder { return newXZReader(false) }},
	{Name: "lzma", Extension: ".lzma",
		magics: []string{"\x5d\x00"}, newWriter: newLZMAWriter, newDecoder: func() decoder { return &lzmaReader{} }},
	{Name: "lz4", Extension: ".lz4", Lowest: 1, Highest: 9, Default: 9,
		magics: []string{"\x02\x21"}, endless: true, newWriter: newLZ4Writer, newDecoder: func() decoder { return &lz4Reader{} }},
	{Name: "lzo", Extension: ".lzo",
		magics: []string{"\x89\x4c"}, time: lzopTime, newWriter: newLZOWriter, newDecoder: func() decoder { return &lzoReader{} }},
	{Name: "bzip2", Extension: ".bz2", Lowest: 1, Highest: 9, Default: 9,
		magics: []string{"\x42\x5a"}, newWriter: newBzip2Writer, newDecoder: func() decoder { return &bzip2Reader{} }},
	{Name: None, newWriter: newNoneWriter},
}

// All returns the codecs.
func All() []Codec { return slices.Clone(codecs) }

// Names returns the names of the codecs.
func Names() []string {
	var names []string
	for _, c := range codecs {
		names = append(names, c.Name)
	}
	return names
}

// find returns the codec with this name, or nil.
func find(name string) *Codec {
	for i := range codecs {
		if codecs[i].Name == name {
			return &codecs[i]
		}
	}
	return nil
}

// Compression is a codec at a level, or a program that compresses. The zero
// Compression does not compress.
type Compression struct {
	codec   *Codec
	level   int
	program *program
}

// Parse reads CODEC or CODEC:LEVEL, such as zstd or gzip:6.
func Parse(text string) (Compression, error) {
	name, levelText, leveled := strings.Cut(text, ":")
	c := find(name)
	switch {
	case c == nil:
		return Compression{}, fmt.Errorf("unknown codec %q: want one of %s", name, strings.Join(Names(), ", "))
	case !leveled:
		return Compression{codec: c, level: c.Default}, nil
	case c.Highest == 0:
		return Compression{}, fmt.Errorf("codec %s has no levels", name)
	}
	level, err := strconv.Atoi(levelText)
	if err != nil || level < c.Lowest || level > c.Highest {
		return Compression{}, fmt.Errorf("bad level %q of codec %s: want %d to %d", levelText, name, c.Lowest, c.Highest)
	}
	return Compression{codec: c, level: level}, nil
}

// Compresses reports whether c is something other than none.
func (c Compression) Compresses() bool {
	return c.program != nil || c.codec != nil && c.codec.Name != None
}

// NewWriter returns a writer that compresses to w. Closing it ends the member and does
// not close w. The caller must close it, even after an error.
func (c Compression) NewWriter(w io.Writer) (io.WriteCloser, error) {
	return c.newWriter(context.Background(), w)
}

// newWriter is NewWriter with a context whose end kills a program.
func (c Compression) newWriter(ctx context.Context, w io.Writer) (io.WriteCloser, error) {
	switch {
	case c.program != nil:
		return c.program.newWriter(ctx, w)
	case c.codec == nil:
		return newNoneWriter(w, 0)
	}
	return c.codec.newWriter(w, c.level)
}
