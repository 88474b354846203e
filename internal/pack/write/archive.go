package write

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

// ArchiveOptions say what is in an archive besides its entries.
type ArchiveOptions struct {
	// MTime is the time of every entry without its own, in seconds since 1970.
	MTime uint32
	// FileTimes gives regular files the times that they have on disk instead, clipped
	// to 0 and 4294967295.
	FileTimes bool
	// Digests sets the Digest of the entries that are files.
	Digests bool
	// Checksum adds a sum over the content of each regular file, which the kernel
	// checks. Large files are read twice, because the sum comes first.
	Checksum bool
	// Align is 0 or a power of two, at least 4: the content of larger regular files
	// begins at a multiple of it, as with cpio.Writer.Align.
	Align uint32
	// Warn is called with what was not done quite as asked: a time that was clipped or
	// a content that could not be aligned. It may be nil.
	Warn func(message string)
	// Progress is called at the end of each entry with how many of all entries are
	// done, and how many bytes of the archive they make. It may be nil.
	Progress func(done, total int, bytes int64)
}

// Archive writes the entries as an archive with its trailer, and sets the Size of those
// that are files. If w has a method EndEntry, it is called where an entry ends.
func Archive(w io.Writer, entries []*list.Entry, opts ArchiveOptions) error {
	members, _ := w.(interface{ EndEntry() error })
	a := &archiver{
		ArchiveOptions: opts,
		out:            cpio.NewWriter(w),
		ahead:          newPrefetcher(entries, opts.Checksum),
		ino:            list.FirstIno,
	}
	defer a.ahead.stop()
	a.out.Checksums = opts.Checksum
	a.out.Align = opts.Align
	for i, e := range entries {
		if err := a.add(e, a.ahead.content(i)); err != nil {
			if output, ok := errors.AsType[*writeError](err); ok {
				return output // a line of a list is not to blame
			}
			return e.Failed(err)
		}
		if opts.Progress != nil {
			opts.Progress(i+1, len(entries), a.out.Offset())
		}
		if members == nil {
			continue
		}
		if err := errors.Join(a.out.Flush(), members.EndEntry()); err != nil {
			return err
		}
	}
	return a.out.Close()
}

type archiver struct {
	ArchiveOptions
	out   *cpio.Writer
	ahead *prefetcher
	ino   uint32
	// Buffers:
	records []cpio.Header
	body    []byte
}

func (a *archiver) warn(format string, args ...any) {
	if a.Warn != nil {
		a.Warn(fmt.Sprintf(format, args...))
	}
}

// add writes the records of an entry. ahead is what was prefetched of it.
func (a *archiver) add(e *list.Entry, ahead content) error {
	ino := a.ino
	a.ino++
	if e.Kind == list.File && !ahead.held {
		return a.addFile(e, ino, ahead.file)
	}
	body := ahead.bytes
	if e.Kind == list.Symlink {
		body = append(append(a.body[:0], e.Target...), 0)
		a.body = body
	}
	e.Size = int64(len(ahead.bytes))
	if e.Kind == list.File && a.Digests {
		sum := sha256.Sum256(ahead.bytes)
		e.Digest = hex.EncodeToString(sum[:])
	}
	if err := a.writeHeaders(e, ino, ahead.mtime, ahead.sum); err != nil {
		return err
	}
	if len(body) == 0 {
		return nil
	}
	_, err := a.out.Write(body)
	return err
}

// writeHeaders writes a header for each name of e. fileTime is the time that a file has on
// disk, and sum the checksum of its content.
func (a *archiver) writeHeaders(e *list.Entry, ino uint32, fileTime int64, sum uint32) error {
	mtime := a.MTime
	if a.FileTimes && e.Kind == list.File && e.Content == nil {
		mtime = a.clipTime(e.Location, fileTime)
	}
	a.records = e.AppendRecords(a.records[:0], ino, mtime)
	for i := range a.records {
		a.records[i].Checksum = sum
		if err := a.out.WriteHeader(&a.records[i]); err != nil {
			return err
		}
	}
	if e.Kind == list.File && !a.out.Aligned() {
		a.warn("%s: best-effort alignment %d missed", a.records[len(a.records)-1].Name, a.Align)
	}
	return nil
}

// addFile writes the records of a file that is read as it is written. It closes the
// file, or opens it if it is nil.
func (a *archiver) addFile(e *list.Entry, ino uint32, file *source.Content) (err error) {
	if file == nil {
		if file, err = source.OpenContent(e); err != nil {
			return err
		}
	}
	defer file.Close()
	total := uint32(0)
	if a.Checksum {
		if total, err = sum(file); err != nil {
			return file.ReadError(err)
		}
	}
	e.Size = file.Size
	if err := a.writeHeaders(e, ino, file.MTime, total); err != nil {
		return err
	}
	content := io.Reader(file.Reader)
	digest := sha256.New()
	if a.Digests {
		content = io.TeeReader(content, digest)
	}
	n, err := a.out.ReadFrom(&io.LimitedReader{R: content, N: file.Size})
	_, writing := errors.AsType[*writeError](err)
	_, reading := errors.AsType[*fs.PathError](err)
	switch {
	case errors.Is(err, cpio.ErrChecksum):
		return file.ReadError(fmt.Errorf("%s changed while it was read", file.Name))
	case reading && !writing:
		return file.ReadError(source.Unreadable(file.Name, err))
	case err != nil:
		return err
	case n < file.Size:
		return file.ReadError(fmt.Errorf("%s shrank while it was read: %d of %d bytes", file.Name, n, file.Size))
	}
	if a.Digests {
		e.Digest = hex.EncodeToString(digest.Sum(nil))
	}
	switch n, err := file.Reader.Read(make([]byte, 1)); {
	case n > 0:
		return file.ReadError(fmt.Errorf("%s grew while it was read: it had %d bytes", file.Name, file.Size))
	case err != nil && err != io.EOF:
		return file.ReadError(source.Unreadable(file.Name, err))
	}
	return nil
}

// clipTime returns the time that a file has on disk, in seconds since 1970, clipped to what
// an archive can hold.
func (a *archiver) clipTime(location string, mtime int64) uint32 {
	switch {
	case mtime > math.MaxUint32:
		a.warn("%s: Timestamp exceeds maximum cpio timestamp, clipping.", location)
		return math.MaxUint32
	case mtime < 0:
		a.warn("%s: Timestamp negative, clipping.", location)
		return 0
	}
	return uint32(mtime)
}

// sum returns the checksum of a file's content, and returns to its beginning. Content that
// ends too early is found when it is packed.
func sum(file *source.Content) (uint32, error) {
	var sum checksum
	_, err := io.Copy(&sum, io.LimitReader(file.Reader, file.Size))
	if err == nil {
		_, err = file.Reader.Seek(0, io.SeekStart)
	}
	if err != nil {
		return 0, source.Unreadable(file.Name, err)
	}
	return uint32(sum), nil
}

type checksum uint32

func (c *checksum) Write(p []byte) (int, error) {
	*c = checksum(cpio.Checksum(uint32(*c), p))
	return len(p), nil
}
