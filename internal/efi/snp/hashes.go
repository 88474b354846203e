package snp

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/rules-initramfs/rules_initramfs/internal/efi/guid"
)

// KernelHashes are the SHA-256 digests of what QEMU starts directly (-kernel, -initrd, -append).
// Firmware refuses what has other digests.
type KernelHashes struct {
	Kernel, Initrd, CommandLine [sha256.Size]byte
}

// NewKernelHashes reads a kernel and an initrd, which has no bytes if there is none.
func NewKernelHashes(kernel, initrd io.Reader, commandLine string) (*KernelHashes, error) {
	// QEMU hashes the NUL at the end of the command line.
	k := &KernelHashes{CommandLine: sha256.Sum256([]byte(commandLine + "\x00"))}
	for _, input := range []struct {
		from io.Reader
		to   *[sha256.Size]byte
	}{{kernel, &k.Kernel}, {initrd, &k.Initrd}} {
		h := sha256.New()
		if _, err := io.Copy(h, input.from); err != nil {
			return nil, err
		}
		h.Sum(input.to[:0])
	}
	return k, nil
}

// The table with the hashes: struct PaddedSevHashTable in target/i386/sev.c of QEMU.
var (
	hashTableID   = guid.MustParse("9438d606-4f22-4cc9-b479-a793d411fd21")
	commandLineID = guid.MustParse("97d02dd8-bd20-4c94-aa78-e7714d36ab2a")
	initrdID      = guid.MustParse("44baf731-3a2f-4bd7-9af1-41e29169781d")
	kernelID      = guid.MustParse("4de79437-abd2-427f-b835-d5b172d2045b")
)

const (
	hashEntrySize   = entryHeader + sha256.Size
	hashTableSize   = entryHeader + 3*hashEntrySize
	paddedTableSize = (hashTableSize + 15) &^ 15
)

// page returns the page that has the table at an offset.
func (k *KernelHashes) page(offset uint32) []byte {
	page := make([]byte, offset, pageSize)
	header := func(id guid.GUID, size uint16) {
		page = append(page, id[:]...)
		page = little.AppendUint16(page, size)
	}
	header(hashTableID, hashTableSize)
	for _, entry := range []struct {
		id   guid.GUID
		hash [sha256.Size]byte
	}{{commandLineID, k.CommandLine}, {initrdID, k.Initrd}, {kernelID, k.Kernel}} {
		header(entry.id, hashEntrySize)
		page = append(page, entry.hash[:]...)
	}
	return page[:pageSize]
}

var errNoHashes = errors.New("it does not support hashes of a kernel (kernel-hashes=on): name a build of OvmfPkg/AmdSev, edk2-stable202405 or newer, or predict a guest without a kernel")

// hashesPage returns the content of the section for the hashes.
func (f *Firmware) hashesPage(k *KernelHashes) ([]byte, error) {
	if f.hashTable.address == 0 {
		return nil, errNoHashes
	}
	for _, s := range f.sections {
		offset := f.hashTable.address - s.address
		if s.kind != sectionKernelHashes || f.hashTable.address < s.address || offset >= s.size {
			continue
		}
		if f.hashTable.size < paddedTableSize || offset > pageSize-paddedTableSize {
			return nil, fmt.Errorf("its table for hashes of a kernel, at %#x, has no room for them: the firmware is damaged", f.hashTable.address)
		}
		return k.page(offset), nil
	}
	return nil, errNoHashes
}
