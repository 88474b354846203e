package uki

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
	"github.com/rules-initramfs/rules_initramfs/internal/parts"
)

// The first line of each .sbat, and what ukify adds where nothing else is given (STUB_SBAT).
const (
	sbatHeader  = "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n"
	sbatDefault = "uki,1,UKI,uki,1,https://uapi-group.org/specifications/specs/unified_kernel_image/\n"
)

// maxSBAT is more bytes than a .sbat has.
const maxSBAT = 64 << 10

// addSBAT adds the generations of the stub, of the kernel and of the image.
func (b *builder) addSBAT(c Config) error {
	var text strings.Builder
	text.WriteString(sbatHeader)
	add := func(name string, read func() (io.Reader, error)) error {
		r, err := read()
		if err != nil || r == nil {
			return err
		}
		data, err := io.ReadAll(io.LimitReader(r, maxSBAT+1))
		if err != nil {
			return err
		}
		lines, err := sbatLines(data)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		text.WriteString(lines)
		return nil
	}
	for _, name := range []string{c.Stub, c.Base.Kernel} {
		if err := add(name, func() (io.Reader, error) { return b.openSBAT(name) }); err != nil {
			return err
		}
	}
	for _, name := range c.SBAT {
		file, _, err := parts.OpenRegular(name)
		if err != nil {
			return err
		}
		err = add(name, func() (io.Reader, error) { return file, nil })
		file.Close()
		if err != nil {
			return err
		}
	}
	if len(c.SBAT) == 0 {
		text.WriteString(sbatDefault)
	}
	return b.addText(".sbat", text.String())
}

// openSBAT returns the content of .sbat of an EFI executable, or nil.
func (b *builder) openSBAT(name string) (io.Reader, error) {
	content, err := b.open(name)
	if err != nil {
		return nil, err
	}
	f, err := pe.Open(content.file, content.size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if s := f.Section(".sbat"); s != nil {
		return s.Data(), nil
	}
	return nil, nil
}

// sbatLines returns the lines after the first one, which is the same in all.
func sbatLines(data []byte) (string, error) {
	text := string(bytes.TrimRight(data, "\x00"))
	first, rest, _ := strings.Cut(text, "\n")
	switch {
	case len(data) > maxSBAT:
		return "", fmt.Errorf("its SBAT data have more than %d bytes", maxSBAT)
	case !strings.HasPrefix(first, "sbat,"):
		return "", errors.New(`not SBAT data: the first line must begin with "sbat,"`)
	case strings.Contains(text, "\x00"):
		return "", errors.New("not SBAT data: a NUL is in the text")
	}
	rest = strings.ReplaceAll(rest, "\r\n", "\n")
	if rest != "" && !strings.HasSuffix(rest, "\n") {
		rest += "\n"
	}
	return rest, nil
}
