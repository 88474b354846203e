package config

import (
	"errors"
	"fmt"
	"strings"
)

// What a kernel needs to unpack an initramfs.
const (
	InitramfsSource = "CONFIG_INITRAMFS_SOURCE"
	Initrd          = "CONFIG_BLK_DEV_INITRD"
)

// Codec returns the option that makes a kernel decompress a codec, such as CONFIG_RD_GZIP.
func Codec(codec string) string { return "CONFIG_RD_" + strings.ToUpper(codec) }

// Unpacks checks that a kernel with these values unpacks archives in these codecs, named as
// package compress does; none is no codec.
func (v Values) Unpacks(codecs []string) error {
	if !v.On(Initrd) {
		return missing("the kernel has no initramfs at all", Initrd)
	}
	var faults []error
	reported := map[string]bool{}
	for _, codec := range codecs {
		option := Codec(codec)
		if codec == "none" || v.On(option) || reported[codec] {
			continue
		}
		reported[codec] = true
		faults = append(faults, missing("the kernel does not decompress "+codec+", which the archive is compressed with", option))
	}
	return errors.Join(faults...)
}

func missing(what, option string) error {
	return fmt.Errorf("%s: add %s=y to a fragment of its kernel_build", what, option)
}

// Fits checks that an archive of this many bytes has room in an image of a kernel with these
// values. The rest of the image takes some of it: the linker has the last word.
func (v Values) Fits(size int64) error {
	room := v.room()
	if size < room {
		return nil
	}
	advice := "give it to the boot loader beside the kernel"
	if larger := int64(roomX86Random); v.On("CONFIG_X86_64") && size < larger && room < larger {
		advice += ", or add CONFIG_RANDOMIZE_BASE=y to a fragment of its kernel_build, for room for " + mebibytes(larger)
	}
	return fmt.Errorf("the archive takes %s, and the whole image of this kernel has room for %s: %s", mebibytes(size), mebibytes(room), advice)
}

// What an image may take in memory, in bytes: KERNEL_IMAGE_SIZE of
// arch/x86/include/asm/page_64_types.h, and the reach of addresses in code on arm64 and
// riscv64 (KERNEL_LINK_ADDR of arch/riscv/include/asm/pgtable.h).
const (
	roomX86       = 512 << 20
	roomX86Random = 1 << 30
	roomOthers    = 2 << 30
)

func (v Values) room() int64 {
	switch {
	case !v.On("CONFIG_X86_64"):
		return roomOthers
	case v.On("CONFIG_RANDOMIZE_BASE"):
		return roomX86Random
	}
	return roomX86
}

func mebibytes(size int64) string { return fmt.Sprintf("%d MiB", (size+1<<20-1)>>20) }
