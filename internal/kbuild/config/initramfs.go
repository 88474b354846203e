package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rules-initramfs/rules_initramfs/internal/tables/arch"
)

// Options for an initramfs.
const (
	InitramfsSource = "CONFIG_INITRAMFS_SOURCE"
	Initrd          = "CONFIG_BLK_DEV_INITRD"
)

// Codec returns the option that makes a kernel decompress a codec, such as CONFIG_RD_GZIP.
func Codec(codec string) string { return "CONFIG_RD_" + strings.ToUpper(codec) }

// Filter returns the option that makes a kernel decompress xz with a filter of machine code,
// such as CONFIG_XZ_DEC_X86.
func Filter(filter string) string { return "CONFIG_XZ_DEC_" + strings.ToUpper(filter) }

// Unpacks returns an error unless a kernel with these values unpacks archives in these codecs
// and with these filters, which have the names of package codec.
func (v Values) Unpacks(codecs, filters []string) error {
	if !v.On(Initrd) {
		return disabled("the kernel does not unpack initramfs images", Initrd)
	}
	var errs []error
	reported := map[string]bool{}
	for _, codec := range codecs {
		option := Codec(codec)
		if codec == "none" || v.On(option) || reported[codec] {
			continue
		}
		reported[codec] = true
		errs = append(errs, disabled("the archive is compressed with "+codec+", which the kernel does not decompress", option))
	}
	for _, filter := range filters {
		if option := Filter(filter); !v.On(option) && !reported[option] {
			reported[option] = true
			errs = append(errs, disabled("the archive is compressed with xz's filter "+filter+", which the kernel does not have", option))
		}
	}
	return errors.Join(errs...)
}

func disabled(problem, option string) error {
	return fmt.Errorf("%s: set %s=y in a fragment of the kernel's configuration", problem, option)
}

// Fits returns an error if an archive of this many bytes is too large to be linked into a
// kernel with these values. The linker knows the size of the rest of the kernel and may still
// refuse a smaller one.
func (v Values) Fits(size int64) error {
	room, random := v.room()
	if v.On(randomizeBase) {
		room = random
	}
	if size < room {
		return nil
	}
	advice := "have the boot loader load the archive beside the kernel"
	if size < random {
		advice += ", or set " + randomizeBase + "=y in a fragment of the kernel's configuration, which allows " + mebibytes(random)
	}
	return fmt.Errorf("the archive takes %s, but this kernel and its archive together may take at most %s: %s", mebibytes(size), mebibytes(room), advice)
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
