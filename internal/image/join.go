package image

import (
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

// Align is what an uncompressed archive begins at a multiple of, in bytes. A boot
// loader puts every file of an image there, with zeros before it, and the kernel
// skips zeros between archives.
const Align = 4

// A Joiner writes an image part by part and counts the bytes.
type Joiner struct {
	w io.Writer
	n int64
}

// NewJoiner returns a Joiner that writes to w.
func NewJoiner(w io.Writer) *Joiner { return &Joiner{w: w} }

// Size returns how many bytes have been written.
func (j *Joiner) Size() int64 { return j.n }

// Write writes bytes of a part.
func (j *Joiner) Write(p []byte) (int, error) {
	n, err := j.w.Write(p)
	j.n += int64(n)
	return n, err
}

// ReadFrom lets the system copy where the writer below can.
func (j *Joiner) ReadFrom(r io.Reader) (int64, error) {
	n, err := io.Copy(j.w, r)
	j.n += n
	return n, err
}

// Align writes zeros up to a multiple of n bytes.
func (j *Joiner) Align(n int64) error { return j.writeZeros(-j.n & (n - 1)) }

// EndPart writes what must come between a part and the next one, whatever the next one
// is. last is the codec of the part's last member. A part without a trailer gets one:
// the kernel would take files of the next part for hard links of files in this one
// that have their numbers.
func (j *Joiner) EndPart(last string, trailer bool) error {
	if err := j.writeZeros(codec.Gap(j.n, last, Uncompressed)); err != nil || trailer {
		return err
	}
	return cpio.NewWriter(j).Close()
}

func (j *Joiner) writeZeros(n int64) error {
	_, err := io.CopyN(j, zeros{}, n)
	return err
}

// zeros reads zeros without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
