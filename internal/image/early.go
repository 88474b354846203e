package image

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/cpio"
)

// CheckEarly reads an image to its end and checks that it can come before another as an
// early archive, such as one of microcode: that find_cpio_data in lib/earlycpio.c, which
// looks for files before the kernel unpacks anything, can read all of it and finds the
// names.
func CheckEarly(r *Reader) error {
	for {
		e, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if m := r.Members()[e.Member]; m.Codec != Uncompressed {
			return fmt.Errorf("not an early archive: it is compressed (%s) from byte %d on, where the kernel does not look; packer concat joins images",
				m.Codec, m.Offset)
		}
		if e.Type() == cpio.TypeRegular && (strings.HasPrefix(e.Name, "/") || strings.HasPrefix(e.Name, "./")) {
			return fmt.Errorf("%s: the kernel does not find this file: it looks for names that do not begin with / or ./", e.Name)
		}
	}
	if !r.Trailer() {
		return ErrNoTrailer
	}
	return nil
}

// ErrNoTrailer reports an uncompressed image without a trailer at its end.
var ErrNoTrailer = errors.New("no trailer at its end: it may have been cut off")

// What the kernel looks for in early archives: arch/x86/kernel/cpu/microcode and
// drivers/acpi/tables.c. A name of microcode is the start of the name of a file.
const (
	microcodeDir = "kernel/x86/microcode/"
	acpiDir      = "kernel/firmware/acpi/"
	// maxACPITables is NR_ACPI_INITRD_TABLES.
	maxACPITables = 64
)

var microcodeFiles = []string{"GenuineIntel.bin", "AuthenticAMD.bin"}

// EarlySearch follows the kernel's search for early files: microcode and ACPI tables. The
// zero EarlySearch is at the start of an image.
type EarlySearch struct {
	// compressed is the first compressed member, counted from 1; 0 if there was none.
	compressed int
	// found has the name that the kernel reads for each of microcodeFiles.
	found  map[string]string
	tables int
}

// Add adds the next entry of the image, in a member with a codec. It returns why the kernel
// does not find the entry, or "" if it does or if the entry is not meant to be found early.
func (s *EarlySearch) Add(e *Entry, codec string) string {
	if codec != Uncompressed && s.compressed == 0 {
		s.compressed = e.Member + 1
	}
	dir, base := path.Split(path.Clean("/" + e.Name)[1:])
	isMicrocode := dir == microcodeDir || slices.Contains(microcodeFiles, base)
	isTable := strings.HasPrefix(dir, acpiDir)
	switch {
	// iucode_tool aligns the microcode with a file whose name begins with a dot.
	case !isMicrocode && !isTable || e.Type() == cpio.TypeDir || strings.HasPrefix(base, "."):
		return ""
	case codec != Uncompressed:
		return fmt.Sprintf("it is in member %d, which is compressed", e.Member+1)
	case s.compressed > 0:
		return fmt.Sprintf("it comes after member %d, which is compressed", s.compressed)
	case e.Type() != cpio.TypeRegular:
		return "it is not a regular file"
	case isTable && !strings.HasPrefix(e.Name, acpiDir):
		return fmt.Sprintf("its name in the archive does not begin with %s", acpiDir)
	case isTable:
		if s.tables++; s.tables > maxACPITables {
			return fmt.Sprintf("the kernel reads at most %d tables", maxACPITables)
		}
	case dir == microcodeDir && !slices.ContainsFunc(microcodeFiles, func(name string) bool { return strings.HasPrefix(base, name) }):
		return fmt.Sprintf("the kernel looks only for %s", strings.Join(microcodeFiles, " and "))
	case !strings.HasPrefix(e.Name, microcodeDir+base):
		return fmt.Sprintf("the kernel looks for the name %s%s", microcodeDir, base)
	default:
		for _, name := range microcodeFiles {
			if !strings.HasPrefix(base, name) {
				continue
			}
			if first, ok := s.found[name]; ok {
				return fmt.Sprintf("the kernel reads only the first file whose name begins with %s, which is %s", name, first)
			}
			if s.found == nil {
				s.found = map[string]string{}
			}
			s.found[name] = base
		}
	}
	if e.Size == 0 {
		return "its record is empty: the content of a hard link is in another record"
	}
	return ""
}
