package codec

// blockReader reads what a codec decompresses block by block.
type blockReader struct {
	// next returns the content of the next block, which may be empty and is good
	// until the next call; at the member's end the error is io.EOF.
	next   func() ([]byte, error)
	unread []byte
}

func (b *blockReader) Read(p []byte) (int, error) {
	for len(b.unread) == 0 {
		var err error
		if b.unread, err = b.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.unread)
	b.unread = b.unread[n:]
	return n, nil
}

// grow returns n bytes of any content, in the memory of b where that is enough.
func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
