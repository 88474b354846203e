package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
)

// The zeros between parts are those that a boot loader puts there.
func TestJoinedReader(t *testing.T) {
	var want []byte
	joined := &joinedReader{ctx: t.Context()}
	for i, size := range []int{5, 4, 3, 1, 8, 7} {
		content := bytes.Repeat([]byte{byte('a' + i)}, size)
		want = append(append(want, make([]byte, -len(want)&3)...), content...)
		name := filepath.Join(t.TempDir(), "part")
		if err := os.WriteFile(name, content, 0o644); err != nil {
			t.Fatal(err)
		}
		part, err := openPart(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		joined.parts = append(joined.parts, part)
	}
	defer joined.Close()
	got, err := io.ReadAll(iotest.OneByteReader(joined))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%q, %v: want %q", got, err, want)
	}

	// A file that is shorter than it was.
	short, err := openPart(t.Context(), joined.parts[0].Name())
	if err != nil {
		t.Fatal(err)
	}
	defer short.Close()
	short.size++
	if _, err := io.ReadAll(&joinedReader{ctx: t.Context(), parts: []*part{short}}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a part that became shorter: %v", err)
	}
}
