package zeros

import (
	"bytes"
	"errors"
	"testing"
)

type skipper struct {
	bytes.Buffer
	skipped int64
}

func (s *skipper) Skip(n int64) error { s.skipped += n; return nil }

type full struct{}

var errFull = errors.New("full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWrite(t *testing.T) {
	for _, n := range []int64{0, 1, 64 << 10, 64<<10 + 1, 1 << 20} {
		var b bytes.Buffer
		if err := Write(&b, n); err != nil || !bytes.Equal(b.Bytes(), make([]byte, n)) {
			t.Errorf("%d: %d bytes, %v", n, b.Len(), err)
		}
		var s skipper
		if err := Write(&s, n); err != nil || s.skipped != n || s.Len() != 0 {
			t.Errorf("%d: skipped %d, wrote %d, %v", n, s.skipped, s.Len(), err)
		}
	}
	if err := Write(full{}, 1); !errors.Is(err, errFull) {
		t.Error(err)
	}
}
