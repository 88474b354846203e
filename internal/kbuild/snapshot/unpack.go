package snapshot

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// ErrNotSnapshot reports a file that is not what kernel compile writes.
var ErrNotSnapshot = errors.New("not what is needed to link a kernel: it has to be the objects that a kernel_build gives")

// Unpack unpacks a snapshot for the architecture arch to the folder dir, an absolute path,
// which must be empty. Nothing is written outside of it.
func Unpack(ctx context.Context, r io.Reader, dir, arch string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	z, err := zstd.NewReader(r)
	if err != nil {
		return err
	}
	defer z.Close()
	archive := tar.NewReader(z)
	if err := readStamp(archive, arch); err != nil {
		return err
	}
	u := &unpacker{root: root, dir: dir, slots: make(chan struct{}, 2*runtime.GOMAXPROCS(0))}
	for {
		h, err := archive.Next()
		if err == nil {
			err = errors.Join(ctx.Err(), u.add(h, archive))
		}
		if err != nil {
			u.inFlight.Wait()
			if err == io.EOF {
				err = nil
			}
			return errors.Join(err, u.failed)
		}
	}
}

func readStamp(archive *tar.Reader, arch string) error {
	h, err := archive.Next()
	if err != nil || h.Name != stamp || h.Size > 64 {
		return ErrNotSnapshot
	}
	text, err := io.ReadAll(archive)
	if err != nil {
		return ErrNotSnapshot
	}
	version, of, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	switch {
	case version != stampVersion:
		return fmt.Errorf("%w of this version of the rules", ErrNotSnapshot)
	case of != arch:
		return fmt.Errorf("a kernel for %s cannot be linked for %s: build both for one platform", of, arch)
	}
	return nil
}

// unpacker makes files of what a snapshot holds, several at once.
type unpacker struct {
	root     *os.Root
	dir      string
	slots    chan struct{}
	inFlight sync.WaitGroup
	mutex    sync.Mutex
	failed   error // the first error of a file; mutex guards it
}

func (u *unpacker) add(h *tar.Header, content io.Reader) error {
	switch h.Typeflag {
	case tar.TypeDir:
		return u.root.Mkdir(strings.TrimSuffix(h.Name, "/"), 0o755)
	case tar.TypeSymlink:
		return u.root.Symlink(h.Linkname, h.Name)
	case tar.TypeReg:
	default:
		return fmt.Errorf("%s: %w", h.Name, ErrNotSnapshot)
	}
	body, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	u.slots <- struct{}{}
	u.inFlight.Go(func() {
		if err := u.write(h, body); err != nil {
			u.mutex.Lock()
			u.failed = errors.Join(u.failed, err)
			u.mutex.Unlock()
		}
		<-u.slots
	})
	return nil
}

func (u *unpacker) write(h *tar.Header, body []byte) error {
	if h.PAXRecords[moved] != "" {
		body = bytes.ReplaceAll(body, []byte(placeholder), []byte(u.dir))
	}
	file, err := u.root.OpenFile(h.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, os.FileMode(h.Mode)&0o755)
	if err != nil {
		return err
	}
	_, err = file.Write(body)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return u.root.Chtimes(h.Name, modTime, modTime)
}
