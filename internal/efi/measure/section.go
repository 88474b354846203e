package measure

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
	"github.com/rules-initramfs/rules_initramfs/internal/fdt"
)

// Names of sections of a unified kernel image.
const (
	sectionLinux     = ".linux"
	sectionOSRelease = ".osrel"
	sectionCmdline   = ".cmdline"
	sectionInitrd    = ".initrd"
	sectionMicrocode = ".ucode"
	sectionDTB       = ".dtb"
	sectionPCRSig    = ".pcrsig"
	sectionPCRKey    = ".pcrpkey"
	sectionProfile   = ".profile"
	sectionDTBAuto   = ".dtbauto"
	sectionFirmware  = ".efifw"
	sectionMagic     = ".sdmagic"
)

// stubSections are the sections that systemd-stub looks for, in the order in which it measures them
// (enum UnifiedSection in src/fundamental/uki.h of systemd 262). It does not measure .pcrsig, which
// has signatures of the measurements.
var stubSections = []string{
	sectionLinux, sectionOSRelease, sectionCmdline, sectionInitrd, sectionMicrocode, ".splash", sectionDTB, ".uname", ".sbat",
	sectionPCRSig, sectionPCRKey, sectionProfile, sectionDTBAuto, ".hwids", sectionFirmware,
}

// maxPadding is how much more memory than content a section may have. Those of unified kernel images
// have the same.
const maxPadding = 1 << 20

// content returns what a section is in memory.
func content(s *pe.Section) (io.Reader, error) {
	more := int64(s.VirtualSize) - int64(s.Size)
	if more <= 0 {
		return s.Data(), nil
	}
	if more > maxPadding {
		return nil, fmt.Errorf("section %s has %d bytes and takes %d of memory: the file is cut off or damaged", s.Name, s.Size, s.VirtualSize)
	}
	return io.MultiReader(s.Data(), io.LimitReader(zeros{}, more)), nil
}

// readSection returns the content of a section that is small.
func readSection(s *pe.Section, most int64) ([]byte, error) {
	if int64(s.VirtualSize) > most {
		return nil, fmt.Errorf("section %s has %d bytes, which is more than %d", s.Name, s.VirtualSize, most)
	}
	r, err := content(s)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// isUKI reports whether an EFI executable is a unified kernel image.
func isUKI(file *pe.File) bool { return file.Section(sectionLinux) != nil }

// locate returns the sections that systemd-stub takes for a profile, by name: those before the first
// .profile, and those of the profile in their place (pe_locate_profile_sections in src/boot/pe.c of
// systemd). compatible is what the machine's device tree begins with, or empty.
func locate(file *pe.File, profile int, compatible string) (map[string]*pe.Section, error) {
	found := map[string]*pe.Section{}
	groups := groupProfiles(file)
	if last := max(len(groups)-2, 0); profile > last {
		return nil, fmt.Errorf("it has no profile %d: the last one is %d", profile, last)
	}
	if err := take(found, groups[0], compatible); err != nil {
		return nil, err
	}
	if profile+1 < len(groups) {
		if err := take(found, groups[profile+1], compatible); err != nil {
			return nil, err
		}
	}
	for name, s := range found {
		if s.VirtualSize == 0 {
			delete(found, name)
		}
	}
	return found, nil
}

// groupProfiles returns the sections before the first .profile, and those of each profile.
func groupProfiles(file *pe.File) [][]pe.Section {
	var groups [][]pe.Section
	begin := 0
	for i, s := range file.Sections {
		if s.Name == sectionProfile {
			groups, begin = append(groups, file.Sections[begin:i]), i
		}
	}
	return append(groups, file.Sections[begin:])
}

// take puts the first section of each name in place of what is there.
func take(found map[string]*pe.Section, sections []pe.Section, compatible string) error {
	taken := map[string]bool{}
	for i := range sections {
		s := &sections[i]
		if taken[s.Name] {
			continue
		}
		fits, err := matches(s, compatible)
		if err != nil {
			return err
		}
		if fits {
			taken[s.Name], found[s.Name] = true, s
		}
	}
	return nil
}

const maxDTB = 8 << 20

// matches reports whether systemd-stub takes a section on this machine. It takes the .dtbauto whose
// first compatible name is the machine's, and firmware for devices that no prediction knows.
func matches(s *pe.Section, compatible string) (bool, error) {
	switch s.Name {
	case sectionFirmware:
		return false, nil
	case sectionDTBAuto:
		if compatible == "" {
			return false, nil
		}
		data, err := readSection(s, maxDTB)
		if err != nil {
			return false, err
		}
		tree, err := fdt.Parse(data)
		if err != nil {
			return false, fmt.Errorf("section %s: %w", s.Name, err)
		}
		names := tree.Root.Strings("compatible")
		return len(names) > 0 && names[0] == compatible, nil
	}
	return true, nil
}

// stubVersion is what systemd-stub says in .sdmagic (src/boot/stub.c).
var stubVersion = regexp.MustCompile(`systemd-stub (([0-9]{1,6})[0-9A-Za-z.~+:_-]{0,64})`)

// Stub is the systemd-stub of a unified kernel image.
type Stub struct {
	// Version is as the stub says, such as 262-1. Number is 262. Both are empty for another stub.
	Version string
	Number  int
}

func stubOf(file *pe.File) (Stub, error) {
	s := file.Section(sectionMagic)
	if s == nil {
		return Stub{}, nil
	}
	magic, err := readSection(s, 4096)
	if err != nil {
		return Stub{}, err
	}
	magic, _, _ = bytes.Cut(magic, []byte{0})
	match := stubVersion.FindSubmatch(magic)
	if match == nil {
		return Stub{}, nil
	}
	number, _ := strconv.Atoi(string(match[2]))
	return Stub{string(match[1]), number}, nil
}
