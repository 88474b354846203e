package linked

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/boot/kernelimage"
)

// Where the header of a bzImage (Documentation/arch/x86/boot.rst) has what.
const (
	setupSectorsAt  = 0x1f1
	versionAt       = 0x206
	payloadOffsetAt = 0x248
	payloadLengthAt = 0x24c
	bzImageHeader   = 0x250

	withPayload = 0x208 // the first version with the two
	sector      = 512
)

// Where the header of an EFI zboot image (drivers/firmware/efi/libstub/zboot-header.S) has what.
const (
	zbootOffsetAt = 8
	zbootLengthAt = 12
	zbootHeader   = 16
)

// findPayload returns the compressed part of a kernel.
func findPayload(kernel *io.SectionReader, format kernelimage.Format) (*io.SectionReader, error) {
	head := make([]byte, bzImageHeader)
	if n, err := kernel.ReadAt(head, 0); err != nil && (err != io.EOF || n < zbootHeader) {
		return nil, fmt.Errorf("%w: its header: %w", ErrDamaged, err)
	}
	word := func(at int) int64 { return int64(binary.LittleEndian.Uint32(head[at:])) }
	offset, length := word(zbootOffsetAt), word(zbootLengthAt)
	if format == kernelimage.BzImage {
		if version := binary.LittleEndian.Uint16(head[versionAt:]); version < withPayload {
			return nil, fmt.Errorf("the header of this bzImage has version %#x, which does not say where the kernel is: kernels since 2.6.26 do", version)
		}
		sectors := int64(head[setupSectorsAt])
		if sectors == 0 {
			sectors = 4
		}
		offset, length = (sectors+1)*sector+word(payloadOffsetAt), word(payloadLengthAt)
	}
	if offset > kernel.Size() || length > kernel.Size()-offset || length < 8 {
		return nil, fmt.Errorf("%w: its header says that %d bytes at byte %d are the compressed kernel, and the file has %d bytes", ErrDamaged, length, offset, kernel.Size())
	}
	return io.NewSectionReader(kernel, offset, length), nil
}
