package guest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxArchive and maxOutputs limit what a guest may send, compressed and uncompressed, in
// bytes. A console needs minutes for less.
const (
	maxArchive = 256 << 20
	maxOutputs = 4 << 30
)

// A Receiver reads the lines of a console.
type Receiver struct {
	out     io.Writer
	frames  FrameReader
	started bool
	ending  *Ending
	archive bytes.Buffer
	done    bool
	err     error
}

// NewReceiver returns a Receiver that copies what the test prints to out.
func NewReceiver(out io.Writer) *Receiver { return &Receiver{out: out} }

// Line reads a line without its newline. It returns true if nothing more is to come:
// everything has arrived, or a frame is damaged.
func (r *Receiver) Line(line string) (done bool) {
	if r.done {
		return true
	}
	text, f, err := r.frames.Line(line)
	if f == nil && err == nil {
		text += "\n"
	}
	if r.started && r.ending == nil {
		io.WriteString(r.out, text)
	}
	if f != nil {
		err = r.addFrame(f)
	}
	r.err, r.done = err, r.done || err != nil
	return r.done
}

func (r *Receiver) addFrame(f *Frame) error {
	switch f.Kind {
	case FrameBegin:
		r.started = true
	case FrameExit:
		r.ending = &Ending{}
		return json.Unmarshal(f.Payload, r.ending)
	case FrameData:
		if r.archive.Len()+len(f.Payload) > maxArchive {
			return fmt.Errorf("%w: more than %d MiB compressed", ErrTooLarge, maxArchive>>20)
		}
		r.archive.Write(f.Payload)
	case FrameEnd:
		r.done = true
	default:
		return fmt.Errorf("%w: unknown kind of frame %q", ErrDamaged, f.Kind)
	}
	return nil
}

// Started reports whether the agent has started the test.
func (r *Receiver) Started() bool { return r.started }

// Errors of a guest that ended too early.
var (
	ErrTestNotEnded   = errors.New("the guest ended before the test did")
	ErrOutputsNotSent = errors.New("the guest ended before it had sent the test's outputs")
)

// Result returns how the test ended, and unpacks its files to dir. The error says why the
// ending is unknown, or why files are missing.
func (r *Receiver) Result(dir string) (*Ending, error) {
	switch {
	case r.err != nil:
		return r.ending, r.err
	case r.ending == nil:
		return nil, ErrTestNotEnded
	case !r.done:
		return r.ending, ErrOutputsNotSent
	}
	if err := Unpack(bytes.NewReader(r.archive.Bytes()), dir, maxOutputs); err != nil {
		return r.ending, fmt.Errorf("cannot unpack the test's outputs: %w", err)
	}
	return r.ending, nil
}
