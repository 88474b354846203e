// Package compress writes in the codecs that a kernel can decompress, within
// the limits of its decompressors. What a codec writes depends on its input and
// level only.
package compress

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// codec is a way to compress.
type codec struct {
	name string
	// levels are the lowest and the highest level, and the one meant by default;
	// all zero where there is nothing to choose.
	lowest, highest, normal int
	newWriter               func(w io.Writer, level int) (io.WriteCloser, error)
}

// codecs is the table of all there are: a codec is a file and a row.
var codecs = []codec{
	{"gzip", 1, 9, 9, newGzipWriter},
	{"zstd", 1, 22, 3, newZstdWriter},
	{"none", 0, 0, 0, newNoneWriter},
}

// Names returns the codecs' names.
func Names() []string {
	var names []string
	for _, c := range codecs {
		names = append(names, c.name)
	}
	return names
}

// Method is a codec at a level. The zero Method is none.
type Method struct {
	codec *codec
	level int
}

// Parse reads CODEC or CODEC:LEVEL, such as zstd or gzip:6.
func Parse(text string) (Method, error) {
	name, levelText, leveled := strings.Cut(text, ":")
	for i := range codecs {
		c := &codecs[i]
		if c.name != name {
			continue
		}
		m := Method{c, c.normal}
		if !leveled {
			return m, nil
		}
		if c.highest == 0 {
			return Method{}, fmt.Errorf("codec %s has no levels", name)
		}
		level, err := strconv.Atoi(levelText)
		if err != nil || level < c.lowest || level > c.highest {
			return Method{}, fmt.Errorf("bad level %q of codec %s: want %d to %d", levelText, name, c.lowest, c.highest)
		}
		m.level = level
		return m, nil
	}
	return Method{}, fmt.Errorf("unknown codec %q: want one of %s", name, strings.Join(Names(), ", "))
}

// NewWriter returns a writer that compresses to w. Closing it ends the member
// and does not close w.
func (m Method) NewWriter(w io.Writer) (io.WriteCloser, error) {
	if m.codec == nil {
		return newNoneWriter(w, 0)
	}
	return m.codec.newWriter(w, m.level)
}
