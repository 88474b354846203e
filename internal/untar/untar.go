// Package untar extracts tar archives.
package untar

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"sync"
	"time"
)

// Options are the ways in which archives differ.
type Options struct {
	// Check, if it is not nil, gets each header before its entry is extracted. It may
	// change the names in it; its error ends the extraction.
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

// maxMemory is the size up to which a file is held in memory, so that it is written while
// the next one is read. In bytes.
const maxMemory = 1 << 20

// Extract writes the directories, regular files and links of an archive to dir, and nothing
// outside of dir. A file whose path exists already is an error. Parents that the archive
// lacks are made. Of modes, only whether a file is executable is kept.
func Extract(ctx context.Context, archive *tar.Reader, dir string, o Options) error {
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
				err = fmt.Errorf("%s: %w", name, err)
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
		if err := x.Check(h); err != nil {
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
			x.failed = errors.Join(x.failed, err)
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
