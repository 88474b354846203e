package snp

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// model is a type of CPU of QEMU (builtin_x86_defs in target/i386/cpu.c).
type model struct {
	name                     string
	family, number, stepping uint32
}

var models = []model{
	{"EPYC", 23, 1, 2},
	{"EPYC-IBPB", 23, 1, 2}, // the alias of EPYC-v2
	{"EPYC-Rome", 23, 49, 0},
	{"EPYC-Milan", 25, 1, 1},
	{"EPYC-Genoa", 25, 17, 0},
	{"EPYC-Turin", 26, 0, 0},
}

// signature returns EAX of CPUID function 1, as AMD 25481 composes it.
func (m model) signature() uint32 {
	base := min(m.family, 0xf)
	return (m.family-base)<<20 | m.number>>4<<16 | base<<8 | m.number&0xf<<4 | m.stepping
}

// versionSuffix is what QEMU adds to the name of a type for one of its versions, which differ in
// features but not in the signature.
var versionSuffix = regexp.MustCompile(`-v[1-9][0-9]?$`)

// Types returns the types of vCPUs, without versions.
func Types() []string {
	var names []string
	for _, m := range models {
		names = append(names, m.name)
	}
	return names
}

// TypeSignature returns the signature of a type of vCPU, such as EPYC-Milan or EPYC-v4.
func TypeSignature(name string) (uint32, error) {
	for _, m := range models {
		if m.name == name || m.name == versionSuffix.ReplaceAllString(name, "") {
			return m.signature(), nil
		}
	}
	return 0, fmt.Errorf("type %q of a vCPU is unknown: want one of %s, or the signature of another type", name, strings.Join(Types(), ", "))
}

// ParseSignature reads a signature such as 0x800f12.
func ParseSignature(text string) (uint32, error) {
	n, err := parseHex(text, 32)
	if err != nil || n == 0 {
		return 0, cmp.Or(err, fmt.Errorf("%q: want EAX of CPUID function 1, such as 0x800f12", text))
	}
	return uint32(n), nil
}

// snpActive is the feature that says that a guest is one of SEV-SNP.
const snpActive = 1

// ParseFeatures reads guest features such as 0x1.
func ParseFeatures(text string) (uint64, error) {
	n, err := parseHex(text, 64)
	if err != nil || n&snpActive == 0 {
		return 0, cmp.Or(err, fmt.Errorf("%q: want bit 0, which each guest of SEV-SNP has, as in 0x1", text))
	}
	return n, nil
}

func parseHex(text string, bits int) (uint64, error) {
	digits, ok := strings.CutPrefix(text, "0x")
	n, err := strconv.ParseUint(digits, 16, bits)
	if !ok || err != nil {
		return 0, fmt.Errorf("%q: want a hexadecimal number of at most %d bits, such as 0x1", text, bits)
	}
	return n, nil
}

// firstReset is where the first vCPU starts.
const firstReset = 0xfffffff0

// vmsaAddress is the address that the firmware of the CPU measures for the state of a vCPU, which has no
// address in the guest: the last page below 48 bits (VMSA_GPA in sev-snp-measure).
const vmsaAddress = 0xfffffffff000

// vmsa returns the state of a vCPU that starts at an address: the VM save area (AMD 24593, table B-4), as
// KVM writes it after a reset by QEMU.
func vmsa(start uint32, signature uint32, features uint64) []byte {
	page := make([]byte, pageSize)
	segment := func(offset int, selector, attributes uint16, limit uint32, base uint64) {
		little.PutUint16(page[offset:], selector)
		little.PutUint16(page[offset+2:], attributes)
		little.PutUint32(page[offset+4:], limit)
		little.PutUint64(page[offset+8:], base)
	}
	const limit = 0xffff
	data := []int{0x00, 0x20, 0x30, 0x40, 0x50} // ES, SS, DS, FS, GS
	for _, offset := range data {
		segment(offset, 0, 0x93, limit, 0)
	}
	segment(0x10, 0xf000, 0x9b, limit, uint64(start&0xffff0000)) // CS
	segment(0x60, 0, 0, limit, 0)                                // GDTR
	segment(0x70, 0, 0x82, limit, 0)                             // LDTR
	segment(0x80, 0, 0, limit, 0)                                // IDTR
	segment(0x90, 0, 0x8b, limit, 0)                             // TR
	for _, register := range []struct {
		offset int
		value  uint64
	}{
		{0xd0, 0x1000},                 // EFER: SVME
		{0x148, 0x40},                  // CR4: MCE
		{0x158, 0x10},                  // CR0: ET
		{0x160, 0x400},                 // DR7
		{0x168, 0xffff0ff0},            // DR6
		{0x170, 0x2},                   // RFLAGS
		{0x178, uint64(start & limit)}, // RIP
		{0x268, 0x0007040600070406},    // PAT
		{0x310, uint64(signature)},     // RDX
		{0x3b0, features},              // SEV_FEATURES
		{0x3e8, 0x1},                   // XCR0: x87
	} {
		little.PutUint64(page[register.offset:], register.value)
	}
	little.PutUint32(page[0x408:], 0x1f80) // MXCSR
	little.PutUint16(page[0x410:], 0x37f)  // FCW
	return page
}
