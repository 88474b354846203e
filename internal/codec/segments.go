package codec

import (
	"bytes"
	"context"
	"io"
	"sync"
	"sync/atomic"
)

// DefaultSegmentSize is how much of an archive makes a segment, in bytes: enough
// for a codec to learn from, little enough that some are compressed at once.
const DefaultSegmentSize = 8 << 20

// chunkSize is the unit, in bytes, in which content is handed to a compressor.
const chunkSize = 256 << 10

// heldSize is how much content of a segment is kept, in bytes, until it is known
// whether compressing gains anything.
const heldSize = 2 * DefaultSegmentSize

// SegmentWriter compresses an archive in segments: members of their own, one
// after the other, that are compressed in parallel. The kernel unpacks them as it
// does one (init/initramfs.c), as long as each ends where an entry does.
//
// A segment of up to 16 MiB that compressing makes smaller by less than a 64th
// stays as it is: an uncompressed member, which the kernel takes at a multiple
// of 4. NULs before it see to that.
//
// Where segments end depends on the sizes of the entries and on the segment size
// alone, and how they are stored on their content, so the bytes are the same for
// any number of jobs. Memory is bounded by jobs times twice the segment size or
// 16 MiB, what compressed content takes included: a larger segment streams.
type SegmentWriter struct {
	ctx    context.Context
	stop   context.CancelFunc
	method Method
	size   int64
	out    memberWriter

	slots    chan struct{} // one taken a segment in flight
	inFlight sync.WaitGroup
	current  *segment // the one being written, or nil
	written  int64    // bytes of the current one
	last     *segment // the one begun last, or nil

	failed  chan struct{} // closed on the first error
	failure error         // that error; set before failed is closed
	once    sync.Once
}

// NewSegmentWriter returns a SegmentWriter to w that ends a segment at the first
// end of an entry at or after size bytes, and compresses up to jobs at once. Of
// size 0 there is one segment, which is compressed whatever it gains. Programs are
// killed when ctx ends.
//
// It has to be closed, also after an error.
func NewSegmentWriter(ctx context.Context, w io.Writer, method Method, size int64, jobs int) *SegmentWriter {
	ctx, stop := context.WithCancel(ctx)
	return &SegmentWriter{
		ctx:    ctx,
		stop:   stop,
		method: method,
		size:   size,
		out:    memberWriter{w: w},
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

// EndEntry says that an entry ends here, padding included. It reports whether the segment
// ends here too.
func (s *SegmentWriter) EndEntry() (bool, error) {
	if s.current == nil || s.size == 0 || s.written < s.size {
		return false, s.err()
	}
	return true, s.end()
}

// Close ends the last segment and waits until all are written or, after an error,
// until nothing runs any more. It does not close the writer below.
func (s *SegmentWriter) Close() error {
	if s.current != nil {
		s.end() // its error is the writer's
	}
	s.inFlight.Wait()
	s.stop()
	return s.err()
}

// Codecs returns the codec of each member in turn, once Close has returned nil; that of
// one that is not compressed is empty.
func (s *SegmentWriter) Codecs() []string { return s.out.codecs }

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
		s.stop()
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
	next.streams.Store(s.size == 0)
	s.current, s.last, s.written = next, next, 0
	s.inFlight.Go(next.compress)
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
	// held is all of the content so far, as long as it may be stored as it is;
	// heldBytes counts it.
	held      [][]byte
	heldBytes int64
	// streams says that held is given up, and that what is compressed is written
	// as it comes.
	streams atomic.Bool
	packed  bytes.Buffer // compressed, not written yet
	begun   bool         // some of it is written
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
	if err := g.write(); err != nil {
		g.writer.fail(err)
		return
	}
	close(g.done)
	<-g.writer.slots
}

func (g *segment) write() error {
	z, err := g.writer.method.newWriter(g.writer.ctx, g)
	if err != nil {
		return err
	}
	err = g.feed(z)
	// Closed on an error too: a codec has goroutines to end.
	if closeErr := z.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if g.streams.Load() || int64(g.packed.Len()) < g.heldBytes-g.heldBytes/64 {
		return g.send()
	}
	if err := g.wait(); err != nil {
		return err
	}
	if err := g.writer.out.begin(nil); err != nil {
		return err
	}
	for _, chunk := range g.held {
		if _, err := g.writer.out.Write(chunk); err != nil {
			return err
		}
	}
	return nil
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
			g.hold(chunk)
			if _, err := z.Write(chunk); err != nil {
				return err
			}
		}
	}
}

// hold keeps content, up to the size for that.
func (g *segment) hold(chunk []byte) {
	if g.streams.Load() {
		return
	}
	g.held = append(g.held, chunk)
	if g.heldBytes += int64(len(chunk)); g.heldBytes > heldSize {
		g.held = nil
		g.streams.Store(true)
	}
}

// Write takes what is compressed: to be written now if the segment streams and
// it is its turn, and else kept, up to the segment size if it streams.
func (g *segment) Write(p []byte) (int, error) {
	g.packed.Write(p)
	if !g.streams.Load() || g.packed.Len() < magicSize {
		return len(p), nil
	}
	select {
	case <-g.turn:
	default:
		if int64(g.packed.Len()) <= g.writer.size {
			return len(p), nil
		}
	}
	return len(p), g.send()
}

// send waits for this segment's turn and writes what is compressed.
func (g *segment) send() error {
	if err := g.wait(); err != nil {
		return err
	}
	if !g.begun {
		g.begun = true
		if err := g.writer.out.begin(g.packed.Bytes()); err != nil {
			return err
		}
	}
	_, err := g.packed.WriteTo(&g.writer.out)
	return err
}

// wait waits for this segment's turn.
func (g *segment) wait() error {
	select {
	case <-g.writer.failed:
		return g.writer.failure
	case <-g.turn:
		return nil
	}
}

// memberWriter writes members one after the other.
type memberWriter struct {
	w      io.Writer
	offset int64
	codec  string // of the last member; empty if it is not compressed
	codecs []string
}

// begin begins a member whose first bytes these are; nil stands for one that is
// not compressed. A legacy lz4 frame ends at 4 NULs or where another one begins
// (lib/decompress_unlz4.c), an uncompressed member begins at a multiple of 4.
func (m *memberWriter) begin(prefix []byte) error {
	codec := Detect(prefix)
	var nuls int64
	if m.codec == "lz4" && codec != "lz4" {
		nuls = 4
	}
	if codec == "" {
		nuls += -(m.offset + nuls) & 3
	}
	m.codec = codec
	m.codecs = append(m.codecs, codec)
	_, err := m.Write(make([]byte, nuls))
	return err
}

func (m *memberWriter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := m.w.Write(p)
	m.offset += int64(n)
	return n, err
}
