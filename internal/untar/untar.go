// Package untar extracts tar archives.
package untar

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
	"sync"
	"time"

	"github.com/rules-initramfs/rules_initramfs/internal/printable"
)

// Archive reads a tar archive to its end marker.
type Archive struct {
	*tar.Reader
	in *counter
}

// NewReader returns a reader of the archive in r.
func NewReader(r io.Reader) *Archive {
	in := &counter{r: r}
	return &Archive{tar.NewReader(in), in}
}

// ErrCut reports an archive without an end marker: it was cut between two entries.
var ErrCut = fmt.Errorf("the archive has no end marker, so it was cut off: %w", io.ErrUnexpectedEOF)

// Next returns the header of the next entry, or io.EOF after the end marker, a block of
// zeros. Package archive/tar does not require one.
func (a *Archive) Next() (*tar.Header, error) {
	const block = 512
	before := a.in.n
	h, err := a.Reader.Next()
	// What pads the content before the marker is less than a block.
	if err == io.EOF && a.in.n-before < block {
		err = ErrCut
	}
	return h, err
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// Options are the ways in which archives differ.
type Options struct {
	// Check, if it is not nil, gets each header before its entry is extracted. It may
	// change the names in it. ErrSkip leaves the entry out; another error ends the extraction.
	Check func(h *tar.Header) error
	// Rewrite, if it is not nil, returns what a file gets in place of its content. Every
	// file is then held in memory.
	Rewrite func(h *tar.Header, content []byte) []byte
	// ModTime is the modification time of all files. If it is zero, they have the time at
	// which they are written.
	ModTime time.Time
}

// ErrType reports an entry that is not a directory, a file or a link.
var ErrType = errors.New("not a directory, a file or a link")

// ErrSkip is what Options.Check returns for an entry to leave out.
var ErrSkip = errors.New("the entry is left out")

// maxMemory is the size up to which a file is held in memory, so that it is written while
// the next one is read. In bytes.
const maxMemory = 1 << 20

// Extract writes the directories, regular files and links of an archive to dir, and nothing
// outside of dir. A file whose path exists already is an error. Parents that the archive
// lacks are made. Of modes, only whether a file is executable is kept.
func Extract(ctx context.Context, archive *Archive, dir string, o Options) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	x := &extractor{
		Options: o,
		root:    root,
		made:    map[string]bool{".": true},
		slots:   make(chan struct{}, 2*runtime.GOMAXPROCS(0)),
	}
	for {
		h, err := archive.Next()
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			name := h.Name
			if err = x.add(h, archive); err != nil {
				err = fmt.Errorf("%s: %w", printable.Text(name), withoutNames(err))
			}
		}
		if err == io.EOF {
			return x.wait()
		}
		if err != nil {
			return errors.Join(err, x.wait())
		}
	}
}

// withoutNames returns an error of package os without the names in it.
func withoutNames(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", e.Op, e.Err)
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return fmt.Errorf("%s: %w", e.Op, e.Err)
	}
	return err
}

// extractor writes small files while the archive is read.
type extractor struct {
	Options
	root *os.Root
	made map[string]bool // directories

	slots    chan struct{}
	inFlight sync.WaitGroup
	mutex    sync.Mutex
	failed   error // the errors of files; mutex guards it
}

// wait waits for the files that are being written, and returns their errors.
func (x *extractor) wait() error {
	x.inFlight.Wait()
	return x.failed
}

func (x *extractor) add(h *tar.Header, content io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil // git archive writes the commit there
	}
	if x.Check != nil {
		if err := x.Check(h); err == ErrSkip {
			return nil
		} else if err != nil {
			return err
		}
	}
	name := path.Clean(h.Name)
	if h.Typeflag == tar.TypeDir {
		return x.makeDir(name)
	}
	if err := x.makeDir(path.Dir(name)); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg:
		return x.addFile(name, h, content)
	case tar.TypeSymlink:
		return x.root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		if err := x.wait(); err != nil {
			return err
		}
		return x.root.Link(path.Clean(h.Linkname), name)
	}
	return fmt.Errorf("type %q: %w", h.Typeflag, ErrType)
}

func (x *extractor) makeDir(name string) error {
	if x.made[name] {
		return nil
	}
	x.made[name] = true
	return x.root.MkdirAll(name, 0o755)
}

func (x *extractor) addFile(name string, h *tar.Header, content io.Reader) error {
	if x.Rewrite == nil && h.Size > maxMemory {
		return x.write(name, h, content)
	}
	body, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	x.slots <- struct{}{}
	x.inFlight.Go(func() {
		if x.Rewrite != nil {
			body = x.Rewrite(h, body)
		}
		if err := x.write(name, h, bytes.NewReader(body)); err != nil {
			x.mutex.Lock()
			x.failed = errors.Join(x.failed, fmt.Errorf("%s: %w", printable.Text(h.Name), withoutNames(err)))
			x.mutex.Unlock()
		}
		<-x.slots
	})
	return nil
}

func (x *extractor) write(name string, h *tar.Header, content io.Reader) error {
	mode := os.FileMode(0o644)
	if h.Mode&0o111 != 0 {
		mode = 0o755
	}
	file, err := x.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	if err := errors.Join(err, file.Close()); err != nil || x.ModTime.IsZero() {
		return err
	}
	return x.root.Chtimes(name, x.ModTime, x.ModTime)
}
