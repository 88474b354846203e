package source

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

// spool keeps contents that are not in a file as they are, one after the other, in
// a temporary file that has no name. What is zeros takes no room.
type spool struct {
	file *os.File // nil until something is kept
	end  int64
	buf  []byte
}

// spoolError is a failure to keep a content, which no archive is to blame for.
type spoolError struct{ err error }

func (e *spoolError) Error() string { return "cannot keep what an archive holds: " + e.err.Error() }

func (e *spoolError) Unwrap() error { return e.err }

// keep copies what r reads to its end.
func (s *spool) keep(r io.Reader) (*io.SectionReader, error) {
	return s.keepUpTo(r, -1)
}

// keepContent is keep for what an archive's record can hold.
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
			return nil, fmt.Errorf("its content has more than %d bytes, the most that an archive holds", most)
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

// fill reads until p is full or the error is not nil: unlike io.ReadFull it keeps
// the end of r apart from an io.ErrUnexpectedEOF of r's.
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
