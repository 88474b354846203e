package console

// MaxLine is the maximum length of a line, in bytes. A longer line is split, so that
// memory stays bounded and a message at the end of an endless line is still found.
const MaxLine = 64 << 10

// A splitter splits the bytes of a console into lines of text, without carriage returns
// and terminal escape sequences. It does not matter how the bytes are divided between
// calls.
type splitter struct {
	line  []byte // the unfinished line
	state state  // position in an escape sequence after the last byte
}

// state is a position within an escape sequence (ECMA-48).
type state int

const (
	text         state = iota
	escape             // after ESC
	intermediate       // ESC, then at least one of SP to /
	control            // ESC [ : a control sequence
	str                // ESC ] and the like: a string, up to BEL or ESC \
)

const (
	bel = 0x07
	can = 0x18
	sub = 0x1a
	esc = 0x1b
)

// write adds the bytes of p, and calls emit for each line that they complete.
func (s *splitter) write(p []byte, emit func(line string)) {
	for _, c := range p {
		switch {
		case c == '\n':
			// A newline ends an escape sequence too. Otherwise one that is never
			// finished would hide the rest of the console.
			s.state = text
			s.flush(emit)
			continue
		case c == '\r':
			continue
		case c == esc:
			s.state = escape
			continue
		case c == can || c == sub:
			if s.state != text {
				s.state = text
				continue
			}
		}
		if s.visible(c) {
			s.line = append(s.line, c)
			if len(s.line) == MaxLine {
				s.flush(emit)
			}
		}
	}
}

// visible advances the state by c, and reports whether c is text and not part of an
// escape sequence.
func (s *splitter) visible(c byte) bool {
	switch s.state {
	case text:
		return true
	case escape:
		switch {
		case c == '[':
			s.state = control
			return false
		case c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_':
			s.state = str
			return false
		}
		fallthrough
	case intermediate:
		switch {
		case 0x20 <= c && c <= 0x2f:
			s.state = intermediate
			return false
		case 0x30 <= c && c <= 0x7e:
			s.state = text
			return false
		}
	case control:
		switch {
		case 0x20 <= c && c <= 0x3f:
			return false
		case 0x40 <= c && c <= 0x7e:
			s.state = text
			return false
		}
	case str:
		if c == bel {
			s.state = text
		}
		return false
	}
	s.state = text // not a sequence after all
	return true
}

// flush ends the unfinished line.
func (s *splitter) flush(emit func(line string)) {
	emit(string(s.line))
	s.line = s.line[:0]
}

// close ends the last line if it has no newline.
func (s *splitter) close(emit func(line string)) {
	if len(s.line) > 0 {
		s.flush(emit)
	}
}
