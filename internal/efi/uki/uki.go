// Package uki makes unified kernel images: EFI executables that are a stub, which firmware starts, with
// a kernel, an initramfs and what belongs to them in sections.
//
// The format is that of the UAPI Group's specification "Unified Kernel Image (UKI)". Sections, their
// order and their flags are those that ukify of systemd writes.
package uki

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/pe"
	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// Config is what a unified kernel image is made of. Names are those of files; an empty one leaves
// out its section.
type Config struct {
	// Arch is the name of the architecture. It may be empty: it is that of the stub.
	Arch string
	// Stub is an EFI executable, such as linuxx64.efi.stub of systemd.
	Stub string
	// Base is what all profiles have.
	Base Sections
	// SBAT has the generations of the image's components, in CSV, for .sbat. Those of the stub
	// and of the kernel are added. Without one, that of the specification is used.
	SBAT []string
	// Profiles are the variants that a boot menu offers. If there are any, the first is the one
	// that starts without a choice.
	Profiles []Profile
}

// Profile is a variant of an image. Sections that it has replace those of the base.
type Profile struct {
	// Description has lines such as ID=factory-reset and TITLE=..., for .profile.
	Description string
	Sections
}

// Sections are the sections of an image or of a profile.
type Sections struct {
	OSRelease      string   // .osrel
	CommandLine    string   // .cmdline: the text itself
	CommandLineIn  string   // .cmdline, from a file
	DeviceTree     string   // .dtb
	DeviceTreeAuto []string // .dtbauto: the stub takes the one for the machine
	HWIDs          []string // .hwids: JSON descriptions of machines
	Uname          string   // .uname: the text itself; empty for what the kernel says
	Splash         string   // .splash: a picture in BMP
	PCRPublicKey   string   // .pcrpkey
	Kernel         string   // .linux
	Initramfs      []string // .initrd, of one or more files
	Microcode      []string // .ucode, of one or more files
	Extra          []Extra
	PCRSignature   string // .pcrsig: JSON
}

// Extra is a section with any name.
type Extra struct{ Name, File string }

// Errors of what a unified kernel image is made of.
var (
	// ErrArch reports files for different architectures.
	ErrArch = errors.New("for another architecture")
	// ErrKernel reports a file that is not a kernel that firmware starts.
	ErrKernel = errors.New("not a kernel with an EFI stub")
	// ErrCommandLine reports a command line that the kernel would not get as it is.
	ErrCommandLine = errors.New("the kernel would not get this command line")
	// ErrDuplicate reports two sections with one name.
	ErrDuplicate = errors.New("it is there twice")
)

// Image is a unified kernel image that is ready to be written.
type Image struct {
	builder
	extended *pe.Extended
}

// builder opens the files of an image.
type builder struct {
	arch     arch.Arch
	stub     *pe.File
	files    []io.Closer
	nxCompat bool
	sections []pe.NewSection
	names    map[string]bool // of the base, or of the profile
}

// Open opens and checks the files of an image.
func Open(c Config) (_ *Image, err error) {
	i := &Image{builder: builder{nxCompat: true}}
	defer func() {
		if err != nil {
			err = errors.Join(err, i.Close())
		}
	}()
	if err := i.openStub(c.Stub, c.Arch); err != nil {
		return nil, err
	}
	if c.Base.Kernel == "" {
		return nil, errors.New("it has no kernel")
	}
	if err := i.add(c); err != nil {
		return nil, err
	}
	if i.extended, err = i.stub.Extend(i.sections); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Stub, err)
	}
	if !i.nxCompat {
		// The flag is for all of the image, in which the stub starts the kernel.
		i.extended.ClearDLLCharacteristics(pe.NXCompat)
	}
	return i, nil
}

// Write writes the image. It stops after ctx has ended.
func (i *Image) Write(ctx context.Context, w io.Writer) error {
	if err := i.extended.Write(w); err != nil {
		return errors.Join(ctx.Err(), err)
	}
	return ctx.Err()
}

// Close closes the files.
func (i *Image) Close() error {
	var err error
	for _, file := range i.files {
		err = errors.Join(err, file.Close())
	}
	return err
}

