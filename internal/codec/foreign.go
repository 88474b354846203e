package codec

import (
	"bytes"
	"fmt"
)

// ForeignSize is how many first bytes of a file Foreign looks at, if there are as many.
const ForeignSize = 2 << 10

// foreign has what people take for an initramfs image, a list or a tar archive, by its
// magic number at an offset, and what to do with it. The first row that fits counts.
var foreign = []struct {
	at        int
	magic     string
	what, fix string
}{
	{0, "\x27\x05\x19\x56", "a U-Boot image (uImage)", "remove its header of 64 bytes: tail -c +65"},
	{0, "\xd0\x0d\xfe\xed", "a device tree or a FIT image", "extract the ramdisk of a FIT image, and pack the directory: packer extract"},
	{0, "ANDROID!", "an Android boot image", "extract the ramdisk: unpack_bootimg"},
	{0, "VNDRBOOT", "an Android vendor boot image", "extract the ramdisk: unpack_bootimg"},
	{0, "\xc7\x71", "a cpio archive in the old binary format", oldCpio},
	{0, "\x71\xc7", "a cpio archive in the old binary format, of a big-endian machine", oldCpio},
	{257, "ustar", "a tar archive", "make an image of it: packer pack"},
	{0, "!<arch>\ndebian-binary", "a Debian package (.deb)", "give it to packer pack, which reads such packages"},
	{0, "!<arch>\n", "an ar archive, such as a static library", "pack the files in it: ar x"},
	{0, "\xed\xab\xee\xdb", "an RPM package (.rpm)", "take its files as a cpio archive: rpm2cpio"},
	{0, "PK\x03\x04", "a zip archive", "extract it and pack the directory: unzip"},
	{0, "PK\x05\x06", "an empty zip archive", "pack a directory"},
	{0, "7z\xbc\xaf\x27\x1c", "a 7z archive", "extract it and pack the directory: 7z x"},
	{0, lz4FrameMagic, "an lz4 frame that the kernel does not take", "compress with the legacy frame: lz4 -l"},
	{1, "\x2a\x4d\x18", "a frame of zstd or lz4 that programs skip and the kernel does not take", "compress without: zstd, not pzstd"},
	{0, "LZIP", "compressed with lzip", "decompress it first: lzip -d"},
	{0, "\x1f\x9d", "compressed with compress (.Z)", "decompress it first: gzip -d"},
	{0, "\x7fELF", "an ELF program or library", "name it in a list: file /PATH LOCATION 0755 0 0"},
	{0x202, "HdrS", "an x86 Linux kernel (bzImage)", kernelImage},
	{56, "ARM\x64", "an arm64 Linux kernel (Image)", kernelImage},
	{56, "RSC\x05", "a RISC-V Linux kernel (Image)", kernelImage},
	{36, "\x18\x28\x6f\x01", "an Arm Linux kernel (zImage)", kernelImage},
	{0, "MZ", "an EFI executable", "extract the initramfs of a unified kernel image, and pack the directory: packer extract"},
	{0, "hsqs", "a squashfs file system", "extract it and pack the directory: unsquashfs"},
	{0, "\x45\x3d\xcd\x28", "a cramfs file system", mountable},
	{0, "-rom1fs-", "a romfs file system", mountable},
	{1024, "\xe2\xe1\xf5\xe0", "an erofs file system", mountable},
	{1080, "\x53\xef", "an ext2, ext3 or ext4 file system", mountable},
	{512, "EFI PART", "a disk with partitions", "mount a partition and pack the directory"},
	{0, "QFI\xfb", "a QCOW2 disk", "mount a partition and pack the directory"},
}

const (
	oldCpio     = "make it again in the new format: cpio -o -H newc"
	kernelImage = "pass the initramfs image beside the kernel, not the kernel, or extract what is linked into it: packer extract"
	mountable   = "mount it and pack the directory"
)

// Foreign says what a file is that begins with prefix, and what to do with it. It returns
// "" if that is not known. It knows no format that begins a member.
func Foreign(prefix []byte) string {
	for _, f := range foreign {
		if len(prefix) > f.at && bytes.HasPrefix(prefix[f.at:], []byte(f.magic)) {
			return fmt.Sprintf("%s: %s", f.what, f.fix)
		}
	}
	return ""
}
