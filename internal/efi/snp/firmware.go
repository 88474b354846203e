package snp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/guid"
)

// Firmware is a firmware image that QEMU starts, such as OVMF.
type Firmware struct {
	data     []byte
	sections []section
	// resetAddress is where all vCPUs but the first start.
	resetAddress uint32
	hashTable    area
}

// area is a part of a guest's memory. It is absent if it has no address.
type area struct{ address, size uint32 }

// section is a part of a guest's memory that firmware wants to have added to the guest.
type section struct {
	area
	kind sectionKind
}

// sectionKind is the type of a section: see OvmfPkg/ResetVector/X64/OvmfSevMetadata.asm of edk2.
type sectionKind uint32

const (
	sectionMemory       sectionKind = 1
	sectionSecrets      sectionKind = 2
	sectionCPUID        sectionKind = 3
	sectionSVSM         sectionKind = 4
	sectionKernelHashes sectionKind = 0x10
)

// sectionNames has the words for the types of sections.
var sectionNames = map[sectionKind]string{
	sectionMemory:       "memory",
	sectionSecrets:      "secrets",
	sectionCPUID:        "CPUID",
	sectionSVSM:         "SVSM calling area",
	sectionKernelHashes: "kernel hashes",
}

// The table at the end of the firmware: see OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm of edk2. Each
// value is followed by the size of the entry and its GUID. The last entry is the footer, whose size is
// that of the table.
const (
	afterTable      = 32 // bytes of code, up to the end
	entryHeader     = 2 + 16
	metadataHeader  = 16
	metadataSection = 12
	metadataVersion = 1
)

var (
	tableFooter     = guid.MustParse("96b582de-1fb2-45f7-baea-a366c55a082d")
	resetEntry      = guid.MustParse("00f771de-1a7e-4fcb-890e-68c77e2fb44e")
	metadataEntry   = guid.MustParse("dc886566-984a-4798-a75e-5585a7bf67cc")
	hashTableEntry  = guid.MustParse("7255371f-3a3b-4b04-927b-1da6efa8d454")
	metadataMagic   = [4]byte{'A', 'S', 'E', 'V'}
	little          = binary.LittleEndian
	errNoTable      = errors.New("it has no table of OVMF at its end: name one file with all of the firmware, as for -bios of QEMU, such as OVMF.fd")
	errNoMetadata   = errors.New("it does not support SEV-SNP, as it has no SEV metadata: name OVMF of edk2-stable202205 or newer")
	errNoResetEntry = errors.New("it does not support SEV-SNP, as it has no reset address for vCPUs: name OVMF of edk2-stable202205 or newer")
)

const (
	// maxFirmware is the most that QEMU loads: max-fw-size of the machine.
	maxFirmware = 16 << 20
	// maxMemory is how much memory the sections may have: OVMF has less than 1 MiB.
	maxMemory = 256 << 20
)

// ReadFirmware reads a firmware image.
func ReadFirmware(r io.Reader) (*Firmware, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFirmware+1))
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxFirmware:
		return nil, fmt.Errorf("it has more than %d MiB, which QEMU does not load: name the firmware of the guest, such as OVMF.fd", maxFirmware>>20)
	case len(data) == 0 || len(data)%pageSize != 0:
		return nil, fmt.Errorf("it has %d bytes, not a multiple of %d: name a whole firmware image, such as OVMF.fd", len(data), pageSize)
	}
	f := &Firmware{data: data}
	table, err := f.readTable()
	if err != nil {
		return nil, err
	}
	reset, metadata, hashes := table[resetEntry], table[metadataEntry], table[hashTableEntry]
	switch {
	case metadata == nil:
		return nil, errNoMetadata
	case reset == nil:
		return nil, errNoResetEntry
	case len(metadata) < 4:
		return nil, entryError(metadataEntry)
	case len(reset) < 4:
		return nil, entryError(resetEntry)
	case hashes != nil && len(hashes) < 8:
		return nil, entryError(hashTableEntry)
	}
	f.resetAddress = little.Uint32(reset)
	if hashes != nil {
		f.hashTable = area{little.Uint32(hashes), little.Uint32(hashes[4:])}
	}
	return f, f.readMetadata(little.Uint32(metadata))
}

