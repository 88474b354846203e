package compress

import (
	"bytes"
	"io"
	"sync"
)

// DefaultSegmentSize is how much of an archive makes a segment, in bytes: enough
// for a codec to learn from, little enough that some are compressed at once.
const DefaultSegmentSize = 8 << 20

// chunkSize is the unit, in bytes, in which content is handed to a compressor.
const chunkSize = 256 << 10

// SegmentWriter compresses an archive in segments: members of their own, one
// after the other, that are compressed in parallel. The kernel unpacks them as it
// does one (init/initramfs.c), as long as each ends where an entry does.
//
// Where segments end depends on the sizes of the entries and on the segment size
// alone, so the bytes are the same for any number of jobs. Memory is bounded by
// jobs times the segment size: a segment with a larger entry in it streams.
type SegmentWriter struct {
	out    io.Writer
	method Method
	size   int64

	slots   chan struct{} // one taken a segment in flight
	current *segment      // the one being written, or nil
	written int64         // bytes of the current one
	last    *segment      // the one begun last, or nil

	failed  chan struct{} // closed on the first error
	failure error         // that error; set before failed is closed
	once    sync.Once
}

// NewSegmentWriter returns a SegmentWriter to w that ends a segment at the first
// end of an entry at or after size bytes, and compresses up to jobs at once.
func NewSegmentWriter(w io.Writer, method Method, size int64, jobs int) *SegmentWriter {
	return &SegmentWriter{
		out:    w,
		method: method,
		size:   size,
		slots:  make(chan struct{}, max(jobs, 1)),
		failed: make(chan struct{}),
	}
}

// Write adds to the current segment.
func (s *SegmentWriter) Write(p []byte) (int, error) {
	if s.current == nil {
		if err := s.begin(); err != nil {
			return 0, err
		}
	}
	n, err := s.current.add(p)
	s.written += int64(n)
	return n, err
}

// EndEntry says that an entry ends here, padding included.
func (s *SegmentWriter) EndEntry() error {
	if s.current == nil || s.written < s.size {
		return s.err()
	}
	return s.end()
}

// Close ends the last segment and waits until all are written. It does not close
// the writer below.
func (s *SegmentWriter) Close() error {
	if s.current != nil {
		if err := s.end(); err != nil {
			return err
		}
	}
	if s.last == nil {
		return s.err()
	}
	select {
	case <-s.last.done:
		return s.err()
	case <-s.failed:
		return s.failure
	}
}

func (s *SegmentWriter) err() error {
	select {
	case <-s.failed:
		return s.failure
	default:
		return nil
	}
}

func (s *SegmentWriter) fail(err error) {
	s.once.Do(func() {
		s.failure = err
		close(s.failed)
	})
}

func (s *SegmentWriter) begin() error {
	select {
	case <-s.failed:
		return s.failure
	case s.slots <- struct{}{}:
	}
	next := &segment{
		writer: s,
		// Room for a whole segment, so that the next one can be begun at once.
		content: make(chan []byte, s.size/chunkSize+2),
		turn:    closed,
		done:    make(chan struct{}),
	}
	if s.last != nil {
		next.turn = s.last.done
	}
	s.current, s.last, s.written = next, next, 0
	go next.compress()
	return nil
}

func (s *SegmentWriter) end() error {
	err := s.current.flush()
	close(s.current.content)
	s.current = nil
	return err
}

// closed is the turn of the first segment: now.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// segment is a member in the making.
type segment struct {
	writer  *SegmentWriter
	chunk   []byte        // content not handed over yet
	content chan []byte   // handed over to compress
	turn    chan struct{} // closed once all segments before are written
	done    chan struct{} // closed once this one is
	waiting bytes.Buffer  // compressed before its turn
}

// add hands content over, a chunk at a time.
func (g *segment) add(p []byte) (n int, err error) {
	for len(p) > 0 {
		if g.chunk == nil {
			g.chunk = make([]byte, 0, chunkSize)
		}
		part := p[:min(len(p), chunkSize-len(g.chunk))]
		g.chunk = append(g.chunk, part...)
		p = p[len(part):]
		if len(g.chunk) == chunkSize {
			if err := g.flush(); err != nil {
				return n, err
			}
		}
		n += len(part)
	}
	return n, nil
}

func (g *segment) flush() error {
	if len(g.chunk) == 0 {
		return g.writer.err()
	}
	select {
	case <-g.writer.failed:
		return g.writer.failure
	case g.content <- g.chunk:
		g.chunk = nil
		return nil
	}
}

// compress compresses the content as it comes and writes it in its turn.
func (g *segment) compress() {
	s := g.writer
	z, err := s.method.NewWriter(g)
	if err != nil {
		s.fail(err)
		return
	}
	err = g.feed(z)
	// Closed on an error too: a codec has goroutines to end.
	if closeErr := z.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = g.wait()
	}
	if err != nil {
		s.fail(err)
		return
	}
	close(g.done)
	<-s.slots
}

func (g *segment) feed(z io.Writer) error {
	for {
		select {
		case <-g.writer.failed:
			return g.writer.failure
		case chunk, more := <-g.content:
			if !more {
				return nil
			}
			if _, err := z.Write(chunk); err != nil {
				return err
			}
		}
	}
}

// Write takes what is compressed: to be written now if it is this segment's turn,
// and else kept, up to the segment size.
func (g *segment) Write(p []byte) (int, error) {
	select {
	case <-g.turn:
	default:
		if int64(g.waiting.Len()+len(p)) <= g.writer.size {
			return g.waiting.Write(p)
		}
	}
	if err := g.wait(); err != nil {
		return 0, err
	}
	return g.writer.out.Write(p)
}

// wait waits for this segment's turn and writes what was kept.
func (g *segment) wait() error {
	select {
	case <-g.writer.failed:
		return g.writer.failure
	case <-g.turn:
		_, err := g.waiting.WriteTo(g.writer.out)
		return err
	}
}
