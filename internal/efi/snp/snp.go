// Package snp predicts the launch digest of SEV-SNP: what an AMD CPU has measured when QEMU starts a
// guest, and what the guest's attestation reports have.
package snp

import (
	"crypto/sha512"
	"encoding/binary"
)

// Digest is a launch digest.
type Digest [sha512.Size384]byte

const pageSize = 4096

// pageType is the type of a page that is added to a guest: PAGE_TYPE of SNP_LAUNCH_UPDATE (AMD 56860,
// section 8.17).
type pageType byte

const (
	pageNormal  pageType = 1
	pageVMSA    pageType = 2
	pageZero    pageType = 3
	pageSecrets pageType = 5
	pageCPUID   pageType = 6
)

func (t pageType) String() string {
	switch t {
	case pageNormal:
		return "normal"
	case pageVMSA:
		return "vmsa"
	case pageZero:
		return "zero"
	case pageSecrets:
		return "secrets"
	default:
		return "cpuid"
	}
}

// pageInfoSize is the size of the structure PAGE_INFO (AMD 56860, section 8.17.2).
const pageInfoSize = 0x70

// update returns the digest after a page of a guest. contents is nil for the types whose content is
// not measured.
func (d Digest) update(kind pageType, address uint64, contents []byte) Digest {
	info := make([]byte, 0, pageInfoSize)
	info = append(info, d[:]...)
	var digest Digest
	if contents != nil {
		digest = sha512.Sum384(contents)
	}
	info = append(info, digest[:]...)
	info = binary.LittleEndian.AppendUint16(info, pageInfoSize)
	// No page is for the migration agent (IMI_PAGE), and QEMU gives no permissions to VMPL 1 to 3.
	info = append(info, byte(kind), 0, 0, 0, 0, 0)
	info = binary.LittleEndian.AppendUint64(info, address)
	return sha512.Sum384(info)
}
