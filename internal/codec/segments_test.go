package codec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
)

// segmentEntries returns entries: small ones, some of a segment and more, empty ones.
func segmentEntries() [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	var all [][]byte
	for i := range 300 {
		size := r.IntN(3000)
		if i%50 == 7 {
			size = 40_000 + r.IntN(1_000_000)
		}
		entry := make([]byte, size)
		for j := range entry {
			entry[j] = byte(r.IntN(20))
		}
		all = append(all, entry)
	}
	return all
}

func writeSegments(t *testing.T, w io.Writer, m Method, size int64, jobs, piece int, all [][]byte) error {
	t.Helper()
	s := NewSegmentWriter(t.Context(), w, m, size, jobs)
	for _, entry := range all {
		for len(entry) > 0 {
			n := min(piece, len(entry))
			if _, err := s.Write(entry[:n]); err != nil {
				return errors.Join(err, s.Close())
			}
			entry = entry[n:]
		}
		if _, err := s.EndEntry(); err != nil {
			return errors.Join(err, s.Close())
		}
	}
	return s.Close()
}

func mustParse(t *testing.T, text string) Method {
	t.Helper()
	m, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSegments(t *testing.T) {
	all := segmentEntries()
	m := mustParse(t, "gzip:6")
	var want []byte
	for _, test := range []struct{ jobs, piece, procs int }{
		{1, 1 << 20, 1}, {2, 1 << 20, 2}, {2, 777, 2}, {8, 1 << 20, 8}, {3, 4096, 1},
	} {
		t.Run(fmt.Sprintf("%d jobs, pieces of %d, %d cores", test.jobs, test.piece, test.procs), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(test.procs))
			var out bytes.Buffer
			if err := writeSegments(t, &out, m, 32<<10, test.jobs, test.piece, all); err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = bytes.Clone(out.Bytes())
			} else if !bytes.Equal(want, out.Bytes()) {
				t.Error("other bytes than with one job")
			}
			checkSegments(t, &out, all, 32<<10)
		})
	}
}

// checkSegments reads the segments one by one: each ends where an entry does, and
// is no larger than it has to be.
func checkSegments(t *testing.T, in *bytes.Buffer, all [][]byte, size int) {
	t.Helper()
	ends := map[int]int{0: 0} // end of an entry to the start of that entry
	at := 0
	for _, entry := range all {
		ends[at+len(entry)] = at
		at += len(entry)
	}
	content := bytes.Join(all, nil)
	z := new(gzip.Reader)
	start, members := 0, 0
	for in.Len() > 0 {
		if err := z.Reset(in); err != nil {
			t.Fatal(err)
		}
		z.Multistream(false)
		member, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		end := start + len(member)
		lastEntry, isEnd := ends[end]
		switch {
		case !bytes.Equal(member, content[start:end]):
			t.Fatalf("segment %d is not bytes %d to %d of what was written", members, start, end)
		case !isEnd:
			t.Fatalf("segment %d ends at %d, in the middle of an entry", members, end)
		case lastEntry-start >= size:
			t.Fatalf("segment %d goes on after %d bytes", members, lastEntry-start)
		case len(member) < size && end < len(content):
			t.Fatalf("segment %d has %d bytes only", members, len(member))
		}
		start = end
		members++
	}
	if start != len(content) || members < 10 {
		t.Errorf("%d of %d bytes in %d segments", start, len(content), members)
	}
}

func TestSegmentsOfNothing(t *testing.T) {
	var out bytes.Buffer
	if err := writeSegments(t, &out, mustParse(t, "zstd"), 1024, 2, 1024, nil); err != nil || out.Len() > 0 {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
}

// failAfter fails once it has taken so many bytes.
type failAfter struct{ left int }

var errFull = errors.New("full")

func (f *failAfter) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestSegmentsFailure(t *testing.T) {
	all := segmentEntries()
	before := runtime.NumGoroutine()
	for _, codec := range []string{"gzip:1", "zstd", "none"} {
		for _, left := range []int{0, 1, 10_000, 300_000} {
			err := writeSegments(t, &failAfter{left}, mustParse(t, codec), 32<<10, 4, 5000, all)
			if !errors.Is(err, errFull) {
				t.Errorf("%s, room for %d bytes: %v", codec, left, err)
			}
		}
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A segment of any size takes no more memory than the others.
func TestSegmentsMemory(t *testing.T) {
	s := NewSegmentWriter(t.Context(), io.Discard, mustParse(t, "gzip:1"), 1<<20, 2)
	chunk := make([]byte, 1<<20)
	for i := range chunk {
		chunk[i] = byte(rand.Uint32())
	}
	var most uint64
	for i := range 200 {
		if _, err := s.Write(chunk); err != nil {
			t.Fatal(err)
		}
		if i%20 == 0 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if most > 64<<20 {
		t.Errorf("200 MiB in one segment took %d MiB", most>>20)
	}
}
