package console

import (
	"regexp"
	"strconv"
)

// MaxLine is the maximum length of a line, in characters. A longer line is split, so that
// memory stays bounded and a message at the end of an endless line is still found.
const MaxLine = 64 << 10

// maxColumn is how far escape sequences can move the cursor to the right: few bytes must not
// make a long line. Terminals are narrower.
const maxColumn = 256

// A splitter splits the bytes of a console into lines of text, as a terminal shows them: a
// carriage return and a backspace move the cursor, and what follows overwrites what was
// there. Terminal escape sequences and other control characters are not part of the text,
// except tabs and STX. It does not matter how the bytes are divided between calls.
type splitter struct {
	line     []cell // the unfinished line
	cursor   int    // where the next character goes; it may be after the end of line
	missing  int    // how many bytes of the last character in UTF-8 are still to come
	state    state  // position in an escape sequence after the last byte
	sequence []byte // the bytes of an unfinished escape sequence after ESC
}

// A cell is a character, in UTF-8, or a byte that is not UTF-8.
type cell struct {
	bytes  [4]byte
	size   uint8
	erases bool // a blank that has overwritten another cell
}

// state is a position within an escape sequence (ECMA-48).
type state int

const (
	text                state = iota
	escape                    // after ESC
	intermediate              // ESC, then at least one of SP to /
	control                   // ESC [ : a control sequence
	controlIntermediate       // in a control sequence, after at least one of SP to /
	str                       // ESC ] and the like: a string, up to BEL or ESC \
)

const (
	stx = 0x02 // marks data for programs
	bel = 0x07
	bs  = 0x08
	vt  = 0x0b
	ff  = 0x0c
	can = 0x18
	sub = 0x1a
	esc = 0x1b
	del = 0x7f
)

// write adds the bytes of p, and calls emit for each line that they complete.
func (s *splitter) write(p []byte, emit func(line string)) {
	for _, c := range p {
		switch {
		case c == '\n' || c == vt || c == ff:
			s.flush(emit)
		case c == esc:
			// A string may end with ESC \, and any other sequence is unfinished.
			s.end()
			s.state = escape
		case c == can || c == sub:
			s.end()
		case s.state == text:
			s.add(c, emit)
		case s.state == str && c == bel:
			s.end()
		case s.state != str && (c < ' ' || c == del):
			s.add(c, emit) // a terminal obeys it at once, and continues with the sequence
		case !s.addToSequence(c, emit):
			s.restore(emit)
			s.add(c, emit)
		}
	}
}

// addToSequence advances the state by c, and reports whether c can be part of the escape
// sequence.
func (s *splitter) addToSequence(c byte, emit func(line string)) bool {
	final := 0x30 <= c && c <= 0x7e
	switch s.state {
	case escape:
		switch c {
		case '[':
			s.state = control
		case ']', 'P', 'X', '^', '_':
			s.state = str
		default:
			s.state = intermediate
			return s.addToSequence(c, emit)
		}
	case intermediate:
		if final {
			s.end()
			return true
		}
		if c > '/' {
			return false
		}
	case control, controlIntermediate:
		switch {
		case c < '0':
			s.state = controlIntermediate
		case c < '@':
			if s.state == controlIntermediate {
				return false
			}
		case c == '[' || !final:
			// No sequence ends with "[", but messages of the kernel begin with it.
			return false
		default:
			s.obey(c, emit)
			s.end()
			return true
		}
	}
	if len(s.sequence) == MaxLine {
		return false
	}
	s.sequence = append(s.sequence, c)
	return true
}

// obey executes a control sequence that changes the line.
func (s *splitter) obey(final byte, emit func(line string)) {
	parameters := string(s.sequence[len("["):])
	if final == 'H' && len(s.line) > 0 && firstColumn.MatchString(parameters) {
		// Firmware and menus go to another line in this way.
		s.end()
		s.flush(emit)
		return
	}
	n, err := strconv.Atoi(parameters)
	if err != nil && parameters != "" {
		return // several parameters, private or too large ones
	}
	switch final {
	case 'C': // right
		s.moveTo(s.cursor + max(n, 1))
	case 'D': // left
		s.moveTo(s.cursor - max(n, 1))
	case 'G': // to a column
		s.moveTo(n - 1)
	case 'J', 'K': // erase to the end of the screen or of the line, or all of the line
		if n == 0 && s.cursor < len(s.line) {
			s.line = s.line[:s.cursor]
		} else if n == 2 && final == 'K' {
			s.line = s.line[:0]
			s.moveTo(s.cursor)
		}
	}
}

// firstColumn matches the parameters of a cursor position at the beginning of a line.
var firstColumn = regexp.MustCompile(`^\d*(?:;0*1?)?$`)

// end ends an escape sequence.
func (s *splitter) end() {
	s.state, s.sequence = text, s.sequence[:0]
}

// restore makes text of an unfinished escape sequence. Otherwise one that a program never
// finishes would hide what the kernel prints next.
func (s *splitter) restore(emit func(line string)) {
	if s.state == text {
		return
	}
	sequence := s.sequence
	s.state, s.sequence = text, nil
	for _, c := range sequence {
		s.add(c, emit)
	}
}

// moveTo moves the cursor.
func (s *splitter) moveTo(column int) {
	s.cursor, s.missing = min(max(column, 0), max(len(s.line), maxColumn)), 0
}

// add writes a byte of text at the cursor.
func (s *splitter) add(c byte, emit func(line string)) {
	if continues := c&0xc0 == 0x80; continues && s.missing > 0 {
		last := &s.line[s.cursor-1]
		last.bytes[last.size] = c
		last.size++
		s.missing--
		return
	}
	s.missing = 0
	switch {
	case c == '\r':
		s.moveTo(0)
		return
	case c == bs:
		s.moveTo(s.cursor - 1)
		return
	case c < ' ' && c != '\t' && c != stx || c == del:
		return
	}
	if len(s.line) == MaxLine && s.cursor == MaxLine {
		s.flush(emit)
	}
	overwrites := s.cursor < len(s.line)
	for len(s.line) <= s.cursor {
		s.line = append(s.line, cell{bytes: [4]byte{' '}, size: 1})
	}
	s.line[s.cursor] = cell{bytes: [4]byte{c}, size: 1, erases: overwrites && c == ' '}
	s.cursor++
	switch {
	case c >= 0xf0 && c < 0xf8:
		s.missing = 3
	case c >= 0xe0 && c < 0xf0:
		s.missing = 2
	case c >= 0xc0 && c < 0xe0:
		s.missing = 1
	}
}

// unfinished returns the unfinished line.
func (s *splitter) unfinished() string {
	if len(s.line) == 0 {
		return ""
	}
	bytes := make([]byte, 0, len(s.line))
	for _, c := range s.line {
		bytes = append(bytes, c.bytes[:c.size]...)
	}
	return string(bytes)
}

// flush ends the unfinished line.
func (s *splitter) flush(emit func(line string)) {
	s.restore(emit)
	// Nobody can see where a line ends if blanks have erased its end.
	for n := len(s.line); n > 0 && s.line[n-1].bytes[0] == ' ' && (s.line[n-1].erases || n > s.cursor); n-- {
		s.line = s.line[:n-1]
	}
	line := s.unfinished()
	s.line, s.cursor, s.missing = s.line[:0], 0, 0
	emit(line)
}

// close ends the last line if it has no newline.
func (s *splitter) close(emit func(line string)) {
	s.restore(emit)
	if len(s.line) > 0 {
		s.flush(emit)
	}
}