func (b *builder) openStub(name, architecture string) error {
	if name == "" {
		return errors.New("it has no stub")
	}
	content, err := b.open(name)
	if err != nil {
		return err
	}
	if b.stub, err = pe.Open(content.file, content.size); err != nil {
		return fmt.Errorf("%s: %w: name a stub, such as linuxx64.efi.stub of systemd", name, err)
	}
	var known bool
	b.arch, known = findArch(b.stub.Machine)
	switch {
	case !known:
		return fmt.Errorf("%s: the stub is for an unknown architecture (machine %#x): want one for %s", name, b.stub.Machine, strings.Join(arch.Names(), ", "))
	case architecture != "" && architecture != b.arch.Name:
		return fmt.Errorf("%s: the stub is %w: it is for %s, and the image for %s", name, ErrArch, b.arch.Name, architecture)
	case b.stub.Section(".linux") != nil:
		return fmt.Errorf("%s: it has a kernel already: name a stub, such as linuxx64.efi.stub of systemd", name)
	}
	return nil
}

// findArch returns the architecture of an EFI executable.
func findArch(machine uint16) (arch.Arch, bool) {
	for _, a := range arch.All() {
		if a.PEMachine == machine {
			return a, true
		}
	}
	return arch.Arch{}, false
}

// add adds the sections of the base and of the profiles.
func (b *builder) add(c Config) error {
	b.names = map[string]bool{}
	if err := b.addSections(&c.Base); err != nil {
		return err
	}
	if err := b.addSBAT(c); err != nil {
		return err
	}
	if err := b.addFile(".pcrsig", c.Base.PCRSignature); err != nil {
		return err
	}
	for _, p := range c.Profiles {
		b.names = map[string]bool{}
		err := b.addFile(".profile", p.Description)
		if err == nil {
			err = b.addSections(&p.Sections)
		}
		if err == nil {
			err = b.addFile(".pcrsig", p.PCRSignature)
		}
		if err != nil {
			return fmt.Errorf("profile %s: %w", p.Description, err)
		}
	}
	return nil
}

// addSections adds all sections but .sbat and .pcrsig, in ukify's order.
func (b *builder) addSections(s *Sections) error {
	for _, add := range []func() error{
		func() error { return b.addFile(".osrel", s.OSRelease) },
		func() error { return b.addCommandLine(s) },
		func() error { return b.addDeviceTree(".dtb", s.DeviceTree) },
		func() error {
			for _, name := range s.DeviceTreeAuto {
				if err := b.addDeviceTree(".dtbauto", name); err != nil {
					return err
				}
			}
			return nil
		},
		func() error { return b.addHWIDs(s.HWIDs) },
		func() error { return b.addUname(s) },
		func() error { return b.addSplash(s.Splash) },
		func() error { return b.addFile(".pcrpkey", s.PCRPublicKey) },
		func() error { return b.addKernel(s.Kernel) },
		func() error { return b.addParts(".initrd", s.Initramfs) },
		func() error { return b.addParts(".ucode", s.Microcode) },
		func() error { return b.addExtra(s.Extra) },
	} {
		if err := add(); err != nil {
			return err
		}
	}
	return nil
}

// addSection adds a section.
func (b *builder) addSection(name string, size int64, write func(io.Writer) error) error {
	if b.names[name] && name != ".dtbauto" {
		return fmt.Errorf("section %s: %w: name it once for the image and once for each profile", name, ErrDuplicate)
	}
	b.names[name] = true
	flags := uint32(pe.MemRead | pe.InitializedData)
	if name == ".linux" {
		// Stubs run old kernels where they are.
		flags = pe.MemRead | pe.Code
	}
	b.sections = append(b.sections, pe.NewSection{Name: name, Size: size, Characteristics: flags, Replace: name == ".sbat", Write: write})
	return nil
}

// addExtra adds sections with any name.
func (b *builder) addExtra(extra []Extra) error {
	for _, e := range extra {
		if b.stub.Section(e.Name) != nil {
			return fmt.Errorf("section %s: %w: the stub has one of its own: use another name", e.Name, ErrDuplicate)
		}
		if err := b.addFile(e.Name, e.File); err != nil {
			return err
		}
	}
	return nil
}
