package uki

import (
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
)

// ReadInitramfs returns the sections of a unified kernel image of size bytes that the stub passes to the
// kernel as its initramfs image, in this order: none, one or two. It also returns the kernel; nil if
// the EFI executable is not such an image. The error is pe.ErrNotEFI for another file.
//
// Of a unified kernel image with profiles, it returns what starts without a choice.
func ReadInitramfs(r io.ReaderAt, size int64) (kernel *io.SectionReader, sections []*io.SectionReader, err error) {
	f, err := pe.Open(r, size)
	if err != nil {
		return nil, nil, err
	}
	if f.Section(".linux") == nil {
		return nil, nil, nil
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
	for _, name := range []string{".ucode", ".initrd"} {
		if s := byName[name]; s != nil {
			sections = append(sections, s)
		}
	}
	if kernel = byName[".linux"]; kernel == nil { // only another profile has one
		kernel = f.Section(".linux").Data()
	}
	return kernel, sections, nil
}
