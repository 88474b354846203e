package fdt

import (
	"fmt"
	"io"
)

// source is a part of a file, or of data in memory.
type source struct {
	data  []byte // nil if there is a file
	file  io.ReaderAt
	start int64 // in file
	size  int64

	// window holds what the file has at windowAt, relative to start.
	window   []byte
	windowAt int64
}

// windowSize is more than the longest name has.
const windowSize = 16 << 10

// section returns a part of s, which must have it.
func (s *source) section(at, size int64) *source {
	if s.file == nil {
		return &source{data: s.data[at : at+size], size: size}
	}
	return &source{file: s.file, start: s.start + at, size: size}
}

// read returns the bytes at a position: fewer than size if s ends before that. They stay as they are.
func (s *source) read(at int64, size int) ([]byte, error) {
	at = min(at, s.size)
	size = int(min(int64(size), s.size-at))
	if s.file == nil {
		return s.data[at : at+int64(size) : at+int64(size)], nil
	}
	if at < s.windowAt || at+int64(size) > s.windowAt+int64(len(s.window)) {
		window := make([]byte, max(int64(size), min(windowSize, s.size-at)))
		if n, err := s.file.ReadAt(window, s.start+at); n < len(window) {
			return nil, fmt.Errorf("reading it at byte %d: %w", s.start+at, err)
		}
		s.window, s.windowAt = window, at
	}
	first := at - s.windowAt
	return s.window[first : first+int64(size) : first+int64(size)], nil
}

// section is a part of a file.
type section struct {
	file     io.ReaderAt
	at, size int64
}

func (s section) Size() int64 { return s.size }

// ReadAt reads a part of it.
func (s section) ReadAt(p []byte, at int64) (int, error) {
	return io.NewSectionReader(s.file, s.at, s.size).ReadAt(p, at)
}

func (s section) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, io.NewSectionReader(s.file, s.at, s.size))
}
