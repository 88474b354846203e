package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// arMagic begins an ar archive, such as a Debian package (deb(5)).
const arMagic = "!<arch>\n"

// readDeb reads the data of a Debian package: a tar archive, compressed or not, in the
// member data.tar of an ar archive. Members have a header of 60 bytes and begin at even
// offsets.
func (a *archive) readDeb() error {
	const nameEnd, sizeStart, sizeEnd, length = 16, 48, 58, 60
	header := make([]byte, length)
	for at := int64(len(arMagic)); at < a.size; {
		if _, err := a.file.ReadAt(header, at); err != nil || string(header[sizeEnd:]) != "`\n" {
			return a.fail(errors.New("a damaged ar archive"))
		}
		size, err := strconv.ParseInt(strings.TrimRight(string(header[sizeStart:sizeEnd]), " "), 10, 64)
		start := at + length
		if err != nil || size < 0 || size > a.size-start {
			return a.fail(errors.New("a damaged ar archive, or one that is cut off"))
		}
		if bytes.HasPrefix(header[:nameEnd], []byte("data.tar")) {
			a.file, a.size = io.NewSectionReader(a.file, start, size), size
			return a.readDebData()
		}
		at = start + size + size&1
	}
	return a.fail(errors.New("an ar archive without the member data.tar of a Debian package"))
}

func (a *archive) readDebData() error {
	prefix := make([]byte, tarBlock)
	if _, err := a.file.ReadAt(prefix, 0); err != nil && err != io.EOF {
		return a.fail(fmt.Errorf("cannot read data.tar: %w", err))
	}
	if isTarHeader(prefix) {
		return a.readTar(nil)
	}
	return a.readCompressed()
}
