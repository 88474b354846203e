// Package frame carries messages from a guest to its host over a console that shows other text
// too: what programs print, and what the kernel says.
//
// A frame is a line, or the end of one:
//
//	\x02guest SEQUENCE KIND BASE64 CRC\n
//
// CRC is the IEEE CRC-32 of all between \x02 and it, in hexadecimal. A frame that the kernel has
// written into is not taken for another: its sum is wrong, or its number is missing.
package frame

import (
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
)

// Kind is what a frame is for.
type Kind string

// The kinds, in the order in which they come.
const (
	Begin Kind = "begin" // the program starts; what follows is its output
	Exit  Kind = "exit"  // it has ended: the payload is an Ending in JSON
	Data  Kind = "data"  // a part of the archive of its outputs
	End   Kind = "end"   // that was all
)

// Ending is how a program ended.
type Ending struct {
	// Code is its exit code; of a program that a signal has ended 128 and the signal's number, as
	// a shell has it.
	Code int `json:"code"`
	// Error says why it could not be started, or what is missing of its outputs; empty if nothing
	// is wrong.
	Error string `json:"error,omitempty"`
}

// start is what a frame begins with. STX is on no keyboard, and in no text.
const start = "\x02guest "

// longest is how many bytes of payload one frame carries: a line is shorter than the buffer of
// the kernel's terminals.
const longest = 2048

// Writer writes frames.
type Writer struct {
	w    io.Writer
	next int
}

// NewWriter returns a Writer to a console.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write writes one frame, or several where the payload is longer than one carries.
func (w *Writer) Write(kind Kind, payload []byte) error {
	for {
		part := payload[:min(len(payload), longest)]
		payload = payload[len(part):]
		body := fmt.Sprintf("guest %d %s %s ", w.next, kind, base64.StdEncoding.EncodeToString(part))
		w.next++
		if _, err := fmt.Fprintf(w.w, "\x02%s%08x\n", body, crc32.ChecksumIEEE([]byte(body))); err != nil {
			return err
		}
		if len(payload) == 0 {
			return nil
		}
	}
}

// Frame is one that was read.
type Frame struct {
	Kind    Kind
	Payload []byte
}

// ErrDamaged reports a frame that something was written into, or one that is missing.
var ErrDamaged = errors.New("the console has lost a part of what the guest sent")

// Reader finds frames among the lines of a console.
type Reader struct{ next int }

// Line takes a line without its end. It returns what of it is no frame, and the frame; text is
// to be shown without a line's end where there is a frame.
func (r *Reader) Line(line string) (text string, frame *Frame, err error) {
	at := strings.Index(line, start)
	if at < 0 {
		return line, nil, nil
	}
	text, line = line[:at], strings.TrimRight(line[at+1:], "\r")
	space := strings.LastIndexByte(line, ' ')
	fields := strings.Split(line, " ")
	if len(fields) != 5 {
		return text, nil, fmt.Errorf("%w: %d fields in a frame of 5", ErrDamaged, len(fields))
	}
	if sum := fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(line[:space+1]))); sum != fields[4] {
		return text, nil, fmt.Errorf("%w: a frame has the sum %s, and says %q", ErrDamaged, sum, fields[4])
	}
	sequence, err := strconv.Atoi(fields[1])
	if err != nil || sequence != r.next {
		return text, nil, fmt.Errorf("%w: frame %s comes where %d has to", ErrDamaged, fields[1], r.next)
	}
	payload, err := base64.StdEncoding.DecodeString(fields[3])
	if err != nil {
		return text, nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	r.next++
	return text, &Frame{Kind: Kind(fields[2]), Payload: payload}, nil
}
