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
