// Package receive takes what an agent in a guest sends over its console.
package receive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/rules-initramfs/rules_initramfs/internal/guest/frame"
	"github.com/rules-initramfs/rules_initramfs/internal/guest/outputs"
)

// maxArchive and maxOutputs are what a guest may send, compressed and not, in bytes: a console
// takes minutes for less.
const (
	maxArchive = 256 << 20
	maxOutputs = 4 << 30
)

// A Receiver reads the lines of a console.
type Receiver struct {
	out     io.Writer
	frames  frame.Reader
	began   bool
	ending  *frame.Ending
	archive bytes.Buffer
	done    bool
	err     error
}

// New returns a Receiver that copies what the test prints to out.
func New(out io.Writer) *Receiver { return &Receiver{out: out} }

// Line takes a line without its end. It returns whether all has come, or no more can.
func (r *Receiver) Line(line string) (done bool) {
	if r.done {
		return true
	}
	text, f, err := r.frames.Line(line)
	running := r.began && r.ending == nil
	if f == nil && err == nil {
		text += "\n"
	}
	if running && text != "" {
		io.WriteString(r.out, text)
	}
	if err == nil && f != nil {
		err = r.take(f)
	}
	if err != nil {
		r.err, r.done = err, true
	}
	return r.done
}

func (r *Receiver) take(f *frame.Frame) error {
	switch f.Kind {
	case frame.Begin:
		r.began = true
	case frame.Exit:
		r.ending = &frame.Ending{}
		return json.Unmarshal(f.Payload, r.ending)
	case frame.Data:
		if r.archive.Len()+len(f.Payload) > maxArchive {
			return fmt.Errorf("the test's outputs take more than %d MiB, compressed", maxArchive>>20)
		}
		r.archive.Write(f.Payload)
	case frame.End:
		r.done = true
	default:
		return fmt.Errorf("%w: a frame of the kind %q", frame.ErrDamaged, f.Kind)
	}
	return nil
}

// Began tells whether the test was started.
func (r *Receiver) Began() bool { return r.began }

// Result returns how the test ended, and unpacks what it left to dir. The error says why that
// is not known, or what is missing.
func (r *Receiver) Result(dir string) (*frame.Ending, error) {
	switch {
	case r.err != nil:
		return r.ending, r.err
	case r.ending == nil:
		return nil, errors.New("the guest ended before the test had")
	case !r.done:
		return r.ending, errors.New("the guest ended before it had sent the test's outputs")
	}
	if err := outputs.Unpack(bytes.NewReader(r.archive.Bytes()), dir, maxOutputs); err != nil {
		return r.ending, fmt.Errorf("the test's outputs: %w", err)
	}
	return r.ending, nil
}

// Move moves a file that the test may have left from one folder to where the host wants it. It
// returns whether there is one.
func Move(dir, name, to string) (bool, error) {
	from := filepath.Join(dir, name)
	content, err := os.ReadFile(from)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, os.WriteFile(to, content, 0o644)
}
