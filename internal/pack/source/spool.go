package source

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
)

// unlimited is the size of a content that may have any.
const unlimited = math.MaxInt64 - 1

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

// keep copies r to its end, which may be most bytes away.
func (s *spool) keep(r io.Reader, most int64) (*io.SectionReader, error) {
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
	start := s.end
	n, err := io.CopyBuffer(struct{ io.Writer }{s}, io.LimitReader(r, most+1), s.buf)
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, fmt.Errorf("its content has more than %d bytes, the limit of an archive", most)
	}
	if err := s.file.Truncate(s.end); err != nil {
		return nil, &spoolError{err}
	}
	return io.NewSectionReader(s.file, start, n), nil
}

// Write appends to what is kept.
func (s *spool) Write(p []byte) (int, error) {
	if len(bytes.TrimLeft(p, "\x00")) > 0 {
		if _, err := s.file.WriteAt(p, s.end); err != nil {
			return 0, &spoolError{err}
		}
	}
	s.end += int64(len(p))
	return len(p), nil
}

func (s *spool) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
