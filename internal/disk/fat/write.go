package fat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/rules-initramfs/rules_initramfs/internal/zeros"
)

// Write writes a file system of this size, in bytes. Files are read as they are written.
func (t *Tree) Write(w io.Writer, size int64) error {
	g, err := t.layout(size)
	if err != nil {
		return err
	}
	if err := g.writeReserved(w, t); err != nil {
		return err
	}
	for range fats {
		if err := t.writeTable(w, g); err != nil {
			return err
		}
	}
	if g.bits != 32 {
		if err := writePadded(w, t.root.records(t.label, t.time), g.root*sectorSize); err != nil {
			return err
		}
	}
	for _, directories := range []bool{true, false} {
		t.root.walk(func(n *node) {
			if err == nil && n.cluster != 0 && (n.file == nil) == directories {
				err = t.writeNode(w, g, n)
			}
		})
	}
	if err != nil {
		return err
	}
	written := g.reserved + fats*g.fat + g.root + g.used*g.perCluster
	return zeros.Write(w, size-written*sectorSize)
}

// writeReserved writes the sectors before the tables.
func (g *geometry) writeReserved(w io.Writer, t *Tree) error {
	boot := g.boot(t)
	if g.bits != 32 {
		_, err := w.Write(boot)
		return err
	}
	first := append(boot, g.info()...)
	err := writePadded(w, first, backupAt*sectorSize)
	if err == nil {
		err = writePadded(w, first, (g.reserved-backupAt)*sectorSize)
	}
	return err
}

// writePadded writes a content and the zeros that fill size.
func writePadded(w io.Writer, content []byte, size int64) error {
	if _, err := w.Write(content); err != nil {
		return err
	}
	return zeros.Write(w, size-int64(len(content)))
}

// writeTable writes a table: for each cluster, the one that follows it in its file.
func (t *Tree) writeTable(w io.Writer, g *geometry) (err error) {
	const end = 0x0fffffff
	out := &tableWriter{w: w, bits: g.bits}
	out.put(end&^0xff | media)
	out.put(end)
	for _, directories := range []bool{true, false} {
		t.root.walk(func(n *node) {
			if n.cluster == 0 || (n.file == nil) != directories {
				return
			}
			last := n.cluster + uint32(g.clustersOf(n.size)) - 1
			for cluster := n.cluster; cluster < last; cluster++ {
				out.put(cluster + 1)
			}
			out.put(end)
		})
	}
	written := out.flush()
	if out.err != nil {
		return out.err
	}
	return zeros.Write(w, g.fat*sectorSize-written)
}

// tableWriter writes the entries of a table.
type tableWriter struct {
	w       io.Writer
	bits    int
	buffer  []byte
	written int64
	err     error
}

func (t *tableWriter) put(value uint32) {
	if t.bits == 32 {
		t.buffer = binary.LittleEndian.AppendUint32(t.buffer, value)
	} else {
		t.buffer = binary.LittleEndian.AppendUint16(t.buffer, uint16(value))
	}
	if len(t.buffer) >= 64<<10 {
		t.flush()
	}
}

// flush writes what is buffered, and returns how many bytes there were in all.
func (t *tableWriter) flush() int64 {
	if t.err == nil {
		_, t.err = t.w.Write(t.buffer)
	}
	t.written += int64(len(t.buffer))
	t.buffer = t.buffer[:0]
	return t.written
}

func (t *Tree) writeNode(w io.Writer, g *geometry, n *node) error {
	if n.file == nil {
		return writePadded(w, n.records(t.label, t.time), g.clustersOf(n.size)*g.clusterSize())
	}
	if err := writeFile(w, n.file); err != nil {
		return fmt.Errorf("%s: %w", n.file.Path, err)
	}
	return zeros.Write(w, g.clustersOf(n.size)*g.clusterSize()-n.size)
}

// writeFile writes the content of a file.
func writeFile(w io.Writer, f *File) error {
	content, err := f.Open()
	if err != nil {
		return err
	}
	defer content.Close()
	n, err := io.Copy(w, &io.LimitedReader{R: content, N: f.Size})
	switch {
	case err != nil:
		return err
	case n < f.Size:
		return fmt.Errorf("it shrank while it was read: %d of %d bytes", n, f.Size)
	}
	switch n, err := content.Read(make([]byte, 1)); {
	case n > 0:
		return fmt.Errorf("it grew while it was read: it had %d bytes", f.Size)
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, fs.ErrClosed):
		return err
	}
	return nil
}
