package interrupt_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/rules-initramfs/rules_initramfs/internal/interrupt"
)

func TestReader(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	if err := iotest.TestReader(interrupt.Reader(ctx, strings.NewReader("content")), []byte("content")); err != nil {
		t.Error(err)
	}
	cancel()
	if _, err := interrupt.Reader(ctx, strings.NewReader("content")).Read(make([]byte, 1)); err != context.Canceled {
		t.Error(err)
	}
}

func TestReaderOfPipe(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	defer in.Close()
	r := interrupt.Reader(ctx, out)
	io.WriteString(in, "content")
	got := make([]byte, 3)
	for _, want := range []string{"con", "ten", "t"} {
		if n, err := r.Read(got); err != nil || string(got[:n]) != want {
			t.Errorf("%q, %v", got[:n], err)
		}
	}
	go cancel()
	if _, err := r.Read(got); err != context.Canceled {
		t.Error(err)
	}
}

func TestOpen(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte("content"), 0o666); err != nil {
		t.Fatal(err)
	}
	file, err := interrupt.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	if _, err := interrupt.Open(t.Context(), name+".missing"); !os.IsNotExist(err) {
		t.Error(err)
	}
}
