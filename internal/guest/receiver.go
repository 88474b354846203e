package guest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// Limits of what a guest may send, in bytes. A console needs minutes for less.
const (
	maxArchive = 256 << 20 // compressed
	maxOutputs = 4 << 30   // uncompressed
	maxMessage = 1 << 20   // in JSON
)

// A Receiver reads the lines of a console.
type Receiver struct {
	out     io.Writer
	maxLine int
	frames  FrameReader
	newline bool // of the test's last line, which is not written yet: a frame begins with one
	started bool
	exit    bytes.Buffer
	archive bytes.Buffer
	sent    bytes.Buffer
	done    bool
	err     error
}

// NewReceiver returns a Receiver that copies what the test prints to out. Whoever calls it
// splits lines of more than maxLine characters; zero for no limit.
func NewReceiver(out io.Writer, maxLine int) *Receiver {
	return &Receiver{out: out, maxLine: maxLine}
}

// Line reads a line without its newline. It returns true if nothing more is to come:
// everything has arrived, or a frame is damaged.
func (r *Receiver) Line(line string) (done bool) {
	if r.done {
		return true
	}
	text, f, err := r.frames.Line(line)
	isText := f == nil && err == nil
	if r.started && !r.ended() && (isText || text != "") {
		if r.newline {
			text = "\n" + text
		}
		r.newline = isText && utf8.RuneCountInString(line) != r.maxLine
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
		r.newline = false
		return add(&r.exit, f.Payload, maxMessage)
	case FrameData:
		return add(&r.archive, f.Payload, maxArchive)
	case FrameSent:
		return add(&r.sent, f.Payload, maxMessage)
	case FrameEnd:
		r.done = true
	default:
		return fmt.Errorf("%w: unknown kind of frame %q", ErrDamaged, f.Kind)
	}
	return nil
}

func add(to *bytes.Buffer, payload []byte, limit int) error {
	if to.Len()+len(payload) > limit {
		return fmt.Errorf("%w: the guest has sent more than %d MiB", ErrTooLarge, limit>>20)
	}
	to.Write(payload)
	return nil
}

// ended reports whether the test has ended.
func (r *Receiver) ended() bool { return r.exit.Len() > 0 }

// Progress is how far a guest got.
type Progress int

// The values of Progress.
const (
	NotStarted Progress = iota // the test has not started
	Running                    // the test has started
	Sending                    // the test has ended, and its outputs have not all arrived
	Complete                   // everything has arrived
)

// Progress returns how far the guest got.
func (r *Receiver) Progress() Progress {
	switch {
	case r.done:
		return Complete
	case r.ended():
		return Sending
	case r.started:
		return Running
	}
	return NotStarted
}

// Close ends the test's last line if no frame has followed it.
func (r *Receiver) Close() {
	if r.newline {
		r.newline = false
		io.WriteString(r.out, "\n")
	}
}

// Result returns how the test ended, and unpacks its files to dir, when Line has returned
// true. It returns what the files lack, and why. The error says why the ending is unknown, or
// why files are missing.
func (r *Receiver) Result(dir string) (ending Ending, omitted []string, err error) {
	switch {
	case r.err != nil:
		return ending, nil, r.err
	case !r.done || !r.ended():
		return ending, nil, fmt.Errorf("%w: the last frames are missing", ErrDamaged)
	}
	if err := json.Unmarshal(r.exit.Bytes(), &ending); err != nil {
		return ending, nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if ending.Code < 0 || ending.Code > 0xff {
		return Ending{}, nil, fmt.Errorf("%w: %d is not an exit code", ErrDamaged, ending.Code)
	}
	var sent Sent
	if err := json.Unmarshal(r.sent.Bytes(), &sent); err != nil {
		return ending, nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if sent.Error != "" {
		return ending, sent.Omitted, errors.New(sent.Error)
	}
	if err := Unpack(bytes.NewReader(r.archive.Bytes()), dir, maxOutputs); err != nil {
		return ending, sent.Omitted, fmt.Errorf("cannot unpack the test's outputs: %w", err)
	}
	return ending, sent.Omitted, nil
}
