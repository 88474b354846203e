package write

import (
	"sync"
	"sync/atomic"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
	"github.com/rules-initramfs/rules_initramfs/internal/list"
	"github.com/rules-initramfs/rules_initramfs/internal/pack/source"
)

const (
	// maxHeld is the size, in bytes, up to which a file is prefetched. A larger one
	// is only opened, and the system copies it.
	maxHeld = 32 << 10
	// batchEntries is how many entries are prefetched together.
	batchEntries = 16
	// maxBatches is how many batches are held. It bounds the memory and, with
	// batchEntries, the number of open files.
	maxBatches = 8
	// readers is how many goroutines read: more than there are CPUs, because they
	// wait for disks.
	readers = 4
)

// prefetcher opens files before they are written, in the order of the entries and a
// bounded number at a time, and reads the small ones. It reports no errors: the writer
// finds them again, so the first error in the list is the one reported. A nil
// *prefetcher does nothing.
type prefetcher struct {
	entries []*list.Entry
	sums    bool

	next    atomic.Int64            // the batch to read next
	stopped atomic.Bool             // reading must end
	free    chan *batch             // not in use
	ready   [maxBatches]chan *batch // read, by number modulo maxBatches
	running sync.WaitGroup          // the readers

	number  int    // of the current batch
	current *batch // the one that is being written, or nil
}

// batch is the content of batchEntries entries.
type batch struct {
	buffer   []byte // of contents; nil before the first one is read
	contents [batchEntries]content
}

// content is what was prefetched of a File.
type content struct {
	// held reports that bytes is all of it; mtime is its time, as in source.Content,
	// and sum its checksum.
	held  bool
	bytes []byte
	mtime int64
	sum   uint32
	// file is open and too large to hold; or nil.
	file *source.Content
}

// newPrefetcher begins to read the entries' contents, and computes checksums if sums is
// set. It returns nil if there are too few files to gain anything.
func newPrefetcher(entries []*list.Entry, sums bool) *prefetcher {
	files := 0
	for _, e := range entries {
		if e.Kind == list.File {
			files++
		}
	}
	if files < 2*batchEntries {
		return nil
	}
	a := &prefetcher{entries: entries, sums: sums, free: make(chan *batch, maxBatches), number: -1}
	for i := range a.ready {
		a.ready[i] = make(chan *batch, 1)
		a.free <- &batch{}
	}
	for range readers {
		a.running.Go(a.read)
	}
	return a
}

// content returns what was prefetched of entry i; i grows by one with each call. The bytes
// are valid until the next call. The caller closes the file.
func (a *prefetcher) content(i int) content {
	if a == nil {
		return content{}
	}
	if number := i / batchEntries; number != a.number {
		if a.current != nil {
			a.free <- a.current
		}
		a.number = number
		a.current = <-a.ready[number%maxBatches]
	}
	c := &a.current.contents[i%batchEntries]
	got := *c
	c.file = nil
	return got
}

func (a *prefetcher) stop() {
	if a == nil {
		return
	}
	a.stopped.Store(true)
	if a.current != nil {
		a.free <- a.current
	}
	// A reader that waits for a batch gets the current one, or none.
	close(a.free)
	a.running.Wait()
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

func (b *batch) close() {
	for i := range b.contents {
		if file := b.contents[i].file; file != nil {
			file.Close()
		}
	}
}

func (a *prefetcher) read() {
	// A free batch comes first: whoever has taken a number then gets to its end, and
	// the numbers in use are maxBatches in a row.
	for b := range a.free {
		number := int(a.next.Add(1) - 1)
		first := number * batchEntries
		if a.stopped.Load() || first >= len(a.entries) {
			return
		}
		a.fill(b, a.entries[first:min(first+batchEntries, len(a.entries))])
		a.ready[number%maxBatches] <- b
	}
}

func (a *prefetcher) fill(b *batch, entries []*list.Entry) {
	free := b.buffer
	for i, e := range entries {
		c := &b.contents[i]
		*c = content{}
		if e.Kind != list.File || a.stopped.Load() {
			continue
		}
		if b.buffer == nil {
			// One more byte for each shows whether a file grew.
			b.buffer = make([]byte, batchEntries*(maxHeld+1))
			free = b.buffer
		}
		if e.Content == nil {
			c.read(e, free[:maxHeld+1])
		} else if n := e.Content.Size(); n <= maxHeld {
			read, _ := e.Content.ReadAt(free[:n], 0)
			c.bytes, c.held = free[:n], int64(read) == n
		}
		free = free[len(c.bytes):]
		if a.sums {
			c.sum = cpio.Checksum(0, c.bytes)
		}
	}
}
