package uki

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/codec"
	"github.com/rules-initramfs/rules_initramfs/internal/fdt"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/parts"
)

// content is a file that becomes a section or a part of one.
type content struct {
	file *os.File
	size int64
}

// open opens a file, which Close closes.
func (b *builder) open(name string) (content, error) {
	file, size, err := parts.OpenRegular(name)
	if err != nil {
		return content{}, err
	}
	b.files = append(b.files, file)
	return content{file, size}, nil
}

// write copies the file. The system does where it can, which is why it is not read at offsets.
func (c content) write(w io.Writer) error {
	if _, err := c.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := io.Copy(w, &io.LimitedReader{R: c.file, N: c.size})
	return err
}

// first returns the first n bytes of the file, or all if it has less.
func (c content) first(n int64) ([]byte, error) {
	return io.ReadAll(io.NewSectionReader(c.file, 0, min(n, c.size)))
}

// addFile adds the content of a file, unless its name is empty.
func (b *builder) addFile(section, name string) error {
	if name == "" {
		return nil
	}
	content, err := b.open(name)
	if err != nil {
		return fmt.Errorf("section %s: %w", section, err)
	}
	if content.size == 0 {
		return fmt.Errorf("section %s: %s is empty", section, name)
	}
	return b.addSection(section, content.size, content.write)
}

// addText adds a text, unless it is empty.
func (b *builder) addText(section, text string) error {
	if text == "" {
		return nil
	}
	return b.addSection(section, int64(len(text)), func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

// maxText is more bytes than a file with a command line has.
const maxText = 64 << 10

// addCommandLine adds the command line.
func (b *builder) addCommandLine(s *Sections) error {
	text := s.CommandLine
	if s.CommandLineIn != "" {
		if text != "" {
			return fmt.Errorf("section .cmdline: %w", ErrDuplicate)
		}
		content, err := b.open(s.CommandLineIn)
		if err != nil {
			return err
		}
		if content.size > maxText {
			return fmt.Errorf("%s: %w: it has %d bytes: shorten it", s.CommandLineIn, ErrCommandLine, content.size)
		}
		data, err := content.first(maxText)
		if err != nil {
			return err
		}
		text = string(data)
		if err := b.checkCommandLine(text); err != nil {
			return fmt.Errorf("%s: %w", s.CommandLineIn, err)
		}
		return b.addText(".cmdline", text)
	}
	if err := b.checkCommandLine(text); err != nil {
		return err
	}
	return b.addText(".cmdline", text)
}

// checkCommandLine returns an error if the kernel would not get a command line as it is. The stub
// drops spaces and control characters at the end.
func (b *builder) checkCommandLine(text string) error {
	if strings.Contains(text, "\x00") {
		return fmt.Errorf("%w: it would end at a NUL: remove the NUL", ErrCommandLine)
	}
	text = strings.TrimRightFunc(text, func(r rune) bool { return r <= ' ' })
	if len(text) > b.arch.MaxCommandLine {
		return fmt.Errorf("%w: on %s, the kernel takes up to %d bytes: shorten it", ErrCommandLine, b.arch.Name, b.arch.MaxCommandLine)
	}
	return nil
}

// maxDeviceTree is the largest device tree that kernels take, in bytes: MAX_FDT_SIZE in
// arch/arm64/include/asm/boot.h.
const maxDeviceTree = 2 << 20

func (b *builder) addDeviceTree(section, name string) error {
	if name == "" {
		return nil
	}
	content, err := b.open(name)
	if err != nil {
		return err
	}
	if content.size > maxDeviceTree {
		return fmt.Errorf("%s: %w: it has %d bytes, and kernels take %d", name, fdt.ErrNotDeviceTree, content.size, maxDeviceTree)
	}
	data, err := content.first(maxDeviceTree)
	if err != nil {
		return err
	}
	tree, err := fdt.Parse(data)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if tree.IsOverlay() {
		return fmt.Errorf("%s: it is an overlay, which the stub does not apply: name the tree of a machine", name)
	}
	return b.addSection(section, content.size, content.write)
}

// addSplash adds a picture.
func (b *builder) addSplash(name string) error {
	if name == "" {
		return nil
	}
	content, err := b.open(name)
	if err != nil {
		return err
	}
	// The header of a BMP file has its size at byte 2, and its pixels at byte 10.
	head, err := content.first(14)
	switch {
	case err != nil:
		return err
	case len(head) < 14 || !bytes.HasPrefix(head, []byte("BM")):
		return fmt.Errorf("%s: not a picture in BMP, which is what the stub shows", name)
	case int64(binary.LittleEndian.Uint32(head[2:])) != content.size:
		return fmt.Errorf("%s: the picture is damaged: its header says that it has %d bytes, and it has %d", name, binary.LittleEndian.Uint32(head[2:]), content.size)
	}
	return b.addSection(".splash", content.size, content.write)
}

// addParts adds a section of one or more files. Each begins at a multiple of image.Align.
func (b *builder) addParts(section string, names []string) error {
	var parts []content
	var size int64
	for _, name := range names {
		part, err := b.open(name)
		if err != nil {
			return err
		}
		if part.size == 0 {
			continue
		}
		if len(parts) == 0 {
			if err := checkArchive(part); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		if _, found, err := image.FindBootconfig(part.file, part.size); found > 0 && err == nil {
			return fmt.Errorf("%s: it ends with a boot configuration, which the kernel would not find, because the stub adds archives after it: build it into the kernel (CONFIG_BOOT_CONFIG_EMBED), and remove it here (packer bootconfig --remove)", name)
		}
		parts = append(parts, part)
		size += part.size
		if len(names) > 1 {
			// ukify aligns the end of the last one too.
			size += -size & (image.Align - 1)
		}
	}
	switch {
	case len(names) == 0:
		return nil
	case size == 0:
		return fmt.Errorf("section %s: %s is empty", section, strings.Join(names, ", "))
	}
	return b.addSection(section, size, func(w io.Writer) error {
		joiner := image.NewJoiner(w)
		for _, part := range parts {
			if err := part.write(joiner); err != nil {
				return err
			}
			if len(names) > 1 {
				if err := joiner.Align(image.Align); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// checkArchive returns an error if a file does not begin as an image for a kernel does.
func checkArchive(c content) error {
	prefix, err := c.first(codec.ForeignSize)
	if err != nil {
		return err
	}
	if prefix[0] != 0 && prefix[0] != '0' && codec.Detect(prefix) == "" {
		if foreign := codec.Foreign(prefix); foreign != "" {
			return errors.New(foreign)
		}
		return fmt.Errorf("%w: name an initramfs image", image.ErrJunk)
	}
	return nil
}
