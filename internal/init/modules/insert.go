package modules

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rules-initramfs/rules_initramfs/internal/codec/lzma"
)

// A compression is a way in which a module's file may be compressed.
type compression struct {
	name  string // as /sys/module/compression has it
	magic string // what files begin with
	open  func(io.Reader) (io.Reader, error)
}

var compressions = []compression{
	{"gzip", "\x1f\x8b", func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
	{"xz", lzma.XZMagic, openXZ},
	{"zstd", "\x28\xb5\x2f\xfd", openZstd},
}

func openXZ(r io.Reader) (io.Reader, error) {
	z := &lzma.XZReader{File: true}
	return z, z.Reset(bufio.NewReader(r))
}

// maxModule is the most bytes that a module may have when it is decompressed.
const maxModule = 256 << 20

// insert gives a module's file to the kernel. If the file is compressed in a way that the
// kernel does not take, insert decompresses it.
func insert(file, parameters string) error {
	f, err := os.Open(file)
	if err != nil {
		return errors.Unwrap(err)
	}
	defer f.Close()
	magic := make([]byte, 6)
	if _, err := io.ReadFull(f, magic); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the file is too short for a module: build the image again")
	} else if err != nil {
		return errors.Unwrap(err)
	}
	flags := 0
	if c := detect(magic); c != nil {
		if c.name != kernelCompression() {
			return insertDecompressed(f, c, parameters)
		}
		flags = unix.MODULE_INIT_COMPRESSED_FILE
	}
	return explain(unix.FinitModule(int(f.Fd()), parameters, flags))
}

func detect(magic []byte) *compression {
	for i, c := range compressions {
		if bytes.HasPrefix(magic, []byte(c.magic)) {
			return &compressions[i]
		}
	}
	return nil
}

// kernelCompression returns the name of the one compression that the kernel takes for
// modules, or none (kernel/module/decompress.c, CONFIG_MODULE_DECOMPRESS).
func kernelCompression() string {
	text, err := os.ReadFile("/sys/module/compression")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func insertDecompressed(f *os.File, c *compression, parameters string) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	image, err := c.decompress(f)
	if err != nil {
		return err
	}
	return explain(unix.InitModule(image, parameters))
}

func (c *compression) decompress(r io.Reader) ([]byte, error) {
	content, err := c.open(r)
	var image bytes.Buffer
	if err == nil {
		_, err = io.Copy(&image, io.LimitReader(content, maxModule+1))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: build the image again", c.name, err)
	}
	if image.Len() > maxModule {
		return nil, fmt.Errorf("%s: it has more than %d bytes when it is decompressed", c.name, maxModule)
	}
	return image.Bytes(), nil
}

func explain(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w%s", err, hint(err))
}

// hint says what is usually wrong. The console has the kernel's own message before it.
func hint(err error) string {
	switch {
	case errors.Is(err, unix.ENOSYS):
		return ": the kernel was built without modules"
	case errors.Is(err, unix.ENOENT):
		return ": the kernel lacks a symbol, or the module a parameter: correct its parameters, or load the module that has the symbol first"
	case errors.Is(err, unix.ENOEXEC):
		return ": the module was built for another kernel"
	// What module_sig_check of kernel/module/signing.c returns.
	case errors.Is(err, unix.EKEYREJECTED):
		return ": it has no signature that the kernel trusts: sign it with the key of a certificate that the kernel has"
	case errors.Is(err, unix.ENOKEY), errors.Is(err, unix.ENOPKG):
		return ": the kernel cannot verify its signature: sign it with the key and the hash of this kernel"
	case errors.Is(err, unix.EBADMSG):
		return ": its signature is damaged: build the image again"
	case errors.Is(err, unix.EPERM):
		return ": the kernel is locked down, and the module has no signature that it trusts: sign it"
	}
	return ""
}
