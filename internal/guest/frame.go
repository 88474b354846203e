package guest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
)

// A Frame is a message on a console that shows other text too: the output of programs and
// the messages of the kernel. It is a line:
//
//	\n\x02guest SEQUENCE KIND BASE64 CRC\n
//
// The first newline ends whatever is on the console: a line that is not finished, which could
// otherwise fill the reader's buffer, or an escape sequence. The Receiver drops it. CRC is the IEEE CRC-32, in hexadecimal, of everything between \x02 and it. It shows
// that the kernel has written into a frame; the sequence number shows that a frame is lost.
type Frame struct {
	Kind    FrameKind
	Payload []byte
}

// A FrameKind is the purpose of a frame.
type FrameKind string

// The kinds, in the order in which the agent sends them.
const (
	FrameBegin FrameKind = "begin" // the test starts; what follows is its output
	FrameExit  FrameKind = "exit"  // the test has ended: the payload is an Ending in JSON
	FrameData  FrameKind = "data"  // a part of the archive of the test's files
	FrameSent  FrameKind = "sent"  // the archive has ended: the payload is a Sent in JSON
	FrameEnd   FrameKind = "end"   // nothing more follows
)

// An Ending is how a test ended.
type Ending struct {
	Code   int    `json:"code"`             // after a signal, 128 plus its number, as in a shell
	Signal string `json:"signal,omitempty"` // the name of the signal that killed the test
	Error  string `json:"error,omitempty"`  // why the test could not be started
}

// Sent is what the agent says about the archive.
type Sent struct {
	Omitted []string `json:"omitted,omitempty"` // outputs that the archive lacks, and why
	Error   string   `json:"error,omitempty"`   // why the archive is incomplete
}

// frameStart begins a frame. No keyboard has STX, and no text contains it.
const frameStart = "\x02guest "

// MaxPayload is the maximum number of payload bytes in one frame. A line must be shorter than the
// buffer of the kernel's terminals.
const MaxPayload = 2048

// A FrameWriter writes frames to a console.
type FrameWriter struct {
	w    io.Writer
	next int
}

// NewFrameWriter returns a FrameWriter that writes to w.
func NewFrameWriter(w io.Writer) *FrameWriter { return &FrameWriter{w: w} }

// Write writes one frame, or several if one cannot hold the payload.
func (w *FrameWriter) Write(kind FrameKind, payload []byte) error {
	for {
		part := payload[:min(len(payload), MaxPayload)]
		payload = payload[len(part):]
		body := fmt.Sprintf("guest %d %s %s ", w.next, kind, base64.StdEncoding.EncodeToString(part))
		w.next++
		if _, err := fmt.Fprintf(w.w, "\n\x02%s%08x\n", body, crc32.ChecksumIEEE([]byte(body))); err != nil {
			return err
		}
		if len(payload) == 0 {
			return nil
		}
	}
}

// ErrDamaged reports that text was written into a frame, or that a frame is lost.
var ErrDamaged = errors.New("data from the guest was damaged on the console")

// A FrameReader finds frames in the lines of a console.
type FrameReader struct{ next int }

// Line reads a line without its newline. It returns the text before the frame, and the
// frame. Without a frame, text is the whole line; with one, the text has no newline.
func (r *FrameReader) Line(line string) (text string, frame *Frame, err error) {
	at := strings.Index(line, frameStart)
	if at < 0 {
		return line, nil, nil
	}
	text, line = line[:at], strings.TrimRight(line[at+1:], "\r")
	space := strings.LastIndexByte(line, ' ')
	fields := strings.Split(line, " ")
	if len(fields) != 5 {
		return text, nil, fmt.Errorf("%w: a frame has %d fields, want 5", ErrDamaged, len(fields))
	}
	if sum := fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(line[:space+1]))); sum != fields[4] {
		return text, nil, fmt.Errorf("%w: the checksum of a frame is %s, but the frame says %q", ErrDamaged, sum, fields[4])
	}
	sequence, err := strconv.Atoi(fields[1])
	if err != nil || sequence != r.next {
		return text, nil, fmt.Errorf("%w: got frame %s, want frame %d", ErrDamaged, fields[1], r.next)
	}
	payload, err := base64.StdEncoding.DecodeString(fields[3])
	if err != nil {
		return text, nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	r.next++
	return text, &Frame{Kind: FrameKind(fields[2]), Payload: payload}, nil
}
