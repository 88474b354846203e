package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
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
// values. The rest of the image needs some of that room too, which only the linker knows.
func (v Values) Fits(size int64) error {
	room, random := v.room()
	if v.On(randomizeBase) {
		room = random
	}
	if size < room {
		return nil
	}
	advice := "give it to the boot loader beside the kernel"
	if size < random {
		advice += ", or add " + randomizeBase + "=y to a fragment of its kernel_build, for room for " + mebibytes(random)
	}
	return fmt.Errorf("the archive takes %s, and the whole image of this kernel has room for %s: %s", mebibytes(size), mebibytes(room), advice)
}

const randomizeBase = "CONFIG_RANDOMIZE_BASE"

// room returns the most that an image may take in memory, in bytes, and the same with
// randomizeBase.
func (v Values) room() (size, random int64) {
	for _, a := range arch.All() {
		if v.On(a.Option) {
			return a.Room, a.RoomRandom
		}
	}
	return arch.MaxRoom, arch.MaxRoom
}

func mebibytes(size int64) string { return fmt.Sprintf("%d MiB", (size+1<<20-1)>>20) }
