// Package androidboot writes the boot images of Android, version 4: boot.img with the generic kernel and
// initramfs image, and vendor_boot.img with what a device adds to them
// (https://source.android.com/docs/core/architecture/bootloader/boot-image-header).
package androidboot

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Content is a part of an image.
type Content interface {
	Size() int64
	io.WriterTo
}

// Sizes of the format, in bytes.
const (
	version          = 4
	bootHeaderSize   = 1584
	vendorHeaderSize = 2128
	bootPage         = 4096
	entrySize        = 108
	// MaxCommandLine is the longest command line in boot.img; MaxVendorCommandLine in vendor_boot.img.
	MaxCommandLine       = 512 + 1024 - 1
	MaxVendorCommandLine = 2048 - 1
	// MaxName is the longest name of an initramfs image.
	MaxName = 32 - 1
	// MaxProduct is the longest name of a product.
	MaxProduct = 16 - 1
)

// Boot is a boot.img.
type Boot struct {
	Kernel  Content // nil if there is none
	Ramdisk Content // nil if there is none
	// CommandLine is added to the kernel's.
	CommandLine string
	// OSVersion and PatchLevel are what OSVersion and PatchLevel of this package return, or 0.
	OSVersion, PatchLevel uint32
}

// Write writes the image. It writes nothing if it has no form in the format.
func (b *Boot) Write(w io.Writer) error {
	e := &encoder{page: bootPage}
	e.text("ANDROID!", 8)
	e.size(b.Kernel, "the kernel")
	e.size(b.Ramdisk, "the initramfs image")
	e.number(b.OSVersion<<11 | b.PatchLevel)
	e.number(bootHeaderSize)
	e.number(0, 0, 0, 0)
	e.number(version)
	e.string(b.CommandLine, MaxCommandLine, "the command line")
	e.number(0) // no signature of the generic kernel
	return e.write(w, b.Kernel, b.Ramdisk)
}

// Types of initramfs images in vendor_boot.img.
var types = []string{"none", "platform", "recovery", "dlkm"}

// Types returns the types of initramfs images: they say in which boots they are loaded.
func Types() []string { return slices.Clone(types) }

// Ramdisk is an initramfs image in a vendor_boot.img.
type Ramdisk struct {
	Content Content
	Type    string // one of Types
	Name    string // empty for one of them
}

// VendorBoot is a vendor_boot.img.
type VendorBoot struct {
	Ramdisks    []Ramdisk
	DeviceTrees Content // nil if there are none
	Bootconfig  Content // nil if there is none
	CommandLine string
	Product     string
	PageSize    uint32
	// KernelAddress and the others are addresses in memory.
	KernelAddress, RamdiskAddress, TagsAddress uint32
	DeviceTreeAddress                          uint64
}

// Write writes the image. It writes nothing if it has no form in the format.
func (v *VendorBoot) Write(w io.Writer) error {
	if v.PageSize < vendorHeaderSize || v.PageSize&(v.PageSize-1) != 0 {
		return fmt.Errorf("bad page size %d: want a power of two from 4096", v.PageSize)
	}
	total, table, err := v.table()
	if err != nil {
		return err
	}
	e := &encoder{page: int64(v.PageSize)}
	e.text("VNDRBOOT", 8)
	e.number(version, v.PageSize, v.KernelAddress, v.RamdiskAddress)
	e.size(sized(total), "the initramfs images")
	e.string(v.CommandLine, MaxVendorCommandLine, "the command line")
	e.number(v.TagsAddress)
	e.string(v.Product, MaxProduct, "the name of the product")
	e.number(vendorHeaderSize)
	e.size(v.DeviceTrees, "the device trees")
	e.head = binary.LittleEndian.AppendUint64(e.head, v.DeviceTreeAddress)
	e.number(uint32(len(table)), uint32(len(v.Ramdisks)), entrySize)
	e.size(v.Bootconfig, "the boot configuration")
	var ramdisks joined
	for _, r := range v.Ramdisks {
		ramdisks = append(ramdisks, r.Content)
	}
	return e.write(w, ramdisks, v.DeviceTrees, bytesContent(table), v.Bootconfig)
}

