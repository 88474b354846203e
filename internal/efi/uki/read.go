package uki

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
	"github.com/rules-initramfs/rules_initramfs/internal/image"
	"github.com/rules-initramfs/rules_initramfs/internal/interrupt"
)

// OpenImage opens the initramfs image in the named file: that of a unified kernel image, or the file
// itself, as image.Open does.
//
// Of a unified kernel image with profiles, it opens the image that starts without a choice.
func OpenImage(ctx context.Context, name string) (*image.Image, error) {
	// Pipes and standard input cannot be read twice.
	if info, err := os.Stat(name); name == "-" || err != nil || !info.Mode().IsRegular() {
		return image.Open(ctx, name)
	}
	file, err := interrupt.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	sections, err := initramfs(file)
	if err == nil && sections != nil {
		img, err := image.OpenSections(ctx, file, sections...)
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		return img, nil
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return image.Open(ctx, name)
}

// initramfs returns the sections of a unified kernel image that the stub passes to the kernel, in this
// order; none if the file is not such an image.
func initramfs(file *os.File) ([]*io.SectionReader, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	f, err := pe.Open(file, info.Size())
	if errors.Is(err, pe.ErrNotEFI) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if f.Section(".linux") == nil {
		return nil, nil // a kernel, which is an error later
	}
	byName := map[string]*io.SectionReader{}
	profiles := 0
	for _, s := range f.Sections {
		if s.Name == ".profile" {
			profiles++
		}
		if profiles < 2 { // what the first profile has replaces what all have
			byName[s.Name] = s.Data()
		}
	}
	var sections []*io.SectionReader
	for _, name := range []string{".ucode", ".initrd"} {
		if s := byName[name]; s != nil {
			sections = append(sections, s)
		}
	}
	if sections == nil {
		return nil, errors.New("this unified kernel image has no initramfs (.initrd)")
	}
	return sections, nil
}
