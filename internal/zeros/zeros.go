// Package zeros writes the parts of disks that have only zeros.
package zeros

import "io"

// A Skipper is a writer that can write zeros without being given them: a file with holes.
type Skipper interface {
	// Skip writes n zeros.
	Skip(n int64) error
}

var block [64 << 10]byte

// Write writes n zeros.
func Write(w io.Writer, n int64) error {
	if s, ok := w.(Skipper); ok {
		return s.Skip(n)
	}
	for n > 0 {
		written, err := w.Write(block[:min(n, int64(len(block)))])
		if err != nil {
			return err
		}
		n -= int64(written)
	}
	return nil
}
