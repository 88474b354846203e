package codec

import (
	"bytes"
	"context"
	"io"
	"sync"
	"sync/atomic"
)

// DefaultMemberSize is the size of an archive's members before compression, in
// bytes: large enough to compress well, and small enough that several are
// compressed at once.
const DefaultMemberSize = 8 << 20

// chunkSize is the size of the pieces that a compressor gets, in bytes.
const chunkSize = 256 << 10

// heldSize is how many bytes of a member's content are kept until it is known
// whether compression makes the member smaller.
const heldSize = 2 * DefaultMemberSize

// MemberWriter compresses an archive in parallel. It cuts the archive into
// members: runs of whole entries, each compressed on its own. The kernel unpacks
// members in a row as it does one (init/initramfs.c), as long as each ends where an
// entry does.
//
// A member of up to 16 MiB that compression makes smaller by less than a 64th is
// stored uncompressed. The kernel takes an uncompressed member at a multiple of 4
// only, so NULs precede it where needed.
//
// Where members end depends on the sizes of the entries and on the member size
// alone, and whether one is compressed depends on its content, so the bytes are the
// same for any number of jobs. A member that is larger than the member size and
// 16 MiB streams, so memory is bounded: each job takes at most twice the member
// size, or 16 MiB, and its compressed content is part of that.
type MemberWriter struct {
	ctx         context.Context
	stop        context.CancelFunc
	compression Compression
	size        int64
	out         sequence

	slots    chan struct{} // a member in flight takes one
	inFlight sync.WaitGroup
	current  *member // the one being written, or nil
	written  int64   // bytes of the current one
	last     *member // the latest member that was begun, or nil

	failed  chan struct{} // closed on the first error
	failure error         // that error; set before failed is closed
	once    sync.Once
}

// NewMemberWriter returns a MemberWriter to w. A member ends at the first end of an
// entry at or after size bytes; with size 0 the whole archive is one member, which
// is always compressed. Up to jobs members are compressed at once. When ctx ends,
// compressor programs are killed.
//
// The caller must close it, even after an error.
func NewMemberWriter(ctx context.Context, w io.Writer, compression Compression, size int64, jobs int) *MemberWriter {
	ctx, stop := context.WithCancel(ctx)
	return &MemberWriter{
		ctx:         ctx,
		stop:        stop,
		compression: compression,
		size:        size,
		out:         sequence{w: w},
		slots:       make(chan struct{}, max(jobs, 1)),
		failed:      make(chan struct{}),
	}
}

// Write adds to the current member.
func (s *MemberWriter) Write(p []byte) (int, error) {
	if s.current == nil {
		if err := s.begin(); err != nil {
			return 0, err
		}
	}
	n, err := s.current.add(p)
	s.written += int64(n)
	return n, err
}

// EndEntry marks the end of an entry and its padding. It reports whether the member ends
// here too.
func (s *MemberWriter) EndEntry() (bool, error) {
	if s.current == nil || s.size == 0 || s.written < s.size {
		return false, s.err()
	}
	return true, s.end()
}

// Close ends the last member and waits until all members are written or, after an
// error, until all work has stopped. It does not close the underlying writer.
func (s *MemberWriter) Close() error {
	if s.current != nil {
		s.end() // s.err returns its error too
	}
	s.inFlight.Wait()
	s.stop()
	return s.err()
}

// Codecs returns the codec of each member in order; empty for one that is not compressed.
// It may be called when Close has returned nil.
func (s *MemberWriter) Codecs() []string { return s.out.codecs }

// LastCodec returns the codec of the last member; empty if that is not compressed. It may
// be called when Close has returned nil.
func (s *MemberWriter) LastCodec() string { return s.out.codec }

func (s *MemberWriter) err() error {
	select {
	case <-s.failed:
		return s.failure
	default:
		return nil
	}
}

func (s *MemberWriter) fail(err error) {
	s.once.Do(func() {
		s.failure = err
		close(s.failed)
		s.stop()
	})
}

func (s *MemberWriter) begin() error {
	select {
	case <-s.failed:
		return s.failure
	case s.slots <- struct{}{}:
	}
	next := &member{
		writer: s,
		// Room for a whole member, so that the next one can begin at once.
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

func (s *MemberWriter) end() error {
	err := s.current.flush()
	close(s.current.content)
	s.current = nil
	return err
}

// closed is the turn of the first member, which need not wait.
var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// member is a member that is being compressed.
type member struct {
	writer  *MemberWriter
	chunk   []byte        // content that compress has not got yet
	content chan []byte   // content for compress
	turn    chan struct{} // closed when all earlier members are written
	done    chan struct{} // closed when this member is written
	// held is all content so far, as long as the member may still be stored
	// uncompressed; heldBytes is its size.
	held      [][]byte
	heldBytes int64
	// streams is set when held is dropped: from then on compressed content is
	// written as it comes.
	streams atomic.Bool
	packed  bytes.Buffer // compressed content that is not written yet
	begun   bool         // some compressed content is written
}

// add passes content to compress, a chunk at a time.
func (g *member) add(p []byte) (n int, err error) {
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

func (g *member) flush() error {
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

// compress compresses the content as it comes and writes it when the member's turn
// comes.
func (g *member) compress() {
	if err := g.write(); err != nil {
		g.writer.fail(err)
		return
	}
	close(g.done)
	<-g.writer.slots
}

func (g *member) write() error {
	z, err := g.writer.compression.newWriter(g.writer.ctx, g)
	if err != nil {
		return err
	}
	err = g.feed(z)
	// Close even after an error: a codec may have goroutines to stop.
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

func (g *member) feed(z io.Writer) error {
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

// hold keeps content, up to heldSize.
func (g *member) hold(chunk []byte) {
	if g.streams.Load() {
		return
	}
	g.held = append(g.held, chunk)
	if g.heldBytes += int64(len(chunk)); g.heldBytes > heldSize {
		g.held = nil
		g.streams.Store(true)
	}
}

// Write takes compressed content. It writes the content at once if the member
// streams and its turn has come; otherwise it keeps it, up to the member size if the
// member streams.
func (g *member) Write(p []byte) (int, error) {
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

// send waits for this member's turn and writes the compressed content.
func (g *member) send() error {
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

// wait waits for this member's turn.
func (g *member) wait() error {
	select {
	case <-g.writer.failed:
		return g.writer.failure
	case <-g.turn:
		return nil
	}
}

// sequence writes members one after the other.
type sequence struct {
	w      io.Writer
	offset int64
	codec  string // of the latest member; empty if it is not compressed
	codecs []string
}

// begin begins a member with these first bytes, or an uncompressed member if prefix
// is nil.
func (s *sequence) begin(prefix []byte) error {
	codec := Detect(prefix)
	gap := Gap(s.offset, s.codec, codec)
	s.codec = codec
	s.codecs = append(s.codecs, codec)
	_, err := s.Write(make([]byte, gap))
	return err
}

func (s *sequence) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := s.w.Write(p)
	s.offset += int64(n)
	return n, err
}

// Gap returns how many NULs must come between two members if the first one ends at
// offset in the image. last and next are their codecs; that of an uncompressed member is
// empty or None.
//
// A legacy lz4 frame ends at 4 NULs or where another one begins
// (lib/decompress_unlz4.c); an uncompressed member begins at a multiple of 4.
func Gap(offset int64, last, next string) int64 {
	var nuls int64
	if c := find(last); c != nil && c.endless && next != last {
		nuls = 4
	}
	if next == "" || next == None {
		nuls += -(offset + nuls) & 3
	}
	return nuls
}
