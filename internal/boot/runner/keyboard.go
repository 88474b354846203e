package runner

import (
	"fmt"
	"io"
	"os"
)

// A keyboard types text for the guest. A nil keyboard types nothing.
type keyboard struct {
	guest *os.File // the end that QEMU reads
	ours  *os.File
	texts chan string
}

// newKeyboard returns a keyboard for at most this number of texts; nil for none.
func newKeyboard(texts int) (*keyboard, error) {
	if texts == 0 {
		return nil, nil
	}
	guest, ours, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("cannot make a keyboard for the guest: %w", err)
	}
	k := &keyboard{guest: guest, ours: ours, texts: make(chan string, texts)}
	go func() {
		// A guest that does not read must not block the goroutine that watches it.
		for text := range k.texts {
			io.WriteString(k.ours, text)
		}
	}()
	return k, nil
}

// send types text, without waiting for the guest to read it.
func (k *keyboard) send(text string) {
	if k != nil && text != "" {
		k.texts <- text
	}
}

// close removes the keyboard. Until then this process keeps the reading end open too,
// because a write without a reader would raise SIGPIPE.
func (k *keyboard) close() {
	if k != nil {
		close(k.texts)
		k.ours.Close()
		k.guest.Close()
	}
}