// table returns the size of the initramfs images, and what describes them.
func (v *VendorBoot) table() (total int64, table []byte, err error) {
	used := map[string]bool{"default": true} // which mkbootimg reserves
	for _, r := range v.Ramdisks {
		kind := slices.Index(types, r.Type)
		switch {
		case kind < 0:
			return 0, nil, fmt.Errorf("unknown type %q of an initramfs image: want one of %s", r.Type, strings.Join(types, ", "))
		case used[r.Name] && r.Name == "":
			return 0, nil, fmt.Errorf("two initramfs images have no name: give one of them a name")
		case used[r.Name]:
			return 0, nil, fmt.Errorf("the name %q of an initramfs image is taken: use another", r.Name)
		}
		used[r.Name] = true
		e := &encoder{}
		e.size(r.Content, "an initramfs image")
		e.size(sized(total), "the initramfs images")
		e.number(uint32(kind))
		e.string(r.Name, MaxName, "the name of an initramfs image")
		if e.err != nil {
			return 0, nil, e.err
		}
		table = append(table, e.head...)
		table = append(table, make([]byte, entrySize-len(e.head))...) // no board identifiers
		total += r.Content.Size()
	}
	return total, table, nil
}

// encoder makes a header.
type encoder struct {
	page int64
	head []byte
	err  error
}

func (e *encoder) number(numbers ...uint32) {
	for _, n := range numbers {
		e.head = binary.LittleEndian.AppendUint32(e.head, n)
	}
}

func (e *encoder) size(c interface{ Size() int64 }, what string) {
	size := int64(0)
	if c != nil {
		size = c.Size()
	}
	if size > math.MaxUint32 && e.err == nil {
		e.err = fmt.Errorf("%s: %d bytes, more than 4 GiB", what, size)
	}
	e.number(uint32(size))
}

func (e *encoder) text(text string, size int) {
	e.head = append(e.head, text...)
	e.head = append(e.head, make([]byte, size-len(text))...)
}

// string adds a text that a NUL ends.
func (e *encoder) string(text string, most int, what string) {
	if e.err == nil && (len(text) > most || strings.Contains(text, "\x00")) {
		e.err = fmt.Errorf("%s has %d bytes, or a NUL: want at most %d bytes", what, len(text), most)
		text = ""
	}
	e.text(text[:min(len(text), most)], most+1)
}

// write writes the header and the parts, each at a multiple of the page size.
func (e *encoder) write(w io.Writer, parts ...Content) error {
	if e.err != nil {
		return e.err
	}
	for _, part := range append([]Content{bytesContent(e.head)}, parts...) {
		if part == nil {
			continue
		}
		n, err := part.WriteTo(w)
		if err == nil && n != part.Size() {
			err = fmt.Errorf("a part has %d bytes instead of %d: a file changed", n, part.Size())
		}
		if err == nil {
			_, err = w.Write(make([]byte, -n&(e.page-1)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sized is a size alone.
type sized int64

func (s sized) Size() int64 { return int64(s) }

type bytesContent []byte

func (c bytesContent) Size() int64 { return int64(len(c)) }

func (c bytesContent) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(c)
	return int64(n), err
}

// joined are parts one after the other.
type joined []Content

func (j joined) Size() int64 {
	size := int64(0)
	for _, c := range j {
		size += c.Size()
	}
	return size
}

func (j joined) WriteTo(w io.Writer) (int64, error) {
	written := int64(0)
	for _, c := range j {
		n, err := c.WriteTo(w)
		if written += n; err != nil {
			return written, err
		}
	}
	return written, nil
}

// ParseOSVersion reads a version such as 15.0.0.
func ParseOSVersion(text string) (uint32, error) {
	numbers, err := split(text, ".", 127)
	if err != nil || len(numbers) > 3 {
		return 0, fmt.Errorf("bad version %q: want A, A.B or A.B.C, each at most 127", text)
	}
	numbers = append(numbers, 0, 0)
	return numbers[0]<<14 | numbers[1]<<7 | numbers[2], nil
}

// ParsePatchLevel reads a month such as 2025-08.
func ParsePatchLevel(text string) (uint32, error) {
	numbers, err := split(text, "-", 2127)
	if err != nil || len(numbers) != 2 || numbers[0] < 2000 || numbers[1] < 1 || numbers[1] > 12 {
		return 0, fmt.Errorf("bad patch level %q: want YEAR-MONTH, from 2000 to 2127", text)
	}
	return (numbers[0]-2000)<<4 | numbers[1], nil
}

func split(text, separator string, most uint64) ([]uint32, error) {
	var numbers []uint32
	for word := range strings.SplitSeq(text, separator) {
		number, err := strconv.ParseUint(word, 10, 32)
		if err != nil || number > most {
			return nil, fmt.Errorf("%q is not a number up to %d", word, most)
		}
		numbers = append(numbers, uint32(number))
	}
	return numbers, nil
}
