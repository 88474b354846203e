package modules

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"math"
)

// openZstd reads zstd by a detour. The standard library has a reader of zstd, but lets
// others use it only for compressed sections of ELF files, so openZstd makes an ELF file
// whose one section is what r has. A program grows by 0.2 MB, and by 0.6 MB with the
// library of package codec: that would be more than init may have. The reader keeps at most
// 8 MiB of content, which is enough for level 19 and below.
func openZstd(r io.Reader) (io.Reader, error) {
	packed, err := io.ReadAll(io.LimitReader(r, maxModule))
	if err != nil {
		return nil, err
	}
	const fileHeader, sectionHeader = 64, 64
	header := elf.Header64{
		Ident:     [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Version:   uint32(elf.EV_CURRENT),
		Shoff:     fileHeader,
		Shentsize: sectionHeader,
		Shnum:     1,
	}
	compression := elf.Chdr64{Type: uint32(elf.COMPRESS_ZSTD), Size: math.MaxInt64, Addralign: 1}
	section := elf.Section64{
		Type:  uint32(elf.SHT_PROGBITS),
		Flags: uint64(elf.SHF_COMPRESSED),
		Off:   fileHeader + sectionHeader,
		Size:  uint64(binary.Size(compression) + len(packed)),
	}
	var file []byte
	for _, part := range []any{header, section, compression} {
		if file, err = binary.Append(file, binary.LittleEndian, part); err != nil {
			return nil, err
		}
	}
	f, err := elf.NewFile(bytes.NewReader(append(file, packed...)))
	if err != nil {
		return nil, err
	}
	return f.Sections[0].Open(), nil
}
