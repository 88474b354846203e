package codec

// blockReader reads the content of a codec that decompresses block by block.
type blockReader struct {
	// next returns the content of the next block, which may be empty and is valid until
	// the next call. At the end of the member, the error is io.EOF.
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

// grow returns a slice of n bytes with any content. It uses the memory of b if that is
// large enough.
func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}
