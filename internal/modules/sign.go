package modules

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/modules/signature"
)

// ErrPrepared reports an archive that Layer.Write did not write with ForSigning.
var ErrPrepared = errors.New("not an archive of modules to be signed")

// ErrMore reports something after an archive that would be lost.
var ErrMore = errors.New("more follows the end of the archive")

// Sign signs and compresses the modules in an archive that was written for signing, and writes the
// archive with them to w. If dir is not nil, it writes the same to this directory. The other files
// stay as they are. It returns the number of modules, which is 0 if everything wanted is built in.
func Sign(ctx context.Context, r io.Reader, w io.Writer, dir *os.Root, signing *signature.Signing) (signed int, err error) {
	s := &signer{signing: signing, out: cpio.NewWriter(w), dir: dir, slots: make(chan struct{}, runtime.GOMAXPROCS(0))}
	ctx, cancel := context.WithCancel(ctx)
	defer s.workers(cancel)
	in := cpio.NewReader(r)
	for {
		header, err := in.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = s.read(ctx, in, header)
		}
		if err != nil {
			return 0, err
		}
	}
	if in.More() {
		return 0, fmt.Errorf("%w at byte %d: name a file with one archive", ErrMore, in.Offset())
	}
	if s.signed == 0 && !s.indexed {
		return 0, fmt.Errorf("%w: it has neither a module nor %s", ErrPrepared, depsName)
	}
	if err := s.flush(0); err != nil {
		return 0, err
	}
	return s.signed, s.out.Close()
}

// signer signs modules in parallel, and writes them in the order of the archive.
type signer struct {
	signing *signature.Signing
	out     *cpio.Writer
	dir     *os.Root
	slots   chan struct{} // limits how many are signed at the same time

	waiting []*record // in the order of the archive
	size    int64     // of the contents of waiting
	signed  int
	indexed bool // the archive has an index of modules
}

// depsName is the name of an index that each layer of modules has.
const depsName = "modules.dep"

// record is an entry of the archive. Its content and error are valid when done is closed.
type record struct {
	header  cpio.Header
	content []byte
	err     error
	done    chan struct{}
	size    int64 // of the content that was read
}

// maxWaiting limits the contents in memory, in bytes, unless a single file has more.
const maxWaiting = 64 << 20

// workers waits for the records that are being signed.
func (s *signer) workers(cancel func()) {
	cancel()
	for _, r := range s.waiting {
		<-r.done
	}
}

// read reads the content of a record, and begins to sign it if it is a module.
func (s *signer) read(ctx context.Context, in io.Reader, header *cpio.Header) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name := header.Name
	switch header.Type() {
	case cpio.TypeDir, cpio.TypeSymlink:
	case cpio.TypeRegular:
		if header.NLink > 1 {
			return fmt.Errorf("%s: %w: a hard link", name, ErrPrepared)
		}
	default:
		return fmt.Errorf("%s: %w: neither a file, a directory nor a symbolic link", name, ErrPrepared)
	}
	s.indexed = s.indexed || path.Base(name) == depsName
	module := header.Type() == cpio.TypeRegular && IsModule(name)
	if module && header.Size > maxModule {
		return fmt.Errorf("%s: it has more than %d MiB", name, maxModule>>20)
	}
	if !module && header.Size > maxWaiting {
		return s.copy(in, header)
	}
	if err := s.flush(max(maxWaiting-header.Size, 0)); err != nil {
		return err
	}
	content := make([]byte, header.Size)
	if _, err := io.ReadFull(in, content); err != nil {
		return err
	}
	r := &record{header: *header, content: content, size: header.Size, done: make(chan struct{})}
	s.waiting = append(s.waiting, r)
	s.size += r.size
	if !module {
		close(r.done)
		return nil
	}
	s.signed++
	s.slots <- struct{}{}
	go func() {
		defer func() { <-s.slots; close(r.done) }()
		if r.content, r.err = s.sign(ctx, name, content); r.err != nil {
			r.err = fmt.Errorf("%s: %w", name, r.err)
		}
		r.header.Size = int64(len(r.content))
	}()
	return nil
}

// sign returns a module with a signature, compressed as its name says.
func (s *signer) sign(ctx context.Context, name string, content []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if codec.DetectFile(content[:min(8, len(content))]) != "" {
		return nil, fmt.Errorf("%w: the module is compressed", ErrPrepared)
	}
	signed, err := s.signing.Sign(ctx, content)
	if err != nil {
		return nil, err
	}
	for _, method := range moduleCodecs {
		if strings.HasSuffix(name, ".ko"+extension(method)) {
			return recompress(Compression(method), signed)
		}
	}
	return signed, nil
}

// flush writes the first records until the others have at most size bytes.
func (s *signer) flush(size int64) error {
	for len(s.waiting) > 0 && (s.size > size || size == 0) {
		r := s.waiting[0]
		<-r.done
		if r.err != nil {
			return r.err
		}
		s.waiting, s.size = s.waiting[1:], s.size-r.size
		if err := s.write(&r.header, r.content); err != nil {
			return err
		}
	}
	return nil
}

// copy writes a file that is too large to wait.
func (s *signer) copy(in io.Reader, header *cpio.Header) error {
	if err := s.flush(0); err != nil {
		return err
	}
	if err := s.out.WriteHeader(header); err != nil {
		return err
	}
	content := io.TeeReader(in, s.out)
	if s.dir == nil {
		_, err := io.Copy(io.Discard, content)
		return err
	}
	return writeFile(s.dir, header.Name, content)
}

// write writes a record to the archive and to the directory.
func (s *signer) write(header *cpio.Header, content []byte) error {
	if err := s.out.WriteHeader(header); err != nil {
		return err
	}
	if len(content) > 0 {
		if _, err := s.out.Write(content); err != nil {
			return err
		}
	}
	if s.dir == nil {
		return nil
	}
	switch header.Type() {
	case cpio.TypeDir:
		return s.dir.MkdirAll(header.Name, 0o755)
	case cpio.TypeSymlink:
		if err := s.dir.MkdirAll(path.Dir(header.Name), 0o755); err != nil {
			return err
		}
		// gen_init_cpio ends a target with a NUL.
		target, _, _ := strings.Cut(string(content), "\x00")
		return s.dir.Symlink(target, header.Name)
	}
	return writeFile(s.dir, header.Name, bytes.NewReader(content))
}
