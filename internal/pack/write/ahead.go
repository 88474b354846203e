package write

import (
	"sync"
	"sync/atomic"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

const (
	// wholeMost is the size, in bytes, up to which a file is read ahead. A larger one
	// is only opened, for the system to copy it.
	wholeMost = 32 << 10
	// batchEntries is how many entries are read ahead at once.
	batchEntries = 16
	// batchesAhead is how many batches are held: it bounds the memory, and with
	// batchEntries the open files.
	batchesAhead = 8
	// readersAhead is how many goroutines read: more than there are cores, for they
	// wait for disks.
	readersAhead = 4
)

// readAhead opens files before they are to be written, some at a time, in the order
// of the entries, and reads those that are small. Whatever is wrong with a location
// is left to who writes, so that the first of the faults is the one reported. A nil
// *readAhead does nothing.
type readAhead struct {
	entries []*list.Entry
	sums    bool

	next    atomic.Int64              // the batch to be read next
	stopped atomic.Bool               // nothing more is to be read
	free    chan *batch               // not in use
	ready   [batchesAhead]chan *batch // read; each has its place by its number
	readers sync.WaitGroup

	number  int    // of the current batch
	current *batch // the one being written, or nil
}

// batch is the content of batchEntries entries.
type batch struct {
	room     []byte // that of contents; nil before the first is read
	contents [batchEntries]content
}

// content is what was read ahead of a File.
type content struct {
	// held tells that bytes is all of it, mtime its time as source.Content has it, and
	// sum its checksum.
	held  bool
	bytes []byte
	mtime int64
	sum   uint32
	// file is open, and too large to be held; or nil.
	file *source.Content
}

// newReadAhead begins to read the entries' contents, with their checksums if sums
// are wanted. It returns nil where that is not worth its while.
func newReadAhead(entries []*list.Entry, sums bool) *readAhead {
	files := 0
	for _, e := range entries {
		if e.Kind == list.File {
			files++
		}
	}
	if files < 2*batchEntries {
		return nil
	}
	a := &readAhead{entries: entries, sums: sums, free: make(chan *batch, batchesAhead), number: -1}
	for i := range a.ready {
		a.ready[i] = make(chan *batch, 1)
		a.free <- &batch{}
	}
	for range readersAhead {
		a.readers.Go(a.read)
	}
	return a
}

// content returns what was read of entry i, which is one more with each call. It is
// valid until the next one, but for a file, which is the caller's to close.
func (a *readAhead) content(i int) content {
	if a == nil {
		return content{}
	}
	if number := i / batchEntries; number != a.number {
		if a.current != nil {
			a.free <- a.current
		}
		a.number = number
		a.current = <-a.ready[number%batchesAhead]
	}
	c := &a.current.contents[i%batchEntries]
	got := *c
	c.file = nil
	return got
}

// stop ends the reading, and waits until nobody reads any more.
func (a *readAhead) stop() {
	if a == nil {
		return
	}
	a.stopped.Store(true)
	if a.current != nil {
		a.free <- a.current
	}
	// Readers that wait for a batch get the current one, or none.
	close(a.free)
	a.readers.Wait()
	for _, ready := range a.ready {
		close(ready)
		for b := range ready {
			b.close()
		}
	}
	if a.current != nil {
		a.current.close()
	}
}

// close closes the files that nobody wanted.
func (b *batch) close() {
	for i := range b.contents {
		if file := b.contents[i].file; file != nil {
			file.Close()
		}
	}
}

// read reads batches until there are no more.
func (a *readAhead) read() {
	// The room comes first: who has taken a number will get to its end, and the
	// numbers in use are batchesAhead in a row.
	for b := range a.free {
		number := int(a.next.Add(1) - 1)
		first := number * batchEntries
		if a.stopped.Load() || first >= len(a.entries) {
			return
		}
		a.fill(b, a.entries[first:min(first+batchEntries, len(a.entries))])
		a.ready[number%batchesAhead] <- b
	}
}

// fill reads and opens the files among the entries.
func (a *readAhead) fill(b *batch, entries []*list.Entry) {
	room := b.room
	for i, e := range entries {
		c := &b.contents[i]
		*c = content{}
		if e.Kind != list.File || a.stopped.Load() {
			continue
		}
		if b.room == nil {
			// A byte more each, to see whether a file grew.
			b.room = make([]byte, batchEntries*(wholeMost+1))
			room = b.room
		}
		if e.Content == nil {
			c.read(e.Location, room[:wholeMost+1])
		} else if n := e.Content.Size(); n <= wholeMost {
			read, _ := e.Content.ReadAt(room[:n], 0)
			c.bytes, c.held = room[:n], int64(read) == n
		}
		room = room[len(c.bytes):]
		if a.sums {
			c.sum = cpio.Checksum(0, c.bytes)
		}
	}
}
