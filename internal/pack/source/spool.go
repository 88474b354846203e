package source

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

// spool keeps contents that no file has as they are, one after the other, in a temporary
// file without a name. Blocks of zeros take no space.
type spool struct {
	file *os.File // nil until something is kept
	end  int64
	buf  []byte
}

// spoolError is a failure to keep a content. It is not an error of an archive.
type spoolError struct{ err error }

func (e *spoolError) Error() string {
	return "cannot store the content of an archive: " + e.err.Error()
}

func (e *spoolError) Unwrap() error { return e.err }

// keep copies r to its end.
func (s *spool) keep(r io.Reader) (*io.SectionReader, error) {
	return s.keepUpTo(r, -1)
}

// keepContent is keep with the limit of an archive's record.
func (s *spool) keepContent(r io.Reader) (*io.SectionReader, error) {
	return s.keepUpTo(r, cpio.MaxSize)
}

func (s *spool) keepUpTo(r io.Reader, most int64) (*io.SectionReader, error) {
	if s.file == nil {
		file, err := os.CreateTemp("", "packer-*")
		if err != nil {
			return nil, &spoolError{err}
		}
		if err := os.Remove(file.Name()); err != nil {
			file.Close()
			return nil, &spoolError{err}
		}
		s.file, s.buf = file, make([]byte, 256<<10)
	}
	for start := s.end; ; {
		n, err := fill(r, s.buf)
		if part := s.buf[:n]; len(bytes.TrimLeft(part, "\x00")) > 0 {
			if _, err := s.file.WriteAt(part, s.end); err != nil {
				return nil, &spoolError{err}
			}
		}
		if s.end += int64(n); most >= 0 && s.end-start > most {
			return nil, fmt.Errorf("its content has more than %d bytes, the limit of an archive", most)
		}
		switch {
		case err == io.EOF:
			if err := s.file.Truncate(s.end); err != nil {
				return nil, &spoolError{err}
			}
			return io.NewSectionReader(s.file, start, s.end-start), nil
		case err != nil:
			return nil, err
		}
	}
}

// fill reads until p is full or the error is not nil. Unlike io.ReadFull, it tells the end
// of r from an io.ErrUnexpectedEOF of r.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = r.Read(p[n:])
		n += m
	}
	return n, err
}

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
