package uki

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/kernelimage"
	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
)

// addKernel adds the kernel.
func (b *builder) addKernel(name string) error {
	if name == "" {
		return nil
	}
	content, err := b.open(name)
	if err != nil {
		return err
	}
	kernel, err := pe.Open(content.file, content.size)
	switch {
	case errors.Is(err, pe.ErrNotEFI):
		header, headerErr := kernelimage.Read(name)
		if headerErr != nil {
			return headerErr
		}
		return fmt.Errorf("%s: %w: it is %s: name the kernel's %s, built with CONFIG_EFI_STUB=y", name, ErrKernel, header.Format, b.arch.Image)
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	case kernel.Machine != b.arch.PEMachine:
		what := fmt.Sprintf("machine %#x", kernel.Machine)
		if a, known := findArch(kernel.Machine); known {
			what = a.Name
		}
		return fmt.Errorf("%s: the kernel is %w: it is for %s, and the stub for %s: use a kernel and a stub for the same architecture", name, ErrArch, what, b.arch.Name)
	}
	if kernel.DLLCharacteristics&pe.NXCompat == 0 {
		b.nxCompat = false
	}
	return b.addSection(".linux", content.size, content.write)
}

// addUname adds the release of the kernel. It returns an error if the kernel says another one.
func (b *builder) addUname(s *Sections) error {
	if s.Kernel == "" {
		return b.addText(".uname", s.Uname)
	}
	content, err := b.open(s.Kernel)
	if err != nil {
		return err
	}
	release, err := readRelease(content)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Kernel, err)
	}
	if s.Uname != "" && release != "" && s.Uname != release {
		return fmt.Errorf("%s: the kernel says that it is %s, and not %s: name its release, or leave it out", s.Kernel, release, s.Uname)
	}
	if s.Uname != "" {
		release = s.Uname
	}
	return b.addText(".uname", release)
}

// Where a bzImage has a pointer to a text that begins with the release, relative to setup
// (Documentation/arch/x86/boot.rst).
const (
	setupAt         = 0x200
	setupMagicAt    = 0x202
	kernelVersionAt = 0x20e
)

var (
	// setupRelease is the text of arch/x86/boot/version.c, and bannerRelease what linux_banner of
	// init/version.c has.
	setupRelease  = regexp.MustCompile(`^([A-Za-z0-9._+~-]+) \([^ )]+\) #`)
	bannerRelease = regexp.MustCompile(`^Linux version ([0-9]\.[A-Za-z0-9._+~-]+) \(`)
)

const (
	bannerPrefix = "Linux version "
	maxBanner    = 256 // more than a release has
)

// readRelease returns the release of a kernel, or "" if it cannot be read: the kernel may be
// compressed.
func readRelease(c content) (string, error) {
	head, err := c.first(kernelVersionAt + 2)
	if err != nil {
		return "", err
	}
	if len(head) == kernelVersionAt+2 && string(head[setupMagicAt:setupMagicAt+4]) == "HdrS" {
		at := setupAt + int64(binary.LittleEndian.Uint16(head[kernelVersionAt:]))
		text, err := io.ReadAll(io.NewSectionReader(c.file, at, maxBanner))
		if err != nil {
			return "", err
		}
		if found := setupRelease.FindSubmatch(text); found != nil {
			return string(found[1]), nil
		}
		return "", nil
	}
	return findBanner(io.NewSectionReader(c.file, 0, c.size))
}

// findBanner returns the release in the first banner of a kernel, or "".
func findBanner(r io.Reader) (string, error) {
	buffer := make([]byte, 0, 1<<20)
	for {
		n, err := io.ReadFull(r, buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		end := err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !end {
			return "", err
		}
		rest := buffer
		for {
			at := bytes.Index(rest, []byte(bannerPrefix))
			if at < 0 || len(rest)-at < maxBanner && !end {
				break
			}
			rest = rest[at:]
			if found := bannerRelease.FindSubmatch(rest[:min(len(rest), maxBanner)]); found != nil {
				return string(found[1]), nil
			}
			rest = rest[len(bannerPrefix):]
		}
		if end {
			return "", nil
		}
		// A banner may begin here that ends in what comes next.
		kept := copy(buffer, rest[max(0, len(rest)-maxBanner):])
		buffer = buffer[:kept]
	}
}
