package runner

import (
	"fmt"
	"io"
	"os"
)

// A keyboard types to the guest. A nil one has no keys.
type keyboard struct {
	guest *os.File // where QEMU reads it
	ours  *os.File
	texts chan string
}

// newKeyboard returns a keyboard for at most so many texts; nil for none.
func newKeyboard(texts int) (*keyboard, error) {
	if texts == 0 {
		return nil, nil
	}
	guest, ours, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("a keyboard for the guest: %w", err)
	}
	k := &keyboard{guest: guest, ours: ours, texts: make(chan string, texts)}
	go func() {
		// A guest that does not read must not hold up who watches it.
		for text := range k.texts {
			io.WriteString(k.ours, text)
		}
	}()
	return k, nil
}

// send types text, sooner or later.
func (k *keyboard) send(text string) {
	if k != nil && text != "" {
		k.texts <- text
	}
}

// close takes the keyboard away. Our own copy of the reading end is open until
// then: without a reader, writing would be a SIGPIPE.
func (k *keyboard) close() {
	if k != nil {
		close(k.texts)
		k.ours.Close()
		k.guest.Close()
	}
}