// CheckBIOS returns an error if QEMU does not load the firmware with -bios: see x86_bios_rom_init in
// hw/i386/x86-common.c of QEMU.
func (f *Firmware) CheckBIOS() error {
	const multiple = 64 << 10
	if len(f.data)%multiple != 0 {
		return fmt.Errorf("it has %d bytes, and QEMU loads multiples of %d with -bios: name one file with all of the firmware, such as OVMF.fd and not OVMF_CODE.fd", len(f.data), multiple)
	}
	return nil
}

func entryError(id guid.GUID) error {
	return fmt.Errorf("entry %s of the table at its end is too short: the firmware is damaged", id)
}

// address returns the address of the first byte: the last one is below 4 GiB.
func (f *Firmware) address() uint64 { return 1<<32 - uint64(len(f.data)) }

// readTable returns the values of the table at the end. As in QEMU, the last of two entries with the same
// GUID is the one that counts: the search begins at the end.
func (f *Firmware) readTable() (map[guid.GUID][]byte, error) {
	end := len(f.data) - afterTable
	id, size := entryAt(f.data[:end])
	if id != tableFooter {
		return nil, errNoTable
	}
	if size < entryHeader || size > end {
		return nil, fmt.Errorf("the table at its end has %d bytes, which is not possible: the firmware is damaged", size)
	}
	rest := f.data[end-size : end-entryHeader]
	table := map[guid.GUID][]byte{}
	for len(rest) > 0 {
		if len(rest) < entryHeader {
			return nil, fmt.Errorf("the table at its end begins with %d bytes that are not an entry: the firmware is damaged", len(rest))
		}
		id, size := entryAt(rest)
		if size < entryHeader || size > len(rest) {
			return nil, fmt.Errorf("entry %s of the table at its end has %d bytes, which is not possible: the firmware is damaged", id, size)
		}
		if table[id] == nil {
			table[id] = rest[len(rest)-size : len(rest)-entryHeader : len(rest)-entryHeader]
		}
		rest = rest[:len(rest)-size]
	}
	return table, nil
}

// entryAt returns the GUID and the size of the entry that ends with data.
func entryAt(data []byte) (id guid.GUID, size int) {
	header := data[len(data)-entryHeader:]
	return guid.GUID(header[2:]), int(little.Uint16(header))
}

// readMetadata reads the sections, whose header is this far from the end.
func (f *Firmware) readMetadata(fromEnd uint32) error {
	if int64(fromEnd) > int64(len(f.data)) || fromEnd < metadataHeader {
		return fmt.Errorf("its SEV metadata should be %d bytes before its end, where they cannot be: the firmware is damaged", fromEnd)
	}
	data := f.data[len(f.data)-int(fromEnd):]
	if [4]byte(data) != metadataMagic {
		return fmt.Errorf("its SEV metadata, %d bytes before its end, do not begin with %s: the firmware is damaged", fromEnd, metadataMagic)
	}
	if version := little.Uint32(data[8:]); version != metadataVersion {
		return fmt.Errorf("its SEV metadata have the version %d, and this packer reads version %d", version, metadataVersion)
	}
	size, count := little.Uint32(data[4:]), little.Uint32(data[12:])
	if int64(size) > int64(len(data)) || int64(size) < metadataHeader+metadataSection*int64(count) {
		return fmt.Errorf("its SEV metadata have %d bytes for %d sections, which is not possible: the firmware is damaged", size, count)
	}
	data = data[metadataHeader:]
	memory := int64(0)
	for i := range int(count) {
		entry := data[i*metadataSection:]
		s := section{area{little.Uint32(entry), little.Uint32(entry[4:])}, sectionKind(little.Uint32(entry[8:]))}
		if err := s.check(); err != nil {
			return fmt.Errorf("section %d of its SEV metadata, at %#x: %w", i+1, s.address, err)
		}
		if memory += int64(s.size); memory > maxMemory {
			return fmt.Errorf("the sections of its SEV metadata have more than %d MiB: the firmware is damaged", maxMemory>>20)
		}
		f.sections = append(f.sections, s)
	}
	return nil
}

func (s section) check() error {
	switch {
	case sectionNames[s.kind] == "":
		return fmt.Errorf("it has the type %#x, which this packer cannot predict", uint32(s.kind))
	case s.address%pageSize != 0 || s.size%pageSize != 0 || s.size == 0:
		return fmt.Errorf("its %d bytes are not whole pages: the firmware is damaged", s.size)
	case s.size != pageSize && s.kind != sectionMemory && s.kind != sectionSVSM:
		return fmt.Errorf("it has the type %s and %d bytes, and this packer can predict one page", sectionNames[s.kind], s.size)
	}
	return nil
}
